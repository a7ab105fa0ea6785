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
