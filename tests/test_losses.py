"""Nats per image, held against torch.distributions, sums over all images, and quadrature."""

import itertools
import math
from types import SimpleNamespace

import pytest
import torch
from torch.distributions import Bernoulli, MultivariateNormal, Normal

from vae_lessons.gaussian import kl_standard_normal, log_density, reparameterize
from vae_lessons.losses import (
    autoencoder_loss,
    bernoulli_nll,
    check_pixels,
    elbo,
    gaussian_nll,
    nll_of,
    vae_loss,
)

SHAPES = [(1, 1), (5, 3), (4, 1, 6, 6), (2, 3, 4, 5)]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def tensors(shape, latent=2, seed=0, dtype=torch.float64):
    """Grey pixels x and the logits, mu and log_var that a model might make of them."""
    generator = seeded(seed)
    x = torch.rand(shape, generator=generator, dtype=dtype)
    logits = 3 * torch.randn(shape, generator=generator, dtype=dtype)
    mu, log_var = torch.randn(2, len(x), latent, generator=generator, dtype=dtype)
    return x, logits, mu, log_var


def assert_mean(values, expected, standard_errors=4.5):
    """The mean over the first dimension is the expected one, as nearly as its standard error tells."""
    error = values.std(0) / math.sqrt(len(values))
    assert ((values.mean(0) - expected).abs() <= standard_errors * error).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_bernoulli_nll_is_that_of_torch_and_of_the_formula(shape):
    x, logits, *_ = tensors(shape)
    s = 1 / (1 + torch.exp(-logits))
    formula = -(x * s.log() + (1 - x) * (1 - s).log()).reshape(len(x), -1).sum(1)
    torch.testing.assert_close(bernoulli_nll(x, logits), formula)
    binary = x.round()
    torch_nll = -Bernoulli(logits=logits).log_prob(binary).reshape(len(x), -1).sum(1)
    torch.testing.assert_close(bernoulli_nll(binary, logits), torch_nll)


@pytest.mark.parametrize("sigma", [1, 0.1, torch.tensor(2.5), torch.tensor([[[0.5]]])])
def test_gaussian_nll_is_that_of_torch(sigma):
    x, mean, *_ = tensors((2, 3, 4, 5))
    expected = -Normal(mean, float(sigma)).log_prob(x).reshape(len(x), -1).sum(1)
    torch.testing.assert_close(gaussian_nll(x, mean, sigma), expected)
    if sigma == 1:
        torch.testing.assert_close(gaussian_nll(x, mean), expected)


def test_probabilities_of_all_binary_images_sum_to_one():
    x = torch.tensor(list(itertools.product([0.0, 1.0], repeat=6)), dtype=torch.float64)
    logits = tensors((1, 6))[1].expand_as(x)
    assert torch.exp(-bernoulli_nll(x, logits)).sum().item() == pytest.approx(1)


def test_the_gaussian_density_of_all_pixels_integrates_to_one():
    x = torch.linspace(-10, 10, 20_001, dtype=torch.float64)[:, None]
    density = torch.exp(-gaussian_nll(x, torch.full_like(x, 0.3), 0.05))
    assert density.max() > 1  # so that a negative nll is right
    assert torch.trapezoid(density, x[:, 0]).item() == pytest.approx(1)


def test_the_mean_nll_of_a_decoders_own_images_is_its_entropy():
    n, logits = 50_000, tensors((1, 4))[1]
    p = logits.sigmoid()
    drawn = torch.bernoulli(p.expand(n, 4), generator=seeded())
    entropy = -(p * p.log() + (1 - p) * (1 - p).log()).sum()
    assert_mean(bernoulli_nll(drawn, logits.expand(n, 4)), entropy)
    drawn = logits + 0.3 * torch.randn(n, 4, generator=seeded(), dtype=torch.float64)
    entropy = 4 * (math.log(0.3) + (1 + math.log(2 * math.pi)) / 2)
    assert_mean(gaussian_nll(drawn, logits.expand(n, 4), 0.3), entropy)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_all_zero_network_costs_one_bit_a_pixel(shape):
    x, logits, mu, log_var = tensors(shape, dtype=torch.float32)
    pixels = math.prod(shape[1:])
    nll = bernoulli_nll(x, 0 * logits)
    torch.testing.assert_close(nll, torch.full_like(nll, pixels * math.log(2)))
    torch.testing.assert_close(elbo(x, 0 * logits, 0 * mu, 0 * log_var), -nll)
    assert vae_loss(x, 0 * logits, 0 * mu, 0 * log_var).item() == pytest.approx(pixels * math.log(2))


