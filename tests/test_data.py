"""Where images come from: drawn, cached, read, downloaded; and what is said where they cannot be had."""

import gzip
import hashlib
import http.server
import os
import struct
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from vae_lessons.data import Data, Split, load, loading
from vae_lessons.data import digits as handwriting
from vae_lessons.data.digits import Factors

REAL = Path(__file__).resolve().parents[2] / "shared" / "data"
KINDS = {"mnist": "MNIST", "fashion": "FashionMNIST"}
FILES = {
    ("train", "images"): "train-images-idx3-ubyte",
    ("train", "labels"): "train-labels-idx1-ubyte",
    ("test", "images"): "t10k-images-idx3-ubyte",
    ("test", "labels"): "t10k-labels-idx1-ubyte",
}


def never(*args, **kwargs):
    raise AssertionError("this must not be called")


def sentence(raised):
    """What a caught error says, once it is known to be one line that hides where it comes from."""
    message = str(raised.value)
    assert "\n" not in message
    assert 30 < len(message) < 600
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None or raised.value.__suppress_context__
    return message


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    monkeypatch.delenv("VAE_LESSONS_DATA", raising=False)
    monkeypatch.delenv("VAE_LESSONS_DATA_DIR", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


# Split ------------------------------------------------------------------------------------------


def a_split(n=6):
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (n, 1, 28, 28), generator=generator, dtype=torch.uint8)
    y = torch.arange(n)
    return Split(pixels, y, Factors(*(torch.arange(n) + 100.0 * i for i in range(4))))


def test_bytes_stay_bytes_and_x_is_in_0_1():
    split = a_split()
    kept = split.pixels.clone()
    assert split.x.dtype == torch.float32
    torch.testing.assert_close(split.x * 255, kept.float())
    assert split.pixels.dtype == torch.uint8
    assert torch.equal(split.pixels, kept)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_floating_point_is_given_as_it_is(dtype):
    pixels = torch.tensor([[-3.0, 0.5], [2.0, 7.0], [0.25, 1.0]], dtype=dtype)
    split = Split(pixels)
    assert torch.equal(split.x, pixels)
    assert split.x.dtype == dtype
    torch.testing.assert_close(split.mean().double(), pixels.double().mean(0), atol=1e-6, rtol=0)


def test_a_batch_is_those_rows_of_x():
    split = a_split()
    for index in (slice(1, 3), torch.tensor([5, 0, 5])):
        assert torch.equal(split.batch(index).x, split.x[index])


def test_the_mean_is_that_of_x():
    split = a_split()
    torch.testing.assert_close(split.mean(), split.x.mean(0))


def test_first_takes_the_same_rows_of_everything():
    split = a_split()
    part = split.first(4)
    assert len(part) == 4
    assert torch.equal(part.pixels, split.pixels[:4])
    assert torch.equal(part.y, split.y[:4])
    assert all(torch.equal(f, g[:4]) for f, g in zip(part.factors, split.factors, strict=True))
    assert isinstance(part.factors, Factors)
    assert len(split.first(100)) == 6
    bare = Split(split.pixels).first(2)
    assert (len(bare), bare.y, bare.factors) == (2, None, None)


def test_choose_takes_different_rows_at_random_and_always_the_same():
    split = a_split()
    chosen = split.choose(4)
    rows = [(split.pixels.flatten(1) == row).all(1).nonzero().item() for row in chosen.pixels.flatten(1)]
    assert len(set(rows)) == 4
    assert rows != sorted(rows)
    assert torch.equal(chosen.pixels, split.pixels[rows])
    assert torch.equal(chosen.y, split.y[rows])
    assert torch.equal(chosen.pixels, split.choose(4).pixels)
    assert split.choose(6) is split


def test_to_moves_everything():
    moved = Data(a_split(), Split(a_split().pixels), "mine").to("meta")
    assert moved.name == "mine"
    for tensor in (moved.train.pixels, moved.train.y, *moved.train.factors, moved.test.pixels):
        assert tensor.device.type == "meta"
    assert (moved.test.y, moved.test.factors) == (None, None)


