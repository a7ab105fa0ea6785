"""Implied betas, free bits, KL warm-up, active units, aggregated posterior: against their definitions."""

import math
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from vae_lessons import measures
from vae_lessons.data import Data, Split
from vae_lessons.data import digits as handwriting
from vae_lessons.gaussian import kl_standard_normal
from vae_lessons.likelihood import free_bits, negative_elbo
from vae_lessons.losses import (
    bernoulli_nll,
    beta_implied,
    beta_schedule,
    free_bits_kl,
    gaussian_nll,
    sigma_implied,
)
from vae_lessons.model import VAE, Autoencoder
from vae_lessons.train import evaluate, fit

MNIST = {"pixels": 784, "latent": 2}
QUIET = {"device": "cpu", "progress": False}
SMALL = {"latent": 3, "hidden": (32,)}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


# ------------------------------------------------------------------------------------ the implied beta

# What public code writes, and the beta that was measured on it.
PUBLIC = {
    "ARENA": (
        dict(
            pixels=784,
            latent=5,
            reconstruction="squared error",
            over_pixels="mean",
            over_latent="mean",
            kl_weight=0.1,
        ),
        7.84,
    ),
    "Generative Deep Learning": (dict(pixels=1024, latent=2, over_pixels="mean", weight=500), 2.05),
    "pytorch/examples": (dict(pixels=784, latent=20), 1.00),
    "handson-ml3": (
        dict(pixels=784, latent=10, reconstruction="squared error", over_pixels="mean", kl_weight=1 / 784),
        0.50,
    ),
    "fastai": (dict(pixels=784, latent=200, over_pixels="mean", over_latent="mean"), 3.92),
    "PyTorch-VAE, training": (
        dict(
            pixels=3 * 64 * 64,
            latent=128,
            reconstruction="squared error",
            over_pixels="mean",
            kl_weight=0.00025,
        ),
        1.54,
    ),
    "PyTorch-VAE, validation": (
        dict(pixels=3 * 64 * 64, latent=128, reconstruction="squared error", over_pixels="mean"),
        6144,
    ),
}


@pytest.mark.parametrize("name", PUBLIC)
def test_it_finds_the_beta_of_public_code(name):
    convention, beta = PUBLIC[name]
    assert beta_implied(**convention) == pytest.approx(beta, rel=0.003)


def test_7_84_and_2_05_to_the_last_digit():
    assert beta_implied(**PUBLIC["ARENA"][0]) == pytest.approx(0.1 / 5 * 784 / 2, rel=1e-12)
    assert beta_implied(**PUBLIC["Generative Deep Learning"][0]) == pytest.approx(1024 / 500, rel=1e-12)


def test_without_settings_it_is_the_loss_of_this_course():
    assert beta_implied(**MNIST) == 1
    assert beta_implied(**MNIST, kl_weight=4) == 4
    assert beta_implied(**MNIST, reconstruction="gaussian", kl_weight=4) == 4
    assert beta_implied(**MNIST, kl_weight=0) == 0


def test_mean_over_pixels_alone_multiplies_beta_by_their_number():
    assert beta_implied(**MNIST, over_pixels="mean") == pytest.approx(784)
    assert beta_implied(**MNIST, over_pixels="mean", weight=784) == pytest.approx(1)
    assert beta_implied(pixels=784, latent=784, over_pixels="mean", over_latent="mean") == pytest.approx(1)


@pytest.mark.parametrize("sigma", [0.1, 1.0, 2.5])
def test_half_a_squared_error_and_beta_sigma_squared_is_a_gaussian_decoder(sigma):
    read = {"reconstruction": "half squared error", "sigma": sigma}
    assert beta_implied(**MNIST, **read, kl_weight=sigma**2) == pytest.approx(1)
    assert beta_implied(**MNIST, **read) == pytest.approx(sigma**-2)
    whole = {"reconstruction": "squared error", "sigma": sigma}
    assert beta_implied(**MNIST, **whole) == pytest.approx(beta_implied(**MNIST, **read) / 2)


def gradient(loss, parameters):
    parts = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    return torch.cat([part.flatten() for part in parts if part is not None])


