"""Tensors -> nats per image: reconstruction, KL, ELBO. Sum over dimensions, average over images last."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from vae_lessons.gaussian import kl_standard_normal
from vae_lessons.settings import number_at_least, positive_number, tensor, whole_number


class Terms(NamedTuple):
    """The two terms of a loss for each image, in nats: the loss is the mean of nll + beta * kl.

    `kl` is whatever a model has as its second term; that of an autoencoder is 0.
    """

    nll: Tensor  # (B,)
    kl: Tensor  # (B,)


def autoencoder_loss(x, x_hat):
    """The reconstruction error of an autoencoder, (B, ...), (B, ...) -> (): squared, not in nats.

    loss = mean over images of sum_i (x_i - x_hat_i)^2

    Raises ValueError if the shapes differ. (Hinton & Salakhutdinov 2006)
    """
    _same_shape(x, x_hat, "x_hat")
    return _per_image((x - x_hat) ** 2).mean()


def bernoulli_nll(x, logits):
    """-log p(x|z) under a Bernoulli decoder, (B, ...), (B, ...) -> (B,), in nats.

    nll = -sum_i [ x_i log s_i + (1 - x_i) log(1 - s_i) ],  s = sigmoid(logits)

    A likelihood for pixels that are 0 or 1; between, it is the usual cross-entropy and no density
    (lesson 08). Raises ValueError if the shapes differ or a pixel is outside [0, 1], TypeError if
    pixels are not floating point. (Kingma & Welling 2014, appendix C.1)
    """
    _same_shape(x, logits, "logits")
    check_pixels(x)
    return _per_image(bernoulli_terms(x, logits))


def gaussian_nll(x, mean, sigma=1.0):
    """-log p(x|z) under a Gaussian decoder, (B, ...), (B, ...), scalar -> (B,), in nats.

    nll = sum_i [ (x_i - mean_i)^2 / (2 sigma^2) + log sigma + 1/2 log 2 pi ]

    `sigma` is one positive number or scalar tensor for all pixels. Negative values are right: a
    density may exceed 1. Raises ValueError if the shapes differ, a pixel is NaN or sigma is not one
    positive number. (Kingma & Welling 2014, appendix C.2)
    """
    _same_shape(x, mean, "mean")
    if not isinstance(sigma, torch.Tensor):
        sigma = positive_number("sigma", sigma)
    sigma = torch.as_tensor(sigma, dtype=mean.dtype, device=mean.device).squeeze()
    if sigma.ndim > 0 or not 0 < sigma < math.inf:
        raise ValueError(f"sigma must be a positive number, not {sigma.tolist()}.")
    if not x.isfinite().all():
        raise ValueError("x must be finite numbers, but some are NaN or infinite.")
    return _per_image(gaussian_terms(x, mean, sigma.log()))


def levels_nll(x, logits, log_h):
    """-log p(x|z) of pixels with 256 levels under a tilted histogram, (B, ...) x 2, (256,) -> (B,), in nats.

    p(x_i = j/255 | z) = h_j exp(l_i j/255) / sum_k h_k exp(l_i k/255),  l = logits

    With two levels of equal h it is the Bernoulli nll. Unlike the cross-entropy on grey pixels it sums to 1
    over the levels. Raises ValueError if the shapes differ, a pixel is none of the 256 levels, or log_h is
    not 256 finite numbers.
    """
    _same_shape(x, logits, "logits")
    check_levels(x)
    if tensor("log_h", log_h).shape != (256,) or not log_h.isfinite().all():
        raise ValueError("log_h must be the logs of 256 positive numbers, (256,), but it is not.")
    return _per_image(levels_terms(x, logits, log_h))


def bits_per_dim(log_p, dims, levels=1):
    """log p(x) of an image -> bits per dimension, nats of any shape, whole numbers -> the same shape.

    bits = [ -log p(x) + D log levels ] / (D log 2),  D = dims

    `levels` is 1 for a probability of discrete pixels. For a density of pixels scaled to [0, 1] it is the
    number of levels that they had: each stands for a cell of width 1/levels. Raises ValueError if a
    setting is invalid. (Theis et al. 2016, section 3.1)
    """
    dims, levels = whole_number("dims", dims), whole_number("levels", levels)
    return (dims * math.log(levels) - log_p) / (dims * math.log(2))


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
    beta = number_at_least("beta", beta)
    nll, kl = _parts(x, logits, mu, log_var)
    return (nll + beta * kl).mean()


def beta_schedule(beta, steps):
    """The weight of the KL at each of the steps of training, number or function, int -> list of numbers.

    A function is asked for beta(t) at t = i / (steps - 1), so t runs from 0 to 1: a KL warm-up is
    lambda t: min(1, t / 0.3), which reaches 1 after 30 % of the steps. Raises ValueError if a
    weight is not a number that is at least 0. (Bowman et al. 2016; Sonderby et al. 2016)
    """
    if not callable(beta):
        return [number_at_least("beta", beta)] * steps
    shares = (i / max(steps - 1, 1) for i in range(steps))
    return [number_at_least(f"beta at step {i} of {steps}", beta(t)) for i, t in enumerate(shares, start=1)]


def free_bits_kl(mu, log_var, floor):
    """The KL term with `floor` nats a latent dimension free of charge, (B, L), (B, L) -> (), in nats.

    kl = sum_j max(floor, mean over images of KL_j),  KL_j = 1/2 [ mu_j^2 + exp(log_var_j) - 1 - log_var_j ]

    The KL of a dimension below the floor has no gradient. Raises ValueError
    if the shapes differ or floor is not a number that is at least 0. (Kingma et al. 2016, section 2.4)
    """
    floor = number_at_least("floor", floor)
    each = kl_standard_normal(mu.unsqueeze(-1), log_var.unsqueeze(-1))  # (B, L)
    return each.mean(0).clamp(min=floor).sum()


def beta_implied(
    *,
    pixels,
    latent,
    reconstruction="bernoulli",
    over_pixels="sum",
    over_latent="sum",
    weight=1.0,
    kl_weight=1.0,
    sigma=1.0,
):
    """What multiplies the summed KL once the reconstruction is -log p(x|z) per image, -> float.

    loss = weight * r * nll + kl_weight * k * kl + constant,  beta = kl_weight * k / (weight * r)

    `reconstruction` says what a program calls its loss: "bernoulli" (cross-entropy) or "gaussian"
    (-log p with its own sigma), r = 1; "squared error", r = 2 sigma^2; "half squared error",
    r = sigma^2, where `sigma` is that of the Gaussian it is read as, 1 unless you know better.
    `over_pixels` "mean" divides r by `pixels`, `over_latent` "mean" divides k by `latent`. Both terms
    are means over the batch; if just one is a sum over B images, multiply its weight by B. Raises
    ValueError if a setting is invalid. (Higgins et al. 2017, section 3; Rybkin et al. 2021)
    """
    weight, sigma = positive_number("weight", weight), positive_number("sigma", sigma)
    kl_weight = number_at_least("kl_weight", kl_weight)
    scales = {"bernoulli": 1, "gaussian": 1, "squared error": 2 * sigma**2, "half squared error": sigma**2}
    _one_of("reconstruction", reconstruction, scales)
    divisors = {}
    for name, how, size in (("pixels", over_pixels, pixels), ("latent", over_latent, latent)):
        _one_of(f"over_{name}", how, ("sum", "mean"))
        size = whole_number(name, size)
        divisors[name] = size if how == "mean" else 1
    if sigma != 1 and "squared" not in reconstruction:
        raise ValueError(f"sigma says how a squared error is read; {reconstruction!r} has none to read.")
    return kl_weight / divisors["latent"] / (weight * scales[reconstruction] / divisors["pixels"])


def sigma_implied(weight, kl_weight=1.0):
    """The sigma of the Gaussian p(x|z) under which a loss with a squared error is a negative ELBO, -> float.

    weight * sum_i (x_i - x_hat_i)^2 + kl_weight * kl = kl_weight * [ nll + kl ] + constant,
    nll = sum_i (x_i - x_hat_i)^2 / (2 sigma^2) + constant,  sigma^2 = kl_weight / (2 weight)

    kl is summed over latent numbers; a mean over D pixels has a weight of 1 / D. Raises ValueError on a
    weight that is no positive number. (Rybkin et al. 2021)
    """
    weight, kl_weight = positive_number("weight", weight), positive_number("kl_weight", kl_weight)
    return math.sqrt(kl_weight / (2 * weight))


def check_pixels(x, likelihood="bernoulli"):
    """Refuse invalid pixels: NaN, infinity, and for a Bernoulli likelihood pixels outside [0, 1].

    Raises ValueError that names the range of x, TypeError if x is not floating point.
    """
    if not tensor("x", x).is_floating_point():
        raise TypeError(f"x must be floating point, as split.x is, but it is {x.dtype}.")
    low, high = (value.item() for value in x.aminmax())
    if math.isnan(low) or math.isinf(low) or math.isinf(high):
        raise ValueError("x must be finite numbers, but some are NaN or infinite.")
    if likelihood == "bernoulli" and not (low >= 0 and high <= 1):
        raise ValueError(
            f"Under a Bernoulli likelihood pixels must lie in [0, 1], but they reach from {low:.4g} "
            f'to {high:.4g}; rescale them, or use likelihood="gaussian".'
        )


def check_levels(x):
    """Refuse pixels that are none of the 256 levels 0, 1/255, ..., 1, (B, ...). Raises ValueError."""
    check_pixels(x)
    scaled = 255 * x
    if scaled.sub_(scaled.round()).abs_().max() > 1e-3:
        raise ValueError("Pixels must be one of the 256 levels 0, 1/255, ..., 1, but some lie between them.")


def _parts(x, logits, mu, log_var):
    """nll (B,) and kl (B,), validated to have the same B, or one image's kl would be used for all."""
    nll, kl = bernoulli_nll(x, logits), kl_standard_normal(mu, log_var)
    if nll.shape != kl.shape:
        raise ValueError(f"mu must be ({len(x)}, L), as x has {len(x)} images, but it is {tuple(mu.shape)}.")
    return nll, kl