FLAT = torch.zeros(3, 4)


@pytest.mark.parametrize(
    ("arguments", "error", "word"),
    [
        ((FLAT.long(),), TypeError, r"not torch.int64; write pixels.to\(torch.uint8\) or pixels.float"),
        ((FLAT.bool(),), TypeError, "torch.bool"),
        ((FLAT.numpy(),), TypeError, r"not a NumPy array; write torch.from_numpy\(pixels\)"),
        ((np.zeros((3, 4), np.uint8),), TypeError, r"not a NumPy array; write torch.from_numpy\(pixels\)"),
        (([[0.0, 1.0]],), TypeError, r"list; write torch.tensor\(pixels\)"),
        ((None,), TypeError, "NoneType"),
        ((FLAT.index_fill(0, torch.tensor(1), torch.nan),), ValueError, "NaN"),
        ((FLAT.index_fill(0, torch.tensor(1), -torch.inf),), ValueError, "infinite"),
        ((FLAT[:0],), ValueError, r"\(0, 4\)"),
        ((FLAT[0],), ValueError, r"\(4,\)"),
        ((FLAT, torch.arange(4)), ValueError, "y .* 3 images"),
        ((FLAT, torch.arange(2)), ValueError, "y .* 3 images"),
        ((FLAT, torch.tensor(3)), ValueError, "y .* 3 images"),
        ((FLAT, [1, 2, 3]), TypeError, r"y must be a tensor, not a list; write torch.tensor\(y\)"),
        ((FLAT, None, Factors(*torch.zeros(4, 2))), ValueError, "factors .* 3 images"),
        ((FLAT, None, Factors(1.0, 2.0, 3.0, 4.0)), TypeError, "factors must be a tensor, not a float"),
    ],
)
def test_splits_that_cannot_be(arguments, error, word):
    with pytest.raises(error, match=word) as raised:
        Split(*arguments)
    sentence(raised)


@pytest.mark.parametrize(
    ("train", "test", "part"),
    [(FLAT, Split(FLAT), "train"), (Split(FLAT), FLAT, "test"), (FLAT, FLAT, "train")],
)
def test_data_that_are_no_two_splits(train, test, part):
    words = rf"Data takes two Splits, Data\(Split\(train\), Split\(test\)\), but {part} is a Tensor"
    with pytest.raises(TypeError, match=words) as raised:
        Data(train, test)
    sentence(raised)


@pytest.mark.parametrize("pixels", [a_split().pixels, a_split().x])
@pytest.mark.parametrize("index", [None, slice(2), 1, torch.arange(2), torch.arange(6) < 2])
def test_what_a_split_hands_out_may_be_changed_and_the_data_stay(pixels, index):
    split = Split(pixels.clone())
    (split.x if index is None else split.batch(index).x).zero_()
    assert torch.equal(split.pixels, pixels)