def convention_loss(x, out, settings):
    """The loss as a program with these settings would write it, from torch's own functions."""
    kind, over = settings.get("reconstruction", "bernoulli"), settings.get("over_pixels", "sum")
    if kind == "bernoulli":
        each = F.binary_cross_entropy_with_logits(out.logits, x, reduction="none")
    elif kind == "gaussian":
        each = -Normal(out.logits, 0.3).log_prob(x)
    else:
        each = F.mse_loss(out.logits, x, reduction="none") / (2 if kind == "half squared error" else 1)
    kl = -0.5 * (1 + out.log_var - out.mu.pow(2) - out.log_var.exp())
    reduce = {"sum": lambda t: t.flatten(1).sum(1).mean(), "mean": lambda t: t.mean()}
    first = settings.get("weight", 1.0) * reduce[over](each)
    return first + settings.get("kl_weight", 1.0) * reduce[settings.get("over_latent", "sum")](kl)


CONVENTIONS = [
    dict(reconstruction=kind, over_pixels=pixels, over_latent=latent, weight=weight, kl_weight=kl, **read)
    for kind, read in [
        ("bernoulli", {}),
        ("gaussian", {}),
        ("squared error", {}),
        ("half squared error", {}),
        ("squared error", {"sigma": 0.2}),
        ("half squared error", {"sigma": 3.0}),
    ]
    for pixels in ("sum", "mean")
    for latent in ("sum", "mean")
    for weight, kl in [(1.0, 1.0), (500.0, 0.1), (1.0, 0.0)]
]


@pytest.mark.parametrize("settings", CONVENTIONS, ids=lambda s: "-".join(map(str, s.values())))
def test_gradients_of_a_convention_are_those_of_nll_plus_beta_kl_times_a_constant(settings):
    model, kind = VAE(latent=5, hidden=(16,), shape=(1, 7, 7)).double(), settings["reconstruction"]
    for weights in model.parameters():  # not the initial weights, of which some are zero
        torch.nn.init.normal_(weights, std=0.3, generator=seeded(1))
    x = torch.rand(6, 1, 7, 7, generator=seeded(2), dtype=torch.float64)
    out = model(x, torch.randn(6, 5, generator=seeded(3), dtype=torch.float64))
    if kind == "bernoulli":
        nll = bernoulli_nll(x, out.logits)
    else:
        nll = gaussian_nll(x, out.logits, 0.3 if kind == "gaussian" else settings.get("sigma", 1.0))
    beta = beta_implied(pixels=49, latent=5, **settings)
    parameters = list(model.parameters())
    ours = gradient((nll + beta * kl_standard_normal(out.mu, out.log_var)).mean(), parameters)
    theirs = gradient(convention_loss(x, out, settings), parameters)
    constant = (theirs @ ours) / (ours @ ours)
    assert constant > 0
    torch.testing.assert_close(theirs, constant * ours, rtol=1e-8, atol=1e-12 * theirs.abs().max().item())
    other = gradient((nll + (beta + 1) * kl_standard_normal(out.mu, out.log_var)).mean(), parameters)
    assert not torch.allclose(theirs, (theirs @ other) / (other @ other) * other, rtol=1e-3)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"pixels": 0}, "pixels must be a whole number"),
        ({"pixels": 28.0}, "pixels must be a whole number"),
        ({"latent": True}, "latent must be a whole number"),
        ({"latent": None, "over_latent": "sum"}, "latent must be a whole number"),
        ({"reconstruction": "mse"}, "reconstruction must be one of 'bernoulli'.*'mse'"),
        ({"over_pixels": "batch"}, "over_pixels must be one of 'sum', 'mean'"),
        ({"over_latent": None}, "over_latent must be one of 'sum', 'mean'"),
        ({"weight": 0}, "weight must be a positive number"),
        ({"weight": math.nan}, "weight must be a positive number"),
        ({"kl_weight": -1}, "kl_weight must be a number, 0 or more"),
        ({"kl_weight": math.inf}, "kl_weight must be a number, 0 or more"),
        ({"sigma": 0, "reconstruction": "squared error"}, "sigma must be a positive number"),
        ({"sigma": 0.1}, "'bernoulli' has none"),
        ({"sigma": 0.1, "reconstruction": "gaussian"}, "'gaussian' has none"),
    ],
)
def test_conventions_that_cannot_be_are_refused(setting, words):
    with pytest.raises(ValueError, match=words):
        beta_implied(**{**MNIST, **setting})


