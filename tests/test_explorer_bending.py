"""Lesson 15's explorers, played in a browser: a Gaussian bent by hand, and mixtures of 1 to 300 Gaussians."""

import pytest
import torch

from vae_lessons import evidence
from vae_lessons.data import load
from vae_lessons.explorers.bend import bend
from vae_lessons.explorers.mixture import mixture
from vae_lessons.flows import flow_elbo, standard_log_density
from vae_lessons.mixture import fit_mixture
from vae_lessons.model import VAE
from vae_lessons.train import fit

WORLD, X = evidence.Plane(evidence.banana, 0.3), torch.ones(1, dtype=torch.float64)


def bent(b, s, m, sigma, eps):
    """Draws of the bent Gaussian, and log |det|: a constant."""
    z1 = s * eps[:, 0]
    z = torch.stack([z1, m + sigma * eps[:, 1] + b * z1**2], 1)
    return z, torch.tensor(s * sigma).log().expand(len(eps))


def elbo(b, s, m, sigma):
    eps = torch.randn(200_000, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    z, log_det = bent(b, s, m, sigma, eps)
    return flow_elbo(WORLD.nll(X, z), eps, z, log_det).mean().item()


def test_the_bar_is_the_elbo_of_the_draws_and_the_gap_what_is_missing_to_log_p(play):
    page = play(bend())
    for b, s in ((0.0, 0.5), (-0.92, 0.8), (-1.3, 0.3), (0.4, 0.6)):
        page.set("b", b)
        seen = page.set("\u03c3\u2081", s)
        assert seen["elbo"] == pytest.approx(elbo(b, s, seen["m"], seen["sigma"]), abs=0.05)
        assert seen["elbo"] + seen["gap"] == pytest.approx(WORLD.log_evidence(X).item(), abs=1e-5)
        assert seen["gap"] > 0
        z1, z2 = torch.tensor(seen["xs"]), torch.tensor(seen["ys"])
        rest = z2 - b * z1**2  # what is left is the Gaussian that was bent
        assert abs(rest.mean().item() - seen["m"]) < 0.1
        assert rest.std().item() == pytest.approx(seen["sigma"], rel=0.15)


def test_m_and_sigma_are_the_best_for_b_and_the_bend_closes_most_of_the_gap(play):
    page = play(bend())
    straight = page.set("\u03c3\u2081", 0.5)
    page.set("\u03c3\u2081", 0.8)
    curved = page.set("b", -0.92)
    assert curved["gap"] < 0.2 < straight["gap"]
    for seen in (straight, curved):
        best = elbo(seen["b"], seen["s"], seen["m"], seen["sigma"])
        for dm, ds in ((0.1, 1), (-0.1, 1), (0, 1.2), (0, 0.8)):
            assert elbo(seen["b"], seen["s"], seen["m"] + dm, ds * seen["sigma"]) < best


@pytest.fixture(scope="module")
def data():
    return load("digits", train=1_000, test=200)


@pytest.fixture(scope="module")
def model(data):
    made = VAE(2, hidden=(32,), seed=0)
    fit(made, data, epochs=3, batch=50, progress=False, seed=0)
    return made.cpu()


def test_each_mixture_gains_what_its_density_says_and_its_draws_are_decoded(play, data, model):
    page = play(mixture(model, data, seed=0))
    z = model(data.test.x, generator=torch.Generator().manual_seed(0)).z.detach()
    codes = model(data.train.x, generator=torch.Generator().manual_seed(0)).z.detach()
    assert page.detail["count"] == 10
    for place, count in ((4, 10), (0, 1), (10, 300)):
        seen = page.set("Gaussians", place)
        fitted = fit_mixture(codes, count, 0, steps=25)
        gain = (fitted.log_density(z) - standard_log_density(z)).mean().item()
        assert (seen["count"], len(seen["pictures"])) == (count, 12)
        assert seen["test"] == pytest.approx(gain, abs=0.02)
    assert seen["train"] > seen["test"]
    assert len({tuple(picture[:784]) for picture in seen["pictures"]}) > 6


def test_both_fit_a_telephone(play, data, model):
    for made in (bend(), mixture(model, data, seed=0)):
        assert play(made, width=360).page.evaluate("document.documentElement.scrollWidth") == 360


def test_a_model_of_three_latent_numbers_and_too_few_images_are_refused_in_a_sentence(data, model):
    with pytest.raises(ValueError, match="latent"):
        mixture(VAE(3, hidden=(8,), seed=0), data)
    with pytest.raises(ValueError, match=r"^images must be a whole number, at least 300, not 20\.$"):
        mixture(model, data, images=20)
