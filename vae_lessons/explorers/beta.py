"""A sweep over beta under one slider: planes of codes, the rate-distortion curve, draws (lessons 09, 10)."""

import torch

from vae_lessons import plots
from vae_lessons.explorers.page import Page, check_plane, decoder, real_images

CODES, DRAWS = 400, 30


def beta(models, points, data, limit=9.0, start=1):
    """One slider over models trained with different beta, {beta: VAE}, {beta: Scores}, Data -> Page.

    It shows the means of q(z|x) of 400 test images, from -limit to limit, with a handle and what is decoded
    there; thirty draws from the prior; and where the model lies on the rate-distortion curve of `points`.
    Raises ValueError if the betas differ, or a model has other than 2 latent numbers.
    """
    if list(models) != list(points) or not models:
        both = f"{list(models)} and {list(points)}"
        raise ValueError(f"models and points must have the same betas, not {both}.")
    for model in models.values():
        check_plane(model)
    images, y = real_images(data, CODES)
    start = list(models).index(start) if start in models else 0
    z = torch.randn(DRAWS, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float32)
    reach = max(limit, 4.0)
    sweep = [
        {
            "beta": f"{value:g}",
            "kl": points[value].kl,
            "nll": points[value].nll,
            "codes": model.code(images).float(),
            "decoder": decoder(model, [-reach, reach, -reach, reach]),
        }
        for value, model in models.items()
    ]
    return Page(
        "beta",
        _still(list(models.values())[start], sweep, start, y, z, limit),
        {
            "sweep": sweep,
            "start": start,
            "labels": y.tolist(),
            "shape": images.shape[1:],
            "draws": z,
            "limit": limit,
        },
    )


def _still(model, sweep, start, y, z, limit):
    figure, (ax, curve, draws) = plots.axes(1, 3, size=(3.1, 3.4), width_ratios=[1.2, 1, 0.9])
    here = sweep[start]
    plots.scatter(ax, plots.array(here["codes"]), y)
    plots.latent_axes(ax, here["codes"], limit, (1, 2, 3))
    ax.set_title(f"\N{GREEK SMALL LETTER BETA} = {here['beta']}")
    curve.plot([p["kl"] for p in sweep], [p["nll"] for p in sweep], "o:", color=plots.INK, ms=3)
    curve.plot(here["kl"], here["nll"], "o", color=plots.COLOURS[6], ms=11)
    curve.set(xlabel="rate: KL, nats per image", ylabel="distortion: nll, nats per image")
    plots.tiles(draws, plots.drawable(model.picture(z)), 5)
    draws.set_title("draws: z ~ N(0, I)", fontsize=10)
    return plots.Picture(
        figure,
        f"Explorer: the model trained with beta {here['beta']}; its plane of codes coloured by class, its "
        "point on the rate-distortion curve, and thirty of its draws.",
    )