# The built-in digits ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def digits(cache):
    """The digits as they come the first time, drawn, and the second time, from the cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "_cache", lambda: cache)
        first = load("digits")
        patch.setattr(handwriting, "draw", never)
        return first, load("digits")


@pytest.fixture
def few(monkeypatch, tmp_path):
    """A small set of digits and an empty cache, so that each test can spoil its own."""
    monkeypatch.setattr(loading, "TRAIN", 30)
    monkeypatch.setattr(loading, "TEST", 10)
    monkeypatch.setattr(loading, "_cache", lambda: tmp_path)
    return tmp_path


def equal(one, other):
    pairs = zip(one[:2], other[:2], strict=True)
    return all(
        torch.equal(a.pixels, b.pixels)
        and torch.equal(a.y, b.y)
        and all(torch.equal(f, g) for f, g in zip(a.factors, b.factors, strict=True))
        for a, b in pairs
    )


def test_digits_have_the_promised_sizes_types_and_ranges(digits):
    first, _ = digits
    assert first.name == "digits"
    for split, n in ((first.train, 18_000), (first.test, 2_000)):
        assert len(split) == n
        assert split.pixels.shape == (n, 1, 28, 28)
        assert split.pixels.dtype == torch.uint8
        assert split.first(500).x.shape == (500, 1, 28, 28)
        assert split.y.shape == (n,)
        assert split.y.dtype == torch.int64
        assert split.y.unique().tolist() == list(range(10))
        assert isinstance(split.factors, Factors)
        assert all(f.shape == (n,) and f.dtype == torch.float32 for f in split.factors)
    x = first.test.x
    assert (x.min(), x.max()) == (0, 1)


def test_digits_are_those_drawn_each_once_in_train_or_test(digits):
    pixels, y, factors = handwriting.draw(20_000)
    train, test, _ = digits[0]
    assert torch.equal(torch.cat([train.pixels, test.pixels]), pixels)
    assert torch.equal(torch.cat([train.y, test.y]), y)
    for mine, other, both in zip(train.factors, test.factors, factors, strict=True):
        assert torch.equal(torch.cat([mine, other]), both)


def test_digits_from_the_cache_are_those_drawn(digits):
    assert equal(*digits)


def test_the_limits_choose_images(few):
    whole = load()
    part = load(train=7, test=3)
    assert (len(part.train), len(part.test)) == (7, 3)
    assert torch.equal(part.train.pixels, whole.train.choose(7).pixels)
    assert torch.equal(part.test.factors.slant, whole.test.choose(3).factors.slant)
    more = load(train=1_000)
    assert (len(more.train), len(more.test)) == (30, 10)


def rewrite(path, **changed):
    with np.load(path) as file:
        arrays = dict(file)
    arrays.update(changed)
    np.savez(path, **{name: a for name, a in arrays.items() if a is not None})


def flip(path, after, skip):
    """Change one byte, so many after the first place where the file has these bytes."""
    raw = bytearray(path.read_bytes())
    raw[raw.index(after) + len(after) + skip] ^= 0x63
    path.write_bytes(raw)


DAMAGE = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-1000]),
    "garbage": lambda path: path.write_bytes(b"not an archive at all" * 50),
    "one array": lambda path: np.save(open(path, "wb"), np.zeros(3)),  # noqa: SIM115
    "a pickle": lambda path: rewrite(path, y=np.array([{}] * 40)),
    "one byte of the pixels": lambda path: flip(path, b"NUMPY", 1000),
    "other shapes": lambda path: rewrite(path, pixels=np.zeros((40, 28, 28), np.uint8)),
    "other label type": lambda path: rewrite(path, y=np.zeros(40, np.int32)),
    "no factors": lambda path: rewrite(path, factors=None),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_cache_is_made_again(few, monkeypatch, damage):
    whole = load()
    (path,) = few.glob("*.npz")
    before = path.read_bytes()
    damage(path)
    assert path.read_bytes() != before
    assert equal(load(), whole)
    monkeypatch.setattr(handwriting, "draw", never)
    assert equal(load(), whole)


def test_a_cache_that_cannot_be_written_is_done_without(few, monkeypatch):
    whole = load()
    (few / "regular").write_bytes(b"a file")
    monkeypatch.setattr(loading, "_cache", lambda: few / "regular" / "below")
    assert equal(load(), whole)
    assert (few / "regular").read_bytes() == b"a file"


def test_two_versions_of_the_package_keep_a_file_each(few, monkeypatch):
    first = load()
    monkeypatch.setattr(loading, "TEST", 11)
    assert len(load().test) == 11
    assert len(list(few.iterdir())) == 2
    monkeypatch.setattr(handwriting, "draw", never)
    assert len(load().test) == 11
    monkeypatch.setattr(loading, "TEST", 10)
    assert equal(load(), first)


def test_digits_do_not_import_torchvision(digits, cache):
    code = (
        "import pathlib, sys; from vae_lessons.data import loading;"
        "loading._cache = lambda: pathlib.Path(sys.argv[1]);"
        "assert len(loading.load('digits').test) == 2000; assert 'torch' in sys.modules;"
        "print([name for name in sys.modules if name.startswith('torchvision')])"
    )
    command = [sys.executable, "-c", code, str(cache)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


# What load is asked for ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["MNIST", 3, ["digits"]])
def test_a_name_that_is_unknown(monkeypatch, name):
    monkeypatch.setattr(handwriting, "draw", never)
    with pytest.raises(ValueError, match="name must be one of digits, mnist, fashion") as raised:
        load(name)
    assert repr(name) in sentence(raised)


def test_the_environment_names_data_that_is_unknown(monkeypatch):
    monkeypatch.setenv("VAE_LESSONS_DATA", "cifar10")
    with pytest.raises(ValueError, match=r"VAE_LESSONS_DATA must be one of .* not 'cifar10'") as raised:
        load()
    sentence(raised)


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("count", [0, 2.5, True, [5]])
def test_a_count_that_cannot_be(monkeypatch, part, count):
    monkeypatch.setattr(handwriting, "draw", never)
    with pytest.raises(ValueError, match=f"{part} must be a whole number") as raised:
        load("digits", **{part: count})
    assert repr(count) in sentence(raised)


@pytest.mark.parametrize("device", ["gpu", None])
def test_a_device_that_is_not_here(monkeypatch, device):
    monkeypatch.setattr(handwriting, "draw", never)
    with pytest.raises(ValueError, match="device") as raised:
        load("digits", device=device)
    sentence(raised)


# MNIST and Fashion-MNIST, from files --------------------------------------------------------------


def idx(array):
    """An array of bytes in the format of MNIST's files (LeCun et al. 1998)."""
    return struct.pack(f">{1 + array.ndim}i", 0x800 + array.ndim, *array.shape) + array.tobytes()


