"""The exercise on active units, and how it goes wrong."""

import torch

from vae_lessons import measures
from vae_lessons.check.engine import NEAR, PUBLIC, Exercise, Fact, Mistake, noise, placed

# The mean and standard deviation over images of each mu_j. Every mistake counts a different set of them.
COLUMNS = (
    (0, 1.5),
    (0.3, 0.2),
    (-2, 0.13),
    (0, 0.3),
    (3, 0.01),
    (0, 0.05),
    (1.5, 0.07),
    (0.1, 0.03),
    (0, 0.02),
    (-0.6, 0),
    (0.2, 0.0965),
    (-1, 0.1035),
)


def _means(seed, columns, images):
    """Means of q(z|x) whose columns have exactly these means and standard deviations, (B, L)."""
    draws = noise(images, len(columns), seed=seed)
    draws = (draws - draws.mean(0)) / draws.std(0)
    mean, sd = torch.tensor(columns, dtype=torch.float64).T
    return placed(mean + sd * draws)


def _observe_units(call, seed):
    one = "one latent dimension"
    yield Fact(f"{one} that varies, standard deviation 1.5", call.number(_means(seed, COLUMNS[:1], 40)))
    yield Fact(
        f"{one} that hardly varies, standard deviation 0.05", call.number(_means(seed, COLUMNS[5:6], 40))
    )
    yield Fact(f"{one} that hardly varies around 3", call.number(_means(seed, COLUMNS[4:5], 40)))
    mu = _means(seed, COLUMNS, 40)
    for threshold in (0.01, 0.001, 1.0):
        asked = f"twelve latent dimensions and 40 images, threshold {threshold}"
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
        "the standard deviation is compared with the threshold. Use the variance, its square.",
        PUBLIC,
        (_count(lambda mu: mu.std(0)), _count(lambda mu: mu.std(0, unbiased=False))),
    ),
    Mistake(
        "the size of mu",
        "this counts a unit as active if its mu is far from 0. A mu that is 3 for every image carries no "
        "information: mu must vary between images.",
        PUBLIC,
        (
            _count(lambda mu: mu.mean(0)),
            _count(lambda mu: mu.abs().mean(0)),
            _count(lambda mu: mu.mean(0).abs()),
            _count(lambda mu: mu.square().mean(0)),
            _count(lambda mu: mu.mean(0) ** 2),
        ),
    ),
    Mistake(
        "a KL for the variance",
        "this compares mu^2 / 2, a part of the KL, with the threshold. A unit with a large KL need not be "
        "active: use the variance of mu over images.",
        PUBLIC,
        (_count(lambda mu: mu.square().mean(0) / 2),),
    ),
    Mistake(
        "mu read as log_var",
        "exp(mu) treats mu as a log_var. Use mu itself.",
        NEAR,
        (_count(lambda mu: mu.exp().mean(0)), _count(lambda mu: mu.exp().var(0))),
    ),
    Mistake(
        "variance of z",
        "noise of variance 1 is added, so that all units vary. Use the variance of mu, not of a draw z.",
        PUBLIC,
        (_count(lambda mu: mu.var(0) + 1),),
    ),
    Mistake(
        "counted over images",
        "the variance is taken over the latent dimensions of each image, and images are counted. Take it "
        "over images, dimension 0, and count latent dimensions.",
        PUBLIC,
        (
            _count(lambda mu: mu.var(1)),
            _count(lambda mu: mu.var(1, unbiased=False)),
            _count(lambda mu: mu.var(-1).nan_to_num(0)),
        ),
    ),
    Mistake(
        "one variance for all",
        "there is one variance of all numbers of mu. Each latent dimension has its own: .var(0).",
        NEAR,
        (_count(lambda mu: mu.var()),),
    ),
    Mistake(
        "no threshold",
        "every unit with any variance is counted, and rounding gives every unit some. Compare with the "
        "threshold.",
        PUBLIC,
        (lambda mu, threshold=0.01: int((mu.var(0) > 0).sum()), lambda mu, threshold=0.01: mu.shape[1]),
    ),
    Mistake(
        "threshold written in",
        "0.01 is hard-coded. The threshold is an argument.",
        PUBLIC,
        (lambda mu, threshold=0.01: int((mu.var(0) > 0.01).sum()),),
    ),
    Mistake(
        "the silent ones",
        "the collapsed units are counted. The active ones are those above the threshold.",
        NEAR,
        (lambda mu, threshold=0.01: int((mu.var(0) <= threshold).sum()),),
    ),
    Mistake(
        "a share",
        "this is the fraction of active units. Return their number.",
        NEAR,
        (lambda mu, threshold=0.01: float((mu.var(0) > threshold).double().mean()),),
    ),
    Mistake(
        "sum of variances",
        "the variances are added up. Count how many are above the threshold.",
        NEAR,
        (
            lambda mu, threshold=0.01: float(mu.var(0).sum()),
            lambda mu, threshold=0.01: float(mu.var(0)[mu.var(0) > threshold].sum()),
        ),
    ),
    Mistake(
        "sum of squares",
        "the squares are summed over images, so that the count grows with their number. A variance is a "
        "mean.",
        NEAR,
        (_count(lambda mu: (mu - mu.mean(0)).square().sum(0)),),
    ),
)

active_units = Exercise(
    name="active_units",
    parameters=("mu", "threshold"),
    reference=_reference,
    solutions=(measures.units,),
    observe=_observe_units,
    verified="the variance of each mu over images is compared with three thresholds, also where mu is far "
    "from 0.",
    mistakes=UNIT_MISTAKES,
    hints=(
        "One number for each column of mu says how much it varies from image to image. Which dimension "
        "holds the images?",
        "mu.var(0) is (L,). Compare it with the threshold, and count.",
    ),
)
