"""The exercise on bits per dimension, lesson 11, and how it goes wrong."""

import math

import torch

from vae_lessons import losses
from vae_lessons.check.engine import COURSE, NEAR, PUBLIC, Exercise, Fact, Mistake, noise, placed

CASES = (  # what is asked, log p, dims, levels
    ("log p = -784 log 2 of 784 binary pixels, which is 1 bit each,", (-784 * math.log(2),), 784, 1),
    ("log p = -100 nats, 784 binary pixels", (-100.0,), 784, 1),
    ("log p = 0 nats, a density on [0, 1] of 784 pixels that had 256 levels", (0.0,), 784, 256),
    ("log p = +1500 nats, such a density on 784 pixels that had 256 levels", (1500.0,), 784, 256),
    ("log p = -20 nats, a density on 48 pixels that had 16 levels", (-20.0,), 48, 16),
)


def _observe(call, seed):
    for asked, log_p, dims, levels in CASES:
        yield _fact(asked, call.tensor(placed(torch.tensor(log_p, dtype=torch.float64)), dims, levels))
    several = 50 * noise(4, seed=seed)
    yield _fact("four images of 10 pixels", call.tensor(placed(several), 10, 1))
    yield _fact("four images of 10 pixels that had 8 levels", call.tensor(placed(several), 10, 8))


def _fact(asked, answer):
    answer = answer.detach().double().cpu()
    return Fact(asked, answer, 1e-4 * (1 + answer.abs().nan_to_num(0, 0, 0)))


def _bits(log_p, dims, levels=1):
    return losses.bits_per_dim(log_p, dims, levels)


bits_per_dim = Exercise(
    reference=losses.bits_per_dim,
    observe=_observe,
    verified="two binary models and five densities agree with the package's.",
    mistakes=(
        Mistake(
            "sign",
            "log p(x) of a discrete image is negative, its code length is positive: the bits are -log2 p.",
            COURSE,
            (
                lambda log_p, dims, levels=1: -_bits(log_p, dims, levels),
                lambda log_p, dims, levels=1: _bits(-log_p, dims, levels),
            ),
        ),
        Mistake(
            "log 2 forgotten",
            "these are nats per dimension. A bit is log 2 = 0.69 nats: divide by it.",
            PUBLIC,
            (
                lambda log_p, dims, levels=1: _bits(log_p, dims, levels) * math.log(2),
                lambda log_p, dims, levels=1: -log_p / dims + math.log2(levels),
            ),
        ),
        Mistake(
            "multiplied by log 2",
            "nats are multiplied by log 2 here. A bit is log 2 = 0.69 nats, so that there are more bits than "
            "nats: divide.",
            NEAR,
            (
                lambda log_p, dims, levels=1: _bits(log_p, dims, levels) * math.log(2) ** 2,
                lambda log_p, dims, levels=1: -log_p / dims * math.log(2) + math.log2(levels),
            ),
        ),
        Mistake(
            "D forgotten",
            "these are the bits of the whole image. Divide by the number of dimensions.",
            COURSE,
            (
                lambda log_p, dims, levels=1: _bits(log_p, dims, levels) * dims,
                lambda log_p, dims, levels=1: -log_p / math.log(2) + math.log2(levels),
            ),
        ),
        Mistake(
            "log levels forgotten",
            "a density on [0, 1] is not yet a probability of a level, which is the density times the width "
            "1/levels of its cell: each pixel costs log2(levels) bits more.",
            PUBLIC,
            (lambda log_p, dims, levels=1: _bits(log_p, dims, 1),),
        ),
        Mistake(
            "8 bits added to every model",
            "log2(256) = 8 bits are added whatever `levels` is. A model of discrete pixels, levels = 1, "
            "gives probabilities already.",
            PUBLIC,
            (
                lambda log_p, dims, levels=1: _bits(log_p, dims, 256),
                lambda log_p, dims, levels=1: _bits(log_p, dims, 2 if levels == 1 else levels),
            ),
        ),
        Mistake(
            "log levels subtracted",
            "a cell is narrower than 1, so its probability is smaller than the density: log2(levels) bits "
            "are added, not subtracted.",
            NEAR,
            (lambda log_p, dims, levels=1: _bits(log_p, dims, 1) - math.log2(levels),),
        ),
        Mistake(
            "log levels for one pixel only",
            "log levels is counted once for the whole image. Each of the D pixels has its own cell.",
            NEAR,
            (lambda log_p, dims, levels=1: (math.log(levels) - log_p) / (dims * math.log(2)),),
        ),
        Mistake(
            "nats of log levels among bits",
            "log levels is in nats, but is added to bits: log2(levels), or divide the whole sum by log 2.",
            NEAR,
            (lambda log_p, dims, levels=1: _bits(log_p, dims, 1) + math.log(levels),),
        ),
        Mistake(
            "mean over images",
            "this is one number. Each image has its own: keep the shape of log_p.",
            NEAR,
            (
                lambda log_p, dims, levels=1: _bits(log_p, dims, levels).mean(),
                lambda log_p, dims, levels=1: _bits(log_p, dims, levels).sum(),
            ),
        ),
    ),
    hints=(
        "A probability p can be coded in -log2 p bits, and log2 p = log p / log 2.",
        "If log_p is the log of a density on [0, 1]^D, a cell of D pixels has the volume levels^-D, so its "
        "probability is exp(log_p) * levels^-D.",
        "(dims * log(levels) - log_p) / (dims * log 2); with levels = 1 the first term is 0.",
    ),
)