@pytest.mark.parametrize(("weight", "kl_weight"), [(0.5, 1.0), (1 / 49, 0.02), (3.0, 7.0)])
def test_gradients_are_those_of_a_negative_elbo_with_the_implied_sigma(weight, kl_weight):
    model = VAE(latent=5, hidden=(16,), shape=(1, 7, 7), likelihood="gaussian").double()
    for weights in model.parameters():
        torch.nn.init.normal_(weights, std=0.3, generator=seeded(1))
    x = torch.rand(6, 1, 7, 7, generator=seeded(2), dtype=torch.float64)
    out = model(x, torch.randn(6, 5, generator=seeded(3), dtype=torch.float64))
    kl, sigma = kl_standard_normal(out.mu, out.log_var), sigma_implied(weight, kl_weight)
    squares, parameters = (x - out.logits).square().flatten(1).sum(1), list(model.parameters())
    theirs = gradient((weight * squares + kl_weight * kl).mean(), parameters)
    elbo = gradient((gaussian_nll(x, out.logits, sigma) + kl).mean(), parameters)
    torch.testing.assert_close(theirs, kl_weight * elbo)


def test_with_the_implied_sigma_the_implied_beta_is_one():
    sigma = sigma_implied(1 / 784, 0.1 / 5)
    assert sigma == pytest.approx(PUBLIC["ARENA"][1] ** 0.5)
    assert beta_implied(**PUBLIC["ARENA"][0], sigma=sigma) == pytest.approx(1)
    assert sigma_implied(0.5) == 1


@pytest.mark.parametrize("bad", [0, -1, math.nan, math.inf, None, "mean"])
def test_weights_that_no_sigma_makes_an_elbo_are_refused(bad):
    with pytest.raises(ValueError, match="weight must be a positive number"):
        sigma_implied(bad)
    with pytest.raises(ValueError, match="kl_weight must be a positive number"):
        sigma_implied(1, bad)


# ------------------------------------------------------------------------------- free bits and warm-up


def clouds(images=50, latent=4, seed=0):
    mu, log_var = torch.randn(2, images, latent, generator=seeded(seed), dtype=torch.float64)
    return mu, log_var


def test_free_bits_is_the_larger_of_floor_and_mean_kl_of_each_dimension():
    mu, log_var = clouds()
    q = Normal(mu, (log_var / 2).exp())
    each = kl_divergence(q, Normal(torch.zeros_like(mu), torch.ones_like(mu))).mean(0)
    for floor in (0.0, each.min().item(), each.mean().item(), 100.0):
        expected = sum(max(floor, kl) for kl in each.tolist())
        assert free_bits_kl(mu, log_var, floor).item() == pytest.approx(expected)
    torch.testing.assert_close(free_bits_kl(mu, log_var, 0), kl_standard_normal(mu, log_var).mean())


def test_a_dimension_below_the_floor_has_no_gradient_and_the_others_their_whole():
    mu, log_var = clouds(latent=2)
    mu = torch.stack([0.01 * mu[:, 0], 3 * mu[:, 1]], dim=1).requires_grad_()
    log_var = torch.stack([0.01 * log_var[:, 0], log_var[:, 1]], dim=1).requires_grad_()
    for tensor in (mu, log_var):
        (free,) = torch.autograd.grad(free_bits_kl(mu, log_var, 0.5), tensor)
        (whole,) = torch.autograd.grad(kl_standard_normal(mu, log_var).mean(), tensor)
        assert not free[:, 0].any()
        torch.testing.assert_close(free[:, 1], whole[:, 1])


def test_the_floor_is_for_the_mean_over_images_not_for_each():
    mu = torch.tensor([[0.0], [2.0]])
    assert free_bits_kl(mu, torch.zeros(2, 1), 0.9).item() == pytest.approx(1.0)


@pytest.mark.parametrize("floor", [-0.1, math.nan, math.inf])
def test_floors_that_cannot_be_are_refused(floor):
    with pytest.raises(ValueError, match="floor must be a number, 0 or more"):
        free_bits_kl(*clouds(), floor)


def test_free_bits_of_two_shapes_are_refused():
    with pytest.raises(ValueError, match="must have one shape"):
        free_bits_kl(torch.zeros(3, 2), torch.zeros(3, 1), 0.1)


def test_a_number_is_the_weight_at_every_step():
    assert beta_schedule(4, 3) == [4, 4, 4]


def test_a_function_is_asked_for_the_share_of_training_from_zero_to_one():
    assert beta_schedule(lambda t: t, 5) == [0, 0.25, 0.5, 0.75, 1]
    assert beta_schedule(lambda t: min(1, t / 0.5), 5) == [0, 0.5, 1, 1, 1]
    assert beta_schedule(lambda t: t, 1) == [0]


