"""The exercise on the mutual information gap, lesson 12, and how it goes wrong."""

import math

import torch

from vae_lessons import measures
from vae_lessons.check.engine import COURSE, NEAR, PUBLIC, Exercise, Mistake, Probe, noise


def _probes(seed):
    def numbers(*rows):
        return torch.tensor(rows, dtype=torch.float64, device="cpu")

    one, two = numbers([0.2], [1.1], [0.5]), numbers([0.1, 0.9], [0.8, 0.3], [0.2, 0.4])
    yield Probe("one factor of entropy 2, and mi = [[0.2], [1.1], [0.5]]", (one, numbers(2.0)))
    yield Probe("mi = [[0.1, 0.9], [0.8, 0.3], [0.2, 0.4]], entropy = [1, 2]", (two, numbers(1.0, 2.0)))
    for axes, factors in ((10, 5), (4, 6)):
        mi = noise(axes, factors, seed=seed + axes).abs()
        entropy = 3.5 + noise(factors, seed=seed + 50).clamp(-0.9, 0.9)
        yield Probe(f"{axes} axes and {factors} factors", (mi, entropy))


def _gap(mi, dim=0):
    best, second = mi.topk(2, dim=dim).values.unbind(dim)
    return best - second


def _over_factors(mi, entropy):
    if mi.shape[1] < 2:
        return mi.amax(1) / entropy
    leads = _gap(mi, 1)
    return leads / entropy if len(leads) == len(entropy) else leads


def _as_correlation(mi):
    return torch.sqrt(1 - torch.exp(-2 * mi))


mutual_information_gap = Exercise(
    reference=measures.mutual_information_gap,
    probes=_probes,
    verified="the gap of each factor agrees, for 3, 4 and 10 axes and up to 6 factors.",
    mistakes=(
        Mistake(
            "divided by log L",
            "this divides by log L, with L the number of axes. An axis can hold no more of a factor than the "
            "factor's own entropy: divide by that.",
            PUBLIC,
            (
                lambda mi, entropy: _gap(mi) / math.log(mi.shape[0]),
                lambda mi, entropy: _gap(mi) / math.log(max(mi.shape[1], 2)),
            ),
        ),
        Mistake(
            "largest minus mean",
            "this is the lead over the mean of the axes. The gap is the lead over the second best axis.",
            COURSE,
            (
                lambda mi, entropy: (mi.amax(0) - mi.mean(0)) / entropy,
                lambda mi, entropy: (mi.amax(0) - mi.median(0).values) / entropy,
            ),
        ),
        Mistake(
            "largest minus smallest",
            "this is the lead over the worst axis. The gap is the lead over the second best.",
            NEAR,
            (lambda mi, entropy: (mi.amax(0) - mi.amin(0)) / entropy,),
        ),
        Mistake(
            "gap over factors",
            "this sorts each row, so it compares two factors of one axis. Compare two axes for each factor: "
            "sort "
            "each column.",
            PUBLIC,
            (_over_factors, lambda mi, entropy: _gap(mi, 1) if mi.shape[1] > 1 else mi.amax(1)),
        ),
        Mistake(
            "not normalised",
            "this is the lead in nats. Divide by the factor's entropy, so that 1 is the most.",
            PUBLIC,
            (lambda mi, entropy: _gap(mi),),
        ),
        Mistake(
            "correlation for information",
            "this turns information into a correlation before it compares. The gap is one of information: "
            "use mi "
            "as it is.",
            COURSE,
            (
                lambda mi, entropy: _gap(_as_correlation(mi)) / entropy,
                lambda mi, entropy: _gap(_as_correlation(mi)),
                lambda mi, entropy: _gap(_as_correlation(mi) ** 2),
            ),
        ),
        Mistake(
            "view for transpose",
            "view and reshape keep the order in which numbers lie in memory, so axes and factors are mixed "
            "up. "
            "Use mi.T to transpose, or work along dim=0.",
            PUBLIC,
            (
                lambda mi, entropy: _gap(mi.reshape(mi.shape[1], mi.shape[0]), 1) / entropy,
                lambda mi, entropy: _gap(mi.T.reshape(mi.shape)) / entropy,
            ),
        ),
        Mistake(
            "divided by the best axis",
            "this divides by what the best axis holds. An axis that holds nearly nothing, alone, would then "
            "score "
            "1. Divide by the factor's entropy.",
            NEAR,
            (
                lambda mi, entropy: _gap(mi) / mi.amax(0),
                lambda mi, entropy: _gap(mi) / mi.sum(0),
            ),
        ),
        Mistake(
            "best axis only",
            "this is what the best axis holds. Subtract what the second best holds.",
            NEAR,
            (lambda mi, entropy: mi.amax(0) / entropy,),
        ),
        Mistake(
            "first two axes",
            "this compares the first two axes. Sort each column first: which axes are the best two differs "
            "from "
            "factor to factor.",
            NEAR,
            (
                lambda mi, entropy: (mi[0] - mi[1]) / entropy,
                lambda mi, entropy: (mi[0] - mi[1]).abs() / entropy,
            ),
        ),
        Mistake(
            "two smallest",
            "sort gives the smallest first, so this compares the two worst axes. Take the two largest.",
            PUBLIC,
            (lambda mi, entropy: (mi.sort(0).values[1] - mi.sort(0).values[0]) / entropy,),
        ),
        Mistake(
            "one axis best for all",
            "this takes the axis that is best over all factors together. Each factor has its own best axis.",
            NEAR,
            (lambda mi, entropy: (mi[mi.sum(1).topk(2).indices] / entropy).diff(dim=0)[0].neg(),),
        ),
        Mistake(
            "mean over factors",
            "this is one number, the mean over factors. Return the gap of each factor, (F,).",
            COURSE,
            (
                lambda mi, entropy: (_gap(mi) / entropy).mean(),
                lambda mi, entropy: (
                    (_gap(mi) / entropy).mean(0, keepdim=True).expand(1, 1)[0] + 0 * entropy.sum()
                ),
            ),
        ),
    ),
    hints=(
        "Column k of mi has what each axis holds of factor k. Which two of its numbers count?",
        "mi.topk(2, dim=0).values has two rows: the largest and the second largest of each column.",
        "Divide the difference by entropy, which is the most that an axis can hold of a factor.",
    ),
)
