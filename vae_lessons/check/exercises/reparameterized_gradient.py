"""The exercise on the reparameterized estimator, and how it goes wrong."""

import torch
from torch.nn.functional import softplus

from vae_lessons import estimators
from vae_lessons.check.engine import COURSE, NEAR, PUBLIC, Exercise, Mistake, placed
from vae_lessons.check.engine.gradient_estimates import (
    NAMES,
    SAMPLES,
    SLOPE,
    fitted_facts,
    observe_with,
    place,
    rows_of,
    shared_mistakes,
    shown_with,
)
from vae_lessons.check.engine.moments import mean_fact, pooled_facts, spread_fact


def _of_the_slope(call, seed):
    """Mean and spread of both gradients, which are smaller than those of the score function, -> Facts."""
    for latent, samples in SAMPLES:
        found = rows_of(call, place(latent, seed), samples)
        for name, rows in zip(NAMES, found, strict=True):
            said = f"the gradients with respect to {name}, {samples} samples with L = {latent}"
            yield mean_fact(f"the mean of {said}", rows)
            yield spread_fact(f"the spread of {said}", rows)
        yield from _step_facts(*found, place(latent, seed)[2])


def _step_facts(to_mu, to_log_var, log_var):
    """The gradient for mu is f'(z), from which z follows, -> Facts."""
    step = (to_mu - placed(torch.tensor(SLOPE[: len(log_var)])).cpu().double()) / 2  # z - mu
    said = "(z - mu) / sigma, found from the gradients with respect to mu"
    yield from pooled_facts(said, step / _sigma(log_var.cpu().double()))
    yield from fitted_facts("f'(z) (z - mu) / 2, with respect to log_var", to_log_var, to_mu * step / 2)


def _observe(call, seed):
    return observe_with(call, seed, _of_the_slope)


def _path(sigma_of, noise_of=torch.randn_like):
    """A reparameterized estimator with another sigma or noise."""

    def reparameterized_gradient(f, mu, log_var, samples):
        rows = [t.expand(samples, -1).clone().requires_grad_() for t in (mu, log_var)]
        z = rows[0] + sigma_of(rows[1]) * noise_of(rows[0])
        found = torch.autograd.grad(f(z).sum(), rows, allow_unused=True)
        return tuple(torch.zeros_like(z) if grad is None else grad for grad in found)

    return reparameterized_gradient


def _to_sigma(f, mu, log_var, samples):
    found = estimators.reparameterized_gradient(f, mu, log_var, samples)
    return found.mu, found.log_var * 2 / torch.exp(log_var / 2)


def _sigma(log_var):
    return torch.exp(log_var / 2)


def _with_baseline(f, mu, log_var, samples):
    baseline = "others" if samples > 1 else 0.0
    return estimators.score_function_gradient(f, mu, log_var, samples, baseline)


def _one_eps(rows):
    return torch.randn_like(rows[:1]).expand_as(rows)


reparameterized_gradient = Exercise(
    name="reparameterized_gradient",
    parameters=("f", "mu", "log_var", "samples"),
    reference=estimators.reparameterized_gradient,
    observe=_observe,
    show=shown_with(estimators.reparameterized_gradient),
    verified=(
        "means and spreads of 600 and 1,500 estimates agree in one and in eight dimensions, and the two "
        "gradients of each sample fit together."
    ),
    mistakes=(
        Mistake(
            "the score function estimator",
            "this is unbiased, but it is the score function estimator, whose variance is far larger. "
            "Differentiate f(mu + sigma eps) through z.",
            COURSE,
            (estimators.score_function_gradient, _with_baseline),
        ),
        Mistake(
            "std = exp(log_var)",
            "the noise is scaled by exp(log_var), which is the variance. sigma = exp(log_var / 2).",
            PUBLIC,
            (_path(torch.exp),),
        ),
        Mistake(
            "std = log_var",
            "the noise is scaled by log_var itself. sigma = exp(log_var / 2).",
            PUBLIC,
            (_path(lambda lv: lv),),
        ),
        Mistake(
            "softplus(log_var) as sigma",
            "the noise is scaled by softplus(log_var). Here log_var is log sigma^2: sigma = exp(log_var / "
            "2).",
            PUBLIC,
            (_path(softplus),),
        ),
        Mistake(
            "gradient for sigma, not log_var",
            "this is the gradient with respect to sigma. dz/dlog_var = sigma eps / 2, which is dz/dsigma "
            "times sigma / 2.",
            NEAR,
            (_to_sigma,),
        ),
        Mistake(
            "missing 1/2",
            "dz/dlog_var is sigma eps / 2, since sigma = exp(log_var / 2). The half is missing.",
            NEAR,
            (lambda *given: (lambda g: (g.mu, 2 * g.log_var))(estimators.reparameterized_gradient(*given)),),
        ),
        Mistake(
            "sigma detached",
            "no gradient reaches log_var: sigma is detached, or left out of z. Use z = mu + exp(log_var / "
            "2) * eps, without .detach().",
            PUBLIC,
            (_path(lambda lv: _sigma(lv).detach()),),
        ),
        Mistake(
            "noise left out",
            "z is mu itself, so every estimate is the slope of f at mu. Differentiate f(mu + sigma eps).",
            PUBLIC,
            (_path(lambda lv: 0 * lv),),
        ),
        Mistake(
            "one eps for all samples",
            "all samples share one eps, so that they are the same sample. Draw eps as (K, L).",
            PUBLIC,
            (_path(_sigma, _one_eps),),
        ),
        *shared_mistakes(estimators.reparameterized_gradient),
    ),
    hints=(
        "With z = mu + exp(log_var / 2) * eps and eps (K, L), f(z) depends on mu and log_var.",
        "To get one gradient for each sample, give each sample its own copy: mu.expand(samples, "
        "-1).clone().requires_grad_().",
        "torch.autograd.grad(f(z).sum(), [mu_rows, log_var_rows]): each row of the sum keeps its own "
        "gradient.",
    ),
)
