"""Three estimators of one gradient, and how they scatter (lesson 05)."""

import torch

from vae_lessons import plots
from vae_lessons.estimators import reparameterized_gradient, score_function_gradient
from vae_lessons.explorers.page import Page
from vae_lessons.plots import COLOURS

REPEATS = 80
ESTIMATORS = {"score function": COLOURS[6], "with baseline": COLOURS[4], "reparameterized": COLOURS[0]}
SAMPLES, LATENT = [2**i for i in range(11)], [2**i for i in range(6)]
START = {"samples": 4, "latent": 16}


def estimators():
    """Drag the draws K and the dimensions L of z -> Page: how three gradient estimators scatter.

    The loss is the sum of (z_j - 2)^2, z ~ N(0, I_L); 80 estimates each of the gradient for mu_1, whose
    true value is -4.
    """
    caption = (
        "Explorer: eighty estimates of one gradient by the score function, by the same with a baseline and "
        "by reparameterization, and their variances, which differ by orders of magnitude."
    )
    data = {"repeats": REPEATS, "samples": SAMPLES, "latent": LATENT, "start": START}
    return Page("estimators", _still(caption), data | {"estimators": ESTIMATORS})


def _still(caption):
    zero, total = torch.zeros(START["latent"]), REPEATS * START["samples"]
    args = (lambda z: ((z - 2) ** 2).sum(1)), zero, zero, total
    noise = [torch.Generator().manual_seed(0) for _ in range(3)]
    found = (
        score_function_gradient(*args, generator=noise[0]),
        score_function_gradient(*args, baseline="others", generator=noise[1]),
        reparameterized_gradient(*args, generator=noise[2]),
    )
    figure, (left, right) = plots.axes(1, 2, sharey=True, width_ratios=(2, 1), size=(4.2, 2.8))
    for row, (gradients, colour) in enumerate(zip(found, ESTIMATORS.values(), strict=True)):
        values = gradients.mu[:, 0].view(REPEATS, -1).mean(1)
        height = row + 0.56 * (torch.arange(REPEATS) * 0.618 % 1 - 0.5)
        left.plot(values, height, "o", color=colour, ms=4, alpha=0.5, mew=0)
        right.barh(row, values.var().item(), color=colour, alpha=0.7, height=0.5)
    left.set_xscale("asinh", linear_width=2)
    left.set(
        xlim=(-3e3, 3e3), ylim=(2.6, -0.6), xlabel=r"estimates of the gradient for $\mu_1$, which is $-4$"
    )
    left.set_xticks((-1000, -100, -10, 0, 10, 100, 1000))
    left.minorticks_off()
    left.set_yticks(range(3), list(ESTIMATORS))
    left.axvline(-4, color=plots.INK, lw=1)
    right.set(xscale="log", xlim=(1e-3, 1e6), xlabel="variance of the 80 estimates")
    return plots.Picture(figure, caption)
