"""Lesson 15's exercises: mistakes are named, right answers pass, the evidence meter reads a flow."""

import math

import pytest
import torch
from check_over_seeds import assert_refused_and_named, assert_right, codes
from torch import distributions

from vae_lessons import check
from vae_lessons.check.engine.calling import Call
from vae_lessons.check.exercises.flow_elbo import reading

NAMES = ("coupling", "flow_elbo", "mixture_log_density")


def coupling_by_index(z, net):
    half = z.shape[1] // 2
    out = net(z[:, :half])
    s, t = out[:, : z.shape[1] - half], out[:, z.shape[1] - half :]
    moved = z.clone()
    moved[:, half:] = z[:, half:] * torch.exp(s) + t
    return moved, s.sum(-1)


def coupling_by_determinant(z, net):
    half = z.shape[1] // 2
    s, t = net(z[:, :half]).chunk(2, dim=-1)
    moved = torch.hstack([z[:, :half], t + z[:, half:] * s.exp()])
    return moved, torch.diag_embed(s.exp()).logdet()


def coupling_in_a_loop(z, net):
    half = z.shape[1] // 2
    s, t = net(z[:, :half]).split(z.shape[1] - half, 1)
    rows = [torch.cat([a[:half], a[half:] * b.exp() + c]) for a, b, c in zip(z, s, t, strict=True)]
    return torch.stack(rows), torch.stack([row.sum() for row in s])


def elbo_by_distributions(nll, eps, z, log_det):
    normal = distributions.Normal(0.0, 1.0)
    return normal.log_prob(z).sum(1) - nll - (normal.log_prob(eps).sum(1) - log_det)


def elbo_by_squares(nll, eps, z, log_det):
    return ((eps**2).sum(-1) - (z**2).sum(-1)) / 2 + log_det - nll


def elbo_in_a_loop(nll, eps, z, log_det):
    rows = zip(nll, eps, z, log_det, strict=True)
    return torch.stack([d - a + (b @ b - c @ c) / 2 for a, b, c, d in rows])


def mixture_by_distributions(z, log_weight, mean, a):
    components = distributions.MultivariateNormal(mean, scale_tril=a, validate_args=False)
    return torch.logsumexp(log_weight + components.log_prob(z[:, None]), -1)


def mixture_by_inverse(z, log_weight, mean, a):
    eps = torch.einsum("kij,nkj->nki", torch.linalg.inv(a), z[:, None] - mean)
    log_det = torch.linalg.slogdet(a).logabsdet
    log_p = -(eps**2).sum(-1) / 2 - log_det - z.shape[1] * math.log(2 * math.pi) / 2
    return (log_p + log_weight).logsumexp(dim=1)


def mixture_in_a_loop(z, log_weight, mean, a):
    parts = []
    for w, m, factor in zip(log_weight, mean, a, strict=True):
        covariance, away = factor @ factor.T, z - m
        squares = (away @ torch.linalg.inv(covariance) * away).sum(1)
        parts.append(w - (squares + torch.logdet(2 * math.pi * covariance)) / 2)
    largest = torch.stack(parts).amax(0)
    return largest + sum((part - largest).exp() for part in parts).log()


RIGHT = {
    "coupling": (coupling_by_index, coupling_by_determinant, coupling_in_a_loop),
    "flow_elbo": (elbo_by_distributions, elbo_by_squares, elbo_in_a_loop),
    "mixture_log_density": (mixture_by_distributions, mixture_by_inverse, mixture_in_a_loop),
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
    assert getattr(check, name).judge(lambda first, *others: answer).status == "wrong"


@pytest.mark.parametrize("seed", range(3))
def test_the_evidence_meter_tells_a_bound_from_what_is_none(seed):
    def read(share):  # with `share` of log_det
        return reading(Call(lambda nll, eps, z, log_det: elbo_by_squares(nll, eps, z, share * log_det)), seed)

    assert 0 < read(1).gap < 0.15
    assert not read(1).too_much
    assert all(read(share).too_much for share in (-1, 0, 0.5))
    assert read(2).gap > 1
