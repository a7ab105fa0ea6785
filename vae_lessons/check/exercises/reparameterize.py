"""The exercise on the reparameterization trick, and how it goes wrong."""

import torch
from torch.nn.functional import softplus

from vae_lessons import gaussian
from vae_lessons.check.engine import (
    NEAR,
    PUBLIC,
    Exercise,
    Fact,
    Mistake,
    Shown,
    gradient,
    noise,
    pictures,
    placed,
    same_noise,
)
from vae_lessons.check.engine.moments import (
    correlation,
    fresh,
    fully_correlated,
    mean_fact,
    pooled_facts,
    shape_fact,
    spread_fact,
)

DRAWS = 2000  # from each of two q(z|x): 24,000 numbers


def _clouds(seed):
    """mu and log_var of two q(z|x) in six dimensions, (2, 6), unlike those of an untrained network."""
    log_var = torch.tensor([-6.5, -4.5, -3.2, -2.4, -1.7, -1.1, -0.7, -0.3, 0.5, 0.9, 1.3, 1.6], device="cpu")
    order = torch.randperm(12, generator=torch.Generator().manual_seed(seed), device="cpu")
    return 1.5 * noise(2, 6, seed=seed), log_var.double()[order].view(2, 6)


def _draws(call, seed, count=DRAWS):
    """`count` draws of each q(z|x) from one call, z (2 count, 6), and their mu and log_var."""
    rows = [placed(t.repeat(count, 1)).requires_grad_() for t in _clouds(seed)]
    z = call.tensor(*rows)
    return z, rows


def _observe(call, seed):
    for shape in ((1, 1), (2, 3), (5, 1)):
        z = call.tensor(*(placed(noise(*shape, seed=seed + i)) for i in range(2)))
        yield Fact(f"the shape of z, for mu and log_var {shape}", tuple(z.shape))
    z, (mu, log_var) = _draws(call, seed)
    if z.shape != mu.shape:
        yield Fact(f"the shape of z, for mu and log_var {tuple(mu.shape)}", tuple(z.shape))
        return
    parts = [t.detach().cpu().double().view(DRAWS, 2, 6) for t in (z, mu, log_var)]
    yield _second_call(call, seed)
    yield from _noise_facts(*parts[:2])
    yield from _gradient_facts(z, parts, (mu, log_var))
    yield from _moment_facts(*parts)


def _second_call(call, seed):
    few = [placed(t) for t in _clouds(seed)]
    z, again = (call.tensor(*few).detach() for _ in range(2))
    return fresh("the noise of a second call with the same mu and log_var", z, again)


def _noise_facts(z, mu):
    e = z - mu
    yield Fact("whether z differs from mu at all", bool((e != 0).any()))
    images = correlation("the correlation of the noise of two images, which is 0", e[1:], e[:-1])
    yield images
    columns = e / (e**2).mean(0).sqrt()  # of unit size, so that all dimensions have the same weight
    yield correlation(
        "the correlation of the noise of two dimensions, which is 0", columns, columns.roll(1, 2)
    )
    if fully_correlated(images):
        yield Fact("independent noise for each image", False)


def _gradient_facts(z, parts, rows):
    found = gradient(z.sum(), rows)
    e = parts[0] - parts[1]
    for name, grad in zip(("mu", "log_var"), found, strict=True):
        value = None if grad is None else grad.cpu().double().view(e.shape)
        if value is None:
            yield Fact(f"a gradient of z with respect to {name}", None)
        elif name == "mu":
            yield Fact("dz/dmu, which is 1", value.mean(0), 1e-3)
        else:
            slope = (value * e).sum(0) / (e**2).sum(0)
            yield Fact("dz/dlog_var over (z - mu), which is 1/2", slope, 1e-3 * (1 + slope.abs()))


