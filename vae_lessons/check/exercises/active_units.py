"""The exercise on active units, lesson 07, and how it goes wrong."""

import torch

from vae_lessons import measures
from vae_lessons.check.engine import NEAR, PUBLIC, Exercise, Fact, Mistake, noise, placed

# One column a kind: mean and standard deviation over images of mu_j. Each mistake counts others of them.
COLUMNS = (
    (0, 1.5), (0.3, 0.2), (-2, 0.13), (0, 0.3), (3, 0.01), (0, 0.05), (1.5, 0.07), (0.1, 0.03), (0, 0.02),
    (-0.6, 0), (0.2, 0.0965), (-1, 0.1035),
)  # fmt: skip


def _means(seed, columns, images):
    """Means of q(z|x) whose columns have exactly these means and standard deviations, (B, L)."""
    draws = noise(images, len(columns), seed=seed)
    draws = (draws - draws.mean(0)) / draws.std(0)
    mean, sd = torch.tensor(columns, dtype=torch.float64).T
    return placed(mean + sd * draws)


def _observe_units(call, seed):
    one = "one latent number"
    yield Fact(f"{one} that varies, standard deviation 1.5", call.number(_means(seed, COLUMNS[:1], 40)))
    yield Fact(
        f"{one} that hardly varies, standard deviation 0.05", call.number(_means(seed, COLUMNS[5:6], 40))
    )
    yield Fact(f"{one} that hardly varies around 3", call.number(_means(seed, COLUMNS[4:5], 40)))
    mu = _means(seed, COLUMNS, 40)
    for threshold in (0.01, 0.001, 1.0):
        asked = f"twelve latent numbers and 40 images, threshold {threshold}"
        yield Fact(asked, call.number(mu, threshold))
    yield Fact("the same without a threshold, which is 0.01 then", call.number(mu))


def _reference(mu, threshold=0.01):
    """The package's answer: the `active` of measures.units."""
    return measures.units(mu, threshold).active


def _count(score):
    """A count of the units whose score is above the threshold: score(mu) -> (L,)."""
    return lambda mu, threshold=0.01: int((score(mu) > threshold).sum())


UNIT_MISTAKES = (
    Mistake(
        "standard deviation for variance",
        "the standard deviation is compared with the threshold; it is the variance, its square, that "
        "is meant.",
        PUBLIC, (_count(lambda mu: mu.std(0)), _count(lambda mu: mu.std(0, unbiased=False))),
    ),
    Mistake(
        "the size of mu",
        "this takes a unit for active if its mu is far from 0. A mu that is 3 for every image says nothing: "
        "what counts is that it varies from image to image.", PUBLIC,
        (
            _count(lambda mu: mu.mean(0)), _count(lambda mu: mu.abs().mean(0)),
            _count(lambda mu: mu.mean(0).abs()),
            _count(lambda mu: mu.square().mean(0)), _count(lambda mu: mu.mean(0) ** 2),
        ),
    ),
    Mistake(
        "a KL for the variance",
        "this compares mu^2 / 2, the part of the KL that mu makes, with the threshold. A unit with a "
        "KL need not be active; the variance over images of mu tells.",
        PUBLIC, (_count(lambda mu: mu.square().mean(0) / 2),),
    ),
    Mistake(
        "mu read as log_var", "exp(mu) takes mu for a log_var. The means themselves are asked about.", NEAR,
        (_count(lambda mu: mu.exp().mean(0)), _count(lambda mu: mu.exp().var(0))),
    ),
    Mistake(
        "variance of z",
        "noise of the prior's size is added first, so all units vary. The variance of the mean of q(z|x) is "
        "meant, not of a draw z.", PUBLIC, (_count(lambda mu: mu.var(0) + 1),),
    ),
    Mistake(
        "counted over images",
        "the variance is taken over the latent numbers of each image, and images are counted. Take it "
        "over images, dimension 0, and count latent numbers.", PUBLIC,
        (_count(lambda mu: mu.var(1)), _count(lambda mu: mu.var(1, unbiased=False)),
        _count(lambda mu: mu.var(-1).nan_to_num(0))),
    ),
    Mistake(
        "one variance for all",
        "all numbers of mu were put into one variance. Each latent number has its own: .var(0).", NEAR,
        (_count(lambda mu: mu.var()),),
    ),
    Mistake(
        "no threshold", "every unit with any variance at all is counted. Rounding gives all of them "
        "some: compare with the "
        "threshold.", PUBLIC, (lambda mu, threshold=0.01: int((mu.var(0) > 0).sum()), lambda mu,
        threshold=0.01: mu.shape[1]),
    ),
    Mistake(
        "threshold written in", "0.01 is written into it; the threshold is an argument.", PUBLIC,
        (lambda mu, threshold=0.01: int((mu.var(0) > 0.01).sum()),),
    ),
    Mistake(
        "the silent ones",
        "the units that have collapsed are counted; the active ones are those above the threshold.", NEAR,
        (lambda mu, threshold=0.01: int((mu.var(0) <= threshold).sum()),),
    ),
    Mistake(
        "a share", "this is the share of the units, not their number.", NEAR,
        (lambda mu, threshold=0.01: float((mu.var(0) > threshold).double().mean()),),
    ),
    Mistake(
        "sum of variances", "the variances are added up, but units are counted: how many are above the "
        "threshold?", NEAR,
        (
            lambda mu, threshold=0.01: float(mu.var(0).sum()),
            lambda mu, threshold=0.01: float(mu.var(0)[mu.var(0) > threshold].sum()),
        ),
    ),
    Mistake(
        "sum of squares", "the squares are summed over images but not divided by their number, so the "
        "count grows with the "
        "test set. A variance is their mean.", NEAR, (_count(lambda mu: (mu - mu.mean(0)).square().sum(0)),),
    ),
)  # fmt: skip

active_units = Exercise(
    name="active_units",
    parameters=("mu", "threshold"),
    reference=_reference,
    solutions=(measures.units,),
    observe=_observe_units,
    verified="the variance over images of each mean, against three thresholds, with means far from 0 "
    "among them.",
    mistakes=UNIT_MISTAKES,
    hints=(
        "One number for each column of mu says how much it varies from image to image. Which dimension "
        "are the images?",
        "mu.var(0) is (L,). Compare it with the threshold, and count.",
    ),
)
