"""The exercise on the ELBO from one draw, Gaussian p(x|z), lesson 06, and how it goes wrong."""

import math

import torch
from torch.distributions import Normal

from vae_lessons import evidence
from vae_lessons.check.engine import COURSE, NEAR, PUBLIC, Exercise, Mistake, Probe, noise, tensor_facts
from vae_lessons.gaussian import kl_standard_normal

NAMES = ("x", "decode", "mu", "log_var", "sigma_x", "eps")


def ring(z):
    """(B, 1) -> (B, 2)."""
    return torch.cat([torch.sin(1.2 * z), torch.cos(1.2 * z)], dim=1)


def sheet(z):
    """(B, 2) -> (B, 3)."""
    return torch.stack([z[:, 0], torch.tanh(z[:, 1]), z[:, 0] * z[:, 1] / 2], dim=1)


def _given(decode, images, pixels, latent, sigma_x, seed):
    x, mu, log_var, eps = (
        noise(images, size, seed=5 * seed + i) for i, size in enumerate((pixels, latent, latent, latent))
    )
    sigma_x = torch.tensor(sigma_x, dtype=torch.float64, device="cpu")
    return x, decode, mu, log_var - 0.7, sigma_x, eps


def _observe(call, seed):
    zero = torch.zeros(1, 1, dtype=torch.float64, device="cpu")
    x, sigma_x = torch.cat([zero + 0.5, zero], 1), zero[0, 0] + 0.5
    for title, given in (
        (
            "x = [[0.5, 0]], q = N(0, 1), sigma_x = 0.5, eps = [[1]], on the circle",
            (x, ring, zero, zero, sigma_x, zero + 1),
        ),
        ("one dot on the circle, sigma_x = 0.3", _given(ring, 1, 2, 1, 0.3, seed)),
        ("four x of 3 numbers, two latent numbers, sigma_x = 0.8", _given(sheet, 4, 3, 2, 0.8, seed + 1)),
    ):
        yield from tensor_facts(call, Probe(title, given), NAMES, ("mu", "log_var", "sigma_x"))


def _draw(mu, log_var, eps):
    return mu + torch.exp(log_var / 2) * eps


def _log_likelihood(x, mean, sigma_x):
    return Normal(mean, sigma_x).log_prob(x).sum(1)


def _parts(x, decode, mu, log_var, sigma_x, eps):
    mean = decode(_draw(mu, log_var, eps))
    return _log_likelihood(x, mean, sigma_x), kl_standard_normal(mu, log_var)


def _of_parts(combine):
    """The right two terms, combined wrongly: combine(log_likelihood (B,), kl (B,))."""
    return lambda *given: combine(*_parts(*given))


def _with_draw(draw):
    """Right but for the draw: draw(mu, log_var, eps) -> z."""
    return lambda x, decode, mu, log_var, sigma_x, eps: (
        _log_likelihood(x, decode(draw(mu, log_var, eps)), sigma_x) - kl_standard_normal(mu, log_var)
    )


def _with_likelihood(f):
    """Right but for log p(x|z): f(x, mean, sigma_x) -> (B,)."""
    return lambda x, decode, mu, log_var, sigma_x, eps: (
        f(x, decode(_draw(mu, log_var, eps)), sigma_x) - kl_standard_normal(mu, log_var)
    )


def _squares(x, mean):
    return ((x - mean) ** 2).sum(1)


def _constant(x):
    return x.shape[1] * math.log(2 * math.pi) / 2


def _first_form(x, decode, mu, log_var, sigma_x, eps):
    z = _draw(mu, log_var, eps)
    log_q = Normal(mu, torch.exp(log_var / 2)).log_prob(z).sum(1)
    log_prior = Normal(torch.zeros_like(z), 1.0).log_prob(z).sum(1)
    return _log_likelihood(x, decode(z), sigma_x) + log_prior - log_q


def _terms(mu, log_var):
    return (mu**2 + log_var.exp() - 1 - log_var) / 2


def _with_kl(kl):
    return lambda x, decode, mu, log_var, sigma_x, eps: (
        _log_likelihood(x, decode(_draw(mu, log_var, eps)), sigma_x) - kl(mu, log_var)
    )


def _detached(x, decode, mu, log_var, sigma_x, eps):
    return evidence.sampled_elbo(x, decode, mu, log_var, sigma_x.detach(), eps)


