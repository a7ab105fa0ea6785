"""q over the exact posterior, and the evidence divided into bound and gap (lessons 06 and 07)."""

import math

import torch

from vae_lessons import plots
from vae_lessons.explorers.page import Page
from vae_lessons.plots import COLOURS

START = {"mu": -0.6, "sigma": 0.6}
EDGE, STEP = 13.0, 0.01  # a grid of z that holds q for every mu and sigma, and is finer than the narrowest q


def bound(curve, x):
    """Drag mu and sigma of q over the exact posterior of one x, Curve, (D,) or (1, D) -> Page.

    The bar is log p(x) = ELBO + gap, all three by quadrature: its right end stays where it is. Raises
    ValueError if x is more than one.
    """
    x = torch.as_tensor(x, dtype=torch.float64)
    x = x[None] if x.ndim == 1 else x
    if len(x) != 1:
        raise ValueError(f"x must be one x, (D,) or (1, D), not {tuple(x.shape)}.")
    z = torch.linspace(-EDGE, EDGE, round(2 * EDGE / STEP) + 1, dtype=torch.float64)
    with torch.no_grad():
        log_joint, evidence = curve.log_joint(x, z[None])[0], curve.log_evidence(x).item()
        elbo = curve.elbo(x, *(torch.tensor([v], dtype=torch.float64) for v in START.values())).item()
    caption = (
        "Explorer: q, a bell curve to drag, over the exact posterior of an x; below them a bar, log p(x), "
        "divided into the ELBO in indigo and the gap in rose."
    )
    lowest = min(-20.0, 10 * math.floor(evidence / 10) - 10.0)  # nats, where the bar begins
    data = {"edge": EDGE, "log_joint": log_joint, "evidence": evidence, "lowest": lowest}
    still = _still(z, (log_joint - evidence).exp(), evidence, elbo, lowest, caption)
    return Page("bound", still, data | {"start": START})


def _still(z, posterior, evidence, elbo, lowest, caption):
    figure, (top, bar) = plots.axes(2, 1, size=(6.5, 2.2), height_ratios=(3, 1))
    mu, sigma = START.values()
    top.plot(z, posterior, color=plots.INK, label="p(z|x), exact")
    q = torch.exp(-(((z - mu) / sigma) ** 2) / 2) / (sigma * math.sqrt(2 * math.pi))
    top.plot(z, q, color=COLOURS[0], label=r"$q = N(\mu, \sigma^2)$")
    high = max(2.0, 1.2 * posterior.max().item())
    top.set(xlim=(-3.5, 3.5), ylim=(0, high), xlabel="z", ylabel="density")
    top.legend(frameon=False, loc="upper left")
    edge = max(elbo, lowest)
    bar.barh(0, edge - lowest, left=lowest, color=COLOURS[0], alpha=0.5)
    bar.barh(0, evidence - edge, left=edge, color=COLOURS[6], alpha=0.8)
    words = f"log p(x) = ELBO + gap:   {evidence:.3f} = {elbo:.3f} + {evidence - elbo:.3f}"
    bar.text(lowest, 0.6, words.replace("-", "\N{MINUS SIGN}"), fontsize=11)
    bar.set(xlim=(lowest, max(0.0, evidence + 1)), ylim=(-0.5, 1.0), yticks=[], xlabel="nats")
    return plots.Picture(figure, caption)
