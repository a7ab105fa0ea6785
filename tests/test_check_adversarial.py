"""Lesson 16's exercises: mistakes are named, right answers pass."""

import pytest
import torch
from check_over_seeds import assert_refused_and_named, assert_right, codes
from torch import distributions as td
from torch.nn import functional as F

from vae_lessons import check

NAMES = ("consistent_average", "gan_losses", "gradient_penalty")


def average_by_distributions(x, z, mu, log_var):
    q = td.Independent(td.Normal(mu, (log_var / 2).exp()), 1)
    density = q.log_prob(z[:, None]).exp()
    return density @ x / density.sum(1, keepdim=True)


def average_in_a_loop(x, z, mu, log_var):
    rows = []
    for code in z:
        log_q = -0.5 * ((code - mu) ** 2 / log_var.exp() + log_var).sum(1)
        rows.append((torch.softmax(log_q, 0)[:, None] * x).sum(0))
    return torch.stack(rows)


def average_by_einsum(x, z, mu, log_var):
    log_q = -((z[:, None, :] - mu[None]) ** 2) / (2 * log_var.exp()) - log_var / 2
    log_q = log_q.sum(2)
    weights = (log_q - log_q.logsumexp(1, keepdim=True)).exp()
    return torch.einsum("bn,nd->bd", weights, x)


def losses_by_labels(real, fake):
    bce = F.binary_cross_entropy_with_logits
    critic = bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))
    return critic, bce(fake, torch.ones_like(fake))


def losses_by_sigmoids(real, fake):
    s, t = real.sigmoid(), fake.sigmoid()
    return [-s.log().mean() - (1 - t).log().mean(), -t.log().mean()]


def losses_by_logsigmoid(real, fake):
    critic = -F.logsigmoid(real).sum() / len(real) - F.logsigmoid(-fake).sum() / len(fake)
    return critic, -F.logsigmoid(fake).mean()


def losses_with_a_detached_critic(real, fake):
    """Detaching for the critic is no mistake; not detaching only costs time where gradients are cleared."""
    return F.softplus(-real).mean() + F.softplus(fake.detach()).mean(), F.softplus(-fake).mean()


def penalty_by_norm(critic, x):
    x.requires_grad_()
    (slope,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return slope.flatten(1).norm(2, dim=1).pow(2).mean()


def penalty_by_ones(critic, x):
    x = x.clone().requires_grad_(True)
    score = critic(x)
    slope = torch.autograd.grad(score, x, torch.ones_like(score), create_graph=True, retain_graph=True)[0]
    return (slope**2).sum() / len(x)


def penalty_in_a_loop(critic, x):
    total = 0
    for one in x:
        leaf = one[None].detach().requires_grad_()
        total = total + torch.autograd.grad(critic(leaf).squeeze(), leaf, create_graph=True)[0].square().sum()
    return total / len(x)


RIGHT = {
    "consistent_average": (average_by_distributions, average_in_a_loop, average_by_einsum),
    "gan_losses": (losses_by_labels, losses_by_sigmoids, losses_by_logsigmoid, losses_with_a_detached_critic),
    "gradient_penalty": (penalty_by_norm, penalty_by_ones, penalty_in_a_loop),
}


@pytest.mark.parametrize(("name", "mistake", "code"), codes(NAMES))
def test_every_known_mistake_is_refused_and_named(name, mistake, code):
    assert_refused_and_named(name, mistake, code)


@pytest.mark.parametrize("name", NAMES)
def test_every_correct_style_is_right(name):
    assert_right(name, RIGHT[name])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("answer", ["text", None, torch.zeros(2, 2), ("a", "b")])
def test_senseless_answers_get_a_calm_verdict(name, answer):
    assert getattr(check, name).judge(lambda *given: answer).status == "wrong"