@pytest.mark.parametrize("logit", [-1000.0, 1000.0])
def test_certain_decoders_have_finite_values_and_gradients_in_float32(logit):
    x = torch.tensor([[0.0, 1.0, 0.25]])
    logits = torch.full_like(x, logit, requires_grad=True)
    nll = bernoulli_nll(x, logits)
    nll.sum().backward()
    probability = 1.0 if logit > 0 else 0.0
    # A certain decoder pays |logit| times the probability that it gave to what did not come.
    torch.testing.assert_close(nll, (x - probability).abs().sum(1) * abs(logit))
    torch.testing.assert_close(logits.grad, probability - x)


def test_gaussian_extremes_have_finite_values_and_gradients_in_float32():
    x, mean = torch.zeros(1, 3), torch.full((1, 3), 1e4, requires_grad=True)
    for sigma in (1e-6, 1.0, 1e6):
        nll = gaussian_nll(x, mean, sigma)
        (gradient,) = torch.autograd.grad(nll.sum(), mean)
        assert nll.isfinite().all()
        torch.testing.assert_close(gradient, mean.detach() / sigma**2)


def test_the_elbo_is_minus_nll_minus_kl():
    x, logits, mu, log_var = tensors((5, 1, 3, 3))
    expected = -(bernoulli_nll(x, logits) + kl_standard_normal(mu, log_var))
    torch.testing.assert_close(elbo(x, logits, mu, log_var), expected)
    assert elbo(x, logits, mu, log_var).shape == (5,)
    torch.testing.assert_close(vae_loss(x, logits, mu, log_var), -expected.mean())


def test_the_loss_is_averaged_over_images_once_and_summed_over_pixels():
    x, logits, mu, log_var = tensors((5, 4))
    parts = [t.repeat(3, 1) for t in (x, logits, mu, log_var)]
    torch.testing.assert_close(vae_loss(*parts), vae_loss(x, logits, mu, log_var))
    torch.testing.assert_close(elbo(*parts), elbo(x, logits, mu, log_var).repeat(3))
    wide = vae_loss(x.repeat(1, 2), logits.repeat(1, 2), mu.repeat(1, 2), log_var.repeat(1, 2))
    torch.testing.assert_close(wide, 2 * vae_loss(x, logits, mu, log_var))
    singles = [vae_loss(*(t[i : i + 1] for t in (x, logits, mu, log_var))) for i in range(5)]
    torch.testing.assert_close(vae_loss(x, logits, mu, log_var), torch.stack(singles).mean())


@pytest.mark.parametrize("beta", [0, 0.5, 1, 4.0, 250.0])
def test_beta_multiplies_the_kl_and_nothing_else(beta):
    x, logits, mu, log_var = tensors((5, 1, 3, 3), latent=4)
    nll, kl = bernoulli_nll(x, logits).mean(), kl_standard_normal(mu, log_var).mean()
    torch.testing.assert_close(vae_loss(x, logits, mu, log_var, beta), nll + beta * kl)


@pytest.mark.parametrize("beta", [0.0, 1.0, 3.0])
def test_the_gradient_of_the_loss_is_that_of_the_equation(beta):
    x, logits, mu, log_var = tensors((5, 4))
    for tensor in (logits, mu, log_var):
        tensor.requires_grad_()
    got = torch.autograd.grad(vae_loss(x, logits, mu, log_var, beta), (logits, mu, log_var))
    wanted = (logits.sigmoid() - x, beta * mu, beta * (log_var.exp() - 1) / 2)
    for gradient, expected in zip(got, wanted, strict=True):
        torch.testing.assert_close(gradient, expected / 5)


