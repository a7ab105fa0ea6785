"""q over the exact posterior of an image, and what draws from it say about log p(x) (lesson 11)."""

import math

import torch

from vae_lessons import plots
from vae_lessons.explorers.page import Page, as_bytes
from vae_lessons.gaussian import log_density
from vae_lessons.likelihood import effective_samples, log_mean_exp
from vae_lessons.plots import COLOURS
from vae_lessons.settings import positive_number

DRAWS = 1_000
UNIT, DEPTH = 0.02, 600.0  # nats: what is sent is rounded to the first, and ends that far below the highest


def importance(posteriors, limit=6.0):
    """Drag q over the posterior of an image: ELBO, L_K, log p(x), effective samples, {name: (...)} -> Page.

    Each of `posteriors` is (log_joint (P, P), mu (2,), sigma (2,), image (1, H, W) or None): log p(x, z) on
    a grid of z from -limit to limit, as `likelihood.log_joint_grid` gives it, and the q to start with.
    Between the points of the grid the page interpolates; beyond its edge p(x|z) stays and p(z) falls.
    Raises ValueError if a log_joint is no square of finite numbers, or they differ in size.
    """
    limit = positive_number("limit", limit)
    sizes = {tuple(log_joint.shape) for log_joint, *_ in posteriors.values()}
    size = next(iter(sizes), ())
    finite = all(log_joint.isfinite().all() for log_joint, *_ in posteriors.values())
    if len(sizes) != 1 or len(size) != 2 or len(set(size)) != 1 or not finite:
        raise ValueError(f"Each log_joint must be (P, P) finite numbers, of one P, but they are {sizes}.")
    sent = [
        _sent(name, log_joint.detach().double().cpu(), mu, sigma, image, limit)
        for name, (log_joint, mu, sigma, image) in posteriors.items()
    ]
    caption = (
        "Explorer: the exact posterior of an image, an ellipse to drag over it, and three bars: the ELBO, "
        "the bound from K draws and log p(x)."
    )
    data = {"posteriors": sent, "limit": limit, "points": size[0], "unit": UNIT, "draws": DRAWS}
    return Page("importance", _still(*next(iter(posteriors.values())), sent[0], limit, caption), data)


def _sent(name, log_joint, mu, sigma, image, limit):
    """One posterior for the page: its log-joint as the steps from point to point, in units of 0.02 nats."""
    evidence = log_joint.flatten().logsumexp(0) + 2 * math.log(2 * limit / (len(log_joint) - 1))
    top = log_joint.max().item()
    levels = ((log_joint - top).clamp(min=-DEPTH) / UNIT).round().to(torch.int32)
    steps = torch.diff(levels, dim=1, prepend=torch.zeros(len(levels), 1, dtype=torch.int32))
    return {
        "name": name,
        "steps": steps.to(torch.int16),
        "top": top,
        "evidence": evidence.item(),
        "mu": torch.as_tensor(mu).double().cpu().tolist(),
        "sigma": torch.as_tensor(sigma).double().cpu().tolist(),
        "image": None if image is None else as_bytes(image),
        "shape": None if image is None else list(image.shape),
    }


def _still(log_joint, mu, sigma, image, sent, limit, caption):
    """What the page shows at first, its draws made by torch."""
    mu, sigma, log_joint = (torch.as_tensor(v).double().cpu() for v in (mu, sigma, log_joint))
    z = mu + sigma * torch.randn(DRAWS, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    at = ((z + limit) / (2 * limit) * (len(log_joint) - 1)).round().long().clamp(0, len(log_joint) - 1)
    log_q = log_density(z, mu.expand_as(z), (2 * sigma.log()).expand_as(z))
    log_w = log_joint[at[:, 1], at[:, 0]] - log_q
    figure, (plane, bars) = plots.axes(1, 2, size=(4.2, 3.6), width_ratios=(1, 1))
    seen = (log_joint - log_joint.max()).exp().sqrt()
    plane.imshow(plots.array(seen), origin="lower", extent=(-limit, limit) * 2, cmap="Greys")
    plots.sigma_ellipses(plane, plots.array(mu), plots.array(sigma.diag()), COLOURS[0])
    plane.set(xlabel="$z_1$", ylabel="$z_2$")
    values = {"ELBO": log_w.mean(), f"L for K = {DRAWS:,}": log_mean_exp(log_w), "log p(x)": sent["evidence"]}
    reach = max(12.0, 1.2 * (sent["evidence"] - values["ELBO"].item()))  # the axis starts below the ELBO
    low = sent["evidence"] - reach
    for i, (name, value) in enumerate(values.items()):
        bars.barh(2 - i, max(0, float(value) - low), left=low, color=COLOURS[(0, 7, 9)[i]], alpha=0.7)
        said = f"{name}: {float(value):.2f}".replace("-", "\N{MINUS SIGN}")
        bars.text(low + reach / 60, 2 - i, said, va="center")
    count = effective_samples(log_w[None]).item()
    bars.set(xlim=(low, sent["evidence"] + reach / 12), yticks=[], xlabel="nats")
    bars.set_title(f"{DRAWS:,} draws, {count:.0f} effective", fontsize=10)
    return plots.Picture(figure, caption)
