"""Worlds of known log p(x) against torch.distributions, quadrature, sums over all images, and each other."""

import itertools
import math

import pytest
import torch
from torch.distributions import MultivariateNormal, Normal

from vae_lessons import evidence
from vae_lessons.evidence import Curve, LinearGaussian, Reading, arc, measure, thermometer
from vae_lessons.gaussian import kl_full, kl_standard_normal, log_density
from vae_lessons.losses import bernoulli_nll, elbo, gaussian_nll, vae_loss

SIZES = [(1, 1), (2, 6), (5, 5), (3, 20)]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


def leaning(latent=3, pixels=7, sigma_x=0.6):
    """A world whose posterior is not diagonal."""
    return LinearGaussian(normal(pixels, latent), normal(pixels, seed=1), sigma_x)


def covariances(n, latent, seed=5):
    a = normal(n, latent, latent, seed=seed)
    return a @ a.mT + 0.1 * torch.eye(latent, dtype=torch.float64)


THERMOMETER = Curve(thermometer, "bernoulli")


# ------------------------------------------------------------------------- the linear-Gaussian world


@pytest.mark.parametrize(("latent", "pixels"), SIZES)
def test_the_evidence_is_that_of_torch(latent, pixels):
    world = LinearGaussian.random(latent, pixels)
    x = world.sample(50, seeded())
    covariance = world.W @ world.W.T + world.sigma_x**2 * torch.eye(pixels)
    torch.testing.assert_close(
        world.log_evidence(x), MultivariateNormal(world.b, covariance).log_prob(x), rtol=1e-10, atol=1e-10
    )


@pytest.mark.parametrize("world", [LinearGaussian.random(), leaning()])
def test_joint_is_posterior_times_evidence_at_any_z(world):
    x, z = world.sample(20, seeded()), normal(20, world.latent, seed=3)
    mu, covariance = world.posterior(x)
    joint = Normal(world.decode(z), world.sigma_x).log_prob(x).sum(1) + Normal(0, 1).log_prob(z).sum(1)
    posterior = MultivariateNormal(mu, covariance).log_prob(z)
    torch.testing.assert_close(joint - posterior, world.log_evidence(x), rtol=1e-9, atol=1e-9)


def test_the_posterior_of_a_random_world_is_diagonal_and_not_isotropic():
    _, covariance = LinearGaussian.random(3, 8).posterior(torch.zeros(1, 8, dtype=torch.float64))
    diagonal = covariance.diagonal()
    torch.testing.assert_close(covariance, diagonal.diag(), atol=1e-12, rtol=0)
    assert diagonal.max() > 2 * diagonal.min()


def test_the_elbo_is_the_evidence_less_the_kl_to_the_posterior():
    world = leaning()
    x, mu, covariance = world.sample(30, seeded()), normal(30, 3, seed=4), covariances(30, 3)
    at, shape = world.posterior(x)
    kls = torch.stack([kl_full(m, c, a, shape) for m, c, a in zip(mu, covariance, at, strict=True)])
    torch.testing.assert_close(world.elbo(x, mu, covariance), world.log_evidence(x) - kls)


def test_the_elbo_is_tight_and_flat_at_the_posterior():
    world = leaning()
    x = world.sample(30, seeded())
    mu, covariance = (t.clone().requires_grad_() for t in world.posterior(x))
    bound = world.elbo(x, mu, covariance[None])
    torch.testing.assert_close(bound, world.log_evidence(x), rtol=1e-11, atol=1e-11)
    for slope in torch.autograd.grad(bound.sum(), (mu, covariance)):
        assert slope.abs().max() < 1e-8


@pytest.mark.parametrize("world", [leaning(), Curve(), THERMOMETER])
def test_samples_belong_to_the_world(world):
    """Their mean log p(x), and what z the posterior gives them, are as they must be."""
    x = world.sample(4_000, seeded())
    assert torch.equal(x, world.sample(4_000, seeded()))
    assert not torch.equal(x, world.sample(4_000, seeded(1)))
    z = torch.linspace(-9, 9, 1001, dtype=torch.float64)[None]
    if isinstance(world, LinearGaussian):
        mu, covariance = world.posterior(x)
        aggregated = mu.T.cov() + covariance  # over all x the posteriors add up to the prior
        torch.testing.assert_close(aggregated, torch.eye(3).double(), atol=0.12, rtol=0)
        torch.testing.assert_close(x.T.cov(), world.W @ world.W.T + 0.36 * torch.eye(7), atol=0.5, rtol=0)
    else:
        density = world.log_posterior(x[:1000], z).exp().mean(0)
        moments = [torch.trapezoid(density * z[0] ** k, z[0]).item() for k in range(3)]
        assert moments == pytest.approx([1, 0, 1], abs=0.12)


