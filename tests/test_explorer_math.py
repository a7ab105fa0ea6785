"""Explorers whose mathematics runs in the page: in a browser, they compute what the package computes."""

import math
from itertools import product

import numpy as np
import pytest
import torch

from vae_lessons.evidence import Curve, thermometer
from vae_lessons.explorers.bound import bound
from vae_lessons.explorers.estimators import estimators
from vae_lessons.explorers.gaussian import gaussian
from vae_lessons.explorers.kl import kl
from vae_lessons.explorers.reparameterization import reparameterization
from vae_lessons.gaussian import kl_standard_normal, log_density, reparameterize, sample_cloud

MU, SIGMA = "\N{GREEK SMALL LETTER MU}", "\N{GREEK SMALL LETTER SIGMA}"
FIRST, SECOND = SIGMA + "\N{SUBSCRIPT ONE}", SIGMA + "\N{SUBSCRIPT TWO}"
RHO = "correlation \N{GREEK SMALL LETTER RHO}"
CLOSE = 1e-4


def drag(page, plot, x, y):
    """Drag the handle to a place of a plot, in shares of its width and height -> the new detail."""
    box = page.page.locator("canvas").nth(plot).bounding_box()
    handle = page.page.locator(".vae-handle").bounding_box()
    page.page.mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2)
    page.page.mouse.down()
    page.page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.page.mouse.up()
    return page.detail


def test_the_cloud_is_the_covariance_that_its_kind_allows(play):
    page = play(gaussian())
    for first, second, rho in ((2.0, 1.0, 0.5), (0.2, 3.0, -0.95), (1.5, 1.5, 0.0)):
        for label, value in ((FIRST, first), (SECOND, second), (RHO, rho)):
            page.page.get_by_label("full", exact=True).check()
            page.set(label, value)
        shared = rho * first * second
        wanted = {
            "isotropic": [[first**2, 0], [0, first**2]],
            "diagonal": [[first**2, 0], [0, second**2]],
            "full": [[first**2, shared], [shared, second**2]],
        }
        for kind, covariance in wanted.items():
            found = page.set(kind, True)
            exact = torch.tensor(covariance, dtype=torch.float64)
            assert np.array(found["covariance"]) == pytest.approx(exact.numpy(), abs=CLOSE)
            z = sample_cloud(400, torch.zeros(2).double(), exact, torch.Generator().manual_seed(0))
            assert np.array(found["z"]) == pytest.approx(z.T.numpy(), abs=CLOSE)
            assert page.page.get_by_label(SECOND, exact=True).is_disabled() == (kind == "isotropic")
            assert page.page.get_by_label(RHO, exact=True).is_disabled() == (kind != "full")


def test_the_corner_of_the_cloud_moves_both_sigmas(play):
    page = play(gaussian())
    assert page.key("ArrowRight")["covariance"][0][0] == pytest.approx(2.24**2)
    assert page.key("ArrowRight")["covariance"][1][1] == 1
    (a, _), (_, b) = drag(page, 0, 0.9, 0.9)["covariance"]
    assert [a, b] == pytest.approx([3**2, 0.2**2])  # the ends of the sliders
    page.set("isotropic", True)
    page.set(FIRST, 1)
    (a, _), (_, b) = page.key("ArrowUp")["covariance"]
    assert a == b > 1


def test_the_areas_add_up_to_the_kl(play):
    page, z = play(kl()), torch.linspace(-25, 25, 50_001, dtype=torch.float64)[:, None]
    for mu, sigma in product((-3, -0.05, 0, 1, 2.5), (0.3, 0.5, 1, 2.5)):
        page.set(MU, mu)
        found = page.set(SIGMA, sigma)
        m, log_var = torch.tensor([[mu]]).double(), 2 * torch.tensor([[sigma]]).double().log()
        log_q = log_density(z, m.expand_as(z), log_var.expand_as(z))
        integrand = log_q.exp() * (log_q - log_density(z, 0 * z, 0 * z))
        exact = kl_standard_normal(m, log_var).item()
        assert found["kl"] == pytest.approx(exact, abs=CLOSE)
        assert found["mean"] + found["width"] == pytest.approx(exact, abs=CLOSE)
        assert found["above"] == pytest.approx(integrand.clamp(min=0).sum().item() * 1e-3, abs=CLOSE)
        assert found["below"] == pytest.approx(-integrand.clamp(max=0).sum().item() * 1e-3, abs=CLOSE)
    assert f"{exact:.3f} nats" in page.words


