"""Estimators of a KL and of the gradient of E[f(z)], against closed forms, autograd and each other."""

import math

import numpy as np
import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from vae_lessons.estimators import kl_monte_carlo, reparameterized_gradient, score_function_gradient
from vae_lessons.gaussian import log_density, reparameterize

K = 100_000
MU = torch.tensor([0.7, -0.4, 1.2], dtype=torch.float64)
LOG_VAR = torch.tensor([-0.5, 0.3, 0.0], dtype=torch.float64)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def with_others(f, mu, log_var, samples, generator=None):
    return score_function_gradient(f, mu, log_var, samples, baseline="others", generator=generator)


def with_a_number(f, mu, log_var, samples, generator=None):
    return score_function_gradient(f, mu, log_var, samples, baseline=1.5, generator=generator)


ESTIMATORS = {
    "reparameterized": reparameterized_gradient,
    "score": score_function_gradient,
    "score, others": with_others,
    "score, number": with_a_number,
}
SCORES = {name: estimator for name, estimator in ESTIMATORS.items() if name != "reparameterized"}

# f, and E[f(z)] in closed form, from which autograd makes the exact gradients.
FUNCTIONS = {
    "quadratic": (
        lambda z: ((z - 2) ** 2).sum(1),
        lambda mu, log_var: ((mu - 2) ** 2 + log_var.exp()).sum(),
    ),
    "product": (lambda z: z.prod(1), lambda mu, log_var: mu.prod()),
    "exp": (lambda z: z.exp().sum(1), lambda mu, log_var: (mu + log_var.exp() / 2).exp().sum()),
    "sin": (
        lambda z: (3 * z).sin().sum(1),
        lambda mu, log_var: ((-4.5 * log_var.exp()).exp() * (3 * mu).sin()).sum(),
    ),
}


def exact(mean, mu=MU, log_var=LOG_VAR):
    inputs = [t.clone().requires_grad_() for t in (mu, log_var)]
    found = torch.autograd.grad(mean(*inputs), inputs, allow_unused=True)
    return [torch.zeros_like(t) if g is None else g for t, g in zip(inputs, found, strict=True)]


def assert_mean(values, expected, standard_errors=4.5):
    error = values.std(0) / math.sqrt(len(values))
    assert ((values.mean(0) - expected).abs() <= standard_errors * error + 1e-12).all()


@pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_mean_is_the_exact_gradient(name, estimator):
    f, mean = FUNCTIONS[name]
    found = estimator(f, MU, LOG_VAR, K, generator=seeded())
    for values, expected in zip(found, exact(mean), strict=True):
        assert values.shape == (K, 3)
        assert_mean(values, expected)


def moments(values, weights):
    mean = (weights * values).sum()
    return mean.item(), (weights * (values - mean) ** 2).sum().item()


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_variance_is_that_of_quadrature(name):
    """f = (z - 2)^2 at mu = 0, sigma = 1, where mean and variance are integrals of polynomials of eps."""
    eps, weights = (torch.from_numpy(a) for a in np.polynomial.hermite_e.hermegauss(20))
    weights = weights / weights.sum()
    value = (eps - 2) ** 2 - {"score": 0, "score, others": 5, "score, number": 1.5}.get(name, 0)
    by_score = value * eps, value * (eps**2 - 1) / 2
    by_path = 2 * (eps - 2), 2 * (eps - 2) * eps / 2
    zero = torch.zeros(1, dtype=torch.float64)
    found = ESTIMATORS[name](FUNCTIONS["quadratic"][0], zero, zero, 4 * K, generator=seeded())
    for got, want in zip(found, by_path if name == "reparameterized" else by_score, strict=True):
        mean, variance = moments(want, weights)
        assert_mean(got, mean)
        assert got.var().item() == pytest.approx(variance, rel=0.08)


@pytest.mark.parametrize("estimator", SCORES.values(), ids=SCORES)
def test_a_step_has_a_score_function_gradient(estimator):
    found = estimator(lambda z: (z[:, 0] > 0).to(z.dtype), MU, LOG_VAR, K, generator=seeded())
    sigma = (LOG_VAR[0] / 2).exp()
    density = torch.exp(-((MU[0] / sigma) ** 2) / 2) / (sigma * math.sqrt(2 * math.pi))
    assert_mean(found.mu, torch.stack([density, 0 * density, 0 * density]))
    assert_mean(found.log_var[:, 0], -density * MU[0] / 2)


