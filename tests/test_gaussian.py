"""Samples, densities and KLs of diagonal Gaussians, held against torch.distributions and Monte Carlo."""

import math

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from vae_lessons.gaussian import kl_diagonal, kl_standard_normal, log_density, reparameterize

SAMPLES = 200_000
SHAPES = [(1, 1), (5, 3), (64, 20)]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def parameters(shape, seed=0, dtype=torch.float64):
    """mu and log_var of some q(z|x), each of this shape."""
    mu, log_var = torch.randn(2, *shape, generator=seeded(seed), dtype=dtype)
    return 2 * mu, log_var


def normal(mu, log_var):
    return Independent(Normal(mu, (log_var / 2).exp()), 1)


def assert_mean(values, expected, standard_errors=4.5):
    """The mean over the first dimension is the expected one, as nearly as its standard error tells."""
    error = values.std(0) / math.sqrt(len(values))
    assert ((values.mean(0) - expected).abs() <= standard_errors * error).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_log_density_is_that_of_torch(shape):
    mu, log_var = parameters(shape)
    x = torch.randn(shape, generator=seeded(2), dtype=torch.float64)
    torch.testing.assert_close(log_density(x, mu, log_var), normal(mu, log_var).log_prob(x))


@pytest.mark.parametrize("shape", SHAPES)
def test_kls_are_those_of_torch(shape):
    mu, log_var = parameters(shape)
    mu_p, log_var_p = parameters(shape, seed=1)
    q, p, prior = normal(mu, log_var), normal(mu_p, log_var_p), normal(0 * mu, 0 * mu)
    torch.testing.assert_close(kl_standard_normal(mu, log_var), kl_divergence(q, prior))
    torch.testing.assert_close(kl_diagonal(mu, log_var, mu_p, log_var_p), kl_divergence(q, p))
    assert kl_standard_normal(mu, log_var).shape == shape[:1]


def test_the_kl_to_a_standard_normal_is_a_case_of_the_general_one():
    mu, log_var = parameters((7, 4))
    zero = torch.zeros_like(mu)
    torch.testing.assert_close(kl_diagonal(mu, log_var, zero, zero), kl_standard_normal(mu, log_var))


def test_the_kl_is_zero_at_the_same_distribution_and_only_there():
    mu, log_var = parameters((7, 4))
    assert (kl_standard_normal(0 * mu, 0 * mu) == 0).all()
    assert (kl_standard_normal(mu, log_var) > 0).all()
    same, other = kl_diagonal(mu, log_var, mu, log_var), kl_diagonal(mu, log_var, mu + 0.1, log_var)
    torch.testing.assert_close(same, torch.zeros_like(same), atol=1e-12, rtol=0)
    assert (other > 0).all()


def test_the_density_integrates_to_one():
    x = torch.linspace(-30, 30, 100_001, dtype=torch.float64)[:, None]
    mu, log_var = torch.full_like(x, 1.5), torch.full_like(x, 0.8)
    assert torch.trapezoid(log_density(x, mu, log_var).exp(), x[:, 0]).item() == pytest.approx(1, abs=1e-9)


def test_samples_have_the_mean_and_variance_asked_for():
    mu, log_var = parameters((3,))
    z = reparameterize(mu.expand(SAMPLES, 3), log_var.expand(SAMPLES, 3), generator=seeded())
    assert_mean(z, mu)
    assert_mean((z - mu) ** 2, log_var.exp())
    assert_mean((z - mu) ** 3, torch.zeros_like(mu))
    assert_mean((z - mu) ** 4, 3 * (2 * log_var).exp())


def test_kls_are_the_mean_log_ratio_of_samples():
    (mu, log_var), (mu_p, log_var_p) = parameters((1, 3)), parameters((1, 3), seed=1)
    q, p = [t.expand(SAMPLES, 3) for t in (mu, log_var)], [t.expand(SAMPLES, 3) for t in (mu_p, log_var_p)]
    z = reparameterize(*q, generator=seeded())
    zero = torch.zeros_like(z)
    assert_mean(log_density(z, *q) - log_density(z, zero, zero), kl_standard_normal(mu, log_var))
    assert_mean(log_density(z, *q) - log_density(z, *p), kl_diagonal(mu, log_var, mu_p, log_var_p))


def test_noise_is_independent_in_every_number_of_every_image():
    rows, latent = 20_000, 4
    zero = torch.zeros(rows, latent)
    z = reparameterize(zero, zero, generator=seeded())
    numbers = torch.cat([z[0::2], z[1::2]], dim=1)  # two images beside each other
    correlation = torch.corrcoef(numbers.T) - torch.eye(2 * latent)
    assert correlation.abs().max() < 5 / math.sqrt(rows / 2)


def test_noise_given_as_eps_is_used_as_it_is():
    mu, log_var = parameters((5, 3))
    eps = torch.randn(5, 3, generator=seeded(3), dtype=torch.float64)
    sigma = (log_var / 2).exp()
    torch.testing.assert_close(reparameterize(mu, log_var, eps), mu + sigma * eps)
    torch.testing.assert_close(reparameterize(mu, log_var, torch.zeros_like(eps)), mu)


def test_noise_comes_from_the_generator_and_from_nowhere_else():
    mu, log_var = parameters((5, 3))
    before = torch.get_rng_state()
    first = reparameterize(mu, log_var, generator=seeded(1))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(reparameterize(mu, log_var, generator=seeded(1)), first)
    assert not torch.equal(reparameterize(mu, log_var, generator=seeded(2)), first)


def test_each_call_draws_fresh_noise():
    mu, log_var = parameters((5, 3))
    generator = seeded(1)
    calls = [reparameterize(mu, log_var, generator=generator) for _ in range(2)]
    calls += [reparameterize(mu, log_var) for _ in range(2)]
    assert all((a != b).all() for i, a in enumerate(calls) for b in calls[:i])


