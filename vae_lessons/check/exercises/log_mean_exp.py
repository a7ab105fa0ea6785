"""The exercise on the log of a mean of importance weights, and how it goes wrong."""

import math

import torch

from vae_lessons import likelihood
from vae_lessons.check.engine import COURSE, NEAR, PUBLIC, Exercise, Mistake, Probe, no_gradient, noise, row


def _probes(seed):
    yield Probe("log_w = [[1, 1]], two equal weights", (row(1, 1),))
    yield Probe("log_w = [[-1, 2, 0.5]]", (row(-1, 2, 0.5),))
    yield Probe("five images, four samples each", (2 * noise(5, 4, seed=seed),))
    yield Probe("log_w = [[-1000, -1001]], as for large images,", (row(-1000, -1001),))


log_mean_exp = Exercise(
    reference=likelihood.log_mean_exp,
    probes=_probes,
    gradients=("log_w",),
    mistakes=(
        Mistake(
            "mean of logs",
            "this is the mean of log w, which is the ELBO. Take the mean of w first, and its log last.",
            COURSE,
            (lambda log_w: log_w.mean(-1),),
        ),
        Mistake(
            "-log K forgotten",
            "this is the log of the sum of K weights. The mean has a 1/K: subtract log K.",
            PUBLIC,
            (lambda log_w: torch.logsumexp(log_w, -1),),
        ),
        Mistake(
            "largest weight only",
            "only the largest weight is used. The others belong to the mean as well.",
            NEAR,
            (
                lambda log_w: log_w.amax(-1),
                lambda log_w: log_w.amax(-1) - math.log(log_w.shape[-1]),
            ),
        ),
        Mistake(
            "weighted by themselves",
            "the log w are averaged with the normalised weights. With those held fixed its gradient is "
            "right, but its value is no bound: it can be above log p(x). Take the log of the mean.",
            "the IWAE of PyTorch-VAE",
            (lambda log_w: (log_w.softmax(-1) * log_w).sum(-1),),
        ),
        Mistake(
            "mean over images",
            "the mean is taken over the B images. It belongs to the K samples of each image, dimension 1.",
            NEAR,
            (
                lambda log_w: torch.logsumexp(log_w, 0) - math.log(len(log_w)),
                lambda log_w: torch.logsumexp(log_w, 0) - math.log(log_w.shape[-1]),
                lambda log_w: likelihood.log_mean_exp(log_w).mean(),
            ),
        ),
        Mistake(
            "exponential of a large negative number",
            "exp(-1000) is 0 in floating point, so its log is minus infinity. Use torch.logsumexp.",
            PUBLIC,
            (lambda log_w: log_w.exp().mean(-1).log(), lambda log_w: (log_w.exp().mean(-1) + 1e-8).log()),
        ),
        no_gradient(likelihood.log_mean_exp),
    ),
    hints=(
        "The weights w are given by their logs, log_w (B, K): K samples of each of B images.",
        "torch.logsumexp(log_w, -1) is log sum_k w_k, without computing any w_k.",
        "The log of the mean is the log of the sum minus log K, and K is log_w.shape[-1].",
    ),
)