def _one_of(name, value, choices):
    if value not in tuple(choices):  # a dict would not look up a list
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, but it is {value!r}.")


def bernoulli_terms(x, logits):
    """-log p(x_i|z) of each pixel under a Bernoulli decoder, which trusts x, (B, ...) x 2 -> (B, ...)."""
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none")


def levels_terms(x, logits, log_h):
    """-log p(x_i|z) of each pixel under a tilted histogram, which trusts x, (B, ...) x 2 -> (B, ...).

    The level is k = 16 a + b, so that exp(l k/255) is a product: 32 exponentials for each pixel, not 256.
    """
    sixteen = torch.arange(16, device=logits.device, dtype=logits.dtype)
    top = 15.0 * (logits > 0)[..., None]  # no exponent is above 0
    coarse = torch.exp(logits[..., None] * (sixteen - top) * (16 / 255))
    fine = torch.exp(logits[..., None] * (sixteen - top) / 255)
    total = ((coarse @ log_h.to(logits).exp().view(16, 16)) * fine).sum(-1)
    log_total = logits.clamp(min=0) + total.log()
    return log_total - logits * x - log_h.to(logits)[(255 * x).round().long()]


def gaussian_terms(x, mean, log_sigma):
    """-log p(x_i|z) of each pixel under a Gaussian decoder, which trusts x, (B, ...) x 2, () -> (B, ...)."""
    scaled = (x - mean) * torch.exp(-log_sigma)
    return scaled**2 / 2 + log_sigma + math.log(2 * math.pi) / 2


def _per_image(terms):
    return terms.flatten(1).sum(1)


def _same_shape(x, out, name):
    if tensor("x", x).shape != tensor(name, out).shape or x.ndim < 2:
        raise ValueError(
            "x and the decoder's output must have one shape, (B, ...), "
            f"but they have {tuple(x.shape)} and {tuple(out.shape)}."
        )
