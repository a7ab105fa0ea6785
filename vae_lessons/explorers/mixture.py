"""Choose how many Gaussians a mixture has that is fitted to a model's codes (lesson 15)."""

import numpy as np
import torch

from vae_lessons import plots
from vae_lessons.explorers.page import Page, box, check_plane, decoder, real_images
from vae_lessons.flows import standard_log_density
from vae_lessons.mixture import fit_mixture
from vae_lessons.plots import COLOURS
from vae_lessons.runtime import resolve_seed
from vae_lessons.settings import whole_number

COUNTS = (1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 300)
START, DRAWS = 10, 12


def mixture(model, data, images=3_000, seed=None):
    """Move the number of Gaussians from 1 to 300, VAE with L = 2, Data -> Page.

    Each mixture is fitted to one code of each of so many training images, by 25 steps of
    expectation-maximization. It shows their ellipses over test codes, twelve draws decoded, and the mean of
    log r(z) - log N(z; 0, I) over training and test codes. Raises ValueError unless the model has two latent
    numbers and there are 300 images or more.
    """
    check_plane(model)
    images = whole_number("images", images, COUNTS[-1])
    train, test = (_codes(model, split.first(images).x, seed) for split in (data.train, data.test))
    generator = torch.Generator().manual_seed(resolve_seed(seed))
    mixtures, draws, nats = [], [], []
    for count in COUNTS:
        fitted = fit_mixture(train, count, seed, steps=25)
        mixtures.append({"mean": fitted.mean, "factor": torch.linalg.cholesky(fitted.covariance)})
        draws.append(fitted.sample(DRAWS, generator))
        nats.append([(fitted.log_density(z) - standard_log_density(z)).mean().item() for z in (train, test)])
    _, labels = real_images(data)
    codes = test[: len(labels)]
    caption = (
        "Explorer: a slider for the number of Gaussians, their ellipses at two standard deviations over the "
        "codes, and the nats that they gain on training and on test images."
    )
    square = box(torch.cat([codes, *draws]))
    return Page(
        "mixture",
        _still(codes, labels, mixtures[COUNTS.index(START)], nats, caption),
        {
            "counts": COUNTS,
            "mixtures": mixtures,
            "draws": torch.stack(draws),
            "nats": nats,
            "codes": codes,
            "labels": labels.tolist(),
            "box": square,
            "decoder": decoder(model, square),
            "shape": data.test.pixels.shape[1:],
            "start": START,
        },
    )


@torch.no_grad()
def _codes(model, x, seed):
    generator = torch.Generator(model.device).manual_seed(resolve_seed(seed))
    return model(x.to(model.device), generator=generator).z.float().cpu()


def _still(codes, labels, fitted, nats, caption):
    figure, (plane, curve) = plots.axes(1, 2, size=(4, 3.6))
    plots.scatter(plane, plots.array(codes), labels)
    for mean, factor in zip(*map(plots.array, fitted.values()), strict=True):
        turn = np.linspace(0, 2 * np.pi, 100)
        plane.plot(
            *(mean + 2 * np.stack([np.cos(turn), np.sin(turn)], 1) @ factor.T).T, color=plots.INK, lw=1
        )
    plane.set(xlabel="$z_1$", ylabel="$z_2$", aspect="equal", title=f"{START} Gaussians")
    for values, name, colour in zip(zip(*nats, strict=True), ("training", "test"), (0, 6), strict=True):
        curve.plot(COUNTS, values, "o-", color=COLOURS[colour], label=name, ms=4)
    curve.set(xscale="log", xlabel="Gaussians", ylabel="nats gained an image")
    curve.legend(frameon=False)
    return plots.Picture(figure, caption)
