"""The smallest exercise: what an exercise needs beyond its file is this."""

import math

import pytest
import torch
from check_over_seeds import assert_refused_and_named, assert_right, codes


def shifted(log_w):
    top = log_w.amax(-1, keepdim=True)
    return ((log_w - top).exp().mean(-1, keepdim=True).log() + top).squeeze(-1)


def in_a_loop(log_w):
    return torch.stack([torch.logsumexp(row, 0) - math.log(len(row)) for row in log_w])


def folded(log_w):
    total = log_w[:, 0]
    for column in log_w.T[1:]:
        total = torch.logaddexp(total, column)
    return total - math.log(log_w.shape[1])


def test_every_right_way_to_write_it_is_right():
    assert_right("log_mean_exp", (shifted, in_a_loop, folded))


@pytest.mark.parametrize(("name", "mistake", "code"), codes(["log_mean_exp"]))
def test_every_mistake_is_refused_and_named(name, mistake, code):
    assert_refused_and_named(name, mistake, code)