@pytest.mark.parametrize("bad", [-1, math.nan, math.inf, None, "big", torch.ones(2)])
def test_weights_that_cannot_be_are_refused(bad):
    with pytest.raises(ValueError, match="beta must be a number, 0 or more, not"):
        beta_schedule(bad, 3)
    with pytest.raises(ValueError, match=r"beta at step 2 of 3 must be a number, 0 or more, not"):
        beta_schedule(lambda t: bad if t > 0 else 1, 3)


# ------------------------------------------------------------------------------------- both in training


@pytest.fixture(scope="module")
def data():
    pixels, y, _ = handwriting.draw(600)
    return Data(Split(pixels[:500], y[:500]), Split(pixels[500:], y[500:]))


def weights_of(model):
    return torch.cat([weights.detach().flatten() for weights in model.parameters()])


def trained(data, **settings):
    model = VAE(**SMALL)
    history = fit(model, data, epochs=2, batch=64, **QUIET, **settings)
    return weights_of(model), history


def test_a_constant_function_and_the_default_objective_change_nothing_to_the_last_bit(data):
    plain, history = trained(data, beta=2.0)
    for settings in ({"beta": lambda t: 2.0}, {"beta": 2.0, "objective": negative_elbo}):
        weights, again = trained(data, **settings)
        assert torch.equal(weights, plain)
        assert again.train == history.train


def test_each_step_has_its_own_beta(data):
    asked = []
    trained(data, beta=lambda t: asked.append(t) or 1.0)
    assert asked == [i / 15 for i in range(16)]  # 8 steps an epoch
    late = trained(data, beta=lambda t: 0.0 if t < 1 else 1e3)[0]
    assert not torch.equal(late, trained(data, beta=0.0)[0])
    assert torch.equal(trained(data, beta=lambda t: 1.0 * (t < 2))[0], trained(data, beta=1.0)[0])


def test_warm_up_is_the_loop_that_one_writes_by_hand(data):
    epochs, batch, floor = 2, 64, 0.05
    model = VAE(**SMALL)
    settings = {"beta": lambda t: 3 * t, "objective": free_bits(floor), "seed": 4}
    fit(model, data, epochs=epochs, batch=batch, **settings, **QUIET)
    hand, x_all = VAE(**SMALL), data.train.x
    hand.start_at(x_all.mean(0))
    generator, steps = seeded(4), epochs * math.ceil(500 / batch)
    adam = torch.optim.Adam(hand.parameters(), 4e-3, betas=(0.9, 0.99))
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        adam,
        4e-3,
        total_steps=steps,
        pct_start=0.1,
        div_factor=5,
        anneal_strategy="linear",
        cycle_momentum=False,
    )
    step = 0
    for _ in range(epochs):
        for index in torch.randperm(500, generator=generator).split(batch):
            mu, log_var = hand.encode(x_all[index])
            z = mu + torch.exp(log_var / 2) * torch.randn(mu.shape, generator=generator)
            nll = bernoulli_nll(x_all[index], hand.decode(z)).mean()
            each = ((mu**2 + log_var.exp() - 1 - log_var) / 2).mean(0)
            loss = nll + 3 * step / (steps - 1) * torch.where(each > floor, each, floor).sum()
            adam.zero_grad()
            loss.backward()
            adam.step()
            cycle.step()
            step += 1
    torch.testing.assert_close(weights_of(model), weights_of(hand), rtol=1e-3, atol=1e-4)


def test_free_bits_keep_the_kl_from_going_to_nothing(data):
    def kls(floor):
        model = VAE(**SMALL)
        settings = {"beta": 20.0, "objective": free_bits(floor)}
        history = fit(model, data, epochs=20, batch=32, **settings, **QUIET)
        mu, log_var = (t.detach() for t in model.encode(data.train.x))
        assert history.test[-1] == evaluate(model, data.test)
        return ((mu**2 + log_var.exp() - 1 - log_var) / 2).mean(0), history

    collapsed, held = kls(0.0), kls(0.3)
    assert collapsed[0].max() < 0.1
    torch.testing.assert_close(held[0], torch.full((3,), 0.3), rtol=0.2, atol=0)
    assert held[1].test[-1].kl == pytest.approx(0.9, rel=0.2)  # not floored, not 20 times it


