"""A Gaussian cloud in the plane, to stretch and to tilt (lesson 03)."""

import torch

from vae_lessons import plots
from vae_lessons.explorers.page import Page
from vae_lessons.gaussian import sample_cloud
from vae_lessons.plots import COLOURS

DRAWS = 400
START = {"kind": "full", "sigma_1": 2.0, "sigma_2": 1.0, "correlation": 0.6}


def gaussian():
    """Drag the two sigmas and the correlation of a cloud in the plane, and choose its kind -> Page.

    The draws are z = A eps with the same eps throughout, so each of them can be followed.
    """
    eps = torch.randn(DRAWS, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    caption = (
        "Explorer: a Gaussian cloud in the plane with its ellipses at 1, 2 and 3 standard deviations, its "
        "covariance matrix, and how many numbers an isotropic, a diagonal and a full covariance take."
    )
    data = {"eps": eps.float(), "start": START}
    return Page("gaussian", _still(caption), data)


def _still(caption):
    first, second, both = START["sigma_1"], START["sigma_2"], START["correlation"]
    both *= first * second
    covariance = torch.tensor([[first**2, both], [both, second**2]], dtype=torch.float64)
    z = sample_cloud(DRAWS, torch.zeros(2).double(), covariance, torch.Generator().manual_seed(0))
    figure, ax = plots.axes()
    ax.plot(*z.T, ".", color=COLOURS[0], ms=3, alpha=0.6)
    plots.sigma_ellipses(ax, 0, plots.array(torch.linalg.cholesky(covariance)))
    ax.set(xlim=(-6, 6), ylim=(-6, 6), aspect="equal", xlabel="$x_1$", ylabel="$x_2$")
    return plots.Picture(figure, caption)
