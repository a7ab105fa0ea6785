"""The exercises of lesson 11: right in several styles, and every known mistake refused and named."""

import math

import pytest
import torch
from check_over_seeds import assert_refused_and_named, assert_right, codes
from torch.distributions import Normal


def by_distributions(nll, z, mu, log_var):
    return -nll + (Normal(0.0, 1.0).log_prob(z) - Normal(mu, (log_var / 2).exp()).log_prob(z)).sum(-1)


def by_formula(nll, z, mu, log_var):
    return -nll + 0.5 * (log_var - z**2 + (z - mu) ** 2 / log_var.exp()).sum(1)


def draw_by_draw(nll, z, mu, log_var):
    rows = []
    for i in range(len(z)):
        total = -nll[i]
        for j in range(z.shape[1]):
            sigma = torch.exp(log_var[i, j]) ** 0.5
            total = total - z[i, j] ** 2 / 2 + torch.log(sigma) + ((z[i, j] - mu[i, j]) / sigma) ** 2 / 2
        rows.append(total)
    return torch.stack(rows)


def bits_in_steps(log_p, dims, levels=1):
    probability = log_p - dims * math.log(levels)
    return -probability / math.log(2) / dims


def bits_by_log2(log_p, dims, levels=1):
    return math.log2(levels) - log_p * math.log2(math.e) / dims


def bits_in_place(log_p, dims, levels=1):
    log_p *= -1
    log_p /= dims
    log_p += torch.log(torch.tensor(float(levels))).item()
    return log_p / torch.log(torch.tensor(2.0))


RIGHT = {
    "log_weights": (by_distributions, by_formula, draw_by_draw),
    "bits_per_dim": (bits_in_steps, bits_by_log2, bits_in_place),
}


@pytest.mark.parametrize("name", RIGHT)
def test_every_right_way_to_write_it_is_right(name):
    assert_right(name, RIGHT[name])


@pytest.mark.parametrize(("name", "mistake", "code"), codes(RIGHT))
def test_every_mistake_is_refused_and_named(name, mistake, code):
    assert_refused_and_named(name, mistake, code)