def test_each_draw_moves_by_one_with_mu_and_by_eps_with_sigma_and_pushes_on_both(play):
    page = play(reparameterization())
    eps = torch.special.ndtri(torch.linspace(0.06, 0.94, 9, dtype=torch.float64))
    for mu, sigma in product((-3, -0.5, 2), (0.2, 0.8, 2)):
        page.set(MU, mu)
        found = page.set(SIGMA, sigma)
        rows = [torch.full_like(eps, float(v)).requires_grad_() for v in (mu, sigma)]
        z = reparameterize(rows[0], 2 * rows[1].log(), eps)
        pushes = torch.autograd.grad(((z - 2) ** 2).sum(), rows)
        assert found["z"] == pytest.approx(z.tolist(), abs=CLOSE)
        assert found["slopes"] == pytest.approx((2 * (z - 2)).tolist(), abs=CLOSE)
        assert found["gradients"] == pytest.approx([push.mean().item() for push in pushes], abs=CLOSE)
        for push, wanted in zip(found["pushes"], pushes, strict=True):
            assert push == pytest.approx(wanted.tolist(), abs=CLOSE)


def test_the_estimators_scatter_as_theory_says(play):
    page = play(estimators())
    for samples, latent in ((1024, 32), (1, 1), (8, 8), (1, 32), (1024, 2)):
        page.set("K, draws in each estimate", int(math.log2(samples)))
        found = page.set("L, latent dimensions", int(math.log2(latent)))
        assert (found["samples"], found["latent"]) == (samples, latent)
        exact = (25 * latent**2 + 38 * latent + 24), 18 * latent + 24, 4
        for i, variance in enumerate(v / samples for v in exact):
            values = np.array(found["estimates"][i])
            assert len(values) == 80
            assert values.mean() == pytest.approx(-4, abs=5 * np.sqrt(variance / 80))
            assert found["variances"][i] == pytest.approx(values.var(ddof=1))
            assert found["theory"][i] == pytest.approx(variance)
            assert 0.3 < values.var() / variance < 3


@pytest.mark.parametrize(
    ("curve", "x"),
    [
        (Curve(), [0.95, 0.4]),
        (Curve(), [[0.0, -1.0]]),  # two peaks
        (Curve(thermometer, "bernoulli"), [1.0] * 5 + [0.0] * 7),
    ],
)
def test_the_bar_is_elbo_and_gap(play, curve, x):
    page, rows = play(bound(curve, x)), torch.tensor(x, dtype=torch.float64).reshape(1, -1)
    evidence = curve.log_evidence(rows).item()
    for mu, sigma in product((-3, -0.6, 0.8, 3), (0.05, 0.6, 1.6)):
        page.set(MU, mu)
        found = page.set(SIGMA, sigma)
        elbo = curve.elbo(rows, *(torch.tensor([v], dtype=torch.float64) for v in (mu, sigma))).item()
        assert found["evidence"] == pytest.approx(evidence, abs=CLOSE)
        assert found["elbo"] == pytest.approx(elbo, abs=CLOSE)
        assert found["gap"] == pytest.approx(evidence - elbo, abs=CLOSE)
        assert found["fit"] + found["entropy"] == pytest.approx(elbo, abs=CLOSE)
    said = f"{evidence:.3f} = {elbo:.3f} + {evidence - elbo:.3f}".replace("-", "\N{MINUS SIGN}")
    assert said in page.words


def test_a_bound_is_of_one_x():
    with pytest.raises(ValueError, match="one x"):
        bound(Curve(), torch.zeros(2, 2))


@pytest.mark.parametrize("explorer", [kl, reparameterization, lambda: bound(Curve(), [0.95, 0.4])])
def test_a_bell_is_dragged_by_its_tip(play, explorer):
    page = play(explorer())
    start, wider = page.detail, "ArrowUp" if explorer is reparameterization else "ArrowDown"
    assert page.key("ArrowRight")["mu"] > start["mu"]
    assert page.detail["sigma"] == pytest.approx(start["sigma"])
    assert page.key(wider)["sigma"] > start["sigma"]
    drawn = page.pictures()
    there = drag(page, 0, 0.5, 0.6)
    assert page.pictures() != drawn
    for label, name in ((MU, "mu"), (SIGMA, "sigma")):  # the sliders follow
        low, high, shown = (
            float(page.page.get_by_label(label, exact=True).evaluate(f"i => i.{what}"))
            for what in ("min", "max", "value")
        )
        assert shown == pytest.approx(there[name], abs=0.03)
        assert low <= there[name] <= high
    for _ in range(12):
        page.key("Shift+ArrowLeft")
    assert page.detail["mu"] == -3  # where its slider ends