def test_gradients_agree_with_finite_differences():
    x, logits, mu, log_var = tensors((3, 4))
    sigma = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    for tensor in (logits, mu, log_var):
        tensor.requires_grad_()
    check = torch.autograd.gradcheck
    assert check(lambda logits: bernoulli_nll(x, logits), (logits,))
    assert check(lambda mean, sigma: gaussian_nll(x, mean, sigma), (logits, sigma))
    assert check(lambda *out: elbo(x, *out), (logits, mu, log_var))
    assert check(lambda *out: vae_loss(x, *out, beta=2.0), (logits, mu, log_var))


@pytest.mark.parametrize("log_sigma", [-1.5, 0.0, 0.8])
def test_nll_of_is_the_nll_of_the_models_likelihood(log_sigma):
    x, logits, *_ = tensors((5, 1, 3, 3))
    log_sigma = torch.tensor(log_sigma, dtype=torch.float64, requires_grad=True)
    bernoulli = SimpleNamespace(likelihood="bernoulli", log_sigma=log_sigma)
    gaussian = SimpleNamespace(likelihood="gaussian", log_sigma=log_sigma)
    torch.testing.assert_close(nll_of(bernoulli, x, logits), bernoulli_nll(x, logits))
    nll = nll_of(gaussian, x, logits)
    torch.testing.assert_close(nll, gaussian_nll(x, logits, log_sigma.exp()))
    nll.sum().backward()  # d nll / d log_sigma = D - squared distance / sigma^2
    expected = x.numel() - ((x - logits) ** 2).sum() / (2 * log_sigma).exp()
    torch.testing.assert_close(log_sigma.grad, expected.detach())


# A world with one latent number, whose log p(x) is an integral over a line.
Z = torch.linspace(-12, 12, 24_001, dtype=torch.float64)[:, None]
ZERO = torch.zeros_like(Z)
LOG_PRIOR = log_density(Z, ZERO, ZERO)
SLOPE, OFFSET = torch.tensor([[2.0, -1.5, 0.5, 3.0, -0.2], [0.3, 0.1, -1.0, 0.0, 0.7]], dtype=torch.float64)


def decode(z):
    return torch.tanh(z) * SLOPE + OFFSET


def log_integral(log_values):
    """log of the integral over Z of exp(log_values), (points,) -> ()."""
    top = log_values.max()
    return top + torch.trapezoid((log_values - top).exp(), Z[:, 0]).log()


def images():
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=5)), dtype=torch.float64)[::5]


@pytest.mark.parametrize(("mu", "log_var"), [(0.0, 0.0), (0.7, -1.0), (-1.2, -3.0), (2.0, 0.5)])
def test_the_elbo_is_below_log_p_by_the_kl_to_the_posterior(mu, log_var):
    mu, log_var = torch.tensor([[mu]], dtype=torch.float64), torch.tensor([[log_var]], dtype=torch.float64)
    log_q = log_density(Z, mu.expand_as(Z), log_var.expand_as(Z))
    for x in images():
        log_joint = LOG_PRIOR - bernoulli_nll(x.expand(len(Z), 5), decode(Z))
        log_p = log_integral(log_joint)
        gap = torch.trapezoid(log_q.exp() * (log_q - (log_joint - log_p)), Z[:, 0])
        bounds = elbo(x.expand(len(Z), 5), decode(Z), mu.expand_as(Z), log_var.expand_as(Z))
        bound = torch.trapezoid(log_q.exp() * bounds, Z[:, 0])
        assert bound < log_p
        assert (log_p - bound).item() == pytest.approx(gap.item(), abs=1e-6)


