"""The exercise on the losses of critic and generator, lesson 16, and how it goes wrong."""

import torch
from torch.nn.functional import softplus

from vae_lessons import adversarial
from vae_lessons.check.engine import (
    COURSE,
    NEAR,
    PUBLIC,
    Exercise,
    Fact,
    Mistake,
    gradient,
    no_answer,
    noise,
    placed,
)

SIZES = (1, 1), (5, 5), (4, 7)


def _observe(call, seed):
    for real_size, fake_size in SIZES:
        title = f"{real_size} real and {fake_size} drawn"
        real = placed(2 * noise(real_size, seed=seed + real_size)).requires_grad_()
        fake = placed(2 * noise(fake_size, seed=seed + 50 + fake_size)).requires_grad_()
        losses = call.tensors(2, real, fake)
        if any(loss.numel() != 1 for loss in losses):
            raise no_answer("Each loss must be one number, the mean over a batch.")
        # the critic's slope at what was drawn is left open: with or without `.detach()` is right
        for name, loss, logits in zip(("critic", "generator"), losses, (real, fake), strict=True):
            yield _fact(f"the {name}'s loss with {title}", loss.reshape(()))
            (slope,) = gradient(loss.sum(), [logits])
            yield _fact(f"the slope of the {name}'s loss with {title}", slope)


def _fact(asked, value):
    if value is None:
        return Fact(asked, None)
    value = value.detach().cpu().double()
    return Fact(asked, value, 1e-4 * (1 + value.abs().nan_to_num(0, 0, 0)))


def _both(critic, generator):
    return lambda real, fake: (critic(real, fake), generator(real, fake))


def _critic(real, fake):
    return softplus(-real).mean() + softplus(fake).mean()


def _generator(real, fake):
    return softplus(-fake).mean()


def _bce(logits, label):
    return torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


gan_losses = Exercise(
    reference=adversarial.gan_losses,
    observe=_observe,
    verified="both losses and their gradients agree with the package's.",
    mistakes=(
        Mistake(
            "drawn pictures labelled real",
            "the critic is told that drawn pictures are real, too. Its label for them is 0.",
            COURSE,
            (
                _both(lambda r, f: softplus(-r).mean() + softplus(-f).mean(), _generator),
                _both(lambda r, f: softplus(r).mean() + softplus(f).mean(), _generator),
            ),
        ),
        Mistake(
            "labels exchanged",
            "the critic is told that real pictures are drawn and that drawn ones are real.",
            PUBLIC,
            (
                _both(lambda r, f: softplus(r).mean() + softplus(-f).mean(), _generator),
                _both(lambda r, f: softplus(r).mean() + softplus(-f).mean(), lambda r, f: softplus(f).mean()),
            ),
        ),
        Mistake(
            "sigmoid twice",
            "binary_cross_entropy_with_logits takes the sigmoid itself: give it the logits as they are.",
            PUBLIC,
            (
                lambda r, f: (
                    _critic(r.sigmoid(), f.sigmoid()),
                    _generator(r.sigmoid(), f.sigmoid()),
                ),
                lambda r, f: (_critic(r.sigmoid(), f.sigmoid()), _generator(r, f)),
                lambda r, f: (_critic(r, f), _generator(r.sigmoid(), f.sigmoid())),
            ),
        ),
        Mistake(
            "generator's score detached",
            "no gradient reaches `fake` through the generator's loss, so the generator learns nothing. What "
            "is detached for the critic must not be detached here.",
            COURSE,
            (
                _both(_critic, lambda r, f: _generator(r, f.detach())),
                lambda r, f: (_critic(r, f.detach()), _generator(r, f.detach())),
                lambda r, f: (_critic(r.detach(), f.detach()), _generator(r, f.detach())),
            ),
        ),
        Mistake(
            "saturating",
            "this generator minimises log(1 - s), whose slope vanishes where the critic is sure. The "
            "non-saturating loss is -log s.",
            COURSE,
            (
                _both(_critic, lambda r, f: -softplus(f).mean()),
                lambda r, f: (_critic(r, f.detach()), -softplus(f).mean()),
                _both(_critic, lambda r, f: -_critic(r, f)),
            ),
        ),
        Mistake(
            "one half only",
            "the critic's loss has two halves: the real pictures, and the drawn ones.",
            COURSE,
            (
                _both(lambda r, f: softplus(-r).mean(), _generator),
                _both(lambda r, f: softplus(f).mean(), _generator),
            ),
        ),
        Mistake(
            "generator pleased with being found out",
            "this generator is rewarded where the critic says 0. It wants the critic to say 1.",
            NEAR,
            (_both(_critic, lambda r, f: softplus(f).mean()),),
        ),
        Mistake(
            "generator's loss from real pictures",
            "this is the loss of the generator computed from `real`, on which the generator has no "
            "influence.",
            NEAR,
            (
                _both(_critic, lambda r, f: softplus(-r).mean()),
                _both(_critic, lambda r, f: softplus(r).mean()),
            ),
        ),
        Mistake(
            "order exchanged",
            "the right losses in the wrong order: return the critic's first.",
            NEAR,
            (lambda r, f: (_generator(r, f), _critic(r, f)),),
        ),
        Mistake(
            "critic's loss halved",
            "the critic's loss is half of what is asked: the two means are added, not averaged.",
            PUBLIC,
            (
                _both(lambda r, f: _critic(r, f) / 2, _generator),
                lambda r, f: (
                    torch.cat([softplus(-r), softplus(f)]).mean(),
                    _generator(r, f),
                ),
            ),
        ),
        Mistake(
            "sums over the batch",
            "these are sums. Take means, so that the losses do not grow with the batch.",
            PUBLIC,
            (
                lambda r, f: (softplus(-r).sum() + softplus(f).sum(), softplus(-f).sum()),
                lambda r, f: (_critic(r, f), softplus(-f).sum()),
                lambda r, f: (softplus(-r).sum() + softplus(f).sum(), _generator(r, f)),
            ),
        ),
        Mistake(
            "raw logits",
            "these are the losses of another game, with the logits themselves in place of logarithms of "
            "probabilities (Arjovsky et al. 2017). Here the cross-entropy is asked for.",
            NEAR,
            (
                lambda r, f: (f.mean() - r.mean(), -f.mean()),
                lambda r, f: ((1 - r).relu().mean() + (1 + f).relu().mean(), -f.mean()),
            ),
        ),
    ),
    hints=(
        "The critic is a classifier: label 1 for real pictures, 0 for drawn ones, and the cross-entropy.",
        "-log sigmoid(a) = softplus(-a), and -log(1 - sigmoid(a)) = softplus(a). Both take logits.",
        "The generator wants its pictures to pass for real: the cross-entropy of `fake` with the label 1.",
    ),
)