def _moment_facts(z, mu, log_var):
    if not (z[0] != z[1]).any():
        return  # one eps for all images: its mean and spread are not informative
    named = f"of z, for log_var from {log_var.min():.1f} to {log_var.max():.1f}"
    yield mean_fact(f"the mean of z - mu {named}", z - mu)
    yield spread_fact(f"the standard deviation {named}", z)
    yield from pooled_facts("(z - mu) / sigma", (z - mu) / _sigma(log_var))
    e = (z - mu) / (z - mu).std(0)
    yield shape_fact("the kurtosis of the noise, which is 3 for a Gaussian", e)


def _show(call, seed):
    z, rows = _draws(call, seed, 1000)
    z, mu, log_var = (t.detach().cpu().double().view(1000, 2, 6) for t in (z, *rows))
    e = ((z - mu) * torch.exp(-log_var / 2)).flatten(1)
    low, middle, high = (int(i) for i in log_var[0].flatten().argsort()[[0, 6, 11]])
    columns = {
        f"(z - mu) / sigma at log_var = {log_var[0].flatten()[i]:.1f}": e[:, i] for i in (low, middle, high)
    }
    alt = "Histograms of (z - mu) / sigma from your function for three log_var, beside the standard normal "
    "density."
    return Shown(lambda: pictures.histograms(columns, alt=alt))


def _scaled(sigma_of, noise_of=torch.randn_like):
    """A sampler with another sigma, or with other noise."""
    return lambda mu, log_var: mu + sigma_of(log_var) * noise_of(mu)


def _sigma(log_var):
    return torch.exp(log_var / 2)


def _generator_inside(mu, log_var):
    return gaussian.reparameterize(mu, log_var, generator=torch.Generator(mu.device).manual_seed(0))


@torch.no_grad()
def _normal(mu, log_var):
    return torch.normal(mu, _sigma(log_var))


def _no_mu_gradient(mu, log_var):
    return mu.detach() + _sigma(log_var) * torch.randn_like(mu)


def _clamped(low):
    return lambda mu, log_var: gaussian.reparameterize(mu, log_var.clamp(min=low))


