"""Two peaks under a bell curve, and the steps of a training, played in a browser."""

import math

import pytest
import torch
from torch import distributions as td

from vae_lessons.explorers import Moment, peaks, sharpening

MEASURED = {
    0: {"edge": 0.2, "error": 12.0},
    50: {"edge": 0.3, "error": 17.0},
    100: {"edge": 0.4, "error": 24.5},
}
P = td.MixtureSameFamily(td.Categorical(torch.ones(2)), td.Normal(torch.tensor([-2.0, 2.0]).double(), 0.5))


def divergences(mu, sigma):
    z = torch.linspace(-24, 24, 20_001).double()
    q = td.Normal(torch.tensor(mu).double(), sigma)
    log_p, log_q = P.log_prob(z), q.log_prob(z)
    middle = torch.logaddexp(log_p, log_q) - math.log(2)
    p, q = log_p.exp(), log_q.exp()
    parts = p * (log_p - log_q), q * (log_q - log_p), (p * (log_p - middle) + q * (log_q - middle)) / 2
    return [torch.trapezoid(part, z).item() for part in parts]


def shown(seen):
    return [seen[name] for name in ("forward", "reverse", "shared")]


def test_all_three_divergences_are_exact_wherever_q_is(play):
    page = play(peaks())
    for mu, sigma in ((0.7, 1.2), (-3, 0.6), (0, 2.05), (4, 3)):
        page.set("μ", mu)
        seen = page.set("\N{GREEK SMALL LETTER SIGMA}", sigma)
        assert shown(seen) == pytest.approx(divergences(mu, sigma), abs=1e-4, rel=1e-4)


def test_the_buttons_find_the_smallest_of_each_kl_and_log_2_is_paid_for_one_peak(play):
    page = play(peaks())
    for name, kind in (("smallest KL(p ‖ q)", 0), ("smallest KL(q ‖ p)", 1)):
        best = page.press(name)
        around = [
            divergences(best["mu"] + a, best["sigma"] + b)[kind] for a in (-0.1, 0.1) for b in (-0.1, 0.1)
        ]
        assert shown(best)[kind] < min(around)
    assert best["reverse"] == pytest.approx(math.log(2), abs=1e-3)
    assert "KL(q ‖ p) is 0.693" in page.words


def test_q_is_dragged_and_nothing_is_wider_than_the_page(play):
    page = play(peaks(), width=360)
    assert page.page.evaluate("document.documentElement.scrollWidth") == 360
    before = page.detail
    assert page.key("ArrowRight")["mu"] > before["mu"]
    assert page.key("ArrowUp")["sigma"] < before["sigma"]


@pytest.fixture
def moments():
    noise = torch.Generator().manual_seed(0)
    return [
        Moment(step, torch.rand(10, 1, 5, 4, generator=noise), torch.rand(3, 1, 5, 4, generator=noise), both)
        for step, both in (
            (0, {"edge": 0.2, "error": 12.0}),
            (50, {"edge": 0.3, "error": 17.0}),
            (100, {"edge": 0.4, "error": 24.5}),
        )
    ]


def test_every_step_shows_its_own_pictures_and_numbers(play, moments):
    page = play(sharpening(moments, torch.rand(3, 1, 5, 4)))
    for i in (2, 0, 1):
        seen = page.set("step", i)
        assert seen["step"] == moments[i].step
        assert seen["values"] == pytest.approx(list(moments[i].measured.values()))
        assert torch.allclose(torch.tensor(seen["first"]), moments[i].draws[0].flatten(), atol=0.02)
        assert torch.allclose(torch.tensor(seen["rebuilt"]), moments[i].rebuilt[0].flatten(), atol=0.02)
    assert page.words == "Step 50: edge 0.30, error 17.00."


def test_steps_fit_a_narrow_page(play, moments):
    page = play(sharpening(moments, torch.rand(3, 1, 5, 4)), width=360)
    assert page.page.evaluate("document.documentElement.scrollWidth") == 360


def test_moments_that_are_not_alike_are_refused_in_a_sentence(moments):
    images = torch.rand(3, 1, 5, 4)
    with pytest.raises(ValueError, match=r"^A training has two moments or more, not 1\.$"):
        sharpening(moments[:1], images)
    other = moments[0]._replace(measured={"edge": 1.0})
    for given, real in (([*moments, other], images), (moments, images[:2])):
        with pytest.raises(ValueError, match=r"^All moments must show as many pictures"):
            sharpening(given, real)
