"""Draws -> an estimate: of a KL divergence, and of the gradient of E[f(z)], one estimate per sample.

For the gradients z ~ N(mu, diag(exp(log_var))), mu and log_var (L,); f takes K samples (K, L) at once and
returns one number for each, (K,), which depends on that sample only. The mean over K estimates the gradient,
and the variance over K measures how precise one estimate is (lesson 05).
"""

from typing import NamedTuple

import torch
from torch import Tensor

from vae_lessons.gaussian import reparameterize
from vae_lessons.settings import finite_number, tensor, whole_number


class Gradients(NamedTuple):
    """One estimate of the gradient of E[f(z)] per sample, in units of f per unit of the parameter."""

    mu: Tensor  # (K, L)
    log_var: Tensor  # (K, L)


def score_function_gradient(f, mu, log_var, samples, baseline=0.0, generator=None):
    """Gradients of E[f(z)] from the values of f only, f, (L,), (L,), K -> two of (K, L).

    (f(z) - baseline) * dlog q(z)/dmu,       dlog q/dmu      = eps / sigma
    (f(z) - baseline) * dlog q(z)/dlog_var,  dlog q/dlog_var = (eps^2 - 1) / 2

    Unbiased for any f, differentiable or not, and any `baseline` that is independent of the sample:
    a number, or "others", the mean of f over the other K - 1 samples. Raises TypeError or ValueError if
    a shape, samples or the baseline is invalid. (Williams 1992; Mnih & Rezende 2016)
    """
    samples = _check(f, mu, log_var, samples)
    baseline = _check_baseline(baseline, samples)
    with torch.no_grad():
        sigma = torch.exp(log_var / 2)
        eps = torch.randn(samples, len(mu), generator=generator, device=mu.device, dtype=mu.dtype)
        value = _value(f, mu + sigma * eps)
        if baseline == "others":
            baseline = (value.sum() - value) / (samples - 1)
        weight = (value - baseline)[:, None]
        return Gradients(weight * eps / sigma, weight * (eps**2 - 1) / 2)


def reparameterized_gradient(f, mu, log_var, samples, generator=None):
    """Gradients of E[f(z)] through the sample, f, (L,), (L,), K -> two of (K, L).

    df/dz * dz/dmu,       dz/dmu      = 1
    df/dz * dz/dlog_var,  dz/dlog_var = sigma * eps / 2

    Unbiased if f is continuous and differentiable almost everywhere; a step in f is missed. Raises
    TypeError or ValueError if a shape or samples is invalid, or no gradient comes back from f(z).
    (Kingma & Welling 2014; Mohamed et al. 2020)
    """
    samples = _check(f, mu, log_var, samples)
    with torch.enable_grad():
        rows = [t.detach().expand(samples, -1).clone().requires_grad_() for t in (mu, log_var)]
        value = _value(f, reparameterize(*rows, generator=generator))
        found = [None, None]
        if value.requires_grad:
            found = torch.autograd.grad(value.sum(), rows, allow_unused=True)
    if found[0] is None:
        raise ValueError("f(z) must be differentiable in z, but no gradient comes back from it.")
    return Gradients(*found)


def _value(f, z):
    value = f(z)
    if not isinstance(value, Tensor) or value.shape != z.shape[:1]:
        came = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(f"f must turn z {tuple(z.shape)} into {tuple(z.shape[:1])}, but it gave {came}.")
    return value


def _check(f, mu, log_var, samples):
    if not callable(f):
        raise TypeError(f"f must be a function of z, not {type(f).__name__}.")
    for name, value in (("mu", mu), ("log_var", log_var)):
        if not tensor(name, value).is_floating_point():
            raise TypeError(f"{name} must be a tensor of floating point, not {value.dtype}.")
    if mu.ndim != 1 or mu.shape != log_var.shape:
        raise ValueError(
            f"mu and log_var must both be (L,), but they are {tuple(mu.shape)} and {tuple(log_var.shape)}."
        )
    return whole_number("samples", samples)


def _check_baseline(baseline, samples):
    if not isinstance(baseline, str) or baseline != "others":
        return finite_number("baseline", baseline, 'a number or "others"')
    if samples < 2:
        raise ValueError('baseline="others" needs two samples at least, but samples is 1.')
    return baseline


def kl_monte_carlo(q, p, samples):
    """An estimate of KL(q || p) from draws of q, two distributions and K -> (), in nats.

    KL = E_q[log q(z) - log p(z)] ~ 1/K sum_k [ log q(z_k) - log p(z_k) ],  z_k ~ q

    q and p are of torch.distributions, with one log-density for each draw. Unbiased; its standard error is
    the standard deviation of the log-ratio over the root of K. Raises ValueError if K is no count, or if q
    or p is a batch of distributions. (Metropolis & Ulam 1949)
    """
    samples = whole_number("samples", samples)
    for name, one in (("q", q), ("p", p)):
        if one.batch_shape:
            said = f"but its batch_shape is {tuple(one.batch_shape)}: wrap it in Independent({name}, 1)"
            raise ValueError(f"{name} must be one distribution, {said}.")
    z = q.sample((samples,))
    return (q.log_prob(z) - p.log_prob(z)).mean()
