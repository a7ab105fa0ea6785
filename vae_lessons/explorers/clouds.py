"""Gaussians to stretch and shift, and the KL between two of them (lessons 03 and 04)."""

import ipywidgets as widgets
import numpy as np
import torch

from vae_lessons import gaussian as maths
from vae_lessons.explorers import ink
from vae_lessons.explorers.stage import Panel, slider
from vae_lessons.plots import COLOURS, INK, axes

INDIGO, ROSE = COLOURS[0], COLOURS[6]
KINDS = {"isotropic": lambda D: 1, "diagonal": lambda D: D, "full": lambda D: D * (D + 1) // 2}
DRAWS = 400


class Cloud:
    """The picture of a 2-D Gaussian: its draws, its ellipses, its covariance, the numbers that it takes."""

    def __init__(self):
        figure, (left, right) = axes(1, 2)
        left.set(xlim=(-6, 6), ylim=(-6, 6), aspect="equal", xlabel="$x_1$", ylabel="$x_2$")
        (self.dots,) = left.plot([], [], ".", color=INDIGO, ms=3, alpha=0.6)
        self.rings = [left.plot([], [], color=INK, lw=1)[0] for _ in range(3)]
        right.axis("off")
        right.set(xlim=(0, 1), ylim=(0, 1))
        self.words = right.text(0, 0.92, "", fontsize=12, va="top", linespacing=1.7)
        self.counts = [right.text(0.02, 0.30 - 0.11 * i, "", fontsize=11) for i in range(3)]
        right.text(0.62, 0.41, "D = 2", fontsize=11, ha="right")
        right.text(0.95, 0.41, "D = 784", fontsize=11, ha="right")
        right.text(0.0, 0.52, "numbers in the covariance of D dimensions", fontsize=11)
        for i, count in enumerate(KINDS.values()):
            for x, D in ((0.62, 2), (0.95, 784)):
                right.text(x, 0.30 - 0.11 * i, f"{count(D):,}", fontsize=11, ha="right")
        self.sheet = ink.Sheet(figure, 800, 360, [self.dots, *self.rings, self.words, *self.counts])

    def covariance(self, kind, sigma_1, sigma_2, correlation):
        """The covariance of a kind (2, 2): what the kind cannot have is left out."""
        second = sigma_1 if kind == "isotropic" else sigma_2
        shared = correlation * sigma_1 * second if kind == "full" else 0.0
        return torch.tensor([[sigma_1**2, shared], [shared, second**2]], dtype=torch.float64)

    def __call__(self, kind, **values):
        """The picture -> PIL image, words."""
        covariance = self.covariance(kind, **values)
        noise = torch.Generator().manual_seed(0)  # the same eps for every covariance: the draws move
        z = maths.sample_cloud(DRAWS, torch.zeros(2, dtype=torch.float64), covariance, noise)
        self.dots.set_data(*z.T.numpy())
        turn = torch.linspace(0, 2 * torch.pi, 100, dtype=torch.float64)
        circle = torch.stack([turn.cos(), turn.sin()], 1) @ torch.linalg.cholesky(covariance).T
        for radius, line in enumerate(self.rings, 1):
            line.set_data(*(radius * circle).T.numpy())
        (a, b), (_, d) = covariance.tolist()
        self.words.set_text(
            rf"$\Sigma_{{11}} = \sigma_1^2 = {a:.2f}$"
            "\n"
            rf"$\Sigma_{{22}} = \sigma_2^2 = {d:.2f}$"
            "\n"
            rf"$\Sigma_{{12}} = \Sigma_{{21}} = \rho\,\sigma_1 \sigma_2 = {b:.2f}$"
        )
        for text, name in zip(self.counts, KINDS, strict=True):
            text.set(
                text=name, weight="bold" if name == kind else "normal", color=INDIGO if name == kind else INK
            )
        words = f"Draws and ellipses of a {kind} Gaussian: variances {a:.2f} and {d:.2f}, covariance {b:.2f}."
        return self.sheet.image(), words


class GaussianPanel(Panel):
    """`gaussian`: what a kind of covariance cannot have is greyed out."""

    def _show(self, change=None):
        kind = self.controls["kind"].value
        self.controls["sigma_2"].disabled = kind == "isotropic"
        self.controls["correlation"].disabled = kind != "full"
        super()._show(change)


def gaussian():
    """Drag the two sigmas and the correlation of a cloud in the plane, and choose its kind -> Explorer.

    The draws are z = A eps with the same eps throughout, so each of them can be followed.
    """
    controls = {
        "kind": widgets.ToggleButtons(
            options=list(KINDS),
            value="full",
            description="covariance",
            style={"button_width": "90px", "description_width": "auto"},
            layout={"width": "100%"},
        ),
        "sigma_1": slider("\N{GREEK SMALL LETTER SIGMA}\N{SUBSCRIPT ONE}", 2.0, 0.2, 3.0, 0.05),
        "sigma_2": slider("\N{GREEK SMALL LETTER SIGMA}\N{SUBSCRIPT TWO}", 1.0, 0.2, 3.0, 0.05),
        "correlation": slider("correlation \N{GREEK SMALL LETTER RHO}", 0.6, -0.95, 0.95, 0.05),
    }
    sentence = (
        "Explorer: a Gaussian cloud in the plane with its ellipses at 1, 2 and 3 standard deviations, its "
        "covariance matrix, and how many numbers an isotropic, a diagonal and a full covariance take."
    )
    return GaussianPanel("gaussian", sentence, Cloud(), controls, (800, 360))


class Divergence:
    """The picture of KL(q || N(0, 1)): two curves, and the integrand whose area it is."""

    at = np.linspace(-20, 20, 2001)  # wider than the picture, so that the areas are whole

    def __init__(self):
        figure, (left, right) = axes(1, 2)
        bell = np.exp(-(self.at**2) / 2) / np.sqrt(2 * np.pi)
        left.plot(self.at, bell, color=INK, label="$p = N(0, 1)$")
        (self.q,) = left.plot([], [], color=INDIGO, label=r"$q = N(\mu, \sigma^2)$")
        left.set(xlim=(-6, 6), ylim=(0, 1.4), xlabel="z", ylabel="density")
        left.legend(frameon=False, loc="upper left")
        (self.line,) = right.plot([], [], color=INK, lw=1)
        right.axhline(0, color=INK, lw=0.8)
        right.set(xlim=(-6, 6), ylim=(-1, 3), xlabel="z", title=r"integrand  $q\,(\log q - \log p)$")
        self.words = right.text(-5.8, 2.9, "", fontsize=11, va="top")
        self.areas = [right.fill([0], [0], color=colour, alpha=0.5, lw=0)[0] for colour in (ROSE, INDIGO)]
        self.sheet = ink.Sheet(figure, 800, 320, [self.q, self.line, *self.areas, self.words])

    def __call__(self, mu, sigma):
        """The picture -> PIL image, words."""
        log_q = -((self.at - mu) ** 2) / (2 * sigma**2) - np.log(sigma * np.sqrt(2 * np.pi))
        integrand = np.exp(log_q) * (log_q + (self.at**2 + np.log(2 * np.pi)) / 2)
        self.q.set_data(self.at, np.exp(log_q))
        self.line.set_data(self.at, integrand)
        more, less = np.clip(integrand, 0, None), np.clip(integrand, None, 0)
        for area, edge in zip(self.areas, (more, less), strict=True):
            area.set_xy(np.stack([self.at, edge], 1))
        mu, log_var = torch.tensor([[mu]]).double(), 2 * torch.tensor([[sigma]]).double().log()
        kl = maths.kl_standard_normal(mu, log_var).item()
        plus, minus = np.trapezoid(more, self.at), np.trapezoid(less, self.at)
        self.words.set_text(
            f"area {plus:.2f} above, {abs(minus):.2f} below\nKL(q || p) = {kl:.2f} nats".replace(
                "||", "$\\|$"
            )
        )
        return (
            self.sheet.image(),
            f"KL(q || p) is {kl:.3f} nats: {plus:.2f} above the axis less {abs(minus):.2f} below.",
        )


def kl():
    """Drag mu and sigma of q = N(mu, sigma^2) beside p = N(0, 1) -> Explorer: KL(q || p), its integrand."""
    controls = {
        "mu": slider("\N{GREEK SMALL LETTER MU}", 1.0, -3.0, 3.0, 0.05),
        "sigma": slider("\N{GREEK SMALL LETTER SIGMA}", 0.5, 0.3, 2.5, 0.05),
    }
    sentence = (
        "Explorer: left, the densities of q, which has a mean and a width to drag, and of p, the standard "
        "normal; right, the integrand whose area is KL(q || p), rose above the axis and indigo below."
    )
    return Panel("kl", sentence, Divergence(), controls, (800, 320))