def test_the_mean_elbo_of_samples_is_the_bound():
    n, x = 100_000, images()[3].expand(100_000, 5)
    mu, log_var = torch.full((n, 1), 0.7, dtype=torch.float64), torch.full((n, 1), -1.0, dtype=torch.float64)
    z = reparameterize(mu, log_var, generator=seeded())
    log_q = log_density(Z, mu[: len(Z)], log_var[: len(Z)])
    exact = elbo(x[: len(Z)], decode(Z), mu[: len(Z)], log_var[: len(Z)])
    assert_mean(elbo(x, decode(z), mu, log_var), torch.trapezoid(log_q.exp() * exact, Z[:, 0]))


def test_the_bound_is_log_p_where_q_is_the_posterior():
    """Probabilistic PCA with one latent number: x = z w + b + noise, whose posterior is Gaussian."""
    sigma = 0.8
    x = torch.tensor([[0.5, -1.0, 2.0, 0.3, 1.1]], dtype=torch.float64)
    precision = 1 + (SLOPE**2).sum() / sigma**2
    mu = ((x - OFFSET) @ SLOPE / sigma**2 / precision)[:, None]
    log_var = -precision.log().reshape(1, 1)
    nll = gaussian_nll(x.expand(len(Z), 5), Z * SLOPE + OFFSET, sigma)
    weight = log_density(Z, mu.expand_as(Z), log_var.expand_as(Z)).exp()
    bound = -torch.trapezoid(weight * nll, Z[:, 0]) - kl_standard_normal(mu, log_var)
    covariance = torch.outer(SLOPE, SLOPE) + sigma**2 * torch.eye(5, dtype=torch.float64)
    torch.testing.assert_close(bound, MultivariateNormal(OFFSET, covariance).log_prob(x))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_type_that_comes_is_the_type_that_goes(dtype):
    x, logits, mu, log_var = tensors((3, 4), dtype=dtype)
    results = [
        bernoulli_nll(x, logits),
        gaussian_nll(x, logits, 0.5),
        elbo(x, logits, mu, log_var),
        vae_loss(x, logits, mu, log_var),
    ]
    assert [r.dtype for r in results] == [dtype] * 4


X, LOGITS, MU, LOG_VAR = tensors((3, 4), dtype=torch.float32)


def with_pixel(value):
    x = X.clone()
    x[1, 2] = value
    return x


BAD_PIXELS = {
    "below 0": (with_pixel(-0.01), ValueError, r"\[0, 1\].*-0.01"),
    "above 1": (with_pixel(1.01), ValueError, r"\[0, 1\].*1.01"),
    "0 to 255": (255 * X, ValueError, r"\[0, 1\].*rescale"),
    "NaN": (with_pixel(math.nan), ValueError, "finite"),
    "infinite": (with_pixel(math.inf), ValueError, "finite"),
    "minus infinite": (with_pixel(-math.inf), ValueError, "finite"),
    "whole numbers": (X.round().long(), TypeError, "floating point.*int64"),
    "uint8": (X.round().to(torch.uint8), TypeError, "floating point.*uint8"),
    "yes and no": (X > 0.5, TypeError, "floating point.*bool"),
}


@pytest.mark.parametrize(("x", "error", "message"), BAD_PIXELS.values(), ids=BAD_PIXELS)
def test_bad_pixels_are_refused(x, error, message):
    for call in (
        lambda: check_pixels(x),
        lambda: bernoulli_nll(x, LOGITS),
        lambda: elbo(x, LOGITS, MU, LOG_VAR),
        lambda: vae_loss(x, LOGITS, MU, LOG_VAR),
    ):
        with pytest.raises(error, match=message):
            call()


@pytest.mark.parametrize("name", ["NaN", "infinite", "minus infinite"])
def test_pixels_that_are_no_numbers_are_refused_under_a_gaussian_too(name):
    for call in (
        lambda: check_pixels(BAD_PIXELS[name][0], "gaussian"),
        lambda: gaussian_nll(BAD_PIXELS[name][0], LOGITS),
    ):
        with pytest.raises(ValueError, match="finite"):
            call()


