"""Folders of pictures as they lie about, each made here: what is read, what is left out, what is refused."""

import os
import warnings

import numpy as np
import pytest
import torch
from PIL import Image, JpegImagePlugin

from vae_lessons.data import load_folder
from vae_lessons.model import VAE
from vae_lessons.train import fit

RED, WHITE = (255, 0, 0), (255, 255, 255)


def plain(folder, n=3, names="plain-{}.png", colour=RED, size=(40, 30)):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        Image.new("RGB", size, colour).save(folder / names.format(i))


def noise(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def halves(mode="RGB", size=(40, 40), left=RED, right=WHITE):
    image = Image.new(mode, size, left)
    image.paste(right, (size[0] // 2, 0, *size))
    return image


def every(data):
    """All images, those for training and those for testing, (N, C, H, W)."""
    return torch.cat([data.train.pixels, data.test.pixels])


def colours(data):
    """The colour a quarter and three quarters along the middle row, of all images: a set of two triples."""
    pixels = every(data)
    n = pixels.shape[-1]
    return {tuple(map(tuple, image[:, n // 2, [n // 4, 3 * n // 4]].T.tolist())) for image in pixels}


def twice(folder, image, name, **settings):
    for i in range(2):
        image.save(folder / f"{i}-{name}", **settings)


@pytest.mark.parametrize("ending", ["png", "gif", "webp", "bmp", "jpg", "JPEG"])
def test_a_folder_of_one_format_is_read(tmp_path, ending):
    twice(tmp_path, halves(), f"a.{ending}")
    (found,) = colours(load_folder(tmp_path, 16, "rgb"))
    assert np.abs(np.subtract(found, (RED, WHITE))).max() <= 3


def palette(folder):
    twice(folder, halves().quantize(4), "a.png")


def alpha(folder):
    twice(folder, halves("RGBA", left=(255, 0, 0, 255), right=(0, 0, 0, 0)), "a.png")


def alpha_in_a_palette(folder):
    image = halves("P", left=0, right=1)
    image.putpalette([255, 0, 0, 0, 0, 0])
    twice(folder, image, "a.png", transparency=1)


def one_colour_as_transparent(folder):
    twice(folder, halves(right=(0, 0, 255)), "a.png", transparency=(0, 0, 255))


def animation(folder):
    later = Image.new("RGB", (40, 40), (0, 0, 255))
    twice(folder, halves(), "a.gif", save_all=True, append_images=[later])


def cmyk(folder):
    twice(folder, halves("CMYK", left=(0, 255, 255, 0), right=(0, 0, 0, 0)), "a.jpg")


def turned_by_exif(folder):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise by a quarter to see it upright
    twice(folder, halves().rotate(90), "a.jpg", exif=exif)


def an_ending_of_another_format(folder):
    twice(folder, halves(), "a.jpg", format="PNG")


def damaged_exif(folder):
    twice(folder, halves(), "a.jpg", exif=b"Exif\0\0 nothing of the kind")


def wide_cropped_to_the_middle(folder):
    image = Image.new("RGB", (400, 40), (0, 0, 255))
    image.paste(halves(), (180, 0))
    twice(folder, image, "a.png")


def names_of_other_alphabets_and_spaces(folder):
    twice(folder, halves(), "ein schönes Bild 写真 .png")


KINDS = [
    palette,
    alpha,
    alpha_in_a_palette,
    one_colour_as_transparent,
    animation,
    cmyk,
    turned_by_exif,
    an_ending_of_another_format,
    damaged_exif,
    wide_cropped_to_the_middle,
    names_of_other_alphabets_and_spaces,
]


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
def test_an_odd_kind_of_image_comes_out_red_at_the_left_and_white_at_the_right(tmp_path, make):
    make(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (found,) = colours(load_folder(tmp_path, 16, "rgb"))
    assert np.abs(np.subtract(found, (RED, WHITE))).max() <= 4


def grey_of_16_bit(folder):
    twice(
        folder,
        Image.fromarray(np.repeat([[0, 32896]], 2, 0).repeat(20, 0).repeat(20, 1).astype("u2")),
        "a.png",
    )


def grey_of_1_bit_with_half_white(folder):
    image = np.zeros((40, 40), dtype=np.uint8)
    image[:, 20:] = np.indices((40, 20)).sum(0) % 2 * 255
    twice(folder, Image.fromarray(image).convert("1", dither=Image.Dither.NONE), "a.png")


def grey_with_alpha(folder):
    twice(folder, halves("LA", left=(0, 255), right=(0, 127)), "a.png")


@pytest.mark.parametrize(
    "make", [grey_of_16_bit, grey_of_1_bit_with_half_white, grey_with_alpha], ids=lambda make: make.__name__
)
@pytest.mark.parametrize(("colour", "channels"), [("grey", 1), ("rgb", 3)])
def test_a_grey_image_comes_out_black_at_the_left_and_grey_at_the_right(tmp_path, make, colour, channels):
    make(tmp_path)
    ((left, right),) = colours(load_folder(tmp_path, 8, colour))
    assert left == (0,) * channels
    assert right == pytest.approx((128,) * channels, abs=2)


def test_images_of_any_size_down_to_a_line_of_pixels_become_squares(tmp_path):
    for i, size in enumerate([(1, 1), (3, 500), (500, 3), (29, 28), (1000, 700)]):
        plain(tmp_path, 1, f"{i}-{{}}.png", size=size)
    assert colours(load_folder(tmp_path, 17, "rgb")) == {(RED, RED)}


def test_a_photograph_is_never_decoded_at_its_full_size(tmp_path, monkeypatch):
    twice(tmp_path, Image.fromarray(noise(1600, 2400)), "a.jpg")
    sizes = []
    whole = JpegImagePlugin.JpegImageFile.load

    def watched(self):
        sizes.append(self.size)
        return whole(self)

    monkeypatch.setattr(JpegImagePlugin.JpegImageFile, "load", watched)
    load_folder(tmp_path, 28)
    assert set(sizes) == {(300, 200)}


def test_labels_count_the_class_folders_by_name_with_all_below_them(tmp_path):
    for name, shade in [("b/deep/er", 20), ("a", 10), ("c", 30)]:
        plain(tmp_path / name, 4, colour=(shade,) * 3)
    (tmp_path / "aa empty class").mkdir()
    data = load_folder(tmp_path, 8)
    for split in data.train, data.test:
        assert torch.equal(split.pixels[:, 0, 0, 0].long(), 10 * (split.y + 1))
    assert data.name == tmp_path.name
    assert len(data.train) + len(data.test) == 12


@pytest.mark.parametrize("where", [".", "only", "only/one/inside"])
def test_labels_are_0_in_a_flat_folder_wherever_it_lies(tmp_path, where):
    plain(tmp_path / where)
    data = load_folder(tmp_path)
    assert data.train.y.tolist() == [0, 0]
    assert data.test.y.tolist() == [0]


def test_classes_are_found_below_the_folder_that_an_archive_wraps_around_them(tmp_path):
    plain(tmp_path / "archive" / "cats")
    plain(tmp_path / "archive" / "dogs")
    plain(tmp_path / "__MACOSX" / "archive" / "cats", names="._{}.png")
    assert load_folder(tmp_path).train.y.unique().tolist() == [0, 1]


def test_images_beside_class_folders_are_a_class_before_them(tmp_path):
    plain(tmp_path, colour=(10, 10, 10))
    plain(tmp_path / "a", colour=(20, 20, 20))
    train = load_folder(tmp_path).train
    assert torch.equal(train.pixels[:, 0, 0, 0].long(), 10 * (train.y + 1))


def test_hidden_files_and_other_files_are_ignored_without_a_word(tmp_path):
    plain(tmp_path)
    plain(tmp_path / ".thumbnails")
    (tmp_path / "folder.png").mkdir()
    for name in ("Thumbs.db", "._plain.png", ".DS_Store", "notes.txt", "film.mp4"):
        (tmp_path / name).write_bytes(b"no image")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(every(load_folder(tmp_path))) == 3


def empty_file(path):
    path.write_bytes(b"")


def text(path):
    path.write_text("<html>404 Not Found</html>")


def cut_off(path):
    Image.fromarray(noise(60, 60)).save(path, format="PNG")
    path.write_bytes(path.read_bytes()[:3000])


def cut_off_photograph(path):
    Image.fromarray(noise(60, 60)).save(path, format="JPEG")
    path.write_bytes(path.read_bytes()[:2000])


def of_100_megapixels(path):
    Image.new("1", (10_000, 10_000)).save(path)


def of_400_megapixels(path):
    Image.new("1", (20_000, 20_000)).save(path)


@pytest.mark.parametrize(
    "spoil",
    [empty_file, text, cut_off, cut_off_photograph, of_100_megapixels, of_400_megapixels],
    ids=lambda spoil: spoil.__name__,
)
def test_a_file_that_cannot_be_read_is_named_counted_and_left_out(tmp_path, spoil):
    plain(tmp_path / "a")
    spoil(tmp_path / "a" / "bad.png")
    with pytest.warns(UserWarning, match=r"1 of 4 files cannot be read.*bad\.png \(.+\)\.$") as warned:
        data = load_folder(tmp_path, 8, "rgb")
    assert len(warned) == 1
    assert "\n" not in str(warned[0].message)
    assert colours(data) == {(RED, RED)}


def test_of_many_broken_files_ten_are_named_and_the_others_counted(tmp_path):
    plain(tmp_path)
    for i in range(25):
        text(tmp_path / f"bad{i}.png")
    with pytest.warns(UserWarning, match="25 of 28 files .* and 15 more") as warned:
        load_folder(tmp_path)
    assert str(warned[0].message).count("bad") == 10


def a_missing_folder(folder):
    return folder / "none"


def a_file(folder):
    plain(folder, 1)
    return folder / "plain-0.png"


def an_empty_folder(folder):
    return folder


def a_folder_without_images(folder):
    (folder / "notes.txt").write_text("no image")
    return folder


def one_image(folder):
    plain(folder, 1)
    return folder


def broken_images_alone(folder):
    text(folder / "bad.png")
    return folder


def one_image_in_each_class(folder):
    plain(folder / "a", 1)
    plain(folder / "b", 1)
    return folder


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (a_missing_folder, "does not exist"),
        (a_file, "is a file"),
        (an_empty_folder, "There is no PNG"),
        (a_folder_without_images, "There is no PNG"),
        (one_image, "holds 1"),
        (broken_images_alone, r"holds 0, since 1 of 1 files .* bad\.png"),
        (one_image_in_each_class, "2 class folders .* one image"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_folder_that_gives_no_training_and_test_set_is_refused_in_one_sentence(tmp_path, make, words):
    with pytest.raises(ValueError, match=words) as raised:
        load_folder(make(tmp_path))
    assert str(raised.value).endswith(".")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"path": None},
        {"size": 0},
        {"size": 28.5},
        {"size": (28, 28)},
        {"colour": "gray"},
        {"colour": ["rgb"]},
        {"test": 0},
        {"test": 1},
        {"test": True},
        {"test": "0.1"},
        {"test": float("nan")},
        {"seed": -1},
    ],
    ids=str,
)
def test_a_setting_that_is_none_is_named(tmp_path, settings):
    plain(tmp_path)
    with pytest.raises(ValueError, match=f"^{next(iter(settings))} must be"):
        load_folder(**{"path": tmp_path, **settings})


def test_size_and_test_may_be_numbers_of_numpy_or_torch(tmp_path):
    plain(tmp_path)
    for size, share in [(np.int64(5), np.float32(0.5)), (torch.tensor(5), torch.tensor(0.5))]:
        assert load_folder(tmp_path, size, test=share).train.pixels.shape == (1, 1, 5, 5)


def shades(folder, classes=1, n=20):
    for i in range(n):
        plain(folder / str(i % classes), 1, f"{i}-{{}}.png", colour=(10 * i,) * 3)


def test_the_split_is_random_seeded_and_of_the_share_asked_for(tmp_path, monkeypatch):
    shades(tmp_path)
    before = torch.get_rng_state()
    first, again, other = (load_folder(str(tmp_path), 4, test=0.25, seed=s) for s in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert (len(first.train), len(first.test)) == (15, 5)
    assert torch.equal(first.train.pixels, again.train.pixels)
    assert torch.equal(first.test.pixels, again.test.pixels)
    assert not torch.equal(first.test.pixels, other.test.pixels)
    assert sorted(every(first)[:, 0, 0, 0].tolist()) == list(range(0, 200, 10))
    monkeypatch.setenv("VAE_LESSONS_SEED", "1")
    assert torch.equal(load_folder(tmp_path, 4, test=0.25).test.pixels, other.test.pixels)


@pytest.mark.parametrize("seed", range(5))
def test_each_class_is_in_training_however_large_the_test_set(tmp_path, seed):
    shades(tmp_path, classes=5, n=11)
    data = load_folder(tmp_path, 4, test=0.9, seed=seed)
    assert data.train.y.unique().tolist() == [0, 1, 2, 3, 4]
    assert len(data.test) == 6


@pytest.mark.skipif(not hasattr(os, "symlink") or os.name == "nt", reason="Windows asks for rights to link.")
def test_a_link_that_leads_in_a_circle_or_nowhere_does_no_harm(tmp_path):
    plain(tmp_path)
    (tmp_path / "circle").symlink_to(tmp_path)
    (tmp_path / "nowhere.png").symlink_to(tmp_path / "none")
    assert len(every(load_folder(tmp_path))) == 3


@pytest.mark.parametrize("colour", ["rgb", "grey"])
def test_a_small_vae_with_its_shape_from_the_data_trains_on_a_folder(tmp_path, colour):
    for i in range(40):
        halves(left=(6 * i, 0, 0), right=(255, 255 - 6 * i, 0)).save(tmp_path / f"{i}.png")
    data = load_folder(tmp_path, 12, colour)
    model = VAE(latent=2, hidden=(32,), likelihood="gaussian", sigma=0.1, shape=data.train.pixels.shape[1:])
    history = fit(model, data, epochs=2, batch=4, device="cpu", progress=False)
    assert np.isfinite(history.test[-1].elbo)
    assert history.test[-1].elbo > history.test[0].elbo
    assert model.picture(torch.zeros(1, 2)).shape == (1, *data.train.pixels.shape[1:])
