"""KL(q || N(0, 1)) of a bell curve to drag, and the integrand whose area it is (lesson 04)."""

import torch

from vae_lessons import plots
from vae_lessons.explorers.page import Page
from vae_lessons.gaussian import kl_standard_normal, log_density
from vae_lessons.plots import COLOURS

START = {"mu": 1.0, "sigma": 0.5}


def kl():
    """Drag mu and sigma of q = N(mu, sigma^2) beside p = N(0, 1) -> Page: KL(q || p) and its integrand."""
    caption = (
        "Explorer: left, the densities of q, which has a mean and a width to drag, and of p, the standard "
        "normal; right, the integrand whose area is KL(q || p), rose above the axis and indigo below."
    )
    return Page("kl", _still(caption), {"start": START})


def _still(caption):
    z = torch.linspace(-6, 6, 601)[:, None]
    mu, log_var = torch.tensor([[START["mu"]]]), 2 * torch.tensor([[START["sigma"]]]).log()
    log_q, log_p = (log_density(z, *(t.expand_as(z) for t in pair)) for pair in ((mu, log_var), [0 * mu] * 2))
    integrand, z = log_q.exp() * (log_q - log_p), z[:, 0]
    figure, (left, right) = plots.axes(1, 2, size=(4.2, 3.2))
    left.plot(z, log_p.exp(), color=plots.INK, label="$p = N(0, 1)$")
    left.plot(z, log_q.exp(), color=COLOURS[0], label=r"$q = N(\mu, \sigma^2)$")
    left.set(xlim=(-6, 6), ylim=(0, 1.4), xlabel="z", ylabel="density")
    left.legend(frameon=False, loc="upper left")
    right.fill_between(z, integrand.clamp(min=0), color=COLOURS[6], alpha=0.5, lw=0)
    right.fill_between(z, integrand.clamp(max=0), color=COLOURS[0], alpha=0.5, lw=0)
    right.plot(z, integrand, color=plots.INK, lw=1)
    right.axhline(0, color=plots.INK, lw=0.8)
    right.set(xlim=(-6, 6), ylim=(-1, 3), xlabel="z", title=r"integrand  $q\,(\log q - \log p)$")
    value = kl_standard_normal(mu, log_var).item()
    right.text(-5.8, 2.7, rf"KL(q $\|$ p) = {value:.2f} nats", fontsize=11)
    return plots.Picture(figure, caption)
