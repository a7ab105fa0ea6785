"""Checkpoints: a training that is killed goes on to the same bits, and no other file is taken for its own."""

import multiprocessing
import os
import pickle
import random
import re
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from vae_lessons.checkpoint import FORMAT
from vae_lessons.data import Data, Split
from vae_lessons.likelihood import free_bits, importance
from vae_lessons.model import VAE, Autoencoder, WordVAE, save_model
from vae_lessons.runtime import progress_bar
from vae_lessons.train import fit

SHAPE, EPOCHS, BATCH = (1, 4, 4), 4, 8
EACH = 5  # steps of an epoch, the last of them with fewer images
SMALL = {"hidden": (8,), "shape": SHAPE}
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["vae_lessons.train", "torch._dynamo"])  # once: Adam needs both, for seconds


@pytest.fixture(autouse=True)
def _state(monkeypatch):
    """The seed of the lessons is 0, and PyTorch's random state is that of other tests again afterwards."""
    monkeypatch.delenv("VAE_LESSONS_SEED", raising=False)
    with torch.random.fork_rng(devices=[]):
        yield


def images(n, seed):
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (n, *SHAPE), generator=generator, dtype=torch.uint8)
    return Split(pixels, torch.arange(n) % 3)


DATA = Data(images(EACH * BATCH - 3, 0), images(10, 1))


class Noisy(nn.Module):
    """An encoder with noise from a generator of its own."""

    def __init__(self):
        super().__init__()
        self.head, self.generator = nn.Linear(16, 4), torch.Generator().manual_seed(3)

    def forward(self, x):
        h = self.head(x.flatten(1))
        return (h + torch.randn(h.shape, generator=self.generator)).chunk(2, 1)


class Dropping(nn.Module):
    """An encoder with dropout and batch normalisation."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(16, 4), nn.BatchNorm1d(4), nn.Dropout(0.3))

    def forward(self, x):
        return self.layers(x).chunk(2, 1)


def vae(**settings):
    return VAE(latent=2, **SMALL | settings)


def with_encoder(kind):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)  # the same weights in each process
        encoder = kind()
    return vae(encoder=encoder), {}


def own_optimizer():
    model = vae()
    return model, {"optimizer": torch.optim.SGD(model.parameters(), np.float64(1e-3), momentum=0.9)}


def tensor_rate():
    model = vae()
    return model, {"optimizer": torch.optim.Adam(model.parameters(), torch.tensor(1e-2))}


def averaged():
    """The mean of lately seen weights, in a buffer, moved by a hook after each step."""
    model = vae()
    weights = next(model.parameters())
    model.register_buffer("average", weights.detach().clone())
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    optimizer.register_step_post_hook(lambda *_: model.average.lerp_(weights.detach(), 0.1))
    return model, {"optimizer": optimizer}


CASES = {
    "a VAE": lambda: (vae(), {}),
    "a beta that warms up": lambda: (vae(), {"beta": lambda t: min(1, t / 0.6)}),
    "an optimizer of its own": own_optimizer,
    "a rate that is a tensor": tensor_rate,
    "a hook after the step": averaged,
    "dropout and batch normalisation": lambda: with_encoder(Dropping),
    "a generator in the model": lambda: with_encoder(Noisy),
    "an objective": lambda: (vae(), {"objective": importance(3)}),
    "a codebook of moving averages": lambda: (WordVAE(words=2, size=4, width=2, update="ema", **SMALL), {}),
    "bfloat16": lambda: (vae(), {"precision": "bfloat16"}),
}


def train(case, path=None, watch=None, seed=5):
    """Train one of the cases -> model, history."""
    model, settings = CASES[case]()
    torch.manual_seed(seed)
    return model, run(model, path, watch=watch, **settings)


def run(model, path, data=DATA, **settings):
    settings = {"epochs": EPOCHS, "batch": BATCH, "device": "cpu", "progress": False} | settings
    return fit(model, data, checkpoint=path, **settings)


def after(calls, action, before=lambda *_: None):
    """A function that does an action at its call after so many, and until then what it did before."""
    left = iter(range(calls))

    def called(*arguments):
        return action() if next(left, None) is None else before(*arguments)

    return called


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def interrupt():
    raise KeyboardInterrupt


def killed(case, path, steps):
    """Train until it is killed after so many more steps."""
    train(case, path, watch=after(steps, die))


def killed_writing(path, moment, times):
    """Train until it is killed at a moment when a file is written, one of os's functions."""
    setattr(os, moment, after(times, die, getattr(os, moment)))
    train("a VAE", path)


def in_another_process(target, *arguments):
    """Run a function that is killed."""
    process = PROCESSES.Process(target=target, args=arguments)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL


