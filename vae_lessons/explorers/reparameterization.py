"""Draws that move with mu and sigma while their noise stays, and the gradient of each (lesson 05)."""

import numpy as np
import torch

from vae_lessons import plots
from vae_lessons.explorers.page import Page
from vae_lessons.plots import COLOURS

DRAWS = 9
START = {"mu": -0.5, "sigma": 1.2}


def reparameterization():
    """Drag mu and sigma with eps held fixed -> Page: how each of nine draws moves, and its two gradients.

    The nine eps are spread evenly through N(0, 1), so that their mean gradient is near that of E[f(z)].
    """
    eps = torch.special.ndtri(torch.linspace(0.06, 0.94, DRAWS, dtype=torch.float64))
    caption = (
        "Explorer: nine draws z = mu + sigma eps, joined to their eps, with both bell curves; the loss "
        "(z - 2)^2 with its slope at each draw; and what each draw adds to the gradient for mu and for sigma."
    )
    return Page("reparameterization", _still(eps, caption), {"eps": eps, "start": START})


def _still(eps, caption):
    mu, sigma = START.values()
    z, at = mu + sigma * eps, np.linspace(-6.5, 6.5, 301)
    figure, (left, right) = plots.axes(1, 2, size=(4.2, 3.4))
    for level, mean, width, colour, side in ((1, 0, 1, plots.INK, 1), (0, mu, sigma, COLOURS[0], -1)):
        bell = np.exp(-(((at - mean) / width) ** 2) / 2) / (width * np.sqrt(2 * np.pi))
        left.plot(at, level + side * bell, color=colour, lw=1)
        left.plot(mean + width * eps, level + 0 * eps, "o", color=colour, ms=5)
    left.plot(torch.stack([eps, z]), [1, 0], color=plots.FAINT, lw=0.8, zorder=0)
    left.set(xlim=(-6.5, 6.5), xlabel="z", title="every draw moves")
    left.set_yticks([0, 1], ["$z$", r"$\varepsilon$"])
    right.plot(at, (at - 2) ** 2, color=plots.INK, lw=1)
    right.plot(z, (z - 2) ** 2, "o", color=COLOURS[0], ms=6)
    for x in z.tolist():
        run = 0.7 / np.hypot(1, (x - 2) / 2) * np.array([-1, 1])
        right.plot(x + run, (x - 2) ** 2 + 2 * (x - 2) * run, color=COLOURS[6], lw=2)
    right.set(xlim=(-6.5, 6.5), ylim=(-2, 34), xlabel="z", title=r"$f(z) = (z - 2)^2$ and its slopes")
    return plots.Picture(figure, caption)
