"""One bell curve over two peaks, and what three divergences say of it (lesson 16)."""

import math

import torch

from vae_lessons import plots
from vae_lessons.explorers.page import Page
from vae_lessons.plots import COLOURS

PEAK, SD = 2.0, 0.5
START = {"mu": 0.7, "sigma": 1.2}
BEST = {  # of KL(p || q), the moments of p; of KL(q || p), one peak, up to the shoulder of the other
    "KL(p ‖ q)": (0.0, math.sqrt(PEAK**2 + SD**2)),
    "KL(q ‖ p)": (PEAK, SD),
}


def peaks():
    """Drag mu and sigma of q = N(mu, sigma^2) over p, two peaks at -2 and 2 of sd 0.5, -> Page.

    Beside the densities stand KL(p || q), KL(q || p) and the Jensen-Shannon divergence, each along mu with
    sigma as it is. Two buttons put q where one of the two KLs is smallest.
    """
    caption = (
        "Explorer: left, the density p with two peaks and q, a bell curve to drag; right, both KLs and the "
        "Jensen-Shannon divergence for every mean of q, the present one marked."
    )
    return Page("peaks", _still(caption), {"start": START, "peak": PEAK, "sd": SD, "best": BEST})


def _still(caption):
    z, mu = torch.linspace(-24, 24, 4801).double(), torch.linspace(-4, 4, 81).double()
    log_p = torch.stack([_log_normal(z, peak, SD) for peak in (-PEAK, PEAK)]).logsumexp(0) - math.log(2)
    figure, (left, right) = plots.axes(1, 2, size=(4.2, 3.2))
    left.plot(z, log_p.exp(), color=plots.INK, label="$p$, two peaks")
    left.plot(z, _log_normal(z, *START.values()).exp(), color=COLOURS[0], label=r"$q = N(\mu, \sigma^2)$")
    left.set(xlim=(-5, 5), ylim=(0, 0.9), xlabel="z", ylabel="density")
    left.legend(frameon=False)
    values = torch.stack([_divergences(z, log_p, _log_normal(z, m, START["sigma"])) for m in mu], 1)
    for name, line, colour in zip((*BEST, "Jensen-Shannon"), values, (6, 0, 9), strict=True):
        right.plot(mu, line, color=COLOURS[colour], label=name)
    right.axvline(START["mu"], color=plots.INK, lw=0.8)
    right.set(xlim=(-4, 4), ylim=(0, 4), xlabel=r"mean of q, $\mu$", ylabel="nats")
    right.legend(frameon=False)
    return plots.Picture(figure, caption)


def _log_normal(z, mu, sigma):
    return -(((z - mu) / sigma) ** 2) / 2 - math.log(sigma * math.sqrt(2 * math.pi))


def _divergences(z, log_p, log_q):
    """KL(p || q), KL(q || p) and Jensen-Shannon of two log-densities on a grid, (N,) -> (3,), in nats."""
    p, q, middle = log_p.exp(), log_q.exp(), torch.logaddexp(log_p, log_q) - math.log(2)
    shared = (p * (log_p - middle) + q * (log_q - middle)) / 2
    return torch.stack([p * (log_p - log_q), q * (log_q - log_p), shared]).sum(1) * (z[1] - z[0])