def test_the_history_has_on_train_what_was_charged_and_on_test_what_there_is(data):
    history = trained(data, objective=free_bits(50.0))[1]
    assert history.train[0].kl == pytest.approx(150)  # the floor of three dimensions
    assert 0 < history.test[0].kl < 100


@pytest.mark.parametrize("bad", [-0.1, math.nan, math.inf, "half", None])
def test_free_bits_that_cannot_be_are_refused_at_once(bad):
    with pytest.raises(ValueError, match="floor must be a number, 0 or more"):
        free_bits(bad)


def test_a_beta_that_cannot_be_is_refused_before_anything_moves(data):
    model = VAE(**SMALL)
    before = weights_of(model)
    with pytest.raises(ValueError, match=r"beta at step 1 of .* must be a number, 0 or more, not -1"):
        fit(model, data, beta=lambda t: -1, **QUIET)
    assert torch.equal(weights_of(model), before)


# ----------------------------------------------------------------- active units, aggregated posterior


class Known:
    """A stand-in for a model whose q(z|x) is known: x is (N, 2 L), mu beside log_var."""

    device = torch.device("cpu")

    def __call__(self, x, generator=None):
        mu, log_var = x.chunk(2, dim=1)
        return SimpleNamespace(mu=mu, log_var=log_var)

    def code(self, x):
        return x.chunk(2, dim=1)[0]

    def encode(self, x):
        return x.chunk(2, dim=1)


def test_active_units_are_those_whose_mean_varies():
    n, sd = 5000, torch.tensor([0.0, 0.05, 0.2, 3.0])
    mu = 7 + sd * torch.randn(n, 4, generator=seeded())
    units = measures.active_units(Known(), torch.cat([mu, torch.randn(n, 4)], dim=1))
    torch.testing.assert_close(units.variance, sd**2, rtol=0.1, atol=1e-6)
    assert units.active == 2
    assert measures.active_units(Known(), torch.cat([mu, mu], dim=1), threshold=0.001).active == 3


def test_the_aggregated_posterior_of_equal_standard_clouds_is_the_prior():
    found = measures.aggregated(Known(), torch.zeros(10, 6))
    torch.testing.assert_close(found.mean, torch.zeros(3))
    torch.testing.assert_close(found.sd, torch.ones(3))
    assert found.kl == pytest.approx(0, abs=1e-12)


def test_the_aggregated_posterior_has_the_moments_of_its_samples_and_the_kl_of_torch():
    n, generator = 100_000, seeded()
    mix = torch.tensor([[1.5, 0.3], [0.0, 0.7]])
    mu = torch.randn(n, 2, generator=generator) @ mix + torch.tensor([0.5, -1.0])
    log_var = torch.randn(n, 2, generator=generator) - 1
    found = measures.aggregated(Known(), torch.cat([mu, log_var], dim=1))
    z = mu + torch.exp(log_var / 2) * torch.randn(n, 2, generator=generator)
    torch.testing.assert_close(found.mean, z.mean(0), atol=0.02, rtol=0)
    torch.testing.assert_close(found.sd, z.std(0), atol=0.02, rtol=0)
    gaussian = MultivariateNormal(z.mean(0), torch.cov(z.T))
    prior = MultivariateNormal(torch.zeros(2), torch.eye(2))
    assert found.kl == pytest.approx(kl_divergence(gaussian, prior).item(), abs=0.02)


def test_its_kl_is_at_most_that_of_the_whole_distribution():
    """Two far clouds, one dimension: the KL of the mixture from N(0, 1) by quadrature."""
    x = torch.tensor([[-2.0, -1.0], [2.0, -1.0]])
    grid = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    q = sum(Normal(m, math.exp(-0.5)).log_prob(grid).exp() for m in (-2.0, 2.0)) / 2
    whole = torch.trapezoid(q * (q.log() - Normal(0.0, 1.0).log_prob(grid)), grid).item()
    assert 0 < measures.aggregated(Known(), x.repeat(2000, 1)).kl < whole


def test_aggregated_and_active_units_of_models(data):
    x, state = data.test.x, torch.get_rng_state()
    for kind in (VAE, Autoencoder):
        model = kind(**SMALL)
        found, units = measures.aggregated(model, x), measures.active_units(model, x)
        assert torch.equal(torch.get_rng_state(), state)
        torch.testing.assert_close(found.mean, model.code(x).detach().mean(0))
        torch.testing.assert_close(units.variance, model.code(x).detach().var(0))
        floor = units.variance.sqrt()
        assert (found.sd > floor).all() if kind is VAE else torch.allclose(found.sd, floor)


