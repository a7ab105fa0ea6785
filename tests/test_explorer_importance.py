"""The explorer of bounds, played in a browser: its numbers are those of the package for the same draws."""

import math

import pytest
import torch

from vae_lessons.evidence import Curve
from vae_lessons.explorers.importance import importance
from vae_lessons.gaussian import log_density_full
from vae_lessons.likelihood import effective_samples, log_mean_exp

LIMIT, POINTS = 4.0, 201
WIDTH, DRAWS = "width of q, relative to the start", "K, draws in each bound"
LINE = torch.linspace(-LIMIT, LIMIT, POINTS, dtype=torch.float64)
GRID = torch.cartesian_prod(LINE, LINE).flip(1)
MEAN, COVARIANCE = torch.tensor([0.4, -0.7]).double(), torch.tensor([[0.09, 0.03], [0.03, 0.25]]).double()
SIGMA = torch.tensor([0.25, 0.3]).double()


def gaussian_posterior(evidence=-50.0):
    """log p(x, z) where the posterior is a Gaussian and log p(x) is known."""
    return (log_density_full(GRID, MEAN, COVARIANCE) + evidence).view(POINTS, POINTS)


def two_peaks():
    """B of lesson 06, with a second latent number that the decoder ignores."""
    first = Curve().log_joint(torch.tensor([[0.0, -1.0]]).double(), LINE[None])[0]
    return first[None, :] - (LINE[:, None] ** 2 + math.log(2 * math.pi)) / 2


def one_of_the_peaks():
    """Mean and standard deviation of the right one."""
    weight = two_peaks().exp().sum(0)[POINTS // 2 :]
    z, weight = LINE[POINTS // 2 :], weight / weight.sum()
    mean = weight @ z
    return torch.stack([mean, mean * 0]), torch.stack([(weight @ (z - mean) ** 2).sqrt(), 1 + mean * 0])


@pytest.fixture
def page(play):
    image = torch.rand(1, 4, 4)
    return play(
        importance(
            {
                "one peak": (gaussian_posterior(), MEAN, SIGMA, image),
                "two peaks": (two_peaks(), *one_of_the_peaks(), None),
            },
            LIMIT,
        )
    )


def test_its_bounds_are_those_of_the_package(page):
    for width, k in ((8, 3), (12, 2), (4, 1), (8, 0)):
        page.set(WIDTH, width)
        found = page.set(DRAWS, k)
        log_w = torch.tensor(found["logW"]).double().view(-1, 10**k)
        assert found["k"] == 10**k
        assert found["sigma"] == pytest.approx((SIGMA * 2 ** (width / 4 - 2)).tolist())
        assert found["elbo"] == pytest.approx(log_w.mean().item(), abs=1e-4)
        assert found["bound"] == pytest.approx(log_mean_exp(log_w).mean().item(), abs=1e-4)
        assert found["effective"] == pytest.approx(effective_samples(log_w).mean().item(), rel=1e-4)
        assert found["evidence"] == pytest.approx(-50, abs=1e-3)


def test_its_weights_follow_the_posterior_between_the_points_of_the_grid(page):
    """With q as the axes of the posterior, the ELBO is log p(x) - KL(q || posterior), in closed form."""
    found = page.detail
    q = torch.diag(SIGMA**2)
    inverse = torch.linalg.inv(COVARIANCE)
    kl = (torch.trace(inverse @ q) - 2 + torch.logdet(COVARIANCE) - torch.logdet(q)) / 2
    assert found["elbo"] == pytest.approx(-50 - kl.item(), abs=0.1)  # 1,000 draws
    assert found["bound"] == pytest.approx(-50, abs=0.1)


def test_q_on_one_of_two_peaks_sees_neither_the_other_nor_that_it_does_not(page):
    found = page.set("two peaks", True)
    assert found["evidence"] - found["bound"] == pytest.approx(math.log(2), abs=0.05)
    assert found["effective"] > 900
    assert "are effective" in page.words


def test_q_is_moved_by_key_and_by_pointer(page):
    start = page.detail
    moved = page.key("ArrowRight")
    assert moved["mean"][0] > start["mean"][0]
    assert moved["elbo"] != start["elbo"]
    box = page.page.locator("canvas").first.bounding_box()
    handle = page.page.locator(".vae-handle").bounding_box()
    page.page.mouse.move(handle["x"] + 9, handle["y"] + 9)
    page.page.mouse.down()
    page.page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 0.1 * box["height"])
    page.page.mouse.up()
    far = page.detail
    assert far["mean"][0] > 2
    assert far["mean"][1] > 2
    assert far["bound"] < start["bound"] - 5
    assert all(found["axis"][0] < found["elbo"] < found["axis"][1] for found in (start, far))
    assert -400 < far["elbo"] < start["elbo"]  # draws beyond the edge of the grid have weights, too


def test_other_grids_are_refused_in_a_sentence():
    given = MEAN, SIGMA, None
    for grids in (
        {},
        {"a": (torch.zeros(3, 4), *given)},
        {"a": (torch.full((3, 3), math.nan), *given)},
        {"a": (torch.zeros(3, 3), *given), "b": (torch.zeros(4, 4), *given)},
    ):
        with pytest.raises(ValueError, match=r"^Each log_joint must be .+ but they are .+\.$"):
            importance(grids)
    with pytest.raises(ValueError, match="limit"):
        importance({"a": (torch.zeros(3, 3), *given)}, 0)


def test_what_is_sent_is_small():
    page = importance({"one peak": (gaussian_posterior(), MEAN, SIGMA, None)}, LIMIT)
    assert len(page.html()) < 250_000
