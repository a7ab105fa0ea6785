"""The exercise on the mutual information of codes and images, and how it goes wrong."""

import math

import torch

from vae_lessons.check.engine import COURSE, NEAR, PUBLIC, Exercise, Fact, Mistake, noise, placed
from vae_lessons.gaussian import log_density
from vae_lessons.likelihood import log_mean_exp


def _log_q(seed, images=7, latent=2):
    """log q(z_i|x_j) of one draw from each of some clouds, wide and narrow, (N, N) float64."""
    mu, eps = noise(2, images, latent, seed=seed)
    log_var = torch.linspace(-3.0, 0.5, images, dtype=torch.float64)[:, None].expand(images, latent)
    z = mu + torch.exp(log_var / 2) * eps
    shape = (images, images, latent)
    return log_density(z[:, None].expand(shape), mu.expand(shape), log_var.expand(shape))


def _observe_information(call, seed):
    same = torch.full((2, 2), -1.4, dtype=torch.float64)
    apart = torch.tensor([[-1.0, -60.0], [-70.0, -2.0]], dtype=torch.float64)
    for asked, log_q in (
        ("two images with one and the same cloud", same),
        ("two images whose clouds are far apart", apart),
        ("seven images whose clouds overlap", _log_q(seed)),
        ("seven images in 500 dimensions, where log q is near -1000,", _log_q(seed) - 1000),
    ):
        answer = torch.tensor(call.number(placed(log_q)), dtype=torch.float64)
        yield Fact(asked, answer, 1e-3 * (1 + answer.abs().nan_to_num(0, 0, 0)))


def _mutual_information(log_q):
    """I(x; z) = mean_i [ log q(z_i|x_i) - log 1/N sum_j q(z_i|x_j) ], (N, N) -> (), in nats."""
    return (log_q.diagonal() - log_mean_exp(log_q)).mean()


def _others(log_q):
    """log of the mean over all images but x_i itself, (N, N) -> (N,)."""
    n = len(log_q)
    hidden = log_q.masked_fill(torch.eye(n, dtype=torch.bool, device=log_q.device), -math.inf)
    return hidden.logsumexp(1) - math.log(n - 1)


mutual_information = Exercise(
    name="mutual_information",
    reference=_mutual_information,
    observe=_observe_information,
    verified="0 for clouds that are all the same, log N for clouds far apart, and clouds between.",
    mistakes=(
        Mistake(
            "mean of logs",
            "this averages log q(z_i|x_j) over j. q(z) is a mean of densities: average q, then take the log.",
            COURSE,
            (lambda log_q: (log_q.diagonal() - log_q.mean(1)).mean(),),
        ),
        Mistake(
            "-log N forgotten",
            "this takes the sum over images for their mean. q(z) has a factor 1/N: subtract log N.",
            PUBLIC,
            (lambda log_q: (log_q.diagonal() - log_q.logsumexp(1)).mean(),),
        ),
        Mistake(
            "log N twice",
            "log N counts twice. The log of the mean is the log of the sum minus log N, once.",
            NEAR,
            (lambda log_q: (log_q.diagonal() - log_mean_exp(log_q)).mean() + math.log(len(log_q)),),
        ),
        Mistake(
            "averaged over draws",
            "this averages over the draws z_i, down a column. q(z_i) is the mean over the images x_j, along "
            "the row of z_i.",
            PUBLIC,
            (lambda log_q: (log_q.diagonal() - log_mean_exp(log_q.T)).mean(),),
        ),
        Mistake(
            "its own image left out",
            "the image x_i itself is left out of the mixture. q(z) is the mean over all images.",
            NEAR,
            (lambda log_q: (log_q.diagonal() - _others(log_q)).mean(),),
        ),
        Mistake(
            "every image taken for its own",
            "the first term must be log q(z_i|x_i), the diagonal. Yours averages over all pairs.",
            NEAR,
            (lambda log_q: (log_q - log_mean_exp(log_q)[:, None]).mean(),),
        ),
        Mistake(
            "one mean over everything",
            "this takes one mean over all pairs inside the log. Each z_i has its own q(z_i).",
            NEAR,
            (lambda log_q: log_q.diagonal().mean() - log_mean_exp(log_q.flatten()),),
        ),
        Mistake(
            "only log q(z|x)",
            "this is the first half, the average of log q(z_i|x_i). Subtract the average of log q(z_i).",
            NEAR,
            (lambda log_q: log_q.diagonal().mean(),),
        ),
        Mistake(
            "only log q(z)",
            "this is minus the average of log q(z_i), the other half. Add the average of log q(z_i|x_i).",
            NEAR,
            (lambda log_q: -log_mean_exp(log_q).mean(),),
        ),
        Mistake(
            "sum over images",
            "this is the sum over draws. The information is their mean.",
            PUBLIC,
            (lambda log_q: (log_q.diagonal() - log_mean_exp(log_q)).sum(),),
        ),
        Mistake(
            "exponential of a large negative number",
            "exp(-1000) is 0 in floating point, so its log is minus infinity. Use torch.logsumexp.",
            PUBLIC,
            (
                lambda log_q: (log_q.diagonal() - log_q.exp().mean(1).log()).mean(),
                lambda log_q: (log_q.diagonal() - (log_q.exp().mean(1) + 1e-8).log()).mean(),
            ),
        ),
    ),
    hints=(
        "Two numbers for each draw: log q(z_i|x_i), and log q(z_i). The first stands on the diagonal.",
        "q(z_i) is the mean of row i, but of the densities, not of their logs. Which function adds up "
        "densities that are given by their logs?",
        "torch.logsumexp(log_q, 1) - math.log(N) is log q(z_i).",
    ),
)
