"""The gap, the ELBO from a draw and the gaps of an encoder against torch.distributions and known worlds."""

import math

import pytest
import torch
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from vae_lessons import amortization, evidence
from vae_lessons.amortization import (
    FAMILIES,
    Gaps,
    amortize,
    approximation_gap,
    best_covariance,
    best_gaussian,
    gaps,
)
from vae_lessons.model import VAE

LEANING = evidence.LinearGaussian([[1.5, 0.6], [1.0, 0.8], [0.2, 0.5]], sigma_x=0.5)
GRID = torch.linspace(-9, 9, 1001, dtype=torch.float64)[None]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


X = LEANING.sample(200, seeded())


# ------------------------------------------------------------ the gap on a grid


def test_the_gap_is_what_the_elbo_leaves_of_the_evidence():
    world = evidence.Curve()
    x, mu, sigma = world.sample(20, seeded()), normal(20, seed=1), 0.2 + normal(20, seed=2).abs() / 3
    log_q = Normal(mu[:, None], sigma[:, None]).log_prob(GRID)
    gap = evidence.posterior_gap(world.log_joint(x, GRID), log_q, GRID[0, 1] - GRID[0, 0])
    torch.testing.assert_close(gap, world.log_evidence(x) - world.elbo(x, mu, sigma), rtol=1e-6, atol=1e-6)


def test_the_gap_of_two_gaussians_is_their_kl_whatever_the_evidence():
    p, q = Normal(0.5, 0.7), Normal(-0.3, 1.1)
    gap = evidence.posterior_gap(p.log_prob(GRID) - 4, q.log_prob(GRID), GRID[0, 1] - GRID[0, 0])
    torch.testing.assert_close(gap[0], kl_divergence(q, p).double(), rtol=1e-5, atol=1e-6)


def test_a_gap_needs_two_tables_of_one_shape():
    with pytest.raises(ValueError, match=r"both be \(B, K\), but they are \(1, 1001\) and \(1001,\)"):
        evidence.posterior_gap(GRID, GRID[0], 0.1)


# ------------------------------------------------------------ the ELBO from one draw


def test_the_mean_of_the_sampled_elbo_is_the_exact_one():
    world, n = evidence.Curve(), 40_000
    x, mu, log_var = (torch.tensor([row], dtype=torch.float64) for row in ([0.9, 0.4], [0.7], [-1.8]))
    given = x.expand(n, -1), world.decode, mu.expand(n, 1), log_var.expand(n, 1), 0.3, normal(n, 1)
    drawn = evidence.sampled_elbo(*given)
    exact = world.elbo(x, mu[0], torch.exp(log_var[0] / 2))
    assert (drawn.mean() - exact).abs() < 4 * drawn.std() / n**0.5