def test_a_step_is_not_seen_by_the_reparameterized_gradient():
    found = reparameterized_gradient(lambda z: z.sign().sum(1), MU, LOG_VAR, 10)
    assert all((values == 0).all() for values in found)


def test_a_baseline_changes_the_variance_and_not_the_mean():
    def f(z):
        return 100 + (z**2).sum(1)

    expectations = exact(lambda mu, log_var: (mu**2 + log_var.exp()).sum())
    plain = score_function_gradient(f, MU, LOG_VAR, K, generator=seeded())
    others = with_others(f, MU, LOG_VAR, K, generator=seeded())
    for before, after, expected in zip(plain, others, expectations, strict=True):
        assert_mean(after, expected)
        assert (after.var(0) < before.var(0) / 100).all()


def test_others_leaves_the_sample_itself_out():
    """With two samples each has the other as its baseline; were it included, the mean would halve."""
    found = [
        with_others(FUNCTIONS["quadratic"][0], MU, LOG_VAR, 2, generator=seeded(i)) for i in range(20_000)
    ]
    means = torch.stack([gradients.mu.mean(0) for gradients in found])
    assert_mean(means, exact(FUNCTIONS["quadratic"][1])[0])
    one, two = found[0].mu, torch.randn(2, 3, generator=seeded(0), dtype=torch.float64)
    value = FUNCTIONS["quadratic"][0](MU + (LOG_VAR / 2).exp() * two)
    torch.testing.assert_close(one, (value - value.flip(0))[:, None] * two / (LOG_VAR / 2).exp())