def test_samples_have_the_noise_of_the_world():
    still = LinearGaussian(torch.full((4, 1), 1e-9), [1, 2, 3, 4], sigma_x=0.3)
    x = still.sample(20_000, seeded())
    assert (x.mean(0) - still.b).abs().max() < 0.012
    assert x.std(0).tolist() == pytest.approx([0.3] * 4, rel=0.03)
    fixed = Curve(lambda z: 0 * z + 2, sigma_x=0.3).sample(20_000, seeded())
    assert (fixed.mean().item(), fixed.std().item()) == pytest.approx((2, 0.3), rel=0.02)


# ------------------------------------------------------------------------------ one latent number


def test_a_straight_curve_is_a_linear_gaussian_world():
    world = LinearGaussian(normal(3, 1), normal(3, seed=1), 0.4)
    curve = Curve(world.decode, sigma_x=0.4)
    x, mu, sigma = world.sample(150, seeded()), normal(150, seed=2), normal(150, seed=3).exp()
    torch.testing.assert_close(curve.log_evidence(x), world.log_evidence(x), rtol=1e-11, atol=1e-11)
    exact = world.elbo(x, mu[:, None], (sigma**2)[:, None, None])
    torch.testing.assert_close(curve.elbo(x, mu, sigma), exact, rtol=1e-10, atol=1e-9)
    at, covariance = world.posterior(x)
    z = torch.linspace(-2, 2, 5, dtype=torch.float64)[None]
    torch.testing.assert_close(
        curve.log_posterior(x, z), Normal(at, covariance.item() ** 0.5).log_prob(z), rtol=1e-9, atol=1e-9
    )


def test_densities_over_the_plane_add_up_to_one():
    at = torch.linspace(-2.6, 2.6, 105, dtype=torch.float64)
    density = Curve().log_evidence(torch.cartesian_prod(at, at)).exp()
    assert density.sum() * (at[1] - at[0]) ** 2 == pytest.approx(1, abs=1e-6)


def test_probabilities_of_all_binary_images_add_up_to_one():
    every = torch.tensor(list(itertools.product((0.0, 1.0), repeat=6)), dtype=torch.float64)
    six = Curve(lambda z: thermometer(z)[:, ::2], "bernoulli")
    assert six.log_evidence(every).exp().sum() == pytest.approx(1, abs=1e-10)


@pytest.mark.parametrize("world", [Curve(), THERMOMETER])
def test_evidence_is_bound_plus_kl_to_the_posterior(world):
    x = world.sample(100, seeded())
    mu, sigma = 1.5 * normal(100, seed=1), (normal(100, seed=2) - 1).exp().clamp(0.02, 3)
    z = torch.linspace(-30, 30, 30_001, dtype=torch.float64)[None]
    for i in range(100):
        log_q = Normal(mu[i], sigma[i]).log_prob(z)
        kl = torch.trapezoid(log_q.exp() * (log_q - world.log_posterior(x[i : i + 1], z)), z)
        bound = world.elbo(x[i : i + 1], mu[i : i + 1], sigma[i : i + 1])
        torch.testing.assert_close(bound + kl, world.log_evidence(x[i : i + 1]), rtol=0, atol=1e-9)
        assert kl > 0


@pytest.mark.parametrize("world", [Curve(), THERMOMETER])
def test_the_bound_is_the_mean_over_samples(world):
    x, mu, log_var = world.sample(1, seeded()).expand(100_000, -1), 0.3, -1.0
    mus, log_vars = (torch.full((100_000, 1), v, dtype=torch.float64) for v in (mu, log_var))
    z = mus + math.exp(log_var / 2) * normal(100_000, 1)
    out = world.decode(z)
    nll = bernoulli_nll(x, out) if world is THERMOMETER else gaussian_nll(x, out, world.sigma_x)
    single = -nll + log_density(z, 0 * z, 0 * z) - log_density(z, mus, log_vars)
    sigma = torch.tensor([math.exp(log_var / 2)], dtype=torch.float64)
    error = single.std() / math.sqrt(len(single))
    assert abs(single.mean() - world.elbo(x[:1], mus[0], sigma)) < 4 * error


def test_gradients_of_the_bound_reach_q():
    x = Curve().sample(5, seeded())
    q = normal(5, seed=1).requires_grad_(), normal(5, seed=2).exp().requires_grad_()
    torch.autograd.gradcheck(lambda mu, sigma: Curve().elbo(x, mu, sigma), q, atol=1e-6)


def test_the_centre_of_the_arc_learns_nothing():
    """Every z explains the centre equally well, so its posterior is the prior and the gap to it 0."""
    x = torch.zeros(1, 2, dtype=torch.float64)
    gap = Curve().log_evidence(x) - Curve().elbo(x, x[0, :1], x[0, :1] + 1)
    assert gap.item() == pytest.approx(0, abs=1e-12)


