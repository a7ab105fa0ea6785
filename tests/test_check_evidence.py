"""The exercises on the bound, lessons 06 and 07: known mistakes are refused and named, right styles pass."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from vae_lessons import check

SEEDS = range(10)


def gap_direct(log_joint, log_q, dz):
    p = log_joint.exp()
    posterior = p / (p.sum(1, keepdim=True) * dz)
    return (log_q.exp() * (log_q - posterior.log()) * dz).sum(-1)


def gap_as_difference(log_joint, log_q, dz):
    log_evidence = (log_joint.exp().sum(1) * dz).log()
    elbo = (log_q.exp() * (log_joint - log_q)).sum(1) * dz
    return log_evidence - elbo


def gap_loop(log_joint, log_q, dz):
    found = []
    for lj, lq in zip(log_joint, log_q, strict=True):
        log_p = torch.logsumexp(lj, 0) + math.log(dz)
        found.append(sum(q.exp() * (q - j + log_p) for q, j in zip(lq, lj, strict=True)) * dz)
    return torch.stack(found)


def gap_trapezoid(log_joint, log_q, dz):
    log_p = torch.trapezoid(log_joint.exp(), dx=dz, dim=1).log()
    return torch.trapezoid(log_q.exp() * (log_q - log_joint), dx=dz, dim=1) + log_p


def elbo_distributions(x, decode, mu, log_var, sigma_x, eps):
    q = Normal(mu, (log_var / 2).exp())
    z = q.loc + q.scale * eps
    return Normal(decode(z), sigma_x).log_prob(x).sum(-1) - kl_divergence(q, Normal(0.0, 1.0)).sum(-1)


def elbo_formula(x, decode, mu, log_var, sigma_x, eps):
    mean = decode(mu + torch.sqrt(torch.exp(log_var)) * eps)
    terms = (x - mean) ** 2 / (2 * sigma_x**2) + torch.log(sigma_x) + 0.5 * math.log(2 * math.pi)
    return -terms.sum(dim=1) - 0.5 * (mu.pow(2) + log_var.exp() - 1 - log_var).sum(dim=1)


def elbo_loop(x, decode, mu, log_var, sigma_x, eps):
    mean, bounds = decode(mu + (0.5 * log_var).exp() * eps), []
    for i in range(len(x)):
        bound = 0.0
        for a, b in zip(x[i], mean[i], strict=True):
            bound = bound + Normal(b, sigma_x).log_prob(a)
        for m, v in zip(mu[i], log_var[i], strict=True):
            bound = bound - (m**2 + v.exp() - 1 - v) / 2
        bounds.append(bound)
    return torch.stack(bounds)


def diagonal_loop(covariance):
    precision = torch.linalg.inv(covariance)
    return torch.stack([1 / precision[j, j] for j in range(len(precision))])


def diagonal_solve(covariance):
    eye = torch.eye(len(covariance), dtype=covariance.dtype)
    return torch.linalg.solve(covariance, eye).diagonal() ** -1


def diagonal_pinv(covariance):
    return torch.reciprocal(torch.diag(torch.linalg.pinv(covariance.double())))


STYLES = {
    "posterior_gap": (gap_direct, gap_as_difference, gap_loop, gap_trapezoid),
    "sampled_elbo": (elbo_distributions, elbo_formula, elbo_loop),
    "best_diagonal": (diagonal_loop, diagonal_solve, diagonal_pinv),
}
ENTRIES = [
    pytest.param(name, mistake, id=f"{name}: {mistake.name}")
    for name in STYLES
    for mistake in getattr(check, name).mistakes
]


@pytest.fixture(autouse=True)
def as_a_learner_runs_it(monkeypatch):
    monkeypatch.delenv("VAE_LESSONS_STRICT", raising=False)


@pytest.mark.parametrize(("name", "mistake"), ENTRIES)
def test_every_mistake_is_refused_and_named(name, mistake):
    exercise = getattr(check, name)
    for seed in SEEDS:
        for code in mistake.codes[seed % len(mistake.codes) :][:1] if seed else mistake.codes:
            told = exercise(code, seed)
            assert (told.status, told.mistake) == ("wrong", mistake.name), (seed, told.message)


@pytest.mark.parametrize("name", STYLES)
def test_names_and_sentences_are_distinct_and_sourced(name):
    mistakes = getattr(check, name).mistakes
    assert len({m.name for m in mistakes}) == len({m.says for m in mistakes}) == len(mistakes)
    assert all(m.seen and m.codes and m.says.endswith(".") for m in mistakes)


@pytest.mark.parametrize("style", [pytest.param((n, f), id=f.__name__) for n in STYLES for f in STYLES[n]])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_style_passes(style, dtype):
    name, function = style
    torch.set_default_dtype(dtype)
    try:
        for seed in SEEDS:
            told = getattr(check, name)(function, seed)
            assert told.status == "right", (seed, told.message)
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("name", STYLES)
def test_the_package_itself_passes(name):
    exercise = getattr(check, name)
    assert all(exercise(exercise.reference, seed).status == "right" for seed in SEEDS)


def test_a_tenth_too_much_is_refused():
    for name in STYLES:
        exercise = getattr(check, name)
        assert exercise(lambda *given, f=exercise.reference: 1.1 * f(*given)).status == "wrong"


def test_the_gap_is_drawn_beside_its_target():
    assert "beside the target" in check.posterior_gap(gap_direct).picture.caption