def test_pixels_of_any_size_are_right_under_a_gaussian():
    check_pixels(255 * X - 100, "gaussian")
    expected = -Normal(LOGITS, 3.0).log_prob(255 * X - 100).sum(1)
    torch.testing.assert_close(gaussian_nll(255 * X - 100, LOGITS, 3.0), expected)


def test_the_ends_of_the_range_are_pixels():
    x = torch.tensor([[0.0, 1.0]])
    check_pixels(x)
    assert bernoulli_nll(x, 0 * x).item() == pytest.approx(2 * math.log(2))


BAD_SHAPES = {
    "one image for all": (X[:1], LOGITS),
    "one output for all": (X, LOGITS[:1]),
    "one pixel for all": (X, LOGITS[:, :1]),
    "flat and square": (X, LOGITS.view(3, 2, 2)),
    "no batch": (X[0], LOGITS[0]),
    "scalars": (X[0, 0], LOGITS[0, 0]),
}


@pytest.mark.parametrize(("x", "logits"), BAD_SHAPES.values(), ids=BAD_SHAPES)
def test_images_and_outputs_of_other_shapes_are_refused(x, logits):
    for call in (
        lambda: bernoulli_nll(x, logits),
        lambda: gaussian_nll(x, logits),
        lambda: elbo(x, logits, MU, LOG_VAR),
        lambda: vae_loss(x, logits, MU, LOG_VAR),
    ):
        with pytest.raises(ValueError, match=r"one shape, \(B, \.\.\.\)"):
            call()


BAD_CODES = {
    "one image's code for all": (MU[:1], LOG_VAR[:1], r"mu must be \(3, L\).*\(1, 2\)"),
    "two for three": (MU[:2], LOG_VAR[:2], r"mu must be \(3, L\).*\(2, 2\)"),
    "samples first": (MU.expand(5, 3, 2), LOG_VAR.expand(5, 3, 2), r"mu must be \(3, L\).*\(5, 3, 2\)"),
    "no batch": (MU[0], LOG_VAR[0], r"mu must be \(3, L\).*\(2,\)"),
    "of two kinds": (MU, LOG_VAR[:, :1], "one shape"),
}


@pytest.mark.parametrize(("mu", "log_var", "message"), BAD_CODES.values(), ids=BAD_CODES)
def test_codes_that_do_not_belong_to_the_images_are_refused(mu, log_var, message):
    for function in (elbo, vae_loss):
        with pytest.raises(ValueError, match=message):
            function(X, LOGITS, mu, log_var)


@pytest.mark.parametrize("beta", [-1e-9, math.nan])
def test_a_beta_that_is_no_weight_is_refused(beta):
    with pytest.raises(ValueError, match="beta must be"):
        vae_loss(X, LOGITS, MU, LOG_VAR, beta)


@pytest.mark.parametrize("sigma", [0, math.nan, True, torch.zeros(()), torch.ones(4)])
def test_a_sigma_that_is_no_width_is_refused(sigma):
    with pytest.raises(ValueError, match="sigma must be a positive number"):
        gaussian_nll(X, LOGITS, sigma)


# ------------------------------------------------------------ the autoencoder's loss


def test_the_autoencoders_loss_sums_over_pixels_and_averages_over_images():
    x = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
    x_hat = torch.tensor([[0.5, 0.0, 0.0], [0.0, 1.0, 0.0]], requires_grad=True)
    loss = autoencoder_loss(x, x_hat)
    assert loss == (0.25 + 1) / 2
    loss.backward()
    torch.testing.assert_close(x_hat.grad, x_hat.detach() - x)
    assert autoencoder_loss(x.view(2, 1, 3, 1), x_hat.view(2, 1, 3, 1)) == loss


@pytest.mark.parametrize("shapes", [((2, 3), (2, 4)), ((2, 3), (3,)), ((3,), (3,))])
def test_the_autoencoders_loss_refuses_shapes_that_differ(shapes):
    with pytest.raises(ValueError, match="one shape"):
        autoencoder_loss(*(torch.zeros(shape) for shape in shapes))