# ----------------------------------------------------------------------------- the evidence meter


def gaussian_bound(beta=1.0, sigma_x=0.5, extra=0.0):
    return lambda x, mean, mu, log_var: (
        -gaussian_nll(x, mean, sigma_x) - beta * kl_standard_normal(mu, log_var) + extra
    )


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("world", "bound"),
    [
        (None, gaussian_bound()),
        (LinearGaussian.random(3, 8, 0.3, seed=7), gaussian_bound(sigma_x=0.3)),
        (THERMOMETER, elbo),
        (THERMOMETER, lambda *given: -vae_loss(*given)),
    ],
)
def test_a_right_elbo_stays_below_and_comes_near(world, bound, seed):
    reading = measure(bound, world, seed=seed)
    assert not reading.too_much
    assert abs(reading.gap) < 0.03
    assert reading.error < 0.04


def most_claimed(world, x, beta):
    """The largest E_q[log p(x|z)] - beta KL over all q: beta log E_prior[ p(x|z)^(1 / beta) ]."""
    sharp = LinearGaussian(world.W, world.b, world.sigma_x * math.sqrt(beta))
    pixels = x.shape[1]
    normaliser = pixels * (math.log(beta) - (1 / beta - 1) * math.log(2 * math.pi * world.sigma_x**2)) / 2
    return beta * (sharp.log_evidence(x) + normaliser)


@pytest.mark.parametrize(("beta", "too_much"), [(0.5, True), (0.9, True), (1.0, False), (2.0, False)])
def test_a_reweighted_kl_claims_what_theory_says(beta, too_much):
    world = LinearGaussian.random()
    reading = measure(gaussian_bound(beta))
    x = world.sample(2_000, seeded())  # as measure does
    assert reading.exact == pytest.approx(world.log_evidence(x).mean().item(), abs=1e-12)
    assert reading.claimed == pytest.approx(most_claimed(world, x, beta).mean().item(), abs=0.04)
    assert reading.too_much is too_much
    assert (reading.gap > 0.2) is (beta > 1)


