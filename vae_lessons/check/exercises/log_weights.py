"""The exercise on the log of an importance weight, lesson 11, and how it goes wrong."""

import torch

from vae_lessons.check.engine import COURSE, NEAR, PUBLIC, Exercise, Mistake, Probe, noise, numbers, row
from vae_lessons.gaussian import kl_standard_normal, log_density


def _log_weights(nll, z, mu, log_var):
    """log w = log p(x|z) + log N(z; 0, I) - log N(z; mu, exp(log_var)), (R,), (R, L) x 3 -> (R,), in nats."""
    zero = torch.zeros_like(z)
    return log_density(z, zero, zero) - log_density(z, mu, log_var) - nll


def _probes(seed):
    one, z, mu, log_var = numbers(2, 1, 0.5, -1)
    yield Probe("nll = 2, z = 1, mu = 0.5, log_var = -1", (one[0], z, mu, log_var))
    yield Probe(
        "one draw of three numbers",
        (row(5)[0], row(0.3, -1, 2), row(0.2, 0.1, 1.5), row(-2, 0, 0.7)),
    )
    shape = (5, 4)
    parts = (noise(*shape, seed=seed + i) for i in range(3))
    yield Probe("five draws of four numbers", (100 + noise(5, seed=seed + 9), *parts))


def _log_p(z):
    return log_density(z, torch.zeros_like(z), torch.zeros_like(z))


log_weights = Exercise(
    name="log_weights",
    reference=_log_weights,
    probes=_probes,
    gradients=("nll", "z"),
    mistakes=(
        Mistake(
            "analytic KL in the weight",
            "the KL of lesson 04 is an average over all z. A weight belongs to one z: take log p(z) - log "
            "q(z|x) at this z.",
            PUBLIC,
            (
                lambda nll, z, mu, lv: -nll - kl_standard_normal(mu, lv),
                lambda nll, z, mu, lv: 0 * z.sum(1) - nll - kl_standard_normal(mu, lv),
            ),
        ),
        Mistake(
            "prior left out",
            "log p(z) is missing. The weight is p(x, z) / q(z|x), and p(x, z) = p(x|z) p(z).",
            COURSE,
            (lambda nll, z, mu, lv: -nll - log_density(z, mu, lv),),
        ),
        Mistake(
            "q left out",
            "log q(z|x) is missing. This is log p(x, z), and its mean over draws of q is no bound.",
            COURSE,
            (lambda nll, z, mu, lv: _log_p(z) - nll,),
        ),
        Mistake(
            "only the likelihood",
            "this is log p(x|z) alone. The prior and q belong to the weight: p(x|z) p(z) / q(z|x).",
            NEAR,
            (lambda nll, z, mu, lv: -nll, lambda nll, z, mu, lv: 0 * z.sum(1) - nll),
        ),
        Mistake(
            "sign of the nll",
            "nll is -log p(x|z): it has to be subtracted.",
            NEAR,
            (lambda nll, z, mu, lv: nll + _log_p(z) - log_density(z, mu, lv),),
        ),
        Mistake(
            "upside down",
            "prior and q are swapped: log p(z) is added, log q(z|x) subtracted.",
            NEAR,
            (lambda nll, z, mu, lv: log_density(z, mu, lv) - _log_p(z) - nll,),
        ),
        Mistake(
            "mean over latent numbers",
            "the log-densities are averaged over the latent numbers. Densities of independent numbers "
            "multiply, so their logs are summed over L.",
            PUBLIC,
            (lambda nll, z, mu, lv: (_log_p(z) - log_density(z, mu, lv)) / z.shape[1] - nll,),
        ),
        Mistake(
            "log_var read as log sigma",
            "exp(log_var) is the variance, but it is used as the standard deviation here: "
            "sigma = exp(log_var / 2).",
            PUBLIC,
            (lambda nll, z, mu, lv: _log_p(z) - log_density(z, mu, 2 * lv) - nll,),
        ),
        Mistake(
            "sigma where the variance belongs",
            "the square is divided by sigma. It is divided by the variance, exp(log_var).",
            NEAR,
            (
                lambda nll, z, mu, lv: _log_p(z) - log_density(z, mu, lv / 2) + lv.sum(1) / 4 - nll,
                lambda nll, z, mu, lv: _log_p(z) - log_density(z, mu, lv / 2) - nll,
            ),
        ),
        Mistake(
            "normalisation of q left out",
            "log q(z|x) lacks -1/2 log_var, the part of log N that the width decides.",
            NEAR,
            (lambda nll, z, mu, lv: _log_p(z) - log_density(z, mu, lv) - lv.sum(1) / 2 - nll,),
        ),
        Mistake(
            "not summed",
            "there is one value for each latent number, (R, L). Sum over dimension 1.",
            NEAR,
            (lambda nll, z, mu, lv: (lv - z**2 + (z - mu) ** 2 * torch.exp(-lv)) / 2 - nll[:, None],),
        ),
        Mistake(
            "averaged over the draws",
            "this is one number. Each draw has its own weight, (R,); the mean comes later, and is one of "
            "w, not of log w.",
            COURSE,
            (
                lambda *given: _log_weights(*given).mean(),
                lambda *given: _log_weights(*given).sum(),
            ),
        ),
    ),
    hints=(
        "w = p(x|z) p(z) / q(z|x). Take logs: a sum of three terms, of which nll gives the first.",
        "Two of them are log-densities of Gaussians, summed over L. One is "
        "gaussian.log_density(z, mu, log_var).",
        "log p(z) is log_density(z, zero, zero) with zero = torch.zeros_like(z): N(0, I) has log_var = 0.",
    ),
)