@pytest.fixture(scope="module")
def small():
    """What a small data set of MNIST's form holds: name of file -> array."""
    rng = np.random.default_rng(0)
    arrays = {}
    for (part, what), name in FILES.items():
        n = {"train": 50, "test": 20}[part]
        shape, top = ((n, 28, 28), 256) if what == "images" else ((n,), 10)
        arrays[name] = rng.integers(top, size=shape).astype(np.uint8)
    return arrays


@pytest.fixture(params=KINDS)
def name(request):
    return request.param


def written(small, folder, kind):
    raw = folder / kind / "raw"
    raw.mkdir(parents=True)
    for name, array in small.items():
        (raw / name).write_bytes(idx(array))
    return raw


def assert_is(loaded, small):
    for part in ("train", "test"):
        split = getattr(loaded, part)
        assert split.pixels.dtype == torch.uint8
        assert torch.equal(split.pixels[:, 0], torch.from_numpy(small[FILES[part, "images"]]))
        assert torch.equal(split.y, torch.from_numpy(small[FILES[part, "labels"]]).long())
        assert split.factors is None


def no_server(monkeypatch, kind):
    """Let torchvision find nobody, and fast: port 9 of this machine, where nothing listens."""
    datasets = pytest.importorskip("torchvision.datasets")
    monkeypatch.setattr(getattr(datasets, kind), "mirrors", ["http://127.0.0.1:9/"])


def test_files_in_torchvisions_layout_are_read(small, tmp_path, name):
    written(small, tmp_path, KINDS[name])
    loaded = load(name, folder=tmp_path)
    assert loaded.name == name
    assert_is(loaded, small)
    assert_is(load(name, folder=str(tmp_path)), small)
    part = load(name, folder=tmp_path, train=12, test=5)
    assert torch.equal(part.train.y, loaded.train.choose(12).y)
    assert torch.equal(part.test.pixels, loaded.test.choose(5).pixels)


