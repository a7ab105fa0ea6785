"""Several models trained as one batched model: the numbers of `fit`, one by one."""

import math

import pytest
import torch

from vae_lessons import handwriting, many
from vae_lessons.data import Data, Split
from vae_lessons.history import Diverged
from vae_lessons.many import fit_many
from vae_lessons.model import VAE, Autoencoder
from vae_lessons.train import fit

SMALL = {"latent": 3, "hidden": (24, 16)}
QUIET = {"device": "cpu", "progress": False}


def warm_up(t):
    return 3 * min(1, t / 0.5)


@pytest.fixture(scope="module")
def data():
    pixels, y, _ = handwriting.draw(400)
    return Data(Split(pixels[:300], y[:300]), Split(pixels[300:]))


def weights_of(model):
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def assert_as_one_by_one(make, data, betas, seeds, **settings):
    apart, together = ([make(seed) for seed in seeds] for _ in range(2))
    wanted = [
        fit(model, data, beta=beta, seed=seed, **settings, **QUIET)
        for model, beta, seed in zip(apart, betas, seeds, strict=True)
    ]
    found = fit_many(together, data, betas=betas, seeds=seeds, **settings, **QUIET)
    for a, b in zip(wanted, found, strict=True):
        torch.testing.assert_close(torch.tensor(b.train), torch.tensor(a.train), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(torch.tensor(b.test), torch.tensor(a.test), rtol=1e-4, atol=1e-4)
    for a, b in zip(apart, together, strict=True):
        assert not b.training
        for name, value in a.state_dict().items():
            torch.testing.assert_close(b.state_dict()[name], value, rtol=1e-3, atol=1e-4)
    return found


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_a_sweep_of_beta_is_that_of_fit_one_by_one(likelihood, data):
    found = assert_as_one_by_one(
        lambda seed: VAE(**SMALL, likelihood=likelihood, seed=seed),
        data, [0, 1, 10.0, warm_up], [0] * 4, epochs=3, batch=64,
    )  # fmt: skip
    assert len({history.test[-1] for history in found}) == 4


def test_several_seeds_are_those_of_fit_one_by_one(data):
    found = assert_as_one_by_one(
        lambda seed: VAE(**SMALL, seed=seed), data, [1.0] * 3, [0, 1, 2], epochs=2, batch=100
    )
    assert len({history.test[-1] for history in found}) == 3


def test_autoencoders_and_a_single_model_will_do(data):
    assert_as_one_by_one(
        lambda seed: Autoencoder(**SMALL, seed=seed), data, [1] * 2, [3, 4], epochs=2, batch=128
    )
    assert_as_one_by_one(lambda seed: VAE(**SMALL, seed=seed), data, [2], [3], epochs=1, batch=7)


def test_one_beta_and_one_seed_are_for_all(data, monkeypatch):
    monkeypatch.setenv("VAE_LESSONS_SEED", "5")
    one, two = fit_many([VAE(**SMALL), VAE(**SMALL)], data, epochs=1, betas=2.0, **QUIET)
    assert one.train == two.train
    alone = fit(VAE(**SMALL), data, epochs=1, beta=2.0, seed=5, **QUIET)
    assert one.train[0] == pytest.approx(alone.train[0], rel=1e-4)


def test_an_interruption_keeps_what_was_learned(data, monkeypatch):
    models, terms, steps = [VAE(**SMALL), VAE(**SMALL)], many._terms, []

    def stop(*given):
        steps.append(1)
        if len(steps) == 5:  # three steps an epoch
            raise KeyboardInterrupt
        return terms(*given)

    monkeypatch.setattr(many, "_terms", stop)
    histories = fit_many(models, data, epochs=4, batch=100, betas=[0, 5], **QUIET)
    for model, history in zip(models, histories, strict=True):
        assert history.stopped == "interrupted after 1 of 4 epochs"
        assert len(history.train) == len(history.test) == 1
        assert not torch.equal(model.logits_head.weight, VAE(**SMALL).logits_head.weight)
    assert not torch.equal(models[0].logits_head.weight, models[1].logits_head.weight)


def test_one_that_diverges_leaves_all_as_before_that_epoch(data):
    models = [VAE(**SMALL), VAE(**SMALL)]
    for model in models:
        model.start_at(data.train.mean())
    torch.nn.init.constant_(models[1].logits_head.weight, 3e38)
    before = [weights_of(model) for model in models]
    with pytest.raises(Diverged, match=r"model 2 of 2 .* epoch 1") as error:
        fit_many(models, data, epochs=3, batch=50, **QUIET)
    assert error.value.history.stopped == "diverged in epoch 1"
    for model, weights in zip(models, before, strict=True):
        assert all(torch.equal(weights[name], value) for name, value in model.state_dict().items())


def test_the_callers_random_state_is_left_as_it_was(data):
    state = torch.get_rng_state()
    fit_many([VAE(**SMALL), VAE(**SMALL)], data, epochs=1, **QUIET)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("make", "settings", "said"),
    [
        (lambda: [], {}, "at least one model"),
        (lambda: [VAE(**SMALL), VAE(latent=2, hidden=(8,))], {}, "same settings"),
        (lambda: [VAE(**SMALL), Autoencoder(**SMALL)], {}, "same settings"),
        (lambda: [VAE(**SMALL)] * 2, {}, "different objects"),
        (lambda: [VAE(**SMALL, likelihood="gaussian", sigma="learned")], {}, 'sigma="learned"'),
        (
            lambda: [VAE(**SMALL), VAE(**SMALL)],
            {"betas": [1.0]},
            "betas must be one for all or .* 2 models, not 1",
        ),
        (lambda: [VAE(**SMALL)], {"betas": [-1.0]}, "beta must be a number, 0 or more"),
        (lambda: [VAE(**SMALL)], {"betas": math.nan}, "beta must be a number, 0 or more"),
        (lambda: [VAE(**SMALL)], {"seeds": [0, 1]}, "seeds must be one for all"),
        (lambda: [VAE(**SMALL)], {"epochs": 0}, "epochs must be a whole number"),
    ],
)
def test_what_cannot_be_is_refused(make, settings, said, data):
    with pytest.raises(ValueError, match=said):
        fit_many(make(), data, **{**QUIET, **settings})
