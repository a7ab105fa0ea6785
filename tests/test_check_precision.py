"""How small an error a check sees, and how often it refuses a right answer."""

from dataclasses import replace

import check_styles
import pytest
import torch
from check_styles import STYLES
from test_check_model import RIGHT

from vae_lessons import check, estimators, gaussian, losses, measures
from vae_lessons.check.exercise import nothing
from vae_lessons.pca import PCA

SEEDS = range(10)


def quiet(name):
    """The exercise without its picture."""
    return replace(getattr(check, name), show=nothing)


# ------------------------------------------------------------ answers that are off by a factor, 1 if right


def scaled_gradient(value, factor):
    """The same number with another gradient."""
    return value.detach() + factor * (value - value.detach())


def noise(factor):
    return lambda mu, log_var: mu + factor * torch.exp(log_var / 2) * torch.randn_like(mu)


def mean(factor):
    return lambda mu, log_var: scaled_gradient(mu, 1 / factor) * factor + noise(1)(0 * mu, log_var)


def shift(factor):
    return lambda mu, log_var: noise(1)(mu, log_var) + (factor - 1) * torch.exp(log_var / 2).detach()


def gradient_of_mu(factor):
    return lambda mu, log_var: noise(1)(scaled_gradient(mu, factor), log_var)


def gradient_of_log_var(factor):
    return lambda mu, log_var: noise(1)(mu, scaled_gradient(log_var, factor))


def cloud(noise=1, mean=1):
    def sample_cloud(n, centre, covariance):
        return gaussian.sample_cloud(n, mean * centre, noise**2 * covariance)

    return sample_cloud


def score(noise=1, mean=1):
    """Draws from another cloud, but the score of the right one."""

    def score_function_gradient(f, mu, log_var, samples):
        z = mean * mu + noise * torch.exp(log_var / 2) * torch.randn(samples, len(mu))
        eps, value = (z - mu) / torch.exp(log_var / 2), f(z)[:, None]
        return value * eps / torch.exp(log_var / 2), value * (eps**2 - 1) / 2

    return score_function_gradient


def path(noise=1, mean=1):
    def reparameterized_gradient(f, mu, log_var, samples):
        rows = [t.expand(samples, -1).clone().requires_grad_() for t in (mu, log_var)]
        z = scaled_gradient(rows[0], 1 / mean) * mean
        z = z + noise * torch.exp(rows[1] / 2) * torch.randn_like(z)
        return torch.autograd.grad(f(z).sum(), rows)

    return reparameterized_gradient


def times(estimate, to_mu=1, to_log_var=1):
    def estimated(*given):
        found = estimate(*given)
        return to_mu * found.mu, to_log_var * found.log_var

    return estimated


def drawn(noise=1, shift=0):
    return lambda model, n: model.picture(noise * torch.randn(n, model.latent) + shift)


def scores(estimate):
    """What an estimator of a gradient can be off by."""
    return {
        "both gradients": lambda by: times(estimate, by, by),
        "the gradient for mu": lambda by: times(estimate, to_mu=by),
        "the gradient for log_var": lambda by: times(estimate, to_log_var=by),
    }


STOCHASTIC = {
    "reparameterize": {
        "noise": noise, "mean": mean, "mean, in sigma": shift, "the gradient for mu": gradient_of_mu,
        "the gradient for log_var": gradient_of_log_var,
    },
    "sample_cloud": {"noise": lambda by: cloud(noise=by), "mean": lambda by: cloud(mean=by)},
    "score_function_gradient": scores(estimators.score_function_gradient) | {
        "noise": lambda by: score(noise=by), "mean": lambda by: score(mean=by),
    },
    "reparameterized_gradient": scores(estimators.reparameterized_gradient) | {
        "noise": lambda by: path(noise=by), "mean": lambda by: path(mean=by),
    },
    "generate": {"noise": lambda by: drawn(noise=by), "mean, in sigma": lambda by: drawn(shift=by - 1)},
}  # fmt: skip