def test_the_environment_chooses_the_data_and_the_folder(small, few, monkeypatch, tmp_path, name):
    written(small, tmp_path / "there", KINDS[name])
    monkeypatch.setenv("VAE_LESSONS_DATA", name)
    monkeypatch.setenv("VAE_LESSONS_DATA_DIR", str(tmp_path / "there"))
    assert load().name == name
    assert_is(load(), small)
    assert load("digits").name == "digits"  # an argument goes before the environment
    monkeypatch.setenv("VAE_LESSONS_DATA_DIR", str(tmp_path / "nowhere"))
    assert_is(load(folder=tmp_path / "there"), small)


def test_the_home_folder_may_be_written_short(small, monkeypatch, tmp_path):
    written(small, tmp_path / "there", "MNIST")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert_is(load("mnist", folder="~/there"), small)


def test_without_a_folder_the_files_are_those_of_the_cache(small, few):
    written(small, few / "torchvision", "MNIST")
    assert_is(load("mnist"), small)


def other(array):
    return lambda file: file.write_bytes(idx(array))


SPOIL = {
    "truncated": ("images", lambda file: file.write_bytes(file.read_bytes()[:-1])),
    "empty": ("images", lambda file: file.write_bytes(b"")),
    "too long": ("images", lambda file: file.write_bytes(file.read_bytes() + b"more")),
    "still an archive": ("labels", lambda file: file.write_bytes(gzip.compress(file.read_bytes()))),
    "labels for images": ("images", other(np.zeros(50, np.uint8))),
    "other numbers": ("labels", other(np.zeros(51, np.uint8))),
    "other sizes": ("images", other(np.zeros((50, 32, 32), np.uint8))),
}


@pytest.mark.parametrize(("what", "spoil"), SPOIL.values(), ids=SPOIL)
def test_damaged_files_are_named_and_left_alone(small, monkeypatch, tmp_path, what, spoil):
    no_server(monkeypatch, "MNIST")
    raw = written(small, tmp_path, "MNIST")
    spoil(raw / FILES["train", what])
    before = {path.name: path.read_bytes() for path in raw.iterdir()}
    with pytest.raises(RuntimeError, match="damaged") as raised:
        load("mnist", folder=tmp_path)
    message = sentence(raised)
    assert str(raw) in message
    assert "delete that folder" in message
    assert {path.name: path.read_bytes() for path in raw.iterdir()} == before


def test_a_damaged_test_set_of_fashion_is_called_fashion(small, tmp_path):
    raw = written(small, tmp_path, "FashionMNIST")
    (raw / FILES["test", "images"]).write_bytes(b"")
    with pytest.raises(RuntimeError, match=r"FashionMNIST .* damaged") as raised:
        load("fashion", folder=tmp_path)
    assert str(raw) in sentence(raised)


