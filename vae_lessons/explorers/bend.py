"""Bend a Gaussian by hand over the banana's exact posterior; log p(x) = bound + gap (lesson 15)."""

import math

import torch

from vae_lessons import evidence, plots
from vae_lessons.explorers.page import Page
from vae_lessons.plots import COLOURS

SIGMA_X, EDGE, POINTS, START = 0.3, 2.5, 101, 0.0
LOWEST = -6.0  # nats, where the bar begins


def bend():
    """Move b of z_2 = m_2 + sigma_2 eps_2 + b z_1^2, and sigma_1, over the posterior of x = 1, -> Page.

    sigma_2 and m_2 are the best ones for b and sigma_1, and m_1 is 0. The bar is log p(x) = ELBO + gap.
    """
    x = torch.ones(1, dtype=torch.float64)
    world = evidence.Plane(evidence.banana, SIGMA_X)
    log_posterior, _ = world.log_posterior(x, EDGE, POINTS)
    log_evidence = world.log_evidence(x).item()
    eps = torch.randn(300, 2, generator=torch.Generator().manual_seed(0))
    caption = (
        "Explorer: draws of a Gaussian that is bent by a number b, over the exact posterior in grey; below "
        "them the bar log p(x), divided into the ELBO in indigo and the gap in rose."
    )
    density = log_posterior.exp()
    data = {"density": (density / density.max()).float(), "edge": EDGE, "evidence": log_evidence, "eps": eps}
    data |= {"sigma_x": SIGMA_X, "x": 1.0, "lowest": LOWEST, "start": {"b": START, "s": 0.5}}
    return Page("bend", _still(density, eps, log_evidence, caption), data)


def best(b, s):
    """The ELBO of the bent Gaussian with its best m_2 and sigma_2, two numbers -> elbo, m_2, sigma_2.

    log N(1; z_2 + z_1^2, sigma_x^2) + log N(z_1) + log N(z_2) is a square in z_2 = m + sigma eps + b z_1^2,
    so that its mean needs E z_1^2 = s^2 and E z_1^4 = 3 s^4 only.
    """
    v, w = SIGMA_X**2, s * s
    m = ((1 - (1 + b) * w) / v - b * w) / (1 / v + 1)  # where the slope over m is 0
    sigma = (1 / v + 1) ** -0.5
    away = (1 - m) ** 2 - 2 * (1 - m) * (1 + b) * w + 3 * (1 + b) ** 2 * w * w + sigma**2
    square = m * m + 2 * m * b * w + 3 * b * b * w * w + sigma**2
    log_joint = -away / (2 * v) - math.log(2 * math.pi * v) / 2 - (w + square) / 2 - math.log(2 * math.pi)
    return log_joint + math.log(s * sigma) + math.log(2 * math.pi * math.e), m, sigma


def _still(density, eps, log_evidence, caption):
    figure, (plane, bar) = plots.axes(2, 1, size=(5, 2.6), height_ratios=(4, 1))
    b, s = START, 0.5
    elbo, m, sigma = best(b, s)
    z1 = s * eps[:, 0]
    extent = (-EDGE, EDGE, -EDGE, EDGE)
    plane.imshow(plots.array(density), cmap="Greys", origin="lower", extent=extent)
    plane.plot(plots.array(z1), plots.array(m + sigma * eps[:, 1] + b * z1**2), ".", color=COLOURS[0], ms=3)
    plane.set(xlim=(-EDGE, EDGE), ylim=(-EDGE, EDGE), xlabel="$z_1$", ylabel="$z_2$")
    bar.barh(0, elbo - LOWEST, left=LOWEST, color=COLOURS[0], alpha=0.5)
    bar.barh(0, log_evidence - elbo, left=elbo, color=COLOURS[6], alpha=0.8)
    words = f"log p(x) = ELBO + gap:   {log_evidence:.3f} = {elbo:.3f} + {log_evidence - elbo:.3f}"
    bar.text(LOWEST, 0.6, words.replace("-", "\N{MINUS SIGN}"), fontsize=11)
    bar.set(xlim=(LOWEST, 0), ylim=(-0.5, 1.0), yticks=[], xlabel="nats")
    return plots.Picture(figure, caption)
