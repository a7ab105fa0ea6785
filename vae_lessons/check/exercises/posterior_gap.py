"""The exercise on the gap of the bound, KL(q || posterior), lesson 06, and how it goes wrong."""

import math

import torch

from vae_lessons import evidence
from vae_lessons.check.engine import (
    COURSE,
    NEAR,
    PUBLIC,
    Exercise,
    Mistake,
    Probe,
    Shown,
    noise,
    placed,
    tensor_facts,
)
from vae_lessons.check.engine.pictures import curve

NAMES = ("log_joint", "log_q", "dz")
DZ = 0.2
Z = torch.arange(-30, 31, dtype=torch.float64, device="cpu") * DZ  # 61 points from -6 to 6


def _bell(mu, sigma):
    """log N(z; mu, sigma^2) on the grid, adding up to 1 there, (B, 1), (B, 1) -> (B, 61)."""
    return (-(((Z - mu) / sigma) ** 2) / 2).log_softmax(1) - math.log(DZ)


def _bells(images, seed):
    centre = noise(images, 1, seed=seed).clamp(-1, 1)
    return _bell(centre, 0.8 + 0.2 * noise(images, 1, seed=seed + 1).sigmoid())


def _observe(call, seed):
    one = torch.full((1, 1), 0.5, dtype=torch.float64, device="cpu")
    posterior = _bell(one, one + 0.3)
    dent = 0.4 * torch.cos(3 * Z)
    dots = _bells(5, 3 * seed) + dent - 1 - noise(5, 1, seed=3 * seed + 2).abs()
    for title, log_joint, log_q in (
        ("one dot, whose q is the posterior", posterior - 1.3, posterior),
        (
            "one dot, p(x) = exp(-1.3), whose q lies beside the posterior",
            posterior - 1.3,
            _bell(-one, 1.6 * one),
        ),
        ("five dots, each with a q of its own", dots, _bells(5, 3 * seed + 10)),
    ):
        yield from tensor_facts(call, Probe(title, (log_joint, log_q, DZ)), NAMES)


def _show(call, seed):
    mu = torch.linspace(-2, 2, 41, dtype=torch.float64, device="cpu")[:, None]
    log_joint = _bell(0 * mu + 0.5, 0 * mu + 0.6) - 1.3
    given = placed(log_joint), placed(_bell(mu, 0 * mu + 0.8)), DZ
    target, yours = evidence.posterior_gap(*given), call.tensor(*given)
    alt = "Your gap beside the target, for a q whose mean moves across the posterior."
    return Shown(curve(mu[:, 0], target, yours, "the gap of one dot", "mean of q", alt))


def _posterior(log_joint, dz):
    return log_joint - torch.logsumexp(log_joint, 1, keepdim=True) - math.log(dz)


def _with_posterior(log_posterior):
    """The right KL to something else than the posterior: log_posterior(log_joint, dz) -> (B, K)."""
    return lambda lj, lq, dz: (lq.exp() * (lq - log_posterior(lj, dz))).sum(1) * dz


def _of_posterior(combine):
    """Another use of the right posterior: combine(log_posterior, log_q, dz)."""
    return lambda lj, lq, dz: combine(_posterior(lj, dz), lq, dz)