def test_a_constant_shifts_no_estimate_with_others_as_baseline():
    plain = with_others(lambda z: (z**2).sum(1), MU, LOG_VAR, 50, generator=seeded())
    shifted = with_others(lambda z: (z**2).sum(1) + 1000, MU, LOG_VAR, 50, generator=seeded())
    for a, b in zip(plain, shifted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("latent", [1, 10, 50])
def test_variance_orders_as_the_lesson_says_for_a_smooth_f(latent):
    mu, log_var = torch.zeros(2, latent)
    found = [
        estimator(FUNCTIONS["quadratic"][0], mu, log_var, 20_000, generator=seeded()).mu.var(0).mean()
        for estimator in (reparameterized_gradient, with_others, score_function_gradient)
    ]
    assert 4 * latent * found[0] < found[1] < found[2]


def test_variance_orders_the_other_way_for_an_f_that_oscillates_fast():
    mu, log_var = torch.zeros(2, 1)
    path, score = (
        estimator(lambda z: (20 * z[:, 0]).sin(), mu, log_var, 20_000, generator=seeded()).mu.var()
        for estimator in (reparameterized_gradient, score_function_gradient)
    )
    assert path > 100 * score


def test_each_sample_has_its_own_gradient():
    """Against one sample at a time through autograd, and against the score of lesson 03's density."""
    f, k = FUNCTIONS["exp"][0], 7
    eps = torch.randn(k, 3, generator=seeded(5), dtype=torch.float64)
    path = reparameterized_gradient(f, MU, LOG_VAR, k, generator=seeded(5))
    score = score_function_gradient(f, MU, LOG_VAR, k, baseline=0.5, generator=seeded(5))
    for i in range(k):
        mu, log_var = (t[None].clone().requires_grad_() for t in (MU, LOG_VAR))
        z = reparameterize(mu, log_var, eps[i : i + 1])
        for got, want in zip(path, torch.autograd.grad(f(z).sum(), (mu, log_var)), strict=True):
            torch.testing.assert_close(got[i], want[0])
        z = z.detach()
        log_q = log_density(z, mu, log_var).sum()
        for got, want in zip(score, torch.autograd.grad(log_q, (mu, log_var)), strict=True):
            torch.testing.assert_close(got[i], (f(z) - 0.5) * want[0])


@pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
def test_noise_comes_from_the_generator_and_from_nowhere_else(estimator):
    f, before = FUNCTIONS["quadratic"][0], torch.get_rng_state()
    first = estimator(f, MU, LOG_VAR, 5, generator=seeded(1))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(estimator(f, MU, LOG_VAR, 5, generator=seeded(1)).mu, first.mu)
    assert not torch.equal(estimator(f, MU, LOG_VAR, 5, generator=seeded(2)).mu, first.mu)


@pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("tracked", [True, False])
def test_nothing_is_left_on_the_parameters_or_on_those_of_f(estimator, dtype, tracked):
    mu, log_var = (t.to(dtype, copy=True).requires_grad_() for t in (MU, LOG_VAR))
    weight = torch.ones(3, dtype=dtype, requires_grad=True)
    with torch.set_grad_enabled(tracked):
        found = estimator(lambda z: (z**2) @ weight, mu, log_var, 4, generator=seeded())
    assert mu.grad is None
    assert log_var.grad is None
    assert weight.grad is None
    assert all(not values.requires_grad and values.dtype == dtype for values in found)


BAD = {
    "f": (dict(f=3.0), TypeError, "f must be a function"),
    "mu, a list": (dict(mu=[0.0]), TypeError, "mu must be a tensor"),
    "mu, whole numbers": (dict(mu=torch.zeros(3, dtype=torch.long)), TypeError, "mu .* torch.int64"),
    "log_var, a number": (dict(log_var=0.0), TypeError, "log_var must be a tensor"),
    "a batch": (dict(mu=torch.zeros(2, 3), log_var=torch.zeros(2, 3)), ValueError, r"must both be \(L,\)"),
    "scalars": (dict(mu=torch.tensor(0.0), log_var=torch.tensor(0.0)), ValueError, r"must both be \(L,\)"),
    "shapes that differ": (dict(log_var=torch.zeros(2)), ValueError, r"\(3,\) and \(2,\)"),
    "no samples": (dict(samples=0), ValueError, "samples must be"),
    "half a sample": (dict(samples=2.5), ValueError, "samples must be"),
    "a sum over samples": (dict(f=lambda z: z.sum()), ValueError, r"into \(4,\), but it gave \(\)"),
    "no sum over numbers": (dict(f=lambda z: z**2), ValueError, r"it gave \(4, 3\)"),
    "no tensor": (dict(f=lambda z: 1.0), ValueError, "it gave float"),
}


@pytest.mark.parametrize("estimator", [reparameterized_gradient, score_function_gradient])
@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_in_one_sentence(estimator, name):
    changes, error, words = BAD[name]
    good = dict(f=FUNCTIONS["quadratic"][0], mu=MU, log_var=LOG_VAR, samples=4)
    with pytest.raises(error, match=words):
        estimator(**{**good, **changes})


@pytest.mark.parametrize("baseline", ["mean", None, math.nan, math.inf, torch.zeros(4)])
def test_a_baseline_that_cannot_be_is_refused(baseline):
    with pytest.raises(ValueError, match="baseline must be a number"):
        score_function_gradient(FUNCTIONS["quadratic"][0], MU, LOG_VAR, 4, baseline=baseline)


def test_one_sample_has_no_others():
    with pytest.raises(ValueError, match="two samples"):
        with_others(FUNCTIONS["quadratic"][0], MU, LOG_VAR, 1)


@pytest.mark.parametrize(
    "f",
    [
        lambda z: (z[:, 0] > 0).to(z.dtype),
        lambda z: z.detach().sum(1),
        lambda z: torch.ones(len(z), dtype=z.dtype, requires_grad=True),
    ],
)
def test_an_f_that_cuts_z_off_is_refused_and_not_taken_for_zero(f):
    with pytest.raises(ValueError, match="differentiable"):
        reparameterized_gradient(f, MU, LOG_VAR, 4)


# ------------------------------------------------------------------------------------ KL from draws


@pytest.mark.parametrize("way", [1, -1])
def test_a_kl_from_draws_is_right_within_its_standard_error(way):
    q, p = (Independent(Normal(m, s), 1) for m, s in ((MU, LOG_VAR.exp()), (MU.flip(0), 1 + MU**2))[::way])
    torch.manual_seed(0)
    estimates = torch.stack([kl_monte_carlo(q, p, 500) for _ in range(200)])
    assert_mean(estimates, kl_divergence(q, p))
    z = q.sample((K,))
    error = (q.log_prob(z) - p.log_prob(z)).std() / math.sqrt(500)
    assert abs(estimates.std() / error - 1) < 0.25


@pytest.mark.parametrize(
    ("q", "samples", "said"),
    [
        (Normal(0.0, 1.0), 0, "samples"),
        (Normal(0.0, 1.0), 2.5, "samples"),
        (Normal(torch.zeros(2), 1.0), 5, r"batch_shape is \(2,\): wrap it in Independent\(q, 1\)"),
    ],
)
def test_a_kl_from_draws_refuses_what_it_cannot_average(q, samples, said):
    with pytest.raises((TypeError, ValueError), match=said):
        kl_monte_carlo(q, Normal(0.0, 1.0), samples)