reparameterize = Exercise(
    name="reparameterize",
    parameters=("mu", "log_var"),
    reference=gaussian.reparameterize,
    observe=_observe,
    show=_show,
    verified=(
        "mean, spread and kurtosis of 4,000 draws in six dimensions, independent noise for each image, "
        "dimension and call, and the gradients: dz/dmu = 1 and dz/dlog_var = sigma eps / 2."
    ),
    mistakes=(
        Mistake(
            "std = exp(log_var)",
            "the noise is scaled by exp(log_var), which is the variance. The standard deviation is sigma = "
            "exp(log_var / 2).",
            PUBLIC,
            (_scaled(torch.exp),),
        ),
        Mistake(
            "std = log_var",
            "the noise is scaled by log_var itself, which may be negative. sigma = exp(log_var / 2).",
            PUBLIC,
            (_scaled(lambda lv: lv), _scaled(torch.abs)),
        ),
        Mistake(
            "softplus(log_var) as sigma",
            "the noise is scaled by softplus(log_var), which is right if a network outputs something else. "
            "Here log_var is log sigma^2: sigma = exp(log_var / 2).",
            PUBLIC,
            (_scaled(softplus),),
        ),
        Mistake(
            "exp(2 log_var)",
            "exp(2 log_var) is the variance squared. log_var is halved, not doubled: sigma = exp(log_var / "
            "2).",
            PUBLIC,
            (_scaled(lambda lv: torch.exp(2 * lv)),),
        ),
        Mistake(
            "1/2 outside the exponential",
            "exp(log_var) / 2 is half the variance. The half belongs inside: sigma = exp(log_var / 2).",
            NEAR,
            (_scaled(lambda lv: lv.exp() / 2),),
        ),
        Mistake(
            "std = exp(log_var / 4)",
            "the square root is taken twice: exp(log_var / 2) is already sigma.",
            NEAR,
            (_scaled(lambda lv: torch.exp(lv / 2).sqrt()),),
        ),
        Mistake(
            "noise left out",
            "z is mu itself: there is no noise. Then z is always the mean of N(mu, sigma^2) and never a "
            "sample of it. Add sigma * eps.",
            PUBLIC,
            (lambda mu, log_var: mu, lambda mu, log_var: mu + 0 * log_var),
        ),
        Mistake(
            "sigma left out",
            "this is mu + eps, so that sigma is always 1. Scale the noise: mu + sigma * eps.",
            PUBLIC,
            (
                lambda mu, log_var: mu + torch.randn_like(mu),
                lambda mu, log_var: mu + torch.randn_like(mu) + 0 * log_var,
            ),
        ),
        Mistake(
            "sigma eps without mu",
            "mu is missing, so that the draws have mean 0. Add mu.",
            NEAR,
            (
                lambda mu, lv: _sigma(lv) * torch.randn_like(mu),
                lambda mu, lv: mu * 0 + _sigma(lv) * torch.randn_like(mu),
            ),
        ),
        Mistake(
            "uniform noise",
            "the noise is uniform, from torch.rand. Draw it from a Gaussian: torch.randn, with an n.",
            PUBLIC,
            (
                _scaled(_sigma, torch.rand_like),
                _scaled(_sigma, lambda mu: 2 * torch.rand_like(mu) - 1),
                _scaled(_sigma, lambda mu: torch.rand_like(mu) - 0.5),
                _scaled(_sigma, lambda mu: 12**0.5 * (torch.rand_like(mu) - 0.5)),
            ),
        ),
        Mistake(
            "one eps for the whole batch",
            "the whole batch shares one eps. Draw eps in the shape of mu, (B, L).",
            PUBLIC,
            (
                _scaled(_sigma, lambda mu: torch.randn(mu.shape[-1], device=mu.device, dtype=mu.dtype)),
                _scaled(_sigma, lambda mu: torch.randn((), device=mu.device, dtype=mu.dtype)),
            ),
        ),
        Mistake(
            "one eps for all dimensions",
            "all dimensions of an image share one number of noise, so that its draws lie on a line. Draw "
            "eps in the shape of mu, (B, L).",
            PUBLIC,
            (_scaled(_sigma, lambda mu: torch.randn(len(mu), 1, device=mu.device, dtype=mu.dtype)),),
        ),
        same_noise(gaussian.reparameterize, _generator_inside),
        Mistake(
            "no gradient",
            "the draws are right, but no gradient reaches mu or log_var: torch.normal, .sample() and "
            "no_grad cut the graph. Draw eps by itself and compute mu + sigma * eps.",
            "torch.normal and Normal.sample() in public VAEs; a well-known course's check accepts it",
            (_normal, lambda mu, lv: torch.normal(mu, _sigma(lv))),
        ),
        Mistake(
            "sigma detached",
            "gradients reach mu but not log_var: sigma was cut off by .detach(), .data, .item() or "
            "torch.tensor(...).",
            PUBLIC,
            (_scaled(lambda lv: _sigma(lv).detach()), _scaled(lambda lv: _sigma(lv).detach() + 0 * lv)),
        ),
        Mistake(
            "mu detached",
            "gradients reach log_var but not mu: mu was cut off by .detach(), .data, .item() or "
            "torch.tensor(...).",
            PUBLIC,
            (_no_mu_gradient,),
        ),
        Mistake(
            "log_var clamped from below",
            "log_var is clamped from below at a large value, so that sigma cannot become small, and below "
            "that value the gradient is 0. Do not clamp it, or clamp it at a far smaller value.",
            PUBLIC,
            tuple(_clamped(low) for low in (-6, -5, -4, -3, -2, -1, 0)),
        ),
    ),
    hints=(
        "First draw the noise: eps from N(0, I), in the shape of mu, with torch.randn_like.",
        "Then scale and shift it: z = mu + sigma * eps.",
        "log_var is log sigma^2, so sigma = exp(log_var / 2). Nothing may be detached.",
    ),
)
