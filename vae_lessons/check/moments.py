"""Draws -> facts: what can be told of a sampler from a few thousand of them, and how sure it is."""

import torch

from vae_lessons.check.facts import Fact

SURE = 6 * 2**0.5  # standard errors between two samples of one distribution, never exceeded in practice


def mean_fact(asked, draws):
    """The mean of each column, (K, ...) -> Fact."""
    return Fact(asked, draws.mean(0), SURE * draws.std(0) / len(draws) ** 0.5)


def spread_fact(asked, draws):
    """The standard deviation of each column, (K, ...) -> Fact; its error is that of a bell curve's."""
    sd = draws.std(0)
    return Fact(asked, sd, SURE * sd / (2 * len(draws)) ** 0.5)


def shape_fact(asked, draws):
    """How flat the bell is, E e^4 / (E e^2)^2 over all draws together, (K, ...) -> Fact: 3 for a Gaussian."""
    e = draws - draws.mean(0)
    ratio = (e**4).mean() / (e**2).mean() ** 2
    return Fact(asked, ratio, torch.as_tensor(SURE * (24 / draws.numel()) ** 0.5).double())


def together(asked, one, other):
    """How far two sets of numbers go together, from -1 to 1; 1 for the same noise, 0 for its own, -> Fact.

    The mean product over the root mean squares of the columns, (K, ...) -> () .
    """
    scale = (one**2).mean(0).sqrt() * (other**2).mean(0).sqrt()
    product = (one * other).mean(0) / scale
    return Fact(asked, product.mean(), torch.as_tensor(SURE / one.numel() ** 0.5).double())


def fresh(asked, one, other):
    """Whether two calls with the same arguments give other draws, -> Fact."""
    return Fact(asked, "the same" if torch.equal(one, other) else "other noise")


def still(fact):
    """Whether draws go together so far that further moments of them would mean nothing."""
    return bool(fact.value > 0.99)
