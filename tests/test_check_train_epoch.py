"""Lesson 08's train_epoch: every known mistake is refused and named, every correct style passes."""

import pytest
import torch
from check_over_seeds import assert_refused_and_named, assert_right, codes
from torch.nn import functional as F

from vae_lessons import check
from vae_lessons.gaussian import reparameterize
from vae_lessons.losses import vae_loss

EXERCISE = check.train_epoch


def with_a_loader(encoder, decoder, x, optimizer, schedule, generator, batch=256):
    """The gradient is wiped out after the step, and the noise comes from a distribution."""
    total = 0.0
    for images in torch.utils.data.DataLoader(x, batch_size=batch, shuffle=True):
        mu, log_var = encoder(images)
        z = torch.distributions.Normal(mu, (log_var / 2).exp()).rsample()
        loss = vae_loss(images, decoder(z), mu, log_var)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        total += loss.item()
    return total / len(x)


def by_hand(encoder, decoder, x, optimizer, schedule, generator, batch=256):
    """Sums over pixels and latent numbers, divided by the images of the batch; slices of a permutation."""
    order = torch.randperm(len(x), generator=generator)
    for start in range(0, len(x), batch):
        images = x[order[start : start + batch]]
        optimizer.zero_grad()
        mu, log_var = encoder(images)
        eps = torch.randn(mu.shape, generator=generator, dtype=mu.dtype)
        logits = decoder(mu + torch.exp(0.5 * log_var) * eps)
        nll = F.binary_cross_entropy_with_logits(logits, images, reduction="sum")
        kl = -0.5 * (1 + log_var - mu**2 - log_var.exp()).sum()
        ((nll + kl) / len(images)).backward()
        optimizer.step()
        schedule.step()


def image_by_image(encoder, decoder, x, optimizer, schedule, generator, batch=256):
    """Gradients of single images, added up before a step; scores are looked at on the way."""
    for index in torch.randperm(len(x), generator=generator).split(batch):
        optimizer.zero_grad()
        for i in index:
            mu, log_var = encoder(x[i : i + 1])
            z = reparameterize(mu, log_var, generator=generator)
            (vae_loss(x[i : i + 1], decoder(z), mu, log_var) / len(index)).backward()
        with torch.no_grad():
            decoder(encoder(x[index])[0])
        optimizer.step()
        schedule.step()


STYLES = (with_a_loader, by_hand, image_by_image)


@pytest.mark.parametrize(("name", "mistake", "code"), codes(["train_epoch"]))
def test_every_known_mistake_is_refused_and_named(name, mistake, code):
    assert_refused_and_named(name, mistake, code)


def test_every_correct_style_is_right():
    assert_right("train_epoch", STYLES)


def test_double_precision_is_as_good():
    torch.set_default_dtype(torch.float64)
    try:
        assert all(EXERCISE.judge(function).status == "right" for function in STYLES)
    finally:
        torch.set_default_dtype(torch.float32)


def test_other_random_numbers_than_those_of_fit_are_right_with_a_remark():
    assert "One remark" in EXERCISE.judge(with_a_loader).message
    assert "One remark" not in EXERCISE.judge(by_hand).message


@pytest.mark.parametrize(
    ("weights", "said"),
    [((1, 1.1), "nll + 1.1 kl"), ((0.9, 0.9), "0.9 nll + 0.9 kl"), ((3, 0), "3 nll"), ((0, 1), "kl")],
)
def test_a_gradient_that_is_a_tenth_off_is_told_as_what_it_is(weights, said):
    def off(encoder, decoder, x, optimizer, schedule, generator, batch=256):
        def loss(x, logits, mu, log_var):
            kl = vae_loss(x, logits, mu, log_var) - vae_loss(x, logits, mu, log_var, 0.0)
            return weights[0] * vae_loss(x, logits, mu, log_var, 0.0) + weights[1] * kl

        for index in torch.randperm(len(x), generator=generator).split(batch):
            mu, log_var = encoder(x[index])
            optimizer.zero_grad()
            loss(x[index], decoder(reparameterize(mu, log_var)), mu, log_var).backward()
            optimizer.step()
            schedule.step()

    verdict = EXERCISE.judge(off)
    assert verdict.status == "wrong"
    assert f"expected that of nll + kl, yours gave that of {said}." in verdict.message


def test_two_mistakes_at_once_are_refused():
    def no_zero_grad_and_no_noise(encoder, decoder, x, optimizer, schedule, generator, batch=256):
        for index in torch.randperm(len(x), generator=generator).split(batch):
            mu, log_var = encoder(x[index])
            vae_loss(x[index], decoder(mu), mu, log_var).backward()
            optimizer.step()
            schedule.step()

    verdict = EXERCISE.judge(no_zero_grad_and_no_noise)
    assert verdict.status == "wrong"
    assert "yours gave mu, without noise" in verdict.message


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda encoder, decoder, x, optimizer, schedule, generator, batch=256: 1 / 0, "ZeroDivisionError"),
        (lambda encoder, decoder, x, optimizer, schedule, generator, batch=256: x.mean(), "yours gave 0"),
        (lambda encoder, decoder: encoder, "but yours is train_epoch(encoder, decoder)"),
        (3, "without calling it"),
    ],
)
def test_what_trains_nothing_gets_a_calm_verdict(answer, said):
    verdict = EXERCISE.judge(answer)
    assert verdict.status == "wrong"
    assert said in verdict.message


def test_the_lesson_goes_on_with_a_right_answer_and_with_the_packages_own_in_place_of_any_other():
    def stub(encoder, decoder, x, optimizer, schedule, generator, batch=256):
        """To be written."""
        ...

    assert EXERCISE.judge(stub).status == "untouched"
    assert EXERCISE.working(stub) is EXERCISE.reference
    assert EXERCISE.working(EXERCISE.mistakes[0].codes[0]) is EXERCISE.reference
    assert EXERCISE.working(by_hand) is by_hand
