"""Tensors -> nats per image: reconstruction, KL, ELBO. Sum over dimensions, average over images last."""

import math

import torch
import torch.nn.functional as F

from vae_lessons.gaussian import kl_standard_normal


def bernoulli_nll(x, logits):
    """-log p(x|z) under a Bernoulli decoder, (B, ...), (B, ...) -> (B,), in nats.

    nll = -sum_i [ x_i log s_i + (1 - x_i) log(1 - s_i) ],  s = sigmoid(logits)

    A likelihood for pixels that are 0 or 1; between, it is the usual cross-entropy and no density
    (lesson 08). Raises ValueError if the shapes differ or a pixel is outside [0, 1], TypeError if
    pixels are not floating point. (Kingma & Welling 2014, appendix C.1)
    """
    _same_shape(x, logits)
    check_pixels(x)
    return _per_image(_bernoulli(x, logits))


def gaussian_nll(x, mean, sigma=1.0):
    """-log p(x|z) under a Gaussian decoder, (B, ...), (B, ...), scalar -> (B,), in nats.

    nll = sum_i [ (x_i - mean_i)^2 / (2 sigma^2) + log sigma + 1/2 log 2 pi ]

    `sigma` is one positive number or scalar tensor for all pixels. Negative values are right: a
    density may exceed 1. Raises ValueError if the shapes differ, a pixel is NaN or sigma is not one
    positive number. (Kingma & Welling 2014, appendix C.2)
    """
    _same_shape(x, mean)
    sigma = torch.as_tensor(sigma, dtype=mean.dtype, device=mean.device).squeeze()
    if sigma.ndim > 0 or not 0 < sigma < math.inf:
        raise ValueError(f"sigma must be one positive number, but it is {sigma.tolist()}.")
    if not x.isfinite().all():
        raise ValueError("x must be finite numbers, but some are NaN or infinite.")
    return _per_image(_gaussian(x, mean, sigma.log()))


def nll_of(model, x, logits):
    """-log p(x|z) under the model's own likelihood, (B, ...), (B, ...) -> (B,), in nats.

    The training loop's version: it trusts x, which `fit` and `evaluate` check once at the start,
    so that no step waits for a GPU.
    """
    if model.likelihood == "bernoulli":
        return _per_image(_bernoulli(x, logits))
    return _per_image(_gaussian(x, logits, model.log_sigma))


def elbo(x, logits, mu, log_var):
    """The evidence lower bound of each image from one sample, Bernoulli decoder, -> (B,), in nats.

    elbo = -nll - kl = log p(x|z) - KL(q(z|x) || p(z)),  z ~ q(z|x)

    x and logits are (B, ...), mu and log_var (B, L). Its mean over z is at most log p(x). Raises
    like its two parts, and ValueError if their B differ. (Kingma & Welling 2014, equation 10)
    """
    nll, kl = _parts(x, logits, mu, log_var)
    return -nll - kl


def vae_loss(x, logits, mu, log_var, beta=1.0):
    """What a VAE with a Bernoulli decoder minimises, -> (), in nats per image.

    loss = mean over images of [ nll + beta * kl ];  at beta = 1 it is the negative ELBO

    x and logits are (B, ...), mu and log_var (B, L). Raises like `elbo`, and ValueError if beta is
    not a number that is at least 0. (Higgins et al. 2017)
    """
    if not 0 <= beta < math.inf:
        raise ValueError(f"beta must be a number, 0 or more, but it is {beta!r}.")
    nll, kl = _parts(x, logits, mu, log_var)
    return (nll + beta * kl).mean()


def check_pixels(x, likelihood="bernoulli"):
    """Refuse what no likelihood can be trusted on: NaN, and with Bernoulli pixels outside [0, 1].

    Raises ValueError with the range that came, TypeError if x is not floating point.
    """
    if not x.is_floating_point():
        raise TypeError(f"x must be floating point, as split.x is, but it is {x.dtype}.")
    low, high = (value.item() for value in x.aminmax())
    if math.isnan(low) or math.isinf(low) or math.isinf(high):
        raise ValueError("x must be finite numbers, but some are NaN or infinite.")
    if likelihood == "bernoulli" and not (low >= 0 and high <= 1):
        raise ValueError(
            f"Under a Bernoulli likelihood pixels must lie in [0, 1], but they reach from {low:.4g} "
            f'to {high:.4g}; rescale them, or use likelihood="gaussian".'
        )


def _parts(x, logits, mu, log_var):
    """nll (B,) and kl (B,); were the B to differ, a kl of one image would count for all."""
    nll, kl = bernoulli_nll(x, logits), kl_standard_normal(mu, log_var)
    if nll.shape != kl.shape:
        raise ValueError(f"mu must be ({len(x)}, L), as x has {len(x)} images, but it is {tuple(mu.shape)}.")
    return nll, kl


def _bernoulli(x, logits):
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none")


def _gaussian(x, mean, log_sigma):
    scaled = (x - mean) * torch.exp(-log_sigma)
    return scaled**2 / 2 + log_sigma + math.log(2 * math.pi) / 2


def _per_image(terms):
    return terms.flatten(1).sum(1)


def _same_shape(x, logits):
    if x.shape != logits.shape or x.ndim < 2:
        raise ValueError(
            "x and the decoder's output must have one shape, (B, ...), "
            f"but they have {tuple(x.shape)} and {tuple(logits.shape)}."
        )
