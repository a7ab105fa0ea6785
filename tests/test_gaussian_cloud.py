"""Clouds with a full covariance: draws, density and KL against torch.distributions and Monte Carlo."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal, kl_divergence

from vae_lessons.gaussian import kl_diagonal, kl_full, log_density, log_density_full, sample_cloud

SAMPLES = 200_000
SIZES = [1, 2, 7, 40]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def cloud(latent, seed=0, dtype=torch.float64):
    """mean (L,) and covariance (L, L) of a cloud that leans, in no special position."""
    mean, *a = torch.randn(1 + latent, latent, generator=seeded(seed), dtype=dtype)
    a = torch.stack(a) / math.sqrt(latent)
    return 2 * mean, a @ a.T + 0.1 * torch.eye(latent, dtype=dtype)


def assert_mean(values, expected, standard_errors=4.5):
    """The mean over the first dimension is the expected one, as nearly as its standard error tells."""
    error = values.std(0) / math.sqrt(len(values))
    assert ((values.mean(0) - expected).abs() <= standard_errors * error).all()


# ------------------------------------------------------------------------------------------- draws


@pytest.mark.parametrize("latent", [1, 2, 5])
def test_draws_have_the_mean_and_covariance_asked_for(latent):
    mean, covariance = cloud(latent)
    z = sample_cloud(SAMPLES, mean, covariance, seeded(1))
    assert z.shape == (SAMPLES, latent)
    assert_mean(z, mean)
    centred = z - mean
    assert_mean(centred[:, :, None] * centred[:, None, :], covariance)


def test_draws_seen_from_any_side_are_gaussian():
    mean, covariance = cloud(4)
    side = torch.randn(4, generator=seeded(2), dtype=torch.float64)
    seen = (
        (sample_cloud(SAMPLES, mean, covariance, seeded(1)) - mean) @ side / (side @ covariance @ side).sqrt()
    )
    for power, moment in enumerate((0, 1, 0, 3, 0, 15), start=1):
        assert_mean(seen**power, moment)


def test_draws_do_not_depend_on_each_other():
    mean, covariance = cloud(2)
    z = sample_cloud(20_000, mean, covariance, seeded(1))
    correlation = torch.corrcoef(torch.cat([z[0::2], z[1::2]], dim=1).T)
    assert correlation[:2, 2:].abs().max() < 5 / math.sqrt(10_000)


def test_the_factor_is_cholesky():
    """The first number has noise of its own, the second a share of the first's and some of its own."""
    mean = torch.tensor([170.0, 72.0])
    covariance = torch.tensor([[81.0, 88.2], [88.2, 196.0]])
    eps = torch.randn(9, 2, generator=seeded(3))
    z = sample_cloud(9, mean, covariance, seeded(3))
    height = 170 + 9 * eps[:, 0]
    weight = 72 + 14 * (0.7 * eps[:, 0] + math.sqrt(1 - 0.7**2) * eps[:, 1])
    torch.testing.assert_close(z, torch.stack([height, weight], dim=1))


