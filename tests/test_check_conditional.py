"""Lesson 13's exercises: mistakes are named, right answers pass."""

import pytest
import torch
from check_over_seeds import assert_refused_and_named, assert_right, codes

from vae_lessons import check
from vae_lessons.likelihood import class_posterior

NAMES = ("condition", "class_posterior", "transfer")


def condition_by_eye(h, y, classes):
    return torch.hstack((h, torch.eye(classes)[y]))


def condition_in_a_loop(h, y, classes):
    rows = []
    for numbers, c in zip(h.tolist(), y.tolist(), strict=True):
        rows.append(numbers + [float(k == c) for k in range(classes)])
    return torch.tensor(rows)


def condition_by_scatter(h, y, classes):
    row = torch.zeros(len(h), classes, dtype=h.dtype)
    row[range(len(h)), y] = 1
    return torch.cat([h, row], dim=-1)


def posterior_by_logsumexp(log_p, prior):
    joint = log_p.double() + torch.log(prior).unsqueeze(0)
    return torch.exp(joint - torch.logsumexp(joint, dim=1, keepdim=True))


def posterior_in_a_loop(log_p, prior):
    rows = []
    for row in log_p:
        top = row.max()
        p = [torch.exp(value - top) * weight for value, weight in zip(row, prior, strict=True)]
        rows.append(torch.stack(p) / sum(p))
    return torch.stack(rows)


def posterior_by_distribution(log_p, prior):
    log_p += prior.log()
    return torch.distributions.Categorical(logits=log_p).probs


def transfer_step_by_step(model, x, y, y_new):
    mu = model.encode(x, y).mu
    return torch.sigmoid(model.decode(mu, y_new))


def transfer_one_by_one(model, x, y, y_new):
    pictures = [
        model.picture(model.code(x[i : i + 1], y[i : i + 1]), y_new[i : i + 1]) for i in range(len(x))
    ]
    return torch.cat(pictures)


@torch.no_grad()
def transfer_by_noise_of_zero(model, x, y, y_new):
    z = model(x, y, eps=torch.zeros(len(x), model.latent)).z
    return model.picture(z, torch.nn.functional.one_hot(y_new, model.condition).float())


RIGHT = {
    "condition": (condition_by_eye, condition_in_a_loop, condition_by_scatter),
    "class_posterior": (posterior_by_logsumexp, posterior_in_a_loop, posterior_by_distribution),
    "transfer": (transfer_step_by_step, transfer_one_by_one, transfer_by_noise_of_zero),
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


def test_class_posterior_rows_sum_to_1_where_the_images_are_large():
    p = class_posterior(torch.tensor([[-900.0, -905.0, -1500.0]]), torch.tensor([0.2, 0.8, 0.0]))
    assert p.sum().item() == pytest.approx(1)
    assert p[0, 0].item() == pytest.approx(1 / (1 + 4 * torch.tensor(-5.0).exp().item()))
