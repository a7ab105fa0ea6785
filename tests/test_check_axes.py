"""Lesson 12's exercises on axes: mistakes are named, right answers pass."""

import math

import pytest
import torch
from check_over_seeds import assert_refused_and_named, assert_right, codes
from torch import distributions as td

from vae_lessons import check

NAMES = ("mutual_information_gap", "kl_parts", "rotated")


def gap_by_sorting(mi, entropy):
    ranked = mi.sort(dim=0, descending=True).values
    return (ranked[0] - ranked[1]) / entropy


def gap_in_a_loop(mi, entropy):
    found = []
    for column, h in zip(mi.T, entropy, strict=True):
        best, second = sorted(column.tolist())[-1:-3:-1]
        found.append((best - second) / h.item())
    return torch.tensor(found)


def gap_in_place(mi, entropy):
    mi /= entropy
    best = mi.argmax(0)
    top = mi.gather(0, best[None])[0]
    mi[best, torch.arange(len(best))] = -1
    return top - mi.max(0).values


def parts_by_distributions(z, mu, log_var):
    one = td.Normal(mu, (log_var / 2).exp()).log_prob(z[:, None])  # (N, N, L)
    own = torch.einsum("iij->i", one)
    joint = one.sum(-1).logsumexp(1) - math.log(len(mu))
    marginal = one.logsumexp(1) - math.log(len(mu))
    prior = td.Normal(0.0, 1.0).log_prob(z)
    return [(own - joint).mean(), (joint - marginal.sum(1)).mean(), (marginal - prior).sum(1).mean()]


def parts_in_a_loop(z, mu, log_var):
    mi = tc = dimension = 0.0
    for i, draw in enumerate(z):
        q = td.Normal(mu, torch.exp(0.5 * log_var)).log_prob(draw)
        joint = torch.log(q.sum(1).double().exp().mean())
        marginals = q.double().exp().mean(0).log().sum()
        mi += (q[i].sum() - joint).item() / len(z)
        tc += (joint - marginals).item() / len(z)
        dimension += (marginals - td.Normal(0.0, 1.0).log_prob(draw).sum()).item() / len(z)
    return mi, tc, dimension


def parts_as_one_tensor(z, mu, log_var):
    components = td.Independent(td.Normal(mu, (log_var / 2).exp()), 1)
    q = td.MixtureSameFamily(td.Categorical(torch.ones(len(mu))), components)
    product = 0
    for j in range(z.shape[1]):
        part = td.Normal(mu[:, j], (log_var[:, j] / 2).exp())
        product = product + td.MixtureSameFamily(td.Categorical(torch.ones(len(mu))), part).log_prob(z[:, j])
    own, prior = components.log_prob(z), td.Normal(0.0, 1.0).log_prob(z).sum(1)
    return torch.stack([own - q.log_prob(z), q.log_prob(z) - product, product - prior]).mean(1)


def turned_by_matrices(mu, log_var, R):
    precision = R @ torch.diag_embed(torch.exp(-log_var)) @ R.T
    return (R @ mu[..., None])[..., 0], -precision.diagonal(dim1=1, dim2=2).log()


def turned_in_a_loop(mu, log_var, R):
    means, logs = [], []
    for m, v in zip(mu, log_var, strict=True):
        means.append(R.mv(m))
        covariance = R @ v.exp().diag() @ R.t()
        logs.append(torch.log(1 / torch.linalg.inv(covariance).diag()))
    return torch.stack(means), torch.stack(logs)


def turned_by_einsum(mu, log_var, R):
    one_over = torch.einsum("jk,bk,jk->bj", R, 1 / log_var.exp(), R)
    return [torch.einsum("jk,bk->bj", R, mu), one_over.reciprocal().log()]


RIGHT = {
    "mutual_information_gap": (gap_by_sorting, gap_in_a_loop, gap_in_place),
    "kl_parts": (parts_by_distributions, parts_in_a_loop, parts_as_one_tensor),
    "rotated": (turned_by_matrices, turned_in_a_loop, turned_by_einsum),
}


@pytest.mark.parametrize(("name", "mistake", "code"), codes(NAMES))
def test_every_known_mistake_is_refused_and_named(name, mistake, code):
    assert_refused_and_named(name, mistake, code)


@pytest.mark.parametrize("name", NAMES)
def test_every_correct_style_is_right(name):
    assert_right(name, RIGHT[name])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("answer", ["text", None, torch.zeros(2, 2), ("a", "b", "c")])
def test_senseless_answers_get_a_calm_verdict(name, answer):
    assert getattr(check, name).judge(lambda first, *others: answer).status == "wrong"
