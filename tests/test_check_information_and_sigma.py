"""Lesson 09's mutual_information and lesson 10's sigma_implied: mistakes are named, right answers pass."""

import math

import numpy as np
import pytest
import torch
from check_over_seeds import assert_refused_and_named, assert_right, codes

from vae_lessons import check, losses

NAMES = ("mutual_information", "sigma_implied")


def by_softmax(log_q):
    return (log_q.log_softmax(1).diagonal() + math.log(len(log_q))).mean()


def in_a_loop(log_q):
    total = 0.0
    for i, row in enumerate(log_q):
        top = row.max()
        total += (row[i] - top - (row - top).exp().mean().log()).item()
    return total / len(log_q)


def in_place(log_q):
    log_q -= log_q.logsumexp(1, keepdim=True)
    return torch.trace(log_q) / log_q.shape[0] + np.log(log_q.shape[0])


def power(weight, kl_weight=1.0):
    return (kl_weight / weight / 2) ** 0.5


def by_tensor(weight, kl_weight=1.0):
    return torch.tensor(0.5 * kl_weight / weight).sqrt()


def by_the_other_calculator(weight, kl_weight=1.0):
    settings = dict(pixels=1, latent=1, reconstruction="squared error")
    return math.sqrt(losses.beta_implied(**settings, weight=weight, kl_weight=kl_weight))


RIGHT = {
    "mutual_information": (by_softmax, in_a_loop, in_place),
    "sigma_implied": (power, by_tensor, by_the_other_calculator),
}


@pytest.mark.parametrize(("name", "mistake", "code"), codes(NAMES))
def test_every_known_mistake_is_refused_and_named(name, mistake, code):
    assert_refused_and_named(name, mistake, code)


@pytest.mark.parametrize("name", NAMES)
def test_every_correct_style_is_right(name):
    assert_right(name, RIGHT[name])


def test_bits_and_a_wrong_sign_are_named():
    for factor, words in ((1 / math.log(2), "bits"), (-1, "multiplied by -1")):
        verdict = check.mutual_information.judge(lambda log_q, factor=factor: factor * by_softmax(log_q))
        assert verdict.status == "wrong"
        assert words in verdict.message


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("answer", ["text", None, torch.zeros(3)])
def test_senseless_answers_get_a_calm_verdict(name, answer):
    assert getattr(check, name).judge(lambda first, *others: answer).status == "wrong"


def test_the_solutions_read_like_the_lessons_equations():
    assert "log_mean_exp(log_q)" in check.mutual_information.solution()
    assert "kl_weight / (2 * weight)" in check.sigma_implied.solution()
