"""Draws -> facts: the moments of a few thousand draws, with tolerances from their standard errors.

The moments of two samples of one distribution differ by more than `SURE` standard errors once in ten million
comparisons. To detect an error of a tenth, pool N numbers until SURE standard errors are well below a tenth:
the relative standard error of a scale is 0.7 / sqrt(N), that of a mean 1 / sqrt(N) in units of sigma, so
12,000 numbers are enough for both.
"""

import torch

from vae_lessons.check.engine.facts import Fact

SURE = 5.5 * 2**0.5  # in standard errors; between two samples the error is larger by the root of 2


def mean_fact(asked, draws):
    """The mean of each column, (K, ...) -> Fact."""
    return Fact(asked, draws.mean(0), SURE * draws.std(0) / len(draws) ** 0.5)


def spread_fact(asked, draws):
    """The standard deviation of each column, (K, ...) -> Fact. The tolerance grows with the kurtosis."""
    sd, flat = draws.std(0), ((draws - draws.mean(0)) ** 4).mean(0)
    error = ((flat - sd**4).clamp(min=0) / len(draws)).sqrt() / (2 * sd)  # that of the root of a mean square
    return Fact(asked, sd, SURE * error.nan_to_num(0, 0, 0))


def pooled_facts(asked, eps):
    """Mean and size of noise that should be N(0, I), all columns together, (K, ...) -> Facts."""
    eps = eps.flatten()
    yield mean_fact(f"the mean of {asked}, all together", eps)
    yield spread_fact(f"the standard deviation of {asked}, all together", eps)


def shape_fact(asked, draws):
    """The kurtosis E e^4 / (E e^2)^2 of all draws together, (K, ...) -> Fact: 3 for a Gaussian."""
    e = draws - draws.mean(0)
    ratio = (e**4).mean() / (e**2).mean() ** 2
    return Fact(asked, ratio, torch.as_tensor(SURE * (24 / draws.numel()) ** 0.5).double())


def correlation(asked, one, other):
    """The uncentred correlation of two sets of numbers, -> Fact: 1 for the same noise, 0 if independent.

    The mean product over the root mean squares of the columns, (K, ...) -> ().
    """
    scale = (one**2).mean(0).sqrt() * (other**2).mean(0).sqrt()
    product = (one * other).mean(0) / scale
    return Fact(asked, product.mean(), torch.as_tensor(SURE / one.numel() ** 0.5).double())


def fresh(asked, one, other):
    """Whether two calls with the same arguments give other draws, -> Fact."""
    return Fact(asked, "the same" if torch.equal(one, other) else "other noise")


def fully_correlated(fact):
    """Whether a correlation is so high that further moments would mean nothing."""
    return bool(fact.value > 0.99)