@pytest.mark.parametrize("measure", [measures.active_units, measures.aggregated])
def test_one_image_has_no_variance(measure):
    with pytest.raises(ValueError, match="two images at least"):
        measure(Known(), torch.zeros(1, 2))


# ------------------------------------------------------- the two parts of the KL: information and prior


def test_information_of_gaussian_codes_has_its_closed_form():
    """mu ~ N(0.5, 1.5^2) and clouds of variance 0.36, so that q(z) is a Gaussian; two dimensions of it."""
    mu = 0.5 + 1.5 * torch.randn(4000, 2, generator=seeded())
    found = measures.information(Known(), torch.cat([mu, torch.full_like(mu, math.log(0.36))], dim=1))
    total = 1.5**2 + 0.36
    assert found.mutual == pytest.approx(math.log(total / 0.36), abs=0.1)
    prior = kl_divergence(Normal(0.5, total**0.5), Normal(0.0, 1.0)).item()
    assert found.prior == pytest.approx(2 * prior, abs=0.15)


def test_both_parts_of_a_mixture_of_two_are_those_of_quadrature():
    x = torch.tensor([[-2.0, -1.0], [2.0, -1.0]])
    grid = torch.linspace(-10, 10, 8001, dtype=torch.float64)
    clouds = [Normal(m, math.exp(-0.5)) for m in (-2.0, 2.0)]
    q = sum(cloud.log_prob(grid).exp() for cloud in clouds) / 2
    prior = torch.trapezoid(q * (q.log() - Normal(0.0, 1.0).log_prob(grid)), grid).item()
    whole = kl_divergence(clouds[0], Normal(0.0, 1.0)).item()
    found = measures.information(Known(), x.repeat(3000, 1))
    assert found.prior == pytest.approx(prior, abs=0.05)
    assert found.mutual == pytest.approx(whole - prior, abs=0.05)


def test_the_parts_add_up_to_the_mean_kl(data):
    model = VAE(**SMALL)
    for weights in model.parameters():
        torch.nn.init.normal_(weights, std=0.2, generator=seeded(1))
    found = measures.information(model, data.train.x)
    kl = kl_standard_normal(*model.encode(data.train.x)).mean().item()
    assert found.mutual + found.prior == pytest.approx(kl, rel=0.1)


def test_clouds_that_do_not_overlap_tell_which_image_it_was_and_no_more():
    n = 50
    mu = 100 * torch.arange(n, dtype=torch.float32)[:, None]
    found = measures.information(Known(), torch.cat([mu, torch.zeros(n, 1)], dim=1))
    assert found.mutual == pytest.approx(math.log(n), abs=1e-6)
    assert found.prior > 1e4


def test_codes_that_are_the_prior_hold_no_information():
    assert measures.information(Known(), torch.zeros(20, 6)) == pytest.approx((0, 0), abs=1e-9)


def test_narrow_clouds_far_away_are_still_exact():
    """A spread of 1e-4 around 1000: squares that are multiplied out lose all digits in float32."""
    mu = 1000 + torch.tensor([[0.0], [1.0], [2.0]])
    log_var = torch.full_like(mu, 2 * math.log(1e-4))
    assert measures.information(Known(), torch.cat([mu, log_var], 1)).mutual == pytest.approx(math.log(3))


def test_information_is_seeded_and_leaves_the_random_state():
    x, state = torch.randn(40, 4, generator=seeded()), torch.get_rng_state()
    first = measures.information(Known(), x)
    assert first == measures.information(Known(), x)
    assert first != measures.information(Known(), x, seed=1)
    assert torch.equal(torch.get_rng_state(), state)


def test_information_needs_two_images_finite_codes_and_a_posterior(data):
    with pytest.raises(ValueError, match="two images at least"):
        measures.information(Known(), torch.zeros(1, 2))
    with pytest.raises(ValueError, match="log_var must be finite"):
        measures.information(Known(), torch.tensor([[0.0, math.nan], [0.0, 1.0]]))
    with pytest.raises(TypeError, match=r"model must be a VAE.*not a Autoencoder"):
        measures.information(Autoencoder(**SMALL), data.test.x)