def test_a_torchvision_that_does_not_match_torch(monkeypatch, tmp_path):
    package = tmp_path / "torchvision"
    package.mkdir()
    lines = 'raise RuntimeError("operator torchvision::nms does not exist")\n'
    (package / "__init__.py").write_text(lines)
    for module in [m for m in sys.modules if m.split(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(RuntimeError, match="install the two together") as raised:
        load("mnist", folder=tmp_path)
    message = sentence(raised)
    assert "operator torchvision::nms does not exist" in message
    assert torch.__version__ in message
    assert "torch torchvision" in message


@pytest.mark.skipif(not (REAL / "MNIST").is_dir(), reason="Real MNIST is not beside this repository.")
def test_real_mnist_has_its_published_size_mean_and_deviation():
    train, test, _ = load("mnist", folder=REAL)
    assert (len(train), len(test)) == (60_000, 10_000)
    counts = train.pixels.flatten().bincount(minlength=256).double()
    grey = torch.arange(256) / 255
    mean = (counts * grey).sum() / counts.sum()
    std = ((counts * (grey - mean) ** 2).sum() / counts.sum()).sqrt()
    assert mean.item() == pytest.approx(0.1307, abs=5e-5)
    assert std.item() == pytest.approx(0.3081, abs=5e-5)
    assert train.mean().mean().item() == pytest.approx(mean.item(), rel=1e-5)
    assert test.y.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


# MNIST and Fashion-MNIST, downloaded ----------------------------------------------------------------


class Handler(http.server.BaseHTTPRequestHandler):
    """Gives the server's files, or, as the server's `mood` is, none, others, or half of one."""

    def do_GET(self):
        name = self.path.rsplit("/", 1)[-1]
        self.server.asked.append(name)
        body = self.server.files.get(name)
        moody = name == self.server.moody_about
        if body is None or (moody and self.server.mood == "missing"):
            return self.send_error(404)
        if moody and self.server.mood == "hangs up":
            return None
        if moody and self.server.mood == "other bytes":
            body = gzip.compress(b"other bytes")
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        cut = moody and self.server.mood == "cut off"
        self.wfile.write(body[: len(body) // 2] if cut else body)
        return None

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    mood, moody_about = "good", None

    def handle_error(self, request, client_address):
        pass  # torchvision asks once for where a file is, and hangs up


@pytest.fixture
def server(small, monkeypatch):
    """A server on this machine that torchvision takes for the home of both data sets."""
    datasets = pytest.importorskip("torchvision.datasets")
    with Server(("127.0.0.1", 0), Handler) as server:
        server.asked = []
        server.files = {f"{name}.gz": gzip.compress(idx(array)) for name, array in small.items()}
        sums = [(name, hashlib.md5(body).hexdigest()) for name, body in server.files.items()]
        for kind in KINDS.values():
            dataset = getattr(datasets, kind)
            monkeypatch.setattr(dataset, "mirrors", [f"http://127.0.0.1:{server.server_port}/{kind}/"])
            monkeypatch.setattr(dataset, "resources", sums)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def whole_or_absent(raw, small):
    """No file lies there but whole ones under their own names, and no folder without one."""
    if not raw.parent.exists():
        return True
    return any(raw.iterdir()) and all(
        path.name in small and path.read_bytes() == idx(small[path.name]) for path in raw.iterdir()
    )


def test_a_download_is_kept_and_needs_the_server_once(small, server, tmp_path, name, capsys):
    assert_is(load(name, folder=tmp_path), small)
    assert "100%" in capsys.readouterr().err  # torchvision's own progress
    assert set(server.asked) == set(server.files)
    raw = tmp_path / KINDS[name] / "raw"
    assert whole_or_absent(raw, small)
    server.asked.clear()
    assert_is(load(name, folder=tmp_path), small)
    assert server.asked == []


@pytest.mark.parametrize(
    ("mood", "about"), [("missing", 0), ("hangs up", 3), ("other bytes", 3), ("cut off", 3)]
)
def test_a_download_that_fails_leaves_nothing_half_and_works_later(small, server, tmp_path, mood, about):
    server.mood, server.moody_about = mood, list(server.files)[about]
    with pytest.raises(RuntimeError, match=r"MNIST .* could not be downloaded") as raised:
        load("mnist", folder=tmp_path)
    message = sentence(raised)
    raw = tmp_path / "MNIST" / "raw"
    assert str(raw) in message
    assert "connect to the network" in message
    assert 'load("digits")' in message
    assert whole_or_absent(raw, small)
    server.mood = "good"
    assert_is(load("mnist", folder=tmp_path), small)


def test_without_a_network_the_sentence_says_what_went_wrong(monkeypatch, tmp_path, name):
    no_server(monkeypatch, KINDS[name])
    with pytest.raises(RuntimeError, match="connect to the network") as raised:
        load(name, folder=tmp_path)
    message = sentence(raised)
    assert f"no whole {KINDS[name]} in {tmp_path / KINDS[name] / 'raw'}" in message
    assert "urlopen error" in message


def test_the_four_files_are_named_and_no_folder_is_left(monkeypatch, tmp_path):
    no_server(monkeypatch, "MNIST")
    with pytest.raises(RuntimeError, match="put its four files, ") as raised:
        load("mnist", folder=tmp_path / "new" / "folder")
    assert all(name in sentence(raised) for name in FILES.values())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "there", ["MNIST/raw/train-images.idx3-ubyte", "MNIST/t10k-labels-idx1-ubyte", "train-labels.idx1-ubyte"]
)
def test_files_that_are_named_otherwise_or_lie_elsewhere_are_told(small, monkeypatch, tmp_path, there):
    no_server(monkeypatch, "MNIST")
    raw = written(small, tmp_path, "MNIST")
    (tmp_path / there).parent.mkdir(exist_ok=True)
    (raw / Path(there).name.replace(".idx", "-idx")).rename(tmp_path / there)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(RuntimeError, match="into that folder under these names") as raised:
        load("mnist", folder=tmp_path)
    assert f"(there is {tmp_path / there})" in sentence(raised)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_that_cannot_be_made(server, tmp_path):
    (tmp_path / "regular").write_bytes(b"a file")
    with pytest.raises(RuntimeError, match="could not be downloaded") as raised:
        load("mnist", folder=tmp_path / "regular" / "below")
    assert str(tmp_path / "regular" / "below") in sentence(raised)
    assert server.asked == []


@pytest.mark.parametrize("which", [1, 4])
def test_an_interruption_while_unpacking_leaves_nothing_half(small, server, monkeypatch, tmp_path, which):
    def stop_half_way(archive, folder, *args):
        calls.append(archive)
        whole = gzip.decompress(Path(archive).read_bytes())
        interrupted = len(calls) == which
        Path(folder, Path(archive).stem).write_bytes(whole[: len(whole) // 2] if interrupted else whole)
        if interrupted:
            raise KeyboardInterrupt

    calls = []
    with monkeypatch.context() as patch:
        patch.setattr("torchvision.datasets.utils.extract_archive", stop_half_way)
        with pytest.raises(KeyboardInterrupt):
            load("mnist", folder=tmp_path)
    assert len(calls) == which
    assert whole_or_absent(tmp_path / "MNIST" / "raw", small)
    assert_is(load("mnist", folder=tmp_path), small)


def half_a_download(server, raw):
    """What torchvision by itself leaves when it is cut off while unpacking: archives and half files."""
    raw.mkdir(parents=True)
    for number, (name, body) in enumerate(server.files.items()):
        (raw / name).write_bytes(body if number < 2 else body[: len(body) // 2])
        whole = gzip.decompress(body)
        (raw / Path(name).stem).write_bytes(whole if number < 3 else whole[: len(whole) // 2])


def test_what_others_left_half_downloaded_is_made_whole(small, server, tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    half_a_download(server, raw)
    assert_is(load("mnist", folder=tmp_path), small)
    assert set(server.asked) == set(list(server.files)[2:])  # whole archives are not fetched again


def test_what_others_left_half_downloaded_stays_without_a_network(server, monkeypatch, tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    half_a_download(server, raw)
    before = {path.name: path.read_bytes() for path in raw.iterdir()}
    no_server(monkeypatch, "MNIST")
    with pytest.raises(RuntimeError, match=r"no whole MNIST .* connect to the network") as raised:
        load("mnist", folder=tmp_path)
    sentence(raised)
    assert {path.name: path.read_bytes() for path in raw.iterdir()} == before


def test_archives_put_there_by_hand_need_no_network(small, server, monkeypatch, tmp_path):
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    for name, body in server.files.items():
        (raw / name).write_bytes(body)
    no_server(monkeypatch, "FashionMNIST")
    assert_is(load("fashion", folder=tmp_path), small)
    assert sorted(os.listdir(raw)) == sorted([*server.files, *small])


def test_two_downloads_at_once(small, server, tmp_path):
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(load("mnist", folder=tmp_path))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 3
    for loaded in results:
        assert_is(loaded, small)
