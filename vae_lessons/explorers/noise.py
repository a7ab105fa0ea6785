"""Draws that move with mu and sigma, and gradient estimators that scatter (lesson 05)."""

import ipywidgets as widgets
import numpy as np
import torch

from vae_lessons import estimators as maths
from vae_lessons.explorers import ink
from vae_lessons.explorers.stage import Panel, slider
from vae_lessons.gaussian import reparameterize
from vae_lessons.plots import COLOURS, INK, axes

INDIGO, ROSE, PURPLE = COLOURS[0], COLOURS[6], COLOURS[4]
DRAWS, REPEATS = 9, 80
ESTIMATORS = {"score function": ROSE, "with baseline": PURPLE, "reparameterized": INDIGO}
GREEK = "\N{GREEK SMALL LETTER MU}", "\N{GREEK SMALL LETTER SIGMA}"


def loss(z):
    """The lesson's loss, (...) -> (...): f(z) = (z - 2)^2."""
    return (z - 2) ** 2


class Draws:
    """The picture of z = mu + sigma * eps with eps held fixed, and of each draw's share of the gradient."""

    at = np.linspace(-6, 6, 301)

    def __init__(self):
        self.eps = torch.special.ndtri(torch.linspace(0.06, 0.94, DRAWS, dtype=torch.float64))
        figure, (left, right) = axes(1, 2)
        left.set(xlim=(-6, 6), ylim=(-0.75, 1.95), yticks=[0, 1], xlabel="z", title="every draw moves")
        left.set_yticklabels(["$z$", r"$\varepsilon$"], fontsize=13)
        left.tick_params(axis="y", length=0)
        left.spines["left"].set_visible(False)
        left.plot(self.at, 1 + 0.6 * np.exp(-(self.at**2) / 2) / np.sqrt(2 * np.pi), color=INK, lw=1)
        left.plot(self.eps, np.ones(DRAWS), "o", color=INK, ms=5)
        self.ways = [left.plot([], [], color="#999999", lw=0.8)[0] for _ in range(DRAWS)]
        (self.bell,) = left.plot([], [], color=INDIGO)
        (self.dots,) = left.plot([], [], "o", color=INDIGO, ms=6)
        right.plot(self.at, loss(self.at), color=INK, lw=1)
        right.set(xlim=(-6, 6), ylim=(-12, 34), xlabel="z", ylabel="loss f(z)")
        right.set_title(r"$f(z) = (z - 2)^2$ and its slope at each draw")
        (self.paid,) = right.plot([], [], "o", color=INDIGO, ms=6)
        self.slopes = [right.plot([], [], color=ROSE, lw=2)[0] for _ in range(DRAWS)]
        self.words = right.text(-5.8, -1.5, "", fontsize=10, va="top", linespacing=1.5)
        moving = [*self.ways, self.bell, self.dots, self.paid, *self.slopes, self.words]
        self.sheet = ink.Sheet(figure, 840, 350, moving)

    def __call__(self, mu, sigma):
        """The picture -> PIL image, words."""
        z, slopes, (by_mu, by_sigma) = self._gradients(mu, sigma)
        for line, e, x in zip(self.ways, self.eps.numpy(), z, strict=True):
            line.set_data([e, x], [1, 0])
        self.dots.set_data(z, np.zeros(DRAWS))
        density = np.exp(-(((self.at - mu) / sigma) ** 2) / 2) / (sigma * np.sqrt(2 * np.pi))
        self.bell.set_data(self.at, -0.75 + 0.6 * np.minimum(density, 1.2))
        self.paid.set_data(z, loss(z))
        for line, x, slope in zip(self.slopes, z, slopes, strict=True):
            run = 0.7 / np.hypot(1, slope / 4)
            line.set_data([x - run, x + run], [loss(x) - run * slope, loss(x) + run * slope])
        exact = 2 * (mu - 2), 2 * sigma
        lines = (
            rf"$\partial/\partial\mu$:  mean of $f'(z)\cdot 1$ = {by_mu:.2f}   (exact: {exact[0]:.2f})",
            rf"$\partial/\partial\sigma$:  mean of $f'(z)\cdot\varepsilon$ = {by_sigma:.2f}   "
            rf"(exact: {exact[1]:.2f})",
        )
        self.words.set_text(
            "\n".join(lines).replace("= -", "= \N{MINUS SIGN}").replace(": -", ": \N{MINUS SIGN}")
        )
        return self.sheet.image(), (
            f"{DRAWS} draws at mu {mu:.2f}, sigma {sigma:.2f}: their mean gradient is {by_mu:.2f} for mu, "
            f"where that of E[f] is {exact[0]:.2f}, and {by_sigma:.2f} for sigma, where it is {exact[1]:.2f}."
        )

    def _gradients(self, mu, sigma):
        """The draws (K,), the slope of the loss at each (K,), the gradient for mu and sigma; by autograd."""
        m, s = (torch.tensor(float(v), dtype=torch.float64, requires_grad=True) for v in (mu, sigma))
        shape = self.eps.shape
        with torch.enable_grad():
            z = reparameterize(m.expand(shape), 2 * s.log().expand(shape), self.eps)
            value = loss(z)
            slopes = torch.autograd.grad(value.sum(), z, retain_graph=True)[0]
            gradients = torch.autograd.grad(value.mean(), (m, s))
        return z.detach().numpy(), slopes.numpy(), [g.item() for g in gradients]


