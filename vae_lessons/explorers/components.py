"""Count the principal components of which images are rebuilt."""

import numpy as np

from vae_lessons import plots
from vae_lessons.explorers.page import Page, as_bytes, quantized
from vae_lessons.settings import whole_number

MOST, IMAGES = 128, 10


def components(pca, data, latent=16):
    """Drag the number of principal components L from 0 to 128, PCA, Data -> Page.

    It shows ten test images, what L components rebuild of them, and the share of the variance of the
    training images that they keep. `latent` is where the slider starts. Raises ValueError if that is no
    number of components, or the images have another shape than those of `pca`.
    """
    pca = pca.first(min(MOST, len(pca.components)))
    latent = min(whole_number("latent", latent, 0), len(pca.components))
    images = data.test.batch(slice(IMAGES)).x.to(pca.mean)
    codes = pca.encode(images)
    kept = np.concatenate([[0], np.cumsum(plots.array(pca.shares))])
    return Page(
        "components",
        _still(images, pca.first(latent).decode(codes[:, :latent]), latent, kept[latent]),
        {
            "mean": pca.mean.flatten().float(),
            "components": quantized(pca.components.flatten(1).float()),
            "codes": codes.float(),
            "images": as_bytes(images),
            "shape": images.shape[1:],
            "kept": kept.tolist(),
            "latent": latent,
        },
    )


def _still(images, rebuilt, latent, kept):
    figure, (ax, bar) = plots.axes(2, 1, size=(7, 1.15), height_ratios=[3, 1])
    rows = np.concatenate([plots.drawable(images), plots.drawable(rebuilt)])
    plots.tiles(ax, rows, len(images))
    for i, name in enumerate(("image", "rebuilt")):
        ax.text(-4, (i + 0.5) * images.shape[-2], name, ha="right", va="center", fontsize=10)
    bar.barh(0, 100 * kept, color=plots.COLOURS[0])
    words = f"L = {latent}: {kept:.1%} of the variance kept".replace("%", " %")
    bar.set(xlim=(0, 100), yticks=[], title=words, xlabel="variance of the training images kept, %")
    return plots.Picture(
        figure,
        f"Explorer: ten test images, what {latent} principal components rebuild of them, and a bar with the "
        "share of the variance that they keep.",
    )
