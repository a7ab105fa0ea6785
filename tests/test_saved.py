"""Files of models: they come back bit for bit, or are refused in one sentence, and no code in them is run."""

import os
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from vae_lessons.model import VAE, Autoencoder, ConditionalVAE, load_model, save_model
from vae_lessons.model import saved as saved_models
from vae_lessons.observation import Gaussian

SMALL = {"latent": 3, "hidden": (16, 8), "shape": (1, 5, 4)}


@pytest.fixture(autouse=True)
def _lessons_seed(monkeypatch):
    """The seed of the lessons is 0, whatever the one who runs these tests has set."""
    monkeypatch.delenv("VAE_LESSONS_SEED", raising=False)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def images(n=6, shape=(1, 5, 4), seed=0):
    return torch.rand(n, *shape, generator=seeded(seed))


def same_weights(a, b):
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


STORED = [
    (Autoencoder, {}),
    (VAE, {}),
    (VAE, {"hidden": [7, 5], "seed": 9}),
    (VAE, {"latent": np.int64(3), "hidden": [np.int32(7)], "seed": np.int64(9)}),
    (VAE, {"likelihood": "gaussian", "sigma": np.float32(0.1)}),
    (VAE, {"likelihood": "gaussian", "sigma": "learned"}),
    (ConditionalVAE, {"condition": 4, "loudness": 2}),
]


@pytest.mark.parametrize(("kind", "settings"), STORED)
def test_a_model_comes_back_bit_for_bit(kind, settings, tmp_path):
    model = kind(**SMALL | settings)
    with torch.no_grad():
        for weights in model.parameters():
            weights.copy_(torch.randn(weights.shape, generator=seeded(7)))  # as if trained
    before = torch.get_rng_state()
    save_model(model, tmp_path / "new" / "model.pt")
    again = load_model(str(tmp_path / "new" / "model.pt"), device="cpu")
    assert torch.equal(torch.get_rng_state(), before)
    assert type(again) is kind
    assert again.settings == model.settings
    assert same_weights(again, model)
    names = [name for name, _ in model.named_parameters()]
    assert [name for name, weights in again.named_parameters() if weights.requires_grad] == names
    given = {"y": torch.arange(6) % 4} if kind is ConditionalVAE else {}
    given["eps"] = torch.ones(6, 3)
    assert torch.equal(again(images(), **given).logits, model(images(), **given).logits)


def test_a_model_takes_the_place_of_an_older_one(tmp_path):
    path = tmp_path / "model.pt"
    save_model(VAE(**SMALL, seed=1), path)
    save_model(VAE(**SMALL, seed=2), path)
    assert same_weights(load_model(path, "cpu"), VAE(**SMALL, seed=2))
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "model.pt"
    save_model(VAE(**SMALL, seed=1), path)

    def disk_full(content, file):
        file.write(b"half of it")
        raise OSError("No space left on device")

    monkeypatch.setattr(torch, "save", disk_full)
    with pytest.raises(OSError, match="No space"):
        save_model(VAE(**SMALL, seed=2), path)
    monkeypatch.undo()
    assert same_weights(load_model(path, "cpu"), VAE(**SMALL, seed=1))
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError, match="file"):
        save_model(VAE(**SMALL), tmp_path / "file" / "model.pt")


class Deeper(VAE):
    """A learner's own model: one more layer, and how wide it is."""

    def __init__(self, width=4, **settings):
        super().__init__(**settings)
        self.wide = nn.Sequential(nn.Linear(self.latent, width), nn.ReLU(), nn.Linear(width, self.latent))

    def decode(self, z):
        return super().decode(z + self.wide(z))


def with_change(change):
    model = VAE(**SMALL)
    change(model)
    return model


def with_own_layers():
    encoder, decoder = (nn.Sequential(nn.Flatten(), nn.Linear(i, 20)) for i in (20, 3))
    return Autoencoder(**SMALL, encoder=encoder.append(nn.Linear(20, 3)), decoder=decoder)