def reparameterization():
    """Drag mu and sigma with eps held fixed -> Explorer: how each of nine draws moves, and its slope.

    The nine eps are spread evenly through N(0, 1), so that their mean gradient is near that of E[f(z)].
    """
    controls = {
        "mu": slider(GREEK[0], -0.5, -3.0, 3.0, 0.05),
        "sigma": slider(GREEK[1], 1.2, 0.1, 2.0, 0.05),
    }
    sentence = (
        "Explorer: left, nine draws z = mu + sigma eps, joined to their eps, above the bell curve they make; "
        "right, the loss (z - 2)^2 with its slope at each draw, and the mean gradient for mu and sigma."
    )
    return Panel("reparameterization", sentence, Draws(), controls, (840, 350))


class Scatter:
    """The picture of three estimators of one coordinate's gradient: 80 estimates each, and their variance."""

    def __init__(self):
        figure, (left, right) = axes(1, 2, sharey=True, width_ratios=(2, 1))
        self.kept, self.rows = {}, range(3)
        left.set_xscale("asinh", linear_width=2)
        left.set(xlim=(-3e3, 3e3), ylim=(2.6, -0.6))
        left.set_xlabel(r"estimates of the gradient for $\mu_1$, which is $-4$")
        ticks = (-1000, -100, -10, 0, 10, 100, 1000)
        left.set_xticks(ticks, [f"{t:,}".replace("-", "\N{MINUS SIGN}") for t in ticks])
        left.minorticks_off()
        left.set_yticks(self.rows, list(ESTIMATORS))
        left.tick_params(axis="y", length=0)
        left.axvline(-4, color=INK, lw=1)
        right.set(xscale="log", xlim=(1e-3, 4e6), xlabel="their variance")
        self.jitter = np.random.default_rng(0).uniform(-0.28, 0.28, REPEATS)
        inks = ESTIMATORS.values()
        self.dots = [left.plot([], [], "o", color=c, ms=4, alpha=0.5, mew=0)[0] for c in inks]
        self.bars = [right.barh(i, 1, color=c, alpha=0.7, height=0.5)[0] for i, c in enumerate(inks)]
        self.words = [right.text(1, i, "", va="center", fontsize=10) for i in self.rows]
        self.sheet = ink.Sheet(figure, 840, 300, [*self.dots, *self.bars, *self.words])

    def estimates(self, samples, latent):
        """80 means over K samples of each estimator's first coordinate, {name: (80,)}; worked out once."""
        if (samples, latent) not in self.kept:
            zero = torch.zeros(latent, dtype=torch.float64)
            total = REPEATS * samples
            args = (lambda z: loss(z).sum(1)), zero, zero, total
            noise = [torch.Generator().manual_seed(0) for _ in range(3)]
            found = {
                "score function": maths.score_function_gradient(*args, generator=noise[0]),
                "with baseline": maths.score_function_gradient(*args, baseline="others", generator=noise[1]),
                "reparameterized": maths.reparameterized_gradient(*args, generator=noise[2]),
            }
            means = {name: g.mu[:, 0].view(REPEATS, samples).mean(1).numpy() for name, g in found.items()}
            self.kept[samples, latent] = means
        return self.kept[samples, latent]

    def __call__(self, samples, latent):
        """The picture -> PIL image, words."""
        found, said = self.estimates(samples, latent), []
        for i, (name, values) in enumerate(found.items()):
            variance = values.var(ddof=1)
            self.dots[i].set_data(values, i + self.jitter)
            self.bars[i].set(x=1e-3, width=variance - 1e-3)
            text = f"{variance:,.3g}" if variance < 1e3 else f"{variance:,.0f}"
            self.words[i].set(x=1.4 * variance, text=text)
            said.append(f"{name} {variance:.3g}")
        return self.sheet.image(), f"K = {samples}, L = {latent}; variance: {', '.join(said)}."


def estimators():
    """Drag the samples K and the numbers L in z -> Explorer: how three gradient estimators scatter.

    The loss is the sum of (z_j - 2)^2, z ~ N(0, I_L); 80 estimates each of the gradient for mu_1, whose
    true value is -4.
    """
    choices = {"samples": ("K", (1, 2, 4, 8, 16, 32, 64, 128), 4), "latent": ("L", (1, 2, 4, 8, 16, 32), 16)}
    controls = {
        name: widgets.SelectionSlider(
            options=[(str(v), v) for v in values],
            value=start,
            description=label,
            style={"description_width": "auto"},
            layout={"width": "330px"},
        )
        for name, (label, values, start) in choices.items()
    }
    sentence = (
        "Explorer: eighty estimates of one gradient by the score function, by the same with a baseline and "
        "by reparameterization, and their variances, which differ by orders of magnitude."
    )
    return Panel("estimators", sentence, Scatter(), controls, (840, 300))