def same(a, b):
    """Whether two trainings ended in the same bits: weights and history."""
    (a, seen_a), (b, seen_b) = a, b
    a, b = a.state_dict(), b.state_dict()
    weights = a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
    return weights and (seen_a.train, seen_a.test) == (seen_b.train, seen_b.test)


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory):
    """The file of a VAE's training that was interrupted, as bytes."""
    path = tmp_path_factory.mktemp("unfinished") / "run.pt"
    train("a VAE", path, after(EACH, interrupt))
    return path.read_bytes()


@pytest.mark.parametrize("case", CASES)
def test_a_training_that_is_killed_at_random_steps_goes_on_to_the_same_bits(case, tmp_path):
    path, steps, first, second = tmp_path / "run.pt", [], *random.sample(range(EACH * 2), 2)
    in_another_process(killed, case, path, first)
    in_another_process(killed, case, path, second)
    resumed = train(case, path, steps.append, seed=99)  # of the random state, only the file knows
    whole = first // EACH + second // EACH
    assert len(steps) == EACH * (EPOCHS - whole), f"killed after {first} and {second} steps"
    assert same(resumed, train(case)), f"killed after {first} and {second} steps"


@pytest.mark.parametrize("moment", ["fsync", "replace"])
@pytest.mark.parametrize("times", [0, 1, 3])
def test_a_training_that_is_killed_while_it_writes_goes_on_from_the_epoch_before(moment, times, tmp_path):
    path, steps = tmp_path / "run.pt", []
    in_another_process(killed_writing, path, moment, times)
    assert path.exists() == (times > 0)
    assert same(train("a VAE", path, steps.append), train("a VAE"))
    assert len(steps) == EACH * (EPOCHS - max(times - 1, 0))


def test_pytorchs_random_state_is_the_same_after_a_training_that_was_killed(tmp_path):
    case = "dropout and batch normalisation"
    in_another_process(killed, case, tmp_path / "run.pt", EACH + 1)
    train(case, tmp_path / "run.pt", seed=99)
    resumed = torch.get_rng_state()
    train(case)
    assert torch.equal(resumed, torch.get_rng_state())


@pytest.mark.parametrize("case", ["a VAE", "an optimizer of its own"])
def test_a_training_that_is_interrupted_goes_on_in_the_same_process(case, tmp_path):
    path, (model, settings) = str(tmp_path / "new" / "run.pt"), CASES[case]()
    stopped = run(model, path, watch=after(EACH + 2, interrupt), **settings)
    assert (len(stopped), stopped.stopped) == (1, f"interrupted after 1 of {EPOCHS} epochs")
    assert same((model, run(model, path, **settings)), train(case))


def test_a_training_that_has_ended_is_returned_at_once_with_its_seconds(tmp_path):
    path, steps = tmp_path / "run.pt", []
    ended = train("a VAE", path)
    torch.save(torch.load(path, weights_only=True) | {"seconds": 1e6}, path)
    before = path.read_bytes()
    again = train("a VAE", path, steps.append)
    assert same(again, ended)
    assert steps == []
    assert again[1].seconds >= 1e6
    assert path.read_bytes() == before


def test_the_bar_begins_where_the_file_ends(unfinished, tmp_path, monkeypatch):
    path, bars = tmp_path / "run.pt", []
    path.write_bytes(unfinished)
    monkeypatch.setattr(
        "vae_lessons.train.progress_bar", lambda *given: bars.append(progress_bar(*given)) or bars[0]
    )
    train("a VAE", path, after(0, interrupt))
    assert [(bar.n, bar.total) for bar in bars] == [(EACH, EACH * EPOCHS)]


def changed(split, part):
    """Data with one number changed."""
    values = getattr(getattr(DATA, split), part).clone()
    values.view(-1)[-1] += 1
    pair = {"pixels": getattr(DATA, split).pixels, "y": getattr(DATA, split).y} | {part: values}
    return DATA._replace(**{split: Split(**pair)})


def other(model=vae, optimizer=None, **settings):
    """A call with something changed -> a function that gives the model and the settings."""

    def build():
        made = model()
        return made, settings | ({} if optimizer is None else {"optimizer": optimizer(made)})

    return build


def groups(model):
    weights = list(model.parameters())
    both = [{"params": weights[:2]}, {"params": weights[2:]}]
    return torch.optim.Adam(both, 4e-3, betas=(0.9, 0.99), fused=True)