OWN = {
    "a class of one's own": lambda: Deeper(width=5, **SMALL),
    "a class of the same name as ours": lambda: type("VAE", (Deeper,), {})(**SMALL),
    "layers passed in": with_own_layers,
    "another activation": lambda: with_change(lambda m: m.set_submodule("encoder.hidden.1", nn.ReLU())),
    "a layer put in": lambda: with_change(lambda m: m.decoder.hidden.insert(2, nn.Dropout(0.5))),
    "a layer taken away": lambda: with_change(lambda m: m.encoder.hidden.__delitem__(3)),
    "another likelihood": lambda: with_change(lambda m: setattr(m, "likelihood", Gaussian())),
    "a module of another kind": lambda: nn.Linear(3, 4),
}


@pytest.mark.parametrize("build", OWN.values(), ids=OWN)
def test_a_class_or_layers_of_ones_own_come_back_into_a_model_built_alike_only(build, tmp_path):
    model, path, kind = build(), tmp_path / "model.pt", type(build()).__name__
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(1)
    save_model(model, path)
    with pytest.raises(ValueError, match=rf"holds a {kind} with .* into={kind}\(\.\.\.\)\)"):
        load_model(path, "cpu")
    again = build()
    assert load_model(path, "cpu", into=again) is again
    assert same_weights(again, model)
    other = VAE(**SMALL)
    before = {name: value.clone() for name, value in other.state_dict().items()}
    with pytest.raises(ValueError, match=rf"holds a {kind} that is not like .*: .* in the model"):
        load_model(path, "cpu", into=other)
    assert all(torch.equal(before[name], value) for name, value in other.state_dict().items())


def test_a_model_in_float64_comes_back_bit_for_bit(tmp_path):
    model = VAE(**SMALL).double()
    with torch.no_grad():
        model.decoder.out.bias.fill_(1 / 3)
    save_model(model, tmp_path / "model.pt")
    again = load_model(tmp_path / "model.pt", "cpu")
    assert again.decoder.out.bias.dtype == torch.float64
    assert same_weights(again, model)


@pytest.mark.parametrize("model", [VAE, None, VAE(**SMALL).state_dict()])
def test_what_is_no_model_is_not_saved(model, tmp_path):
    with pytest.raises(TypeError, match="model must be a module, such as a VAE, not"):
        save_model(model, tmp_path / "model.pt")
    assert list(tmp_path.iterdir()) == []


OLD = {"encoder.hidden": "encoder", "decoder.hidden": "decoder", "decoder.out": "logits_head"}


@pytest.mark.parametrize("kind", [Autoencoder, VAE])
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_a_file_of_the_first_edition_still_loads(kind, likelihood, tmp_path):
    """Its weights had other names, and every model had a log_sigma."""
    model = kind(**SMALL, likelihood=likelihood)
    state = {"log_sigma": torch.tensor(0.0)}
    for name, value in model.state_dict().items():
        if not name.startswith("likelihood"):
            name = name.replace("encoder.head.mu_head", "mu_head").replace("encoder.head.log_var", "log_var")
            name = name.replace("encoder.head", "mu_head")
            for new, old in OLD.items():
                name = name.replace(new, old)
            state[name] = value
    content = {"format": "vae_lessons model", "version": 1, "kind": kind.__name__}
    torch.save(content | {"settings": model.settings, "state": state}, tmp_path / "old.pt")
    assert {"mu_head.weight", "logits_head.bias", "encoder.0.weight", "decoder.2.bias"} <= set(state)
    assert same_weights(load_model(tmp_path / "old.pt", "cpu"), model)


@pytest.fixture
def saved(tmp_path):
    """The bytes of a saved model, and a path for what becomes of them."""
    save_model(VAE(**SMALL), tmp_path / "good.pt")
    return (tmp_path / "good.pt").read_bytes(), tmp_path / "bad.pt"


def assert_refused(path, message="not a model saved by vae_lessons"):
    with pytest.raises(ValueError, match=message) as caught:
        load_model(path, "cpu")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kept", [0, 100, 0.5, -1])
def test_a_file_that_is_cut_off_is_refused(saved, kept):
    content, path = saved
    path.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    assert_refused(path)


def test_a_file_with_one_bit_wrong_is_refused_or_harmless(saved):
    content, path = saved
    good, refused = VAE(**SMALL), 0
    places = torch.randint(len(content), (100,), generator=seeded()).tolist()
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= 16
        path.write_bytes(damaged)
        try:
            again = load_model(path, "cpu")
            assert same_weights(again, good)
        except ValueError:
            refused += 1
    assert refused > 20  # the others fell into the padding between the weights


