"""The exercise on an autoencoder's loss, lesson 01, and how it goes wrong."""

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
    Shown,
    batch_title,
    noise,
    placed,
    row,
    tensor_facts,
)
from vae_lessons.check.engine.pictures import curve


def _observe(call, seed):
    probes = [
        Probe("x = [[1, 0, 0]], x_hat = [[0.5, 0, 0]]", (row(1.0, 0, 0), row(0.5, 0, 0))),
        Probe("x = [[0, 1, 1]], x_hat = [[0, 1, -2]]", (row(0.0, 1, 1), row(0.0, 1, -2))),
    ]
    for images, shape in BATCHES:
        args = noise(images, *shape, seed=seed), 0.7 * noise(images, *shape, seed=seed + 1)
        probes.append(Probe(batch_title(images, shape), args))
    for probe in probes:
        yield from tensor_facts(call, probe, ("x", "x_hat"), ("x_hat",))


def _show(call, seed):
    x_hat = placed(torch.linspace(-2, 2, 41, dtype=torch.float64, device="cpu"))
    rows = [(torch.tensor([[0.5, 0.5]]).to(v), v.expand(1, 2)) for v in x_hat]
    yours = torch.stack([call.tensor(*row).squeeze() for row in rows])
    target = torch.stack([losses.autoencoder_loss(*row) for row in rows])
    alt = "Your loss beside the target, for one image of two pixels, both 0.5, rebuilt as x_hat."
    return Shown(curve(x_hat, target, yours, "x = 0.5, two pixels", "x_hat", alt))


def _squares(x, x_hat):
    return (x - x_hat).square().flatten(1)


autoencoder_loss = Exercise(
    name="autoencoder_loss",
    parameters=("x", "x_hat"),
    reference=losses.autoencoder_loss,
    observe=_observe,
    show=_show,
    verified=(
        "the loss and its gradient agree on five inputs, one image and several, as rows and as (B, 1, H, "
        "W)."
    ),
    mistakes=(
        Mistake("mean over pixels",
            "this averages over pixels too, as F.mse_loss does. Asked is the sum over pixels, then the "
            "mean over images.",
            "F.mse_loss with its default reduction, as in ARENA's VAE exercise", (F.mse_loss,),
        ),
        Mistake("sum over the batch",
            "this adds up the images. Asked is their mean, or the loss would grow with the batch.",
            PUBLIC, (lambda x, x_hat: _squares(x, x_hat).sum(),),
        ),
        Mistake("one number an image",
            "the images keep a loss each. Asked is one number: the mean over images.",
            NEAR, (lambda x, x_hat: _squares(x, x_hat).sum(1),),
        ),
        Mistake("root of the squares",
            "the root is taken: a distance. The squared error is the sum of squares itself.",
            NEAR,
            (lambda x, x_hat: (_squares(x, x_hat).sum(1) + 1e-30).sqrt().mean(),
             lambda x, x_hat: F.mse_loss(x, x_hat).sqrt(),
             lambda x, x_hat: torch.linalg.vector_norm(x - x_hat)),
        ),
        Mistake("absolute error",
            "these are absolute differences. Square them.",
            NEAR, (lambda x, x_hat: (x - x_hat).abs().flatten(1).sum(1).mean(), F.l1_loss),
        ),
        Mistake("differences not squared",
            "the differences are added up as they are, so that too much and too little cancel. Square them "
            "first.",
            NEAR,
            (lambda x, x_hat: (x - x_hat).flatten(1).sum(1).mean(),
             lambda x, x_hat: (x_hat - x).flatten(1).sum(1).mean(),
              lambda x, x_hat: (x - x_hat).flatten(1).sum(1).square().mean()),
        ),
        Mistake("half the squares",
            "this is half of it. The 1/2 belongs to a Gaussian's log-density, not to the squared error "
            "asked here.",
            COURSE, (lambda x, x_hat: _squares(x, x_hat).sum(1).mean() / 2,),
        ),
        Mistake("sign",
            "this is minus the error: to minimise it would drive x_hat away from x.",
            NEAR, (lambda x, x_hat: -losses.autoencoder_loss(x, x_hat),),
        ),
        Mistake("no gradient",
            "the value is right, but no gradient reaches x_hat. .item(), .detach() or torch.tensor(...) "
            "cuts it off.",
            NEAR, (lambda x, x_hat: losses.autoencoder_loss(x, x_hat).detach(),),
        ),
    ),
    hints=(
        "The error of one image is the sum over its pixels of (x - x_hat)^2.",
        "(x - x_hat).flatten(1) makes rows of pixels out of images of any shape.",
        "Sum over dimension 1, then take the mean over images.",
    ),
)  # fmt: skip