OTHERS = {
    "epochs is 4 in the file and 5 here": other(epochs=5),
    "batch is 8 in the file and 7 here": other(batch=7),
    "beta is 1.0 in the file and 2.0 here": other(beta=2.0),
    "beta is 1.0 in the file and a schedule with the checksum": other(beta=lambda t: t),
    "objective is negative_elbo in the file and importance": other(objective=importance(3)),
    "objective is negative_elbo in the file and free_bits": other(objective=free_bits(0.5)),
    "seed is 0 in the file and 1 here": other(seed=1),
    "precision is float32 in the file and bfloat16 here": other(precision="bfloat16"),
    "optimizer's lr is 0.004 in the file and 0.001 here": other(lr=1e-3),
    "optimizer is Adam of 10 tensors in the file and SGD of 10 tensors here": other(
        optimizer=lambda model: torch.optim.SGD(model.parameters(), 4e-3)
    ),
    "optimizer is Adam of 10 tensors in the file and Adam of 2 .* 8 tensors here": other(optimizer=groups),
    "data.train.pixels is .* with the checksum .* in the file": other(data=changed("train", "pixels")),
    "data.train.y is": other(data=changed("train", "y")),
    "data.test.pixels is": other(data=changed("test", "pixels")),
    "data.test.y is": other(data=changed("test", "y")),
    "model's seed is 0 in the file and 1 here": other(lambda: vae(seed=1)),
    "model's hidden is": other(lambda: vae(hidden=(7,))),
    "model's likelihood is bernoulli in the file": other(lambda: vae(likelihood="gaussian")),
    "model is VAE.* in the file and Autoencoder.* here": other(lambda: Autoencoder(latent=2, **SMALL)),
    "model.encoder is Encoder.* in the file and Noisy": other(lambda: vae(encoder=Noisy())),
}


def refused(path, build, error=ValueError):
    """The error with which a call is refused before its first step, model and file unchanged."""
    model, settings = build()
    if isinstance(model, Autoencoder):
        model.start_at(DATA.train.mean())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    content, steps = path.read_bytes() if path.is_file() else None, []
    with pytest.raises(error) as caught:
        run(model, path, watch=steps.append, **settings)
    assert steps == []
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert (path.read_bytes() if path.is_file() else None) == content
    return str(caught.value)


@pytest.mark.parametrize("what", OTHERS)
def test_a_file_of_another_training_is_refused_and_what_differs_is_named(what, unfinished, tmp_path):
    path = tmp_path / "run.pt"
    path.write_bytes(unfinished)
    words = refused(path, OTHERS[what])
    assert re.match(rf"{re.escape(str(path))} is of another training: {what}", words), words
    assert words.endswith("; name another file, or delete this one.")


def test_objectives_are_told_apart_by_their_numbers(tmp_path):
    run(vae(), tmp_path / "run.pt", objective=importance(3))
    words = refused(tmp_path / "run.pt", other(objective=importance(4)))
    assert "objective is importance(3) in the file and importance(4) here" in words


class Code:
    """What makes a folder when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("run by a file",)


def flipped(content):
    """The bytes of a file with one bit of a weight turned over."""
    at = content.index(b"data/0", 0) + 200
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


DAMAGED = {
    "empty": lambda content: b"",
    "cut off": lambda content: content[: len(content) // 2],
    "a bit turned over": flipped,
    "words": lambda content: b"epoch 1 of 4",
    "code": lambda content: pickle.dumps({"format": FORMAT, "belongs": Code()}, 2),
}


@pytest.mark.parametrize("how", DAMAGED)
def test_a_damaged_file_is_refused_and_no_code_in_it_is_run(how, unfinished, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "run.pt"
    path.write_bytes(DAMAGED[how](unfinished))
    assert "is no checkpoint that fit wrote, or it is damaged or cut off" in refused(path, other())
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_of_torch_with_code_is_refused_and_the_code_is_not_run(unfinished, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"format": FORMAT, "belongs": Code()}, tmp_path / "run.pt")
    assert "is no checkpoint that fit wrote" in refused(tmp_path / "run.pt", other())
    assert not Path("run by a file").exists()


def test_a_saved_model_and_a_folder_are_no_checkpoints(tmp_path):
    save_model(vae(), tmp_path / "model.pt")
    for path in (tmp_path / "model.pt", tmp_path):
        assert f"{path} is no checkpoint that fit wrote" in refused(path, other())


@pytest.mark.parametrize("path", [True, 5, b"run.pt"])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(TypeError, match=r'^checkpoint must be the path of a file, such as "run.pt", not'):
        run(vae(), path)


def test_a_path_that_cannot_be_written_is_told_before_the_first_epoch(tmp_path):
    (tmp_path / "file").touch()
    assert str(tmp_path / "file") in refused(tmp_path / "file" / "run.pt", other(), OSError)


def test_a_full_disk_is_told_before_the_next_epoch(unfinished, tmp_path, monkeypatch):
    path, steps = tmp_path / "run.pt", []
    path.write_bytes(unfinished)

    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        train("a VAE", path, steps.append)
    assert (steps, path.read_bytes()) == ([], unfinished)