def test_without_a_generator_the_callers_seed_rules():
    mu, log_var = parameters((5, 3))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        first = reparameterize(mu, log_var)
        torch.manual_seed(4)
        assert torch.equal(reparameterize(mu, log_var), first)


def test_gradients_of_a_sample_are_one_and_eps():
    mu, log_sigma = (t.requires_grad_() for t in parameters((5, 3)))
    sigma = log_sigma.exp()
    eps = torch.randn(5, 3, generator=seeded(3), dtype=torch.float64)
    z = reparameterize(mu, 2 * sigma.log(), eps)
    to_mu, to_sigma = torch.autograd.grad(z.sum(), (mu, sigma))
    torch.testing.assert_close(to_mu, torch.ones_like(mu))
    torch.testing.assert_close(to_sigma, eps)


def test_gradients_agree_with_finite_differences():
    (mu, log_var), (mu_p, log_var_p) = parameters((4, 2)), parameters((4, 2), seed=1)
    for tensor in (mu, log_var, mu_p, log_var_p):
        tensor.requires_grad_()
    eps = torch.randn(4, 2, generator=seeded(3), dtype=torch.float64)
    assert torch.autograd.gradcheck(reparameterize, (mu, log_var, eps))
    assert torch.autograd.gradcheck(log_density, (mu_p, mu, log_var))
    assert torch.autograd.gradcheck(kl_standard_normal, (mu, log_var))
    assert torch.autograd.gradcheck(kl_diagonal, (mu, log_var, mu_p, log_var_p))


def extreme(mu, log_var):
    return torch.full((1, 3), mu, requires_grad=True), torch.full((1, 3), log_var, requires_grad=True)


FUNCTIONS = {
    "reparameterize": lambda mu, log_var: reparameterize(mu, log_var, torch.full_like(mu, 2.0)),
    "log_density": lambda mu, log_var: log_density(torch.full_like(mu, 0.5), mu, log_var),
    "kl_standard_normal": kl_standard_normal,
    "kl_diagonal, q": lambda mu, log_var: kl_diagonal(mu, log_var, torch.ones_like(mu), 0 * mu),
    "kl_diagonal, p": lambda mu, log_var: kl_diagonal(torch.ones_like(mu), 0 * mu, mu, log_var),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("log_var", [-50.0, 0.0, 50.0])
def test_extreme_input_gives_right_finite_numbers_and_gradients_in_float32(name, log_var):
    inputs = extreme(-30.0, log_var)
    result = FUNCTIONS[name](*inputs)
    gradients = torch.autograd.grad(result.sum(), inputs)
    wide = [t.detach().double().requires_grad_() for t in inputs]
    expected = FUNCTIONS[name](*wide)
    for got, want in zip(
        (result, *gradients), (expected, *torch.autograd.grad(expected.sum(), wide)), strict=True
    ):
        assert got.isfinite().all()
        torch.testing.assert_close(got.double(), want, rtol=1e-5, atol=1e-5)


def test_far_means_are_finite_and_no_kl_is_negative_in_float32():
    mu, log_var = (t.float() for t in parameters((1000, 2)))
    assert (kl_standard_normal(1e-4 * mu, 1e-4 * log_var) > -1e-6).all()
    assert kl_standard_normal(mu + 1e15, log_var).isfinite().all()
    assert log_density(mu, mu + 1e15, log_var).isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_type_that_comes_is_the_type_that_goes(dtype):
    mu, log_var = parameters((3, 2), dtype=dtype)
    results = [
        reparameterize(mu, log_var),
        log_density(mu, mu, log_var),
        kl_standard_normal(mu, log_var),
        kl_diagonal(mu, log_var, mu, log_var),
    ]
    assert [r.dtype for r in results] == [dtype] * 4


def test_noise_in_float64_is_not_float32_made_longer():
    zero = torch.zeros(100, 2, dtype=torch.float64)
    z = reparameterize(zero, zero, generator=seeded())
    assert not torch.equal(z.float().double(), z)


A = torch.zeros(3, 2)
BAD_SHAPES = {
    "one row for all": torch.zeros(1, 2),
    "one image": torch.zeros(2),
    "turned": torch.zeros(2, 3),
}


@pytest.mark.parametrize("bad", BAD_SHAPES.values(), ids=BAD_SHAPES)
@pytest.mark.parametrize(
    ("function", "names"),
    [
        (reparameterize, ("mu", "log_var")),
        (reparameterize, ("mu", "log_var", "eps")),
        (log_density, ("x", "mu", "log_var")),
        (kl_standard_normal, ("mu", "log_var")),
        (kl_diagonal, ("mu_q", "log_var_q", "mu_p", "log_var_p")),
    ],
)
def test_shapes_that_differ_are_refused_by_name(function, names, bad):
    for name in names:
        arguments = {n: bad if n == name else A for n in names}
        with pytest.raises(ValueError, match=rf"one shape.*{name} \({', '.join(map(str, bad.shape))}"):
            function(**arguments)


def test_what_is_no_tensor_is_refused_with_how_to_write_it():
    with pytest.raises(TypeError, match=r"log_var must be a tensor, not a NumPy array; write torch.from_nu"):
        kl_standard_normal(A, A.numpy())
    with pytest.raises(TypeError, match=r"eps must be a tensor, not a list; write torch.tensor\(eps\)"):
        reparameterize(A, A, [0.0])


@pytest.mark.parametrize("function", [reparameterize, kl_standard_normal])
def test_scalars_are_refused(function):
    with pytest.raises(ValueError, match="at least one dimension"):
        function(torch.tensor(0.0), torch.tensor(0.0))