def test_the_sampled_elbo_is_likelihood_less_kl_and_trains_the_world():
    sigma_x, speed = (torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (0.4, 1.2))
    x, mu, log_var, eps = normal(5, 2), *(normal(5, 1, seed=i) for i in (1, 2, 3))

    def decode(z):
        return torch.cat([torch.sin(speed * z), torch.cos(speed * z)], dim=1)

    bound = evidence.sampled_elbo(x, decode, mu, log_var, sigma_x, eps)
    q = Normal(mu, (log_var / 2).exp())
    z = q.mean + q.stddev * eps
    right = Normal(decode(z), sigma_x).log_prob(x).sum(1) - kl_divergence(q, Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(bound, right)
    assert all(g.abs() > 0 for g in torch.autograd.grad(bound.sum(), [sigma_x, speed]))


# ------------------------------------------------------------ the best of a family


@pytest.mark.parametrize("family", ["isotropic", "diagonal"])
def test_no_other_scale_or_variance_of_a_family_is_nearer_to_the_posterior(family):
    covariance = LEANING.posterior(X).covariance
    best = best_covariance(covariance, family)
    p = MultivariateNormal(torch.zeros(2).double(), covariance)

    def kl(c):
        return kl_divergence(MultivariateNormal(p.mean, c), p)

    others = [best * 1.05, best / 1.05]
    if family == "diagonal":
        others += [best * torch.tensor(scale).double().diag() for scale in ([1.05, 1.0], [1.0, 0.95])]
    assert all(kl(other) > kl(best) for other in others)


def test_the_best_diagonal_q_is_narrower_than_a_posterior_that_leans_and_equal_to_one_that_does_not():
    covariance = LEANING.posterior(X).covariance
    assert (evidence.best_diagonal(covariance) < covariance.diagonal()).all()
    straight = torch.tensor([0.3, 2.0]).double()
    torch.testing.assert_close(evidence.best_diagonal(straight.diag()), straight)


@pytest.mark.parametrize(
    ("covariance", "said"),
    [(torch.ones(3), "must be (L, L)"), (torch.ones(2, 3), "must be (L, L)"), (-torch.eye(2), "definite")],
)
def test_a_covariance_that_is_none_is_refused(covariance, said):
    with pytest.raises(ValueError, match="covariance") as error:
        evidence.best_diagonal(covariance)
    assert said in str(error.value)


# ------------------------------------------------------------ two gaps


def test_the_approximation_gap_is_the_kl_from_the_best_q_and_grows_with_the_restriction():
    covariance = LEANING.posterior(X).covariance
    p = MultivariateNormal(torch.zeros(2).double(), covariance)
    found = [approximation_gap(LEANING, X, family) for family in FAMILIES]
    for family, gap in zip(FAMILIES, found, strict=True):
        kl = kl_divergence(MultivariateNormal(p.mean, best_covariance(covariance, family)), p)
        assert gap == pytest.approx(kl.item(), abs=1e-9)
    assert found[0] > found[1] > found[2]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_two_gaps_add_up_and_an_encoder_has_its_family(family):
    encoder = amortize(LEANING, family, hidden=8, steps=40)
    mu, covariance = encoder(X)
    diagonal = covariance.diagonal(dim1=1, dim2=2)
    whole = (LEANING.log_evidence(X) - LEANING.elbo(X, mu, covariance)).mean().item()
    found = gaps(LEANING, X, encoder)
    assert found.approximation + found.amortization == pytest.approx(whole)
    assert found.amortization > 0
    assert (covariance.sum((1, 2)) - diagonal.sum(1)).abs().max().item() == 0 or family == "full"
    assert (diagonal[:, 0] == diagonal[:, 1]).all().item() == (family == "isotropic")


def test_training_closes_the_amortization_gap_and_the_same_seed_gives_the_same():
    few, many, again = (gaps(LEANING, X, amortize(LEANING, steps=steps, seed=3)) for steps in (3, 200, 200))
    assert many.amortization < few.amortization / 5
    assert many == again
    assert isinstance(many, Gaps)


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"family": "round"}, "family must be one of"), ({"hidden": 0}, "hidden"), ({"steps": 0.5}, "steps")],
)
def test_a_setting_that_cannot_be_is_named(settings, said):
    with pytest.raises(ValueError, match=said):
        amortization.amortize(LEANING, **settings)


@pytest.mark.parametrize(("full", "gap"), [(False, 0.5 * math.log(25 / 9)), (True, 0.0)])
def test_the_best_gaussian_leaves_of_the_evidence_what_theory_says_and_leaves_the_model_alone(full, gap):
    model = VAE(2, (4,), "gaussian", 0.5, shape=(1,), decoder=torch.nn.Linear(2, 1), seed=0)
    model.decoder.weight.data.fill_(1.0)
    model.decoder.bias.data.fill_(0.0)
    x = torch.tensor([[1.0], [-0.5], [2.0]])
    before = [w.clone() for w in model.parameters()]
    elbo = best_gaussian(model, x, full, samples=64)
    log_p = torch.distributions.Normal(0.0, 1.5).log_prob(x)[:, 0]
    torch.testing.assert_close(log_p - elbo, torch.full((3,), gap), atol=0.05, rtol=0)
    assert all(torch.equal(*pair) for pair in zip(before, model.parameters(), strict=True))
    assert all(w.grad is None for w in model.parameters())
