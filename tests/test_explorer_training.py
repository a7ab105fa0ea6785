"""The explorer that trains: it runs beside the notebook, stops when asked, and says what happened."""

import sys
import time

import pytest
import torch

from vae_lessons.explorers.training import training
from vae_lessons.model import VAE
from vae_lessons.train import fit

HIDDEN = (16,)


@pytest.fixture
def make(data):
    made = []

    def make(model=None, **settings):
        made.append(training(model or VAE(latent=2, hidden=HIDDEN), data, batch=30, **settings))
        return made[-1]

    yield make
    for one in made:
        one.stop()
        if one.thread:
            one.thread.join()


def wait_for(ready, seconds=60):
    end = time.time() + seconds
    while not ready() and time.time() < end:
        time.sleep(0.01)
    assert ready()


def test_it_runs_beside_the_notebook_and_gives_what_fit_gives(make, data):
    model, twin = (VAE(latent=2, hidden=HIDDEN) for _ in range(2))
    made = make(model, epochs=2)
    made.button.click()
    assert made.button.disabled
    wait_for(lambda: made.histories and not made.thread.is_alive())
    history = fit(twin, data, epochs=2, batch=30, progress=False)
    assert made.histories[0].test == history.test
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), twin.parameters(), strict=True))
    assert "2 epochs done" in made.picture.value
    assert (made.button.disabled, made.stopper.disabled) == (False, True)


def test_stop_keeps_what_was_learned(make):
    model = VAE(latent=2, hidden=HIDDEN)
    before = [p.clone() for p in model.parameters()]
    made = make(model, epochs=10_000)
    made.button.click()
    wait_for(lambda: "step" in made.picture.value)
    made.stopper.click()
    wait_for(lambda: not made.thread.is_alive())
    assert made.histories[0].stopped.startswith("interrupted after")
    assert any(not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert "nterrupted" in made.picture.value


def test_another_explorer_stops_the_one_before(make):
    first = make(epochs=10_000)
    first.start()
    make(epochs=1)
    wait_for(lambda: not first.thread.is_alive())


def test_the_rehearsal_for_the_still_leaves_the_model_as_it_was(make, monkeypatch):
    model = VAE(latent=2, hidden=HIDDEN)
    before = [p.clone() for p in model.parameters()]
    shown = []
    module = sys.modules["vae_lessons.explorers.training"]
    monkeypatch.setattr(module, "display", lambda bundle, raw: shown.append(bundle))
    make(model, epochs=20)._ipython_display_()
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    live, still = shown  # apart: where the view is gone, JupyterLab shows no other form of its output
    assert set(live) == {"application/vnd.jupyter.widget-view+json"}
    assert still["text/plain"] in still["text/html"].replace("&#x27;", "'")


def test_training_that_diverges_says_so(make):
    made = make(epochs=5, lr=1e30)
    made.start()
    wait_for(lambda: not made.thread.is_alive())
    assert "iverged" in made.picture.value


def test_a_plane_needs_two_numbers(data):
    with pytest.raises(ValueError, match="codes of 2 numbers, but latent is 3"):
        training(VAE(latent=3, hidden=HIDDEN), data)
