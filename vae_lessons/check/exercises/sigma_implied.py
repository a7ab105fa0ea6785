"""The exercise on the sigma that a squared error implies, and how it goes wrong."""

import math

import torch

from vae_lessons import losses
from vae_lessons.check.engine import NEAR, PUBLIC, Exercise, Fact, Mistake

WEIGHTS = (
    ("half the sum of squares plus the KL", (0.5, 1.0)),
    ("the sum of squares plus the KL", (1.0, 1.0)),
    ("the squared error averaged over 784 pixels plus the KL", (1 / 784, 1.0)),
    ("half the sum of squares plus 0.04 times the KL", (0.5, 0.04)),
    ("the squared error averaged over 784 pixels plus 0.02 times the KL", (1 / 784, 0.02)),
)


def _observe_sigma(call, seed):
    for title, weights in WEIGHTS:
        yield _fact(title, call.number(*weights))
    yield _fact("3 times the sum of squares plus the KL, whose weight is left out,", call.number(3.0))


def _fact(title, sigma):
    sigma = torch.tensor(sigma, dtype=torch.float64)
    return Fact(f"sigma of {title}", sigma, 1e-5 * sigma.abs().nan_to_num(0, 0, 0))


def _read(sigma):
    return lambda weight, kl_weight=1.0: sigma(weight, kl_weight)


sigma_implied = Exercise(
    reference=losses.sigma_implied,
    observe=_observe_sigma,
    verified="six losses, sums and means, with sigma from 0.2 to 20.",
    mistakes=(
        Mistake(
            "variance for sigma",
            "this is sigma^2, the variance. sigma is its square root.",
            PUBLIC,
            (_read(lambda w, v: v / (2 * w)),),
        ),
        Mistake(
            "the 2 forgotten",
            "the squared error in the nll is divided by 2 sigma^2, not by sigma^2.",
            PUBLIC,
            (_read(lambda w, v: math.sqrt(v / w)), _read(lambda w, v: v / w)),
        ),
        Mistake(
            "the 2 on the wrong side",
            "the 2 belongs to the weight of the squared error: sigma^2 = kl_weight / (2 weight).",
            NEAR,
            (_read(lambda w, v: math.sqrt(2 * v / w)),),
        ),
        Mistake(
            "upside down",
            "this is 1 / sigma. A larger weight of the squared error means a smaller sigma.",
            NEAR,
            (_read(lambda w, v: math.sqrt(2 * w / v)),),
        ),
        Mistake(
            "precision for sigma",
            "this is 1 / sigma^2, the precision.",
            NEAR,
            (_read(lambda w, v: 2 * w / v),),
        ),
        Mistake(
            "KL weight forgotten",
            "the weight of the KL is not used. Divide the whole loss by it first: the KL of an ELBO has the "
            "weight 1.",
            PUBLIC,
            (_read(lambda w, v: math.sqrt(1 / (2 * w))),),
        ),
        Mistake(
            "KL weight on the wrong side",
            "the weight of the KL belongs above: a KL that counts more is a larger sigma.",
            NEAR,
            (_read(lambda w, v: math.sqrt(1 / (2 * w * v))),),
        ),
        Mistake(
            "weight forgotten",
            "the weight of the squared error is not used; this is right for a weight of 1/2 or of 1 only.",
            NEAR,
            (_read(lambda w, v: math.sqrt(v)), _read(lambda w, v: math.sqrt(v / 2))),
        ),
        Mistake(
            "weights swapped",
            "the two weights have changed places: sigma^2 = kl_weight / (2 weight).",
            NEAR,
            (_read(lambda w, v: math.sqrt(w / (2 * v))),),
        ),
        Mistake(
            "log of sigma",
            "this is log sigma. Take its exponential.",
            NEAR,
            (
                _read(lambda w, v: math.log(v / (2 * w)) / 2),
                _read(lambda w, v: math.log(v / (2 * w))),
            ),
        ),
    ),
    hints=(
        "Divide the loss by kl_weight, so that the KL stands alone, as in a negative ELBO.",
        "The weight of the sum of squares is then weight / kl_weight. In the nll of a Gaussian it is "
        "1 / (2 sigma^2).",
    ),
)
