"""Lesson 00's morph: every known mistake is named, every correct style passes."""

import pytest
import torch
from check_over_seeds import assert_refused_and_named, assert_right, codes

from vae_lessons import check


def by_lerp(model, first, second, steps):
    a, b = model.code(torch.stack([first, second]))
    return model.picture(torch.stack([torch.lerp(a, b, i / (steps - 1)) for i in range(steps)]))


def by_loop(model, first, second, steps):
    mu = model.encode(torch.stack([first, second])).mu
    pictures = []
    for i in range(steps):
        t = i / (steps - 1)
        pictures.append(model.decode(((1 - t) * mu[0] + t * mu[1])[None]).sigmoid())
    return torch.cat(pictures)


def by_product(model, first, second, steps):
    t = torch.linspace(0, 1, steps)
    return model.picture(torch.stack([1 - t, t], 1) @ model.code(torch.stack([first, second])))


@pytest.fixture(autouse=True)
def as_a_learner_runs_it(monkeypatch):
    monkeypatch.delenv("VAE_LESSONS_STRICT", raising=False)


@pytest.mark.parametrize(("name", "mistake", "code"), codes(["morph"]))
def test_every_known_mistake_is_refused_and_named(name, mistake, code):
    assert_refused_and_named(name, mistake, code)


def test_the_package_and_every_right_style_pass():
    assert_right("morph", (by_lerp, by_loop, by_product))


def test_other_noise_is_known_as_noise():
    def noisy(model, first, second, steps):
        return by_lerp(model, first + 0.5 * torch.randn_like(first), second, steps)

    assert check.morph.judge(noisy).mistake == "codes drawn from q(z|x)"