posterior_gap = Exercise(
    name="posterior_gap",
    parameters=NAMES,
    reference=evidence.posterior_gap,
    observe=_observe,
    show=_show,
    verified="the gap of seven dots agrees, and it is 0 where q is the posterior.",
    mistakes=(
        Mistake(
            "sign",
            "this is minus the gap. A KL is never below 0: it is the average of log q minus log posterior.",
            PUBLIC,
            (lambda *given: -evidence.posterior_gap(*given),),
        ),
        Mistake(
            "the joint taken for the posterior",
            "q is compared with the joint, which is not divided by p(x). That is minus the ELBO. The "
            "posterior is the joint over p(x): subtract log p(x) from the log joint first.",
            COURSE,
            (_with_posterior(lambda lj, dz: lj),),
        ),
        Mistake(
            "the ELBO",
            "this is the ELBO, the average of log p(x, z) - log q(z). Asked is what is missing from it to "
            "log p(x).",
            COURSE,
            (lambda lj, lq, dz: (lq.exp() * (lj - lq)).sum(1) * dz,),
        ),
        Mistake(
            "log p(x)",
            "this is log p(x), the whole. The gap is the part of it that the ELBO leaves open.",
            NEAR,
            (lambda lj, lq, dz: torch.logsumexp(lj, 1) + math.log(dz),),
        ),
        Mistake(
            "KL(posterior || q)",
            "this is KL(posterior || q), the other way round. The average is over q, since q is what we can "
            "draw from.",
            COURSE,
            (_of_posterior(lambda lp, lq, dz: (lp.exp() * (lp - lq)).sum(1) * dz),),
        ),
        Mistake(
            "averaged over the posterior",
            "log q - log posterior is right, but it is averaged over the posterior. Average over q.",
            NEAR,
            (_of_posterior(lambda lp, lq, dz: (lp.exp() * (lq - lp)).sum(1) * dz),),
        ),
        Mistake(
            "dz left out of the average",
            "an integral is a sum times the step of the grid: the average over q lacks its dz.",
            NEAR,
            (_of_posterior(lambda lp, lq, dz: (lq.exp() * (lq - lp)).sum(1)),),
        ),
        Mistake(
            "dz left out of p(x)",
            "p(x) is an integral, too, so its sum needs dz: log p(x) = logsumexp(log_joint) + log dz.",
            NEAR,
            (_with_posterior(lambda lj, dz: lj - torch.logsumexp(lj, 1, keepdim=True)),),
        ),
        Mistake(
            "dz left out twice",
            "both integrals lack their dz: the one that makes p(x), and the average over q.",
            NEAR,
            (lambda lj, lq, dz: (lq.exp() * (lq - lj.log_softmax(1))).sum(1),),
        ),
        Mistake(
            "mean over the grid",
            "this is a mean over the points of the grid. The average over q is the sum of q times the rest, "
            "times dz.",
            NEAR,
            (
                _of_posterior(lambda lp, lq, dz: (lq.exp() * (lq - lp)).mean(1)),
                _of_posterior(lambda lp, lq, dz: (lq - lp).mean(1)),
            ),
        ),
        Mistake(
            "not weighted by q",
            "log q - log posterior is added up over the grid, but each z counts as much as q(z): multiply by "
            "exp(log_q) first.",
            NEAR,
            (
                _of_posterior(lambda lp, lq, dz: (lq - lp).sum(1) * dz),
                _of_posterior(lambda lp, lq, dz: (lq - lp).sum(1)),
            ),
        ),
        Mistake(
            "weighted by log q",
            "the weights are log q. Each z counts as much as q(z) itself: multiply by exp(log_q).",
            NEAR,
            (_of_posterior(lambda lp, lq, dz: (lq * (lq - lp)).sum(1) * dz),),
        ),
        Mistake(
            "the integral of the log",
            "p(x) was made by adding up log p(x, z). The log of an integral is not the integral of the log: "
            "take exp first, or use logsumexp.",
            PUBLIC,
            (
                _with_posterior(lambda lj, dz: lj - lj.sum(1, keepdim=True) * dz),
                _with_posterior(lambda lj, dz: lj - lj.mean(1, keepdim=True)),
            ),
        ),
        Mistake(
            "one p(x) for all dots",
            "p(x) was added up over the dots, too. Each dot has its own: sum over dimension 1 only.",
            NEAR,
            (
                _with_posterior(lambda lj, dz: lj - torch.logsumexp(lj, (0, 1)) - math.log(dz)),
                _with_posterior(lambda lj, dz: lj - torch.logsumexp(lj, 0, keepdim=True) - math.log(dz)),
            ),
        ),
        Mistake(
            "log p(x) added",
            "log p(x) is added to the log joint. To divide by p(x) is to subtract its logarithm.",
            NEAR,
            (_with_posterior(lambda lj, dz: 2 * lj - _posterior(lj, dz)),),
        ),
        Mistake(
            "sum over the dots",
            "the dots are added up or averaged. Each has its own gap, (B,): sum over dimension 1 only.",
            PUBLIC,
            (
                lambda *given: evidence.posterior_gap(*given).sum(),
                lambda *given: evidence.posterior_gap(*given).mean(),
            ),
        ),
        Mistake(
            "not summed",
            "there is one value for each point of the grid, (B, K). Sum over dimension 1, times dz.",
            NEAR,
            (
                _of_posterior(lambda lp, lq, dz: lq.exp() * (lq - lp) * dz),
                _of_posterior(lambda lp, lq, dz: lq.exp() * (lq - lp)),
            ),
        ),
    ),
    hints=(
        "First make log p(x) of each dot: the integral of p(x, z) is a sum over the grid times dz. "
        "torch.logsumexp(log_joint, 1) is the log of the sum.",
        "log p(z|x) = log p(x, z) - log p(x), at every point of the grid: (B, K) - (B, 1).",
        "The KL is the average over q of log q - log p(z|x): multiply by exp(log_q), sum over the grid, "
        "times dz.",
    ),
)