def test_noise_comes_from_the_generator_and_from_nowhere_else():
    mean, covariance = cloud(3)
    before = torch.get_rng_state()
    generator = seeded(1)
    first, second = (sample_cloud(5, mean, covariance, generator) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(sample_cloud(5, mean, covariance, seeded(1)), first)
    assert (first != second).all()


def test_without_a_generator_the_callers_seed_rules():
    mean, covariance = cloud(3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        first, second = sample_cloud(5, mean, covariance), sample_cloud(5, mean, covariance)
        torch.manual_seed(4)
        assert torch.equal(sample_cloud(5, mean, covariance), first)
    assert (first != second).all()


def test_gradients_reach_mean_and_covariance():
    """The mean square of the draws is mean^2 + variance, so its gradients are 2 mean and 1."""
    mean, covariance = (t.requires_grad_() for t in cloud(2))
    z = sample_cloud(SAMPLES, mean, covariance, seeded(1))
    to_mean, to_covariance = torch.autograd.grad((z**2).sum(1).mean(), (mean, covariance))
    torch.testing.assert_close(to_mean, 2 * mean.detach(), atol=0.03, rtol=0)
    torch.testing.assert_close(to_covariance, torch.eye(2, dtype=torch.float64), atol=0.03, rtol=0)


# ----------------------------------------------------------------------------------- density and KL


@pytest.mark.parametrize("latent", SIZES)
def test_density_and_kl_are_those_of_torch(latent):
    q, p = cloud(latent), cloud(latent, seed=1)
    x = torch.randn(6, latent, generator=seeded(2), dtype=torch.float64)
    torch.testing.assert_close(log_density_full(x, *q), MultivariateNormal(*q).log_prob(x))
    expected = kl_divergence(MultivariateNormal(*q), MultivariateNormal(*p))
    torch.testing.assert_close(kl_full(*q, *p), expected)
    assert kl_full(*q, *p).shape == ()


@pytest.mark.parametrize("latent", SIZES)
def test_a_diagonal_covariance_is_a_case_of_the_general_one(latent):
    mu, log_var, mu_p, log_var_p, x = torch.randn(5, latent, generator=seeded(), dtype=torch.float64)
    q, p = (mu, log_var.exp().diag()), (mu_p, log_var_p.exp().diag())
    torch.testing.assert_close(log_density_full(x[None], *q)[0], log_density(x, mu, log_var))
    torch.testing.assert_close(kl_full(*q, *p), kl_diagonal(mu, log_var, mu_p, log_var_p))


def test_the_density_integrates_to_one():
    mean, covariance = cloud(2)
    at = torch.linspace(-15, 15, 1201, dtype=torch.float64)
    density = log_density_full(torch.cartesian_prod(at, at) + mean, mean, covariance).exp()
    assert density.sum().item() * (at[1] - at[0]).item() ** 2 == pytest.approx(1, abs=1e-6)


def test_the_kl_is_the_mean_log_ratio_of_draws():
    q, p = cloud(4), cloud(4, seed=1)
    z = sample_cloud(SAMPLES, *q, seeded(1))
    assert_mean(log_density_full(z, *q) - log_density_full(z, *p), kl_full(*q, *p))


def test_the_kl_to_independent_numbers_is_that_of_each_number_and_what_they_share():
    mean, covariance = cloud(5)
    variances = covariance.diagonal()
    zero, one = torch.zeros_like(mean), torch.eye(5, dtype=torch.float64)
    shared = (variances.log().sum() - covariance.logdet()) / 2
    alone = kl_diagonal(mean, variances.log(), zero, zero)
    torch.testing.assert_close(kl_full(mean, covariance, zero, one), alone + shared)
    assert shared > 0.1


def test_the_kl_is_never_negative_and_zero_only_at_the_same_cloud():
    for seed in range(50):
        q = cloud(3, seed)
        assert abs(kl_full(*q, *q)) < 1e-12
        assert kl_full(*q, *cloud(3, seed + 1)) > 0.01


def test_nothing_changes_when_the_plane_is_turned_and_stretched():
    q, p, (_, turn) = cloud(3), cloud(3, seed=1), cloud(3, seed=2)
    moved_q, moved_p = ((turn @ mean + 1, turn @ covariance @ turn.T) for mean, covariance in (q, p))
    torch.testing.assert_close(kl_full(*moved_q, *moved_p), kl_full(*q, *p))
    x = torch.randn(6, 3, generator=seeded(), dtype=torch.float64)
    moved = log_density_full(x @ turn.T + 1, *moved_q)
    torch.testing.assert_close(moved + turn.logdet(), log_density_full(x, *q))


def test_gradients_agree_with_finite_differences():
    def symmetric(a):
        return a @ a.T + 0.1 * torch.eye(3, dtype=torch.float64)

    mean, other = torch.randn(2, 3, generator=seeded(), dtype=torch.float64)
    a, b, x = torch.randn(3, 3, 3, generator=seeded(1), dtype=torch.float64)
    for tensor in (mean, other, a, b, x):
        tensor.requires_grad_()
    assert torch.autograd.gradcheck(lambda x, m, a: log_density_full(x, m, symmetric(a)), (x, mean, a))
    assert torch.autograd.gradcheck(
        lambda m, a, o, b: kl_full(m, symmetric(a), o, symmetric(b)), (mean, a, other, b)
    )
    assert torch.autograd.gradcheck(lambda m, a: sample_cloud(4, m, symmetric(a), seeded()), (mean, a))


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_tiny_and_huge_clouds_in_float32(scale):
    (mean, covariance), (other, wide) = cloud(3, dtype=torch.float32), cloud(3, 1, torch.float32)
    q, p = (mean * math.sqrt(scale), covariance * scale), (other * math.sqrt(scale), wide * scale)
    x = sample_cloud(8, *q, seeded())
    torch.testing.assert_close(kl_full(*q, *p), kl_full(mean, covariance, other, wide), rtol=1e-4, atol=1e-4)
    expected = log_density_full(x.double(), *(t.double() for t in q))
    torch.testing.assert_close(log_density_full(x, *q).double(), expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_type_that_comes_is_the_type_that_goes(dtype):
    q = cloud(3, dtype=dtype)
    z = sample_cloud(4, *q)
    assert [t.dtype for t in (z, log_density_full(z, *q), kl_full(*q, *q))] == [dtype] * 3


# ----------------------------------------------------------------------------------------- bad input

MEAN, COVARIANCE = torch.zeros(2), torch.eye(2)
X = torch.zeros(3, 2)
BAD_CLOUDS = {
    "mean a number": (0.0, COVARIANCE, TypeError, "mean.* must be a tensor, not a float"),
    "mean a scalar": (torch.tensor(0.0), COVARIANCE, ValueError, r"\(L,\) and \(L, L\).* \(\) and \(2, 2\)"),
    "mean a batch": (X, COVARIANCE, ValueError, r"\(L,\) and \(L, L\).* \(3, 2\) and \(2, 2\)"),
    "no numbers": (torch.zeros(0), torch.zeros(0, 0), ValueError, r"\(L,\) and \(L, L\)"),
    "another L": (torch.zeros(3), COVARIANCE, ValueError, r"\(3,\) and \(2, 2\)"),
    "variances": (MEAN, torch.ones(2), ValueError, r"\(L,\) and \(L, L\).* \(2,\) and \(2,\)"),
    "whole numbers": (MEAN, torch.eye(2).long(), TypeError, r"covariance.* not torch.int64"),
    "two types": (MEAN, torch.eye(2).double(), TypeError, "one type.*float32 and torch.float64"),
    "only a factor": (MEAN, torch.tensor([[1.0, 0.0], [0.5, 1.0]]), ValueError, "covariance.* symmetric"),
    "NaN": (MEAN, torch.full((2, 2), math.nan), ValueError, "covariance.* finite and symmetric"),
    "infinity": (MEAN, torch.eye(2) * math.inf, ValueError, "covariance.* finite and symmetric"),
    "flat": (MEAN, torch.ones(2, 2), ValueError, "covariance.* positive definite"),
    "correlation of 2": (
        MEAN,
        torch.tensor([[1.0, 2], [2, 1]]),
        ValueError,
        "covariance.* positive definite",
    ),
    "negative": (MEAN, -torch.eye(2), ValueError, "covariance.* positive definite"),
}


@pytest.mark.parametrize("bad", BAD_CLOUDS.values(), ids=BAD_CLOUDS)
def test_what_is_no_cloud_is_refused(bad):
    mean, covariance, error, match = bad
    with pytest.raises(error, match=match):
        sample_cloud(4, mean, covariance)
    with pytest.raises(error, match=match):
        log_density_full(X, mean, covariance)


@pytest.mark.parametrize("bad", BAD_CLOUDS.values(), ids=BAD_CLOUDS)
def test_a_kl_to_or_from_no_cloud_is_refused(bad):
    mean, covariance, error, _ = bad
    words = r"one shape|_[qp] .*(a tensor|floating point|one type|\(L, L\)|symmetric|positive definite)"
    for arguments in ((mean, covariance, MEAN, COVARIANCE), (MEAN, COVARIANCE, mean, covariance)):
        with pytest.raises(error, match=words):
            kl_full(*arguments)


def test_the_bad_cloud_of_a_kl_is_named():
    flat = torch.ones(2, 2)
    with pytest.raises(ValueError, match="covariance_q must be positive"):
        kl_full(MEAN, flat, MEAN, COVARIANCE)
    with pytest.raises(ValueError, match="covariance_p must be positive"):
        kl_full(MEAN, COVARIANCE, MEAN, flat)
    with pytest.raises(ValueError, match=r"mean_q \(2,\), mean_p \(3,\)"):
        kl_full(MEAN, COVARIANCE, torch.zeros(3), torch.eye(3))


@pytest.mark.parametrize("x", [torch.zeros(2), torch.zeros(3, 1), torch.zeros(3, 3), torch.zeros(1, 3, 2)])
def test_points_of_another_shape_are_refused(x):
    with pytest.raises(ValueError, match=r"x must be \(B, 2\)"):
        log_density_full(x, MEAN, COVARIANCE)
    with pytest.raises(TypeError, match="x and mean must be of one type"):
        log_density_full(x.double(), MEAN, COVARIANCE)


def test_a_covariance_estimated_in_float32_is_symmetric_enough():
    x = torch.randn(500, 30, generator=seeded()) @ torch.randn(30, 30, generator=seeded(1))
    estimated = (x - x.mean(0)).T @ (x - x.mean(0)) / len(x)
    assert sample_cloud(3, x.mean(0), estimated + 1e-7 * torch.randn(30, 30, generator=seeded(2))).shape == (
        3,
        30,
    )