BYTES = {
    "text": b"This is a letter.\n" * 50,
    "zeros": bytes(1000),
    "noise": bytes(torch.randint(256, (5000,), generator=seeded()).tolist()),
    "zip without content": b"PK\x05\x06" + bytes(18),
    "pickle": pickle.dumps({"format": "vae_lessons model", "version": 1}),
}


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("content", BYTES.values(), ids=BYTES)
def test_a_file_of_something_else_is_refused(content, tmp_path):
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    assert_refused(path)


FOREIGN = {
    "tensor": torch.zeros(3),
    "dict": {"a": 1},
    "state_dict": VAE(**SMALL).state_dict(),
    "whole model": VAE(**SMALL),
    "another format": {"format": "their model", "version": 1},
    "no version": {"format": "vae_lessons model"},
}


@pytest.mark.filterwarnings("ignore:Using a non-tuple sequence")
@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_what_others_saved_with_torch_is_refused(content, tmp_path):
    torch.save(content, tmp_path / "model.pt")
    assert_refused(tmp_path / "model.pt")


def content_of(model, **changed):
    """What save_model writes of a model, with some of it changed."""
    return {
        "format": "vae_lessons model",
        "version": 2,
        "kind": type(model).__name__,
        "settings": model.settings,
        "layers": saved_models._layers(model),
        "state": model.state_dict(),
        **changed,
    }


def test_what_save_model_writes_is_known_to_these_tests(tmp_path):
    torch.save(content_of(VAE(**SMALL)), tmp_path / "model.pt")
    assert same_weights(load_model(tmp_path / "model.pt", "cpu"), VAE(**SMALL))


def test_a_file_of_a_later_version_is_refused(tmp_path):
    torch.save(content_of(VAE(**SMALL), version=3), tmp_path / "model.pt")
    assert_refused(tmp_path / "model.pt", "version 3.*upgrade")


STATE = VAE(**SMALL).state_dict()
UNFIT = {
    "no settings": {"settings": None},
    "no layers": {"layers": None},
    "a weight missing": {"state": dict(list(STATE.items())[1:])},
    "a weight too many": {"state": STATE | {"more": torch.zeros(1)}},
    "no weights": {"state": None},
}


@pytest.mark.parametrize("changed", UNFIT.values(), ids=UNFIT)
def test_weights_that_do_not_fit_are_refused(changed, tmp_path):
    torch.save(content_of(VAE(**SMALL), **changed), tmp_path / "model.pt")
    assert_refused(tmp_path / "model.pt", "weights do not fit its settings")


class Intruder:
    """A pickle that makes a folder when it is read by something that runs code."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return os.mkdir, (self.mark,)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("place", ["alone", "settings", "state", "raw pickle"])
def test_code_in_a_file_is_not_run(place, tmp_path):
    path, mark = tmp_path / "model.pt", tmp_path / "mark"
    intruder = Intruder(mark)
    pickle.loads(pickle.dumps(intruder))
    assert mark.is_dir()  # this is what it would do
    mark.rmdir()
    if place == "raw pickle":
        path.write_bytes(pickle.dumps(intruder))
    else:
        content = {"settings": intruder} if place == "settings" else {"state": {"x": intruder}}
        torch.save(intruder if place == "alone" else content_of(VAE(**SMALL), **content), path)
    assert_refused(path)
    assert not mark.exists()


def test_a_missing_file_is_told(tmp_path):
    for path in (tmp_path / "none.pt", tmp_path):
        with pytest.raises(FileNotFoundError, match=r"There is no file .*test_a_missing_file"):
            load_model(path)


def test_a_model_is_loaded_onto_the_device(tmp_path, monkeypatch):
    path = tmp_path / "model.pt"
    save_model(VAE(**SMALL), path)
    assert load_model(path, device="cpu").device.type == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ValueError, match="cuda"):
        load_model(path, device="cuda")


needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="There is no CUDA GPU here.")


@needs_cuda
def test_on_a_gpu_a_model_is_saved_and_loaded_as_well(tmp_path):
    model = VAE(**SMALL).to("cuda")
    save_model(model, tmp_path / "model.pt")
    assert model.device.type == "cuda"
    again = load_model(tmp_path / "model.pt")
    assert again.device.type == "cuda"
    assert same_weights(again, model)
    assert same_weights(load_model(tmp_path / "model.pt", "cpu"), model.cpu())
