"""Gaussians: their parameters -> samples, log-density, KL. The maths of lessons 03 to 05.

The letters are the lessons': q(z|x) = N(mu, diag(exp(log_var))), log_var = log sigma^2, both (B, L), one
diagonal cloud for each image. A Gaussian with a full covariance has a mean (L,) and a covariance (L, L).
"""

import math

import torch

from vae_lessons.settings import tensor, whole_number


def reparameterize(mu, log_var, eps=None, generator=None):
    """A sample of N(mu, exp(log_var)), (B, L), (B, L) -> (B, L), through which gradients reach both.

    z = mu + sigma * eps,  sigma = exp(log_var / 2),  eps ~ N(0, I)

    so that dz/dmu = 1 and dz/dsigma = eps. `eps` (B, L) is drawn, from `generator` if given, unless
    it is passed in. Raises ValueError if the shapes differ, TypeError if an argument is not a tensor.
    (Kingma & Welling 2014; Rezende et al. 2014)
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


def sample_cloud(n, mean, covariance, generator=None):
    """n draws from N(mean, covariance), n, (L,), (L, L) -> (n, L), through which gradients reach both.

    z = mean + A eps,  A A^T = covariance,  eps ~ N(0, I),  A the Cholesky factor (lower triangle)

    because the covariance of A eps is A E[eps eps^T] A^T. eps is drawn, from `generator` if given.
    Raises TypeError or ValueError if n is not a positive whole number, the shapes do not match, or
    covariance is not symmetric and positive definite.
    (Gentle 2003, Random Number Generation and Monte Carlo Methods)
    """
    n = whole_number("n", n)
    _floating(mean=mean, covariance=covariance)
    a = _cholesky(mean, covariance)
    eps = torch.randn(n, len(mean), generator=generator, device=mean.device, dtype=mean.dtype)
    return mean + eps @ a.T


def log_density_full(x, mean, covariance):
    """log N(x; mean, covariance) of each row of x, (B, L), (L,), (L, L) -> (B,), in nats.

    log N = -1/2 [ L log 2 pi + log det covariance + (x - mean)^T covariance^-1 (x - mean) ]

    Raises TypeError or ValueError if the shapes do not match, or covariance is not symmetric and positive
    definite. (Bishop 2006, section 2.3)
    """
    _floating(x=x, mean=mean, covariance=covariance)
    a = _cholesky(mean, covariance)
    if x.ndim != 2 or x.shape[1] != len(mean):
        raise ValueError(f"x must be (B, {len(mean)}), as mean is, but it is {tuple(x.shape)}.")
    eps = torch.linalg.solve_triangular(a, (x - mean).T, upper=False)
    return -(len(mean) * math.log(2 * math.pi) + _log_det(a) + (eps**2).sum(0)) / 2


def kl_full(mean_q, covariance_q, mean_p, covariance_p):
    """KL(q || p) of two Gaussians with full covariances, (L,), (L, L), (L,), (L, L) -> (), in nats.

    KL = 1/2 [ log det C_p - log det C_q + trace(C_p^-1 C_q) + m^T C_p^-1 m - L ],  m = mean_q - mean_p

    with C_q, C_p the covariances. Raises TypeError or ValueError if the shapes do not match, or a covariance
    is not symmetric and positive definite. (Bishop 2006, exercise 2.13)
    """
    _floating(mean_q=mean_q, covariance_q=covariance_q, mean_p=mean_p, covariance_p=covariance_p)
    _same_shape(mean_q=mean_q, mean_p=mean_p)
    a_q = _cholesky(mean_q, covariance_q, "_q")
    a_p = _cholesky(mean_p, covariance_p, "_p")
    moved = torch.cat([a_q, (mean_q - mean_p)[:, None]], dim=1)
    squares = torch.linalg.solve_triangular(a_p, moved, upper=False).square().sum()
    return (_log_det(a_p) - _log_det(a_q) + squares - len(mean_q)) / 2


def _cholesky(mean, covariance, of=""):
    """The lower triangle A with A A^T = covariance, after validating mean and covariance."""
    mean_name, name = f"mean{of}", f"covariance{of}"
    if mean.ndim != 1 or len(mean) == 0 or covariance.shape != (len(mean), len(mean)):
        shapes = f"{tuple(mean.shape)} and {tuple(covariance.shape)}"
        raise ValueError(f"{mean_name} and {name} must be (L,) and (L, L), but they are {shapes}.")
    a, failed = torch.linalg.cholesky_ex(covariance)
    lean = (covariance - covariance.T).abs().max()
    if not lean <= 1e-5 * covariance.abs().max():  # nor if it is NaN
        raise ValueError(f"{name} must be finite and symmetric, but it is not.")
    if failed:
        raise ValueError(f"{name} must be positive definite, or the cloud is flat, but it is not.")
    return a


def _log_det(a):
    """log det(A A^T), from the factor."""
    return 2 * a.diagonal().log().sum()


def _floating(**tensors):
    for name, value in tensors.items():
        if not tensor(name, value).is_floating_point():
            raise TypeError(f"{name} must be a tensor of floating point, not {value.dtype}.")
        first, wanted = next((other, t.dtype) for other, t in tensors.items())
        if value.dtype != wanted:
            raise TypeError(
                f"{first} and {name} must be of one type, but they are {wanted} and {value.dtype}."
            )


def _same_shape(**tensors):
    first, *others = (tensor(name, value).shape for name, value in tensors.items())
    if any(shape != first for shape in others):
        said = ", ".join(f"{name} {tuple(value.shape)}" for name, value in tensors.items())
        raise ValueError(f"All must have one shape, (B, L), but they have: {said}.")
    if not first:
        raise ValueError(f"{next(iter(tensors))} must have at least one dimension, but it is a scalar.")
