"""Every setting takes the numbers of Python, NumPy and PyTorch, and refuses the rest in a sentence."""

import math

import numpy as np
import pytest
import torch

from vae_lessons import settings
from vae_lessons.data import Split, load
from vae_lessons.data import digits as handwriting
from vae_lessons.estimators import reparameterized_gradient, score_function_gradient
from vae_lessons.evidence import Curve, LinearGaussian, measure
from vae_lessons.gaussian import sample_cloud
from vae_lessons.likelihood import evaluate_importance, importance_bound
from vae_lessons.losses import beta_implied, beta_schedule, free_bits_kl, gaussian_nll, vae_loss
from vae_lessons.measures import continuity, told_apart, units
from vae_lessons.model import VAE
from vae_lessons.observation import Gaussian
from vae_lessons.pca import principal_components

NOISE = torch.rand(12, 6, generator=torch.Generator().manual_seed(0))
X, SPLIT = NOISE.view(12, 1, 3, 2), Split(NOISE.view(12, 1, 3, 2))
SMALL = {"hidden": (4,), "shape": (1, 3, 2)}
MODEL, MU = VAE(latent=2, **SMALL), NOISE[:, :2]
QUIET = {"progress": False}


def seeded():
    return torch.Generator().manual_seed(0)


def square(z):
    return (z**2).sum(1)


def bound(x, decoded, mu, log_var):
    return (mu + log_var).sum(1)


WHOLE = {
    "latent": lambda n: VAE(latent=n, **SMALL).latent,
    "hidden": lambda n: VAE(hidden=(4, n), shape=(1, 3, 2)).settings["hidden"],
    "shape": lambda n: VAE(hidden=(4,), shape=(1, n)).shape,
    "n of sample": lambda n: MODEL.sample(n, seeded()),
    "train": lambda n: load("digits", train=n).train.pixels,
    "n of choose": lambda n: SPLIT.choose(n).x,
    "n of first": lambda n: SPLIT.first(n).x,
    "n of draw": lambda n: handwriting.draw(n)[0],
    "n of sample_cloud": lambda n: sample_cloud(n, torch.zeros(2), torch.eye(2), seeded()),
    "samples of score": lambda n: score_function_gradient(square, MU[0], MU[1], n, generator=seeded()).mu,
    "samples of path": lambda n: reparameterized_gradient(square, MU[0], MU[1], n, generator=seeded()).mu,
    "latent of first": lambda n: principal_components(NOISE).first(n).variances,
    "latent of random": lambda n: LinearGaussian.random(latent=n).W,
    "pixels of random": lambda n: LinearGaussian.random(1, pixels=n).W,
    "n of a world": lambda n: Curve().sample(n, seeded()),
    "steps": lambda n: measure(bound, steps=n, images=9, samples=2).claimed,
    "samples of measure": lambda n: measure(bound, steps=1, images=9, samples=n).claimed,
    "images": lambda n: measure(bound, steps=1, images=n, samples=2).claimed,
    "samples of the bound": lambda n: importance_bound(lambda x, z: z[:, 0], X, MU, MU, n, seeded()),
    "samples": lambda n: evaluate_importance(MODEL, SPLIT, n, **QUIET),
    "batch": lambda n: evaluate_importance(MODEL, SPLIT, 2, batch=n, **QUIET),
    "walks": lambda n: continuity(MODEL, 9 * X, walks=n).steps,
    "epochs": lambda n: told_apart(X, X.flip(0), epochs=n),
    "pixels": lambda n: beta_implied(pixels=n, latent=2, over_pixels="mean"),
    "latent of beta_implied": lambda n: beta_implied(pixels=6, latent=n, over_latent="mean"),
}
NUMBERS = {
    "sigma": lambda v: Gaussian(v).sigma,
    "sigma of gaussian_nll": lambda v: gaussian_nll(X, X, v),
    "sigma_x": lambda v: Curve(sigma_x=v).sigma_x,
    "sigma_x of a linear world": lambda v: LinearGaussian(NOISE, sigma_x=v).sigma_x,
    "baseline": lambda v: score_function_gradient(square, MU[0], MU[1], 2, v, seeded()).mu,
    "beta": lambda v: vae_loss(X, X, MU, MU, v),
    "beta of a schedule": lambda v: torch.tensor(beta_schedule(v, 2) + beta_schedule(lambda t: v, 3)),
    "floor": lambda v: free_bits_kl(MU, MU, v),
    "weight": lambda v: beta_implied(pixels=6, latent=2, weight=v),
    "kl_weight": lambda v: beta_implied(pixels=6, latent=2, kl_weight=v),
    "sigma of beta_implied": lambda v: beta_implied(
        pixels=6, latent=2, reconstruction="squared error", sigma=v
    ),
    "step": lambda v: continuity(MODEL, 9 * X, step=v).steps,
    "threshold": lambda v: units(MU, v).active,
}


def name_of(setting):
    return setting.split(" of ")[0]


@pytest.fixture(autouse=True)
def _cache_of_its_own(monkeypatch, tmp_path_factory):
    from vae_lessons.data import loading

    monkeypatch.setattr(loading, "TRAIN", 30)
    monkeypatch.setattr(loading, "TEST", 10)
    monkeypatch.setattr(loading, "_cache", lambda: tmp_path_factory.getbasetemp() / "settings")


@pytest.mark.parametrize("setting", WHOLE)
def test_a_whole_number_may_be_one_of_numpy_or_torch_but_not_true_or_a_fraction(setting):
    call = WHOLE[setting]
    expected = call(2)
    for two in (np.int64(2), np.uint8(2), torch.tensor(2)):
        torch.testing.assert_close(call(two), expected, equal_nan=True)
    for bad in (True, np.True_, 2.0, np.float64(2), "2", None, -1):
        if setting == "train" and bad is None:
            continue
        with pytest.raises(ValueError, match=f"^{name_of(setting)} must be a .*whole number") as caught:
            call(bad)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("setting", NUMBERS)
def test_a_number_may_be_one_of_numpy_or_torch_but_not_true_or_nan(setting):
    call = NUMBERS[setting]
    expected = call(0.5)
    for half in (np.float32(0.5), np.float64(0.5), torch.tensor(0.5)):
        torch.testing.assert_close(call(half), expected)
    torch.testing.assert_close(call(np.int64(1)), call(1.0), check_dtype=False)
    for bad in (True, np.True_, "0.5", None, math.nan, math.inf, np.float32("nan")):
        with pytest.raises(ValueError, match=f"^{name_of(setting)} .*must be a .*number") as caught:
            call(bad)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [torch.arange(40), list(range(100)), "a\nb" * 40])
def test_what_is_long_is_told_by_its_type(value):
    with pytest.raises(
        ValueError, match=rf"n must be a whole number, at least 1, not a {type(value).__name__}"
    ):
        settings.whole_number("n", value)


def test_the_ends_of_a_range_are_in_it():
    assert [settings.whole_number("n", n, 0, 2) for n in (0, 2)] == [0, 2]
    with pytest.raises(ValueError, match="n must be a whole number from 0 to 2, not 3"):
        settings.whole_number("n", 3, 0, 2)
    assert settings.number_at_least("beta", 0) == 0
    with pytest.raises(ValueError, match="sigma must be a positive number, not 0"):
        settings.positive_number("sigma", 0)
