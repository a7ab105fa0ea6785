"""The exercise on an autoencoder's loss, and how it goes wrong."""

import torch
from torch.nn import functional as F

from vae_lessons import losses
from vae_lessons.check.engine import (
    BATCHES,
    COURSE,
    NEAR,
    PUBLIC,
    Exercise,
    Mistake,
    Probe,
    batch_title,
    curve_of,
    no_gradient,
    noise,
    row,
)


def _probes(seed):
    yield Probe("x = [[1, 0, 0]], x_hat = [[0.5, 0, 0]]", (row(1, 0, 0), row(0.5, 0, 0)))
    yield Probe("x = [[0, 1, 1]], x_hat = [[0, 1, -2]]", (row(0, 1, 1), row(0, 1, -2)))
    for images, shape in BATCHES:
        x, x_hat = noise(images, *shape, seed=seed), 0.7 * noise(images, *shape, seed=seed + 1)
        yield Probe(batch_title(images, shape), (x, x_hat))


def _squares(x, x_hat):
    return (x - x_hat).square().flatten(1)


autoencoder_loss = Exercise(
    reference=losses.autoencoder_loss,
    probes=_probes,
    gradients=("x_hat",),
    show=curve_of(
        losses.autoencoder_loss,
        over=(-2, 2),
        arguments=lambda t: (row(0.5, 0.5), t.expand(1, 2)),
        title="x = 0.5, two pixels",
        xlabel="x_hat",
        ylabel="loss",
        alt="Your loss beside the target, for one image of two pixels, both 0.5, reconstructed as x_hat.",
    ),
    verified="the loss and its gradient agree on five inputs, one image and several, as rows and as "
    "(B, 1, H, W).",
    mistakes=(
        Mistake(
            "mean over pixels",
            "this averages over pixels too, as F.mse_loss does. Sum over pixels, then average over images.",
            "F.mse_loss with its default reduction, as in ARENA's VAE exercise",
            (F.mse_loss,),
        ),
        Mistake(
            "sum over the batch",
            "this adds up the images. Average over them, or the loss grows with the batch.",
            PUBLIC,
            (lambda x, x_hat: _squares(x, x_hat).sum(),),
        ),
        Mistake(
            "one number an image",
            "there is one loss for each image. Return one number, the mean over images.",
            NEAR,
            (lambda x, x_hat: _squares(x, x_hat).sum(1),),
        ),
        Mistake(
            "root of the squares",
            "this is a distance: a root is taken. The squared error is the sum of squares itself.",
            NEAR,
            (
                lambda x, x_hat: (_squares(x, x_hat).sum(1) + 1e-30).sqrt().mean(),
                lambda x, x_hat: F.mse_loss(x, x_hat).sqrt(),
                lambda x, x_hat: torch.linalg.vector_norm(x - x_hat),
            ),
        ),
        Mistake(
            "absolute error",
            "these are absolute differences. Square them.",
            NEAR,
            (lambda x, x_hat: (x - x_hat).abs().flatten(1).sum(1).mean(), F.l1_loss),
        ),
        Mistake(
            "differences not squared",
            "the differences are added up as they are, so that too much and too little cancel. Square them "
            "first.",
            NEAR,
            (
                lambda x, x_hat: (x - x_hat).flatten(1).sum(1).mean(),
                lambda x, x_hat: (x_hat - x).flatten(1).sum(1).mean(),
                lambda x, x_hat: (x - x_hat).flatten(1).sum(1).square().mean(),
            ),
        ),
        Mistake(
            "half the squares",
            "this is half the squared error. The factor 1/2 belongs to a Gaussian's log-density.",
            COURSE,
            (lambda x, x_hat: _squares(x, x_hat).sum(1).mean() / 2,),
        ),
        Mistake(
            "sign",
            "this is minus the error: minimising it would drive x_hat away from x.",
            NEAR,
            (lambda x, x_hat: -losses.autoencoder_loss(x, x_hat),),
        ),
        no_gradient(losses.autoencoder_loss),
    ),
    hints=(
        "The error of one image is the sum over its pixels of (x - x_hat)^2.",
        "(x - x_hat).flatten(1) makes rows of pixels out of images of any shape.",
        "Sum over dimension 1, then take the mean over images.",
    ),
)
