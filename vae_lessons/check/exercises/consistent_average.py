"""The exercise on the average that the decoder should draw, lesson 16, and how it goes wrong."""

import torch

from vae_lessons import measures
from vae_lessons.check.engine import COURSE, NEAR, PUBLIC, Exercise, Mistake, Probe, noise


def _probes(seed):
    for images, codes, latent in ((3, 2, 1), (6, 4, 2), (9, 9, 3)):
        x = noise(images, 5, seed=seed + images).abs()
        mu, z = noise(images, latent, seed=seed + 20), noise(codes, latent, seed=seed + 30)
        log_var = noise(images, latent, seed=seed + 40).clamp(-1.5, 1.5) - 0.7
        yield Probe(f"{images} images, {codes} codes of {latent} numbers", (x, z, mu, log_var))


def _log_q(z, mu, log_var):
    return measures.pair_log_density(z, mu, log_var)


def _distance(z, mu, log_var, width):
    return -0.5 * ((z[:, None] - mu).square() / width(log_var)).sum(-1)


consistent_average = Exercise(
    reference=measures.consistent_average,
    probes=_probes,
    verified="the weighted means agree, for up to 9 images and 3 latent numbers.",
    mistakes=(
        Mistake(
            "normalised over the codes",
            "the weights of one code add up to 1 over the N images. This divides by a sum over the B codes.",
            COURSE,
            (
                lambda x, z, mu, log_var: _log_q(z, mu, log_var).softmax(0) @ x,
                lambda x, z, mu, log_var: (
                    (_log_q(z, mu, log_var).exp() / _log_q(z, mu, log_var).exp().sum(0)) @ x
                ),
            ),
        ),
        Mistake(
            "log_var term missing",
            "the log-density has two terms, and the one in log_var is missing. It differs "
            "from image to image, so it does not cancel: a narrow q has a high peak.",
            COURSE,
            (lambda x, z, mu, log_var: _distance(z, mu, log_var, torch.exp).softmax(1) @ x,),
        ),
        Mistake(
            "standard deviation for variance",
            "the squared distance is divided by the variance, exp(log_var), and not by the standard "
            "deviation.",
            PUBLIC,
            (
                lambda x, z, mu, log_var: (
                    (_distance(z, mu, log_var / 2, torch.exp) - 0.5 * log_var.sum(1)).softmax(1) @ x
                ),
                lambda x, z, mu, log_var: _log_q(z, mu, log_var / 2).softmax(1) @ x,
                lambda x, z, mu, log_var: _distance(z, mu, log_var / 2, torch.exp).softmax(1) @ x,
            ),
        ),
        Mistake(
            "log_var for variance",
            "log_var is the logarithm of the variance: the variance is exp(log_var).",
            PUBLIC,
            (
                lambda x, z, mu, log_var: (
                    (_distance(z, mu, log_var, lambda v: v) - 0.5 * log_var.sum(1)).softmax(1) @ x
                ),
            ),
        ),
        Mistake(
            "not normalised",
            "these weights do not add up to 1. Divide q(z|x_n) by its sum over the images, or use softmax.",
            COURSE,
            (
                lambda x, z, mu, log_var: _log_q(z, mu, log_var).exp() @ x,
                lambda x, z, mu, log_var: _log_q(z, mu, log_var).exp() @ x / len(x),
                lambda x, z, mu, log_var: _distance(z, mu, log_var, torch.exp).exp() @ x,
            ),
        ),
        Mistake(
            "log-densities as weights",
            "the weights are the densities, and these are their logarithms. Take exp, or use softmax.",
            NEAR,
            (
                lambda x, z, mu, log_var: _log_q(z, mu, log_var) @ x,
                lambda x, z, mu, log_var: (
                    (_log_q(z, mu, log_var) / _log_q(z, mu, log_var).sum(1, keepdim=True)) @ x
                ),
            ),
        ),
        Mistake(
            "nearest image only",
            "this is the one image whose q is the largest at z. The average is over all images, each with "
            "its weight.",
            COURSE,
            (
                lambda x, z, mu, log_var: x[_log_q(z, mu, log_var).argmax(1)],
                lambda x, z, mu, log_var: x[torch.cdist(z, mu).argmin(1)],
            ),
        ),
        Mistake(
            "all images alike",
            "this is the mean of all images, whatever z is. Weigh each image by q(z|x_n).",
            NEAR,
            (lambda x, z, mu, log_var: x.mean(0).expand(len(z), -1),),
        ),
        Mistake(
            "one latent number at a time",
            "a density of a vector is the product over its L numbers, so its logarithm is a sum. This "
            "takes a mean over them.",
            NEAR,
            (
                lambda x, z, mu, log_var: (_log_q(z, mu, log_var) / z.shape[1]).softmax(1) @ x,
                lambda x, z, mu, log_var: (
                    x[:0].sum() + _log_q(z[:, :1], mu[:, :1], log_var[:, :1]).softmax(1) @ x
                ),
            ),
        ),
        Mistake(
            "factor 1/2 missing",
            "the exponent of a Gaussian has a factor of 1/2, and the term in log_var has it, too.",
            PUBLIC,
            (
                lambda x, z, mu, log_var: (2 * _log_q(z, mu, log_var)).softmax(1) @ x,
                lambda x, z, mu, log_var: (
                    (2 * _distance(z, mu, log_var, torch.exp) - 0.5 * log_var.sum(1)).softmax(1) @ x
                ),
                lambda x, z, mu, log_var: (
                    (_distance(z, mu, log_var, torch.exp) - log_var.sum(1)).softmax(1) @ x
                ),
            ),
        ),
        Mistake(
            "sign of the log_var term",
            "a wide q has a low peak: the term is -1/2 log_var, with a minus.",
            NEAR,
            (
                lambda x, z, mu, log_var: (
                    (_distance(z, mu, log_var, torch.exp) + 0.5 * log_var.sum(1)).softmax(1) @ x
                ),
            ),
        ),
    ),
    hints=(
        "For each of B codes and N images you need log q(z_b|x_n): z[:, None] - mu has the shape (B, N, L).",
        "log q = -1/2 sum over L of [(z - mu)^2 / exp(log_var) + log_var]. Why may the constant be left out?",
        "softmax(dim=1) makes weights of it that add up to 1 over the images; weights @ x is the mean.",
    ),
)