WRONG = {
    "no KL": lambda x, m, mu, lv: -gaussian_nll(x, m, 0.5),
    "KL of the other sign": gaussian_bound(beta=-1.0),
    "mean over pixels": lambda x, m, mu, lv: -gaussian_nll(x, m, 0.5) / 6 - kl_standard_normal(mu, lv),
    "mean over latent numbers": gaussian_bound(beta=0.5),
    "squared error": lambda x, m, mu, lv: -((x - m) ** 2).sum(1) - kl_standard_normal(mu, lv),
    "wrong sigma_x": gaussian_bound(sigma_x=1.0),
    "log_var taken for sigma": lambda x, m, mu, lv: (
        -gaussian_nll(x, m, 0.5) - kl_standard_normal(mu, 2 * lv.clamp(-9, 9))
    ),
    "-1 dropped": gaussian_bound(extra=-1.0),
    "1/2 dropped": gaussian_bound(beta=2.0),
    "not a number": gaussian_bound(extra=math.nan),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_elbo_claims_too_much_or_leaves_a_gap(name):
    reading = measure(WRONG[name])
    assert reading.too_much or reading.gap > 0.25
    assert not reading.too_much or "more than there is" in str(reading)


def test_a_meter_is_the_same_each_time_and_leaves_the_random_state():
    before = torch.get_rng_state()
    first, again, other = (measure(gaussian_bound(), steps=20, seed=s) for s in (0, 0, 1))
    assert first == again != other
    assert torch.equal(before, torch.get_rng_state())


def test_a_reading_says_what_it_shows():
    fair, unfair = Reading(-3.1, -3.0, 0.01), Reading(-2.5, -3.0, 0.01)
    assert str(fair) == "claims -3.10 nats, log p(x) is -3.00, gap 0.10"
    assert str(unfair) == "claims -2.50 nats, log p(x) is -3.00, gap -0.50: more than there is"
    assert not Reading(-2.97, -3.0, 0.01).too_much  # three standard errors
    assert Reading(-2.95, -3.0, 0.01).too_much


def test_worlds_do_not_mind_the_default_dtype():
    for dtype in (torch.float64, torch.float32):
        torch.set_default_dtype(dtype)
        try:
            for world in (LinearGaussian.random(), Curve(), THERMOMETER):
                x = world.sample(3, seeded())
                assert x.dtype == world.log_evidence(x).dtype == torch.float64
            assert measure(gaussian_bound(), steps=2).exact < 0
        finally:
            torch.set_default_dtype(torch.float32)


# -------------------------------------------------------------------------------------- bad input

X2, X6 = torch.zeros(3, 2).double(), torch.zeros(3, 6).double()
ONE = torch.ones(3).double()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: LinearGaussian(torch.ones(3)), r"W must be \(D, L\)"),
        (lambda: LinearGaussian(torch.ones(3, 0)), r"W must be \(D, L\)"),
        (lambda: LinearGaussian(torch.ones(3, 2), b=torch.ones(2)), r"b must be \(3,\)"),
        (lambda: LinearGaussian(torch.ones(3, 2), sigma_x=0), "sigma_x must be a positive number"),
        (lambda: LinearGaussian.random(3, 2), "latent must be a whole number from 1 to 2, not 3"),
        (lambda: LinearGaussian.random().decode(X6), r"z must be \(B, 2\)"),
        (lambda: LinearGaussian.random().posterior(X2), r"x must be \(B, 6\)"),
        (lambda: LinearGaussian.random().log_evidence(X2), r"x must be \(B, 6\)"),
        (lambda: LinearGaussian.random().sample(0), "n must be a whole number"),
        (
            lambda: LinearGaussian.random().elbo(X6, X2, torch.eye(2).double()),
            r"covariance must be \(B, 2, 2\)",
        ),
        (lambda: LinearGaussian.random().elbo(X6, X6, torch.eye(2).double()[None]), r"z must be \(B, 2\)"),
        (lambda: Curve(arc, "poisson"), "likelihood must be one of"),
        (lambda: Curve(sigma_x=-1), "sigma_x must be a positive number"),
        (lambda: Curve().log_evidence(X6), r"x must be \(B, 2\)"),
        (lambda: Curve().log_evidence(X2[0]), r"x must be \(B, 2\)"),
        (lambda: Curve().elbo(X6, ONE, ONE), r"x must be \(B, 2\)"),
        (lambda: Curve().elbo(X2, ONE[:2], ONE[:2]), r"mu \(2,\) and sigma \(2,\) must be \(3,\)"),
        (lambda: Curve().elbo(X2, ONE, ONE[:, None]), r"sigma \(3, 1\) must be \(3,\)"),
        (lambda: Curve().elbo(X2, ONE, 0 * ONE), "sigma must be positive, but the least is 0"),
        (lambda: Curve().elbo(X2, ONE, math.nan * ONE), "sigma must be positive"),
        (lambda: measure(lambda *given: None, steps=1), "a tensor, but it returned a NoneType"),
        (lambda: measure(lambda x, m, mu, lv: x, steps=1), r"one number per image, \(256,\), not \(256, 6\)"),
        (lambda: measure(lambda x, m, mu, lv: x.sum(1), steps=1), "no gradient reaches mu or log_var"),
        (lambda: measure(gaussian_bound(), steps=0), "steps must be a whole number"),
    ],
)
def test_bad_input_is_one_clear_sentence(call, said):
    with pytest.raises((TypeError, ValueError), match=said) as error:
        call()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("x", [-1.0, 0.4, 2.0])
def test_the_evidence_of_a_plane_is_that_of_the_linear_gaussian_world(x):
    known = evidence.LinearGaussian([[1.0, 1.0]], sigma_x=0.5)
    x = torch.tensor([x], dtype=torch.float64)
    world = evidence.Plane(evidence.leaning, 0.5)
    torch.testing.assert_close(world.log_evidence(x), known.log_evidence(x[None])[0], atol=1e-6, rtol=0)


def test_the_posterior_of_a_plane_lies_where_its_picture_has_it():
    world, x = evidence.Plane(evidence.banana), torch.tensor([1.0])
    log_p, log_evidence = world.log_posterior(x)
    axis = torch.linspace(-5, 5, 501, dtype=torch.float64)
    assert abs(log_p.exp().sum() * 0.02**2 - 1) < 1e-6
    assert abs((log_p.exp().sum(0) * 0.02**2 * axis).sum()) < 1e-6  # z_1 is symmetric
    assert log_p[300, 250] > log_p[200, 250]  # (0, 1) rather than (0, -1)
    assert log_p[150, 350] > log_p[350, 350]  # (2, -2) rather than (2, 2)
    torch.testing.assert_close(world.log_evidence(x), log_evidence)


def test_rings_and_peaks_do_not_see_what_they_should_not():
    z = torch.randn(50, 2, dtype=torch.float64)
    turned = z @ torch.tensor([[0.6, 0.8], [-0.8, 0.6]], dtype=torch.float64)
    torch.testing.assert_close(evidence.ring(z), evidence.ring(turned))
    torch.testing.assert_close(
        evidence.two_peaks(z), evidence.two_peaks(z * torch.tensor([-1.0, 1.0], dtype=torch.float64))
    )
