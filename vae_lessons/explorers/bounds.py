"""q over the exact posterior, and the evidence divided into bound and gap (lesson 06)."""

import numpy as np
import torch

from vae_lessons.explorers import ink
from vae_lessons.explorers.stage import Panel, slider
from vae_lessons.plots import COLOURS, INK, axes

INDIGO, ROSE = COLOURS[0], COLOURS[6]
LOWEST = -20.0  # nats, where the bar begins


class Bound:
    """The picture of one q: two densities, and the bar log p(x) = ELBO + gap."""

    def __init__(self, curve, x):
        self.curve, self.x = curve, x
        self.z = torch.linspace(-3.5, 3.5, 401, dtype=torch.float64)
        self.evidence = curve.log_evidence(x).item()
        posterior = curve.log_posterior(x, self.z[None])[0].exp()
        figure, (top, bar) = axes(2, 1, height_ratios=(3, 1))
        top.plot(self.z, posterior, color=INK, label="p(z|x), exact")
        (self.q,) = top.plot([], [], color=INDIGO, label=r"$q = N(\mu, \sigma^2)$")
        top.set(
            xlim=(-3.5, 3.5), ylim=(0, max(2.0, 1.2 * posterior.max().item())), xlabel="z", ylabel="density"
        )
        top.legend(frameon=False, loc="upper left")
        high = max(0.0, self.evidence + 1)
        bar.set(xlim=(LOWEST, high), ylim=(-0.5, 0.9), yticks=[], xlabel="nats")
        bar.spines["left"].set_visible(False)
        self.elbo = bar.barh(0, 1, left=LOWEST, color=INDIGO, alpha=0.5)[0]
        self.gap = bar.barh(0, 1, color=ROSE, alpha=0.8)[0]
        bar.axvline(self.evidence, ymax=0.72, color=INK)
        self.words = bar.text(LOWEST, 0.6, "", fontsize=11, va="center")
        self.sheet = ink.Sheet(figure, 760, 400, [self.q, self.elbo, self.gap, self.words])

    def __call__(self, mu, sigma):
        """The picture -> PIL image, words."""
        bound = self.curve.elbo(self.x, *torch.tensor([[mu], [sigma]], dtype=torch.float64)).item()
        gap = self.evidence - bound
        z = self.z.numpy()
        self.q.set_data(z, np.exp(-(((z - mu) / sigma) ** 2) / 2) / (sigma * np.sqrt(2 * np.pi)))
        edge = max(bound, LOWEST)
        self.elbo.set_width(edge - LOWEST)
        self.gap.set(x=edge, width=self.evidence - edge)
        words = f"log p(x) = ELBO + gap:   {self.evidence:.3f} = {bound:.3f} + {gap:.3f}"
        self.words.set_text(words.replace("-", "\N{MINUS SIGN}"))
        return self.sheet.image(), f"{words} nats, at mu {mu:.2f} and sigma {sigma:.2f}."


def bound(curve, x):
    """Drag mu and sigma of q over the exact posterior of one x, Curve, (D,) or (1, D) -> Explorer.

    The bar is log p(x) = ELBO + gap, all three by quadrature: its right end stays where it is. Raises
    ValueError if x is more than one.
    """
    x = torch.as_tensor(x, dtype=torch.float64)
    x = x[None] if x.ndim == 1 else x
    if len(x) != 1:
        raise ValueError(f"x must be one x, (D,) or (1, D), not {tuple(x.shape)}.")
    controls = {
        "mu": slider("\N{GREEK SMALL LETTER MU}", -0.6, -3.0, 3.0, 0.02, 340),
        "sigma": slider("\N{GREEK SMALL LETTER SIGMA}", 0.6, 0.05, 1.6, 0.01, 340),
    }
    sentence = (
        "Explorer: q, a bell curve to drag, over the exact posterior of an x; below them a bar, log p(x), "
        "divided into the ELBO in indigo and the gap in rose."
    )
    return Panel("bound", sentence, Bound(curve, x), controls, (760, 400))
