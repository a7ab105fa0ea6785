"""VAE + images -> nats: how much of the KL is information on the image, and how much a misplaced q(z)."""

import math
from typing import NamedTuple

import torch

from vae_lessons.gaussian import log_density, reparameterize
from vae_lessons.runtime import resolve_seed
from vae_lessons.settings import finite_tensor


class Information(NamedTuple):
    """The two parts of a VAE's KL term, in nats an image; their sum is its mean over images."""

    mutual: float  # I(x; z): what a draw z tells about the image that it came from
    prior: float  # KL(q(z) || p(z)): how far the aggregated posterior is from N(0, I)


@torch.no_grad()
def information(model, x, seed=0):
    """How much of the KL is information, and how much a misplaced q(z), (N, *shape) -> Information.

    mean KL(q(z|x) || p(z)) = I(x; z) + KL(q(z) || p(z)),  q(z) = mean over images of q(z|x_i)
    I(x; z) = mean of log q(z_i|x_i) - log q(z_i),  KL(q(z) || p(z)) = mean of log q(z_i) - log p(z_i)

    with one draw z_i ~ q(z|x_i) an image. Both are those of a data set that holds these N images and no
    others, in which z cannot tell more than which of the N it was: I(x; z) <= log N. Where the clouds hardly
    overlap the number is near log N and says little of other images. Time grows with N^2.
    Raises ValueError on fewer than two images or NaN, TypeError on a model without q(z|x).
    (Hoffman & Johnson 2016)
    """
    q = [model.encode(part.to(model.device)) for part in x.split(1000)]
    if not isinstance(q[0], tuple):
        raise TypeError(f"model must be a VAE, which has a q(z|x), not a {type(model).__name__}.")
    mu, log_var = (torch.cat(parts).cpu().double() for parts in zip(*q, strict=True))
    if len(x) < 2:
        raise ValueError(f"This measure needs two images at least, but x has {len(x)}.")
    finite_tensor("mu", mu), finite_tensor("log_var", log_var)
    z = reparameterize(mu, log_var, generator=torch.Generator().manual_seed(resolve_seed(seed)))
    log_q = torch.cat([_log_mixture(part, mu, log_var) for part in z.split(500)])
    zero = torch.zeros_like(z)
    mutual, prior = log_density(z, mu, log_var) - log_q, log_q - log_density(z, zero, zero)
    return Information(mutual.mean().item(), prior.mean().item())


class Parts(NamedTuple):
    """The three parts of a VAE's KL term, in nats an image; their sum is an estimate of its mean."""

    mi: torch.Tensor  # (), I(x; z): what a draw tells about which image it came from
    tc: torch.Tensor  # (), total correlation: how far the axes of q(z) are from independent
    dimension: torch.Tensor  # (), how far the axes of q(z), each by itself, are from N(0, 1)


@torch.no_grad()
def kl_parts(z, mu, log_var):
    """Mutual information, total correlation and dimension-wise KL, (M, L), (N, L), (N, L) -> Parts of ().

    mi = mean of log q(z_i|x_i) - log q(z_i)
    tc = mean of log q(z_i) - sum_j log q(z_ij)
    dimension = mean of sum_j log q(z_ij) - log p(z_ij)

    with draws z_i ~ q(z|x_i) from the first M of N images, q(z) = 1/N sum_n q(z|x_n), and q(z_j) the same
    mixture of dimension j alone. All is that of a data set of these N images: mi <= log N, and what it lacks
    of the KL is counted as tc. Time grows with M N L. Raises ValueError on other shapes or NaN.
    (Chen et al. 2018, section 3)
    """
    for name, value in (("z", z), ("mu", mu), ("log_var", log_var)):
        finite_tensor(name, value)
    if mu.ndim != 2 or mu.shape != log_var.shape or z.shape[1:] != mu.shape[1:] or not len(z) <= len(mu):
        shapes = f"{tuple(z.shape)}, {tuple(mu.shape)} and {tuple(log_var.shape)}"
        raise ValueError(
            f"z, mu, log_var must be (M, L), (N, L), (N, L), M at most N, but they are {shapes}."
        )
    z, mu, log_var = z.double(), mu.double(), log_var.double()
    own, prior = log_density(z, mu[: len(z)], log_var[: len(z)]), log_density(z, 0 * z, 0 * z)
    joint = torch.cat([_log_mixture(part, mu, log_var) for part in z.split(100)])
    axes = zip(z.split(1, 1), mu.split(1, 1), log_var.split(1, 1), strict=True)
    product = sum(torch.cat([_log_mixture(p, m, v) for p in t.split(100)]) for t, m, v in axes)
    return Parts((own - joint).mean(), (joint - product).mean(), (product - prior).mean())


def _log_mixture(z, mu, log_var):
    """log q(z) under the mixture of N clouds, (M, L), (N, L), (N, L) -> (M,), in float64.

    The squares are multiplied out into two products of matrices, many times as fast as (M, N, L); around
    the middle of the clouds, where few digits are lost.
    """
    middle = mu.mean(0)
    z, mu = z - middle, mu - middle
    precision = torch.exp(-log_var)
    constant = (mu**2 * precision + log_var).sum(1) + mu.shape[1] * math.log(2 * math.pi)
    twice = 2 * z @ (mu * precision).T - z**2 @ precision.T - constant
    return torch.logsumexp(twice / 2, 1) - math.log(len(mu))
