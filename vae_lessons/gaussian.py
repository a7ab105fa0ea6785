"""Diagonal Gaussians: mu, log_var -> samples, log-density, KL. The maths of lessons 03 to 05.

The letters are the lessons': q(z|x) = N(mu, diag(exp(log_var))), log_var = log sigma^2, both (B, L).
"""

import math

import torch


def reparameterize(mu, log_var, eps=None, generator=None):
    """A sample of N(mu, exp(log_var)), (B, L), (B, L) -> (B, L), through which gradients reach both.

    z = mu + sigma * eps,  sigma = exp(log_var / 2),  eps ~ N(0, I)

    so that dz/dmu = 1 and dz/dsigma = eps. `eps` (B, L) is drawn, from `generator` if given, unless
    it is passed in. Raises ValueError if the shapes differ. (Kingma & Welling 2014; Rezende et al. 2014)
    """
    _same_shape(mu=mu, log_var=log_var)
    if eps is None:
        eps = torch.randn(mu.shape, generator=generator, device=mu.device, dtype=mu.dtype)
    else:
        _same_shape(mu=mu, eps=eps)
    return mu + torch.exp(log_var / 2) * eps


def log_density(x, mu, log_var):
    """log N(x; mu, exp(log_var)), summed over the last dimension, (B, L) x 3 -> (B,), in nats.

    log N = -1/2 sum_j [ log 2 pi + log_var_j + (x_j - mu_j)^2 / exp(log_var_j) ]

    Raises ValueError if the shapes differ. (Bishop 2006, section 2.3)
    """
    _same_shape(x=x, mu=mu, log_var=log_var)
    return -(math.log(2 * math.pi) + log_var + (x - mu) ** 2 * torch.exp(-log_var)).sum(-1) / 2


def kl_standard_normal(mu, log_var):
    """KL( N(mu, exp(log_var)) || N(0, I) ), (B, L), (B, L) -> (B,), in nats.

    KL = 1/2 sum_j [ mu_j^2 + exp(log_var_j) - 1 - log_var_j ]

    Raises ValueError if the shapes differ. (Kingma & Welling 2014, appendix B)
    """
    _same_shape(mu=mu, log_var=log_var)
    return (mu**2 + log_var.exp() - 1 - log_var).sum(-1) / 2


def kl_diagonal(mu_q, log_var_q, mu_p, log_var_p):
    """KL(q || p) of two diagonal Gaussians, (B, L) x 4 -> (B,), in nats.

    KL = 1/2 sum_j [ log_var_p - log_var_q + (exp(log_var_q) + (mu_q - mu_p)^2) / exp(log_var_p) - 1 ]

    Raises ValueError if the shapes differ. (Bishop 2006, exercise 2.13)
    """
    _same_shape(mu_q=mu_q, log_var_q=log_var_q, mu_p=mu_p, log_var_p=log_var_p)
    moved = (log_var_q - log_var_p).exp() + (mu_q - mu_p) ** 2 * torch.exp(-log_var_p)
    return (log_var_p - log_var_q + moved - 1).sum(-1) / 2


def _same_shape(**tensors):
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if len(set(shapes.values())) > 1:
        said = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"All must have one shape, (B, L), but they have: {said}.")
    if not next(iter(shapes.values())):
        raise ValueError(f"{next(iter(shapes))} must have at least one dimension, but it is a scalar.")