sampled_elbo = Exercise(
    name="sampled_elbo",
    parameters=NAMES,
    reference=evidence.sampled_elbo,
    observe=_observe,
    verified="values agree on three inputs, and so do the gradients with respect to mu, log_var and sigma_x.",
    mistakes=(
        Mistake(
            "sign",
            "this is minus the ELBO, a loss. The ELBO is log p(x|z) - KL.",
            PUBLIC,
            (_of_parts(lambda ll, kl: kl - ll),),
        ),
        Mistake(
            "KL added",
            "the KL is added. It is what q costs, and is subtracted: log p(x|z) - KL.",
            PUBLIC,
            (_of_parts(lambda ll, kl: ll + kl),),
        ),
        Mistake(
            "KL left out",
            "there is no KL: only log p(x|z). That is no bound on log p(x).",
            COURSE,
            (_of_parts(lambda ll, kl: ll),),
        ),
        Mistake(
            "reconstruction left out",
            "there is no log p(x|z): only the KL.",
            NEAR,
            (_of_parts(lambda ll, kl: -kl),),
        ),
        Mistake(
            "reconstruction with the wrong sign",
            "log p(x|z) has the wrong sign: -log p(x|z) is a loss, and the ELBO is not.",
            PUBLIC,
            (_of_parts(lambda ll, kl: -ll - kl),),
        ),
        Mistake(
            "half the KL",
            "the KL counts half. The 1/2 is in its closed form already, once.",
            PUBLIC,
            (_of_parts(lambda ll, kl: ll - kl / 2),),
        ),
        Mistake(
            "twice the KL",
            "the KL counts twice: its factor 1/2 is missing.",
            PUBLIC,
            (_of_parts(lambda ll, kl: ll - 2 * kl),),
        ),
        Mistake(
            "KL averaged over latent numbers",
            "the KL is averaged over the latent numbers. It adds up: sum over the last dimension.",
            PUBLIC,
            (_with_kl(lambda mu, lv: _terms(mu, lv).mean(1)),),
        ),
        Mistake(
            "KL summed over the batch",
            "the KL of all x is charged to each of them: it was summed over the batch too. Sum over the last "
            "dimension only.",
            PUBLIC,
            (
                _with_kl(lambda mu, lv: _terms(mu, lv).sum()),
                _with_kl(lambda mu, lv: _terms(mu, lv).sum(1).mean()),
            ),
        ),
        Mistake(
            "KL from the draw",
            "log q(z) - log p(z) of the one z stands where the KL is. On average that is right, and it is "
            "the first form of the ELBO; asked is the second, with the closed form of the KL from lesson 04.",
            COURSE,
            (_first_form,),
        ),
        Mistake(
            "mean over pixels",
            "log p(x|z) is averaged over the numbers of x. It is a sum: independent numbers add up.",
            PUBLIC,
            (_with_likelihood(lambda x, m, s: Normal(m, s).log_prob(x).mean(1)),),
        ),
        Mistake(
            "summed over the batch",
            "the x are added up or averaged. The bound is one number for each x, (B,).",
            PUBLIC,
            (
                _of_parts(lambda ll, kl: (ll - kl).sum()),
                _of_parts(lambda ll, kl: (ll - kl).mean()),
                _of_parts(lambda ll, kl: (kl - ll).mean()),
            ),
        ),
        Mistake(
            "squared error",
            "this has the squared error in place of log p(x|z). The density also divides by 2 sigma_x^2, and "
            "has a logarithm of sigma_x for each number of x.",
            PUBLIC,
            (
                _with_likelihood(lambda x, m, s: -_squares(x, m)),
                _with_likelihood(lambda x, m, s: -_squares(x, m) / 2),
                _with_likelihood(lambda x, m, s: -((x - m) ** 2).mean(1)),
                _with_likelihood(lambda x, m, s: -((x - m) ** 2).mean()),
            ),
        ),
        Mistake(
            "log sigma_x left out",
            "the squared error is divided by 2 sigma_x^2, but -log sigma_x is missing, once for each number "
            "of x. Without it a larger sigma_x would always be better.",
            PUBLIC,
            (
                _with_likelihood(lambda x, m, s: -_squares(x, m) / (2 * s**2)),
                _with_likelihood(lambda x, m, s: -_squares(x, m) / (2 * s**2) - _constant(x)),
            ),
        ),
        Mistake(
            "log 2 pi left out",
            "1/2 log 2 pi is missing, once for each number of x. No gradient needs it, but the bound does: "
            "without it more is claimed than log p(x).",
            PUBLIC,
            (_with_likelihood(lambda x, m, s: -_squares(x, m) / (2 * s**2) - x.shape[1] * s.log()),),
        ),
        Mistake(
            "log sigma_x counted once",
            "log sigma_x is subtracted once. Each number of x has its own: D times.",
            NEAR,
            (
                _with_likelihood(lambda x, m, s: -_squares(x, m) / (2 * s**2) - s.log() - _constant(x)),
                _with_likelihood(
                    lambda x, m, s: -_squares(x, m) / (2 * s**2) - s.log() - math.log(2 * math.pi) / 2
                ),
            ),
        ),
        Mistake(
            "sigma_x not squared",
            "the squared error is divided by sigma_x. It is divided by 2 sigma_x^2.",
            NEAR,
            (
                _with_likelihood(
                    lambda x, m, s: -_squares(x, m) / (2 * s) - x.shape[1] * s.log() - _constant(x)
                ),
                _with_likelihood(lambda x, m, s: _log_likelihood(x, m, s.sqrt())),
            ),
        ),
        Mistake(
            "1/2 of the squares left out",
            "the squared error is divided by sigma_x^2. It is divided by 2 sigma_x^2.",
            NEAR,
            (_with_likelihood(lambda x, m, s: -_squares(x, m) / s**2 - x.shape[1] * s.log() - _constant(x)),),
        ),
        Mistake(
            "variance given as standard deviation",
            "sigma_x^2 stands where torch wants the standard deviation: Normal(mean, sigma_x).",
            PUBLIC,
            (_with_likelihood(lambda x, m, s: _log_likelihood(x, m, s**2)),),
        ),
        Mistake(
            "noise left out",
            "mu is decoded, not a draw: eps has no part in it. z = mu + exp(log_var / 2) * eps. With z = mu "
            "the result may be above log p(x).",
            PUBLIC,
            (_with_draw(lambda mu, lv, eps: mu),),
        ),
        Mistake(
            "std = exp(log_var)",
            "exp(log_var) is the variance. The standard deviation of q is exp(log_var / 2).",
            PUBLIC,
            (_with_draw(lambda mu, lv, eps: mu + lv.exp() * eps),),
        ),
        Mistake(
            "std = log_var",
            "log_var itself stretches the noise. The standard deviation of q is exp(log_var / 2).",
            PUBLIC,
            (_with_draw(lambda mu, lv, eps: mu + lv * eps),),
        ),
        Mistake(
            "z drawn from the prior",
            "eps itself is decoded: that is a draw from the prior. A draw from q is mu + exp(log_var / 2) * "
            "eps.",
            NEAR,
            (_with_draw(lambda mu, lv, eps: eps + 0 * mu + 0 * lv), _with_draw(lambda mu, lv, eps: eps)),
        ),
        Mistake(
            "noise of its own",
            "new noise is drawn inside. Use the eps that is given, so that the answer can be checked.",
            PUBLIC,
            (
                _with_draw(lambda mu, lv, eps: _draw(mu, lv, torch.randn_like(mu))),
                _with_draw(lambda mu, lv, eps: _draw(mu, lv, torch.randn_like(eps))),
                _with_draw(lambda mu, lv, eps: Normal(mu, torch.exp(lv / 2)).rsample()),
            ),
        ),
        Mistake(
            "no gradient",
            "the values are right, but no gradient reaches mu, log_var or sigma_x. math.log, .item(), "
            "float() or .detach() cuts it off: use torch.log.",
            NEAR,
            (
                _detached,
                lambda *given: evidence.sampled_elbo(*given).detach(),
                lambda x, decode, mu, lv, s, eps: evidence.sampled_elbo(
                    x, decode, mu.detach(), lv.detach(), s, eps
                ),
            ),
        ),
    ),
    hints=(
        "Draw z by the trick of lesson 05, with the eps that is given: z = mu + exp(log_var / 2) * eps.",
        "log p(x|z) is the log-density of x under N(decode(z), sigma_x^2), summed over the numbers of x. "
        "torch.distributions.Normal(decode(z), sigma_x).log_prob(x) gives it for each number.",
        "gaussian.kl_standard_normal(mu, log_var) is the KL, (B,). The ELBO is log p(x|z) minus the KL.",
    ),
)
