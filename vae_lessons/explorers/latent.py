"""Drag through a plane of codes: what is decoded there, and how near real images are."""

import numpy as np

from vae_lessons import plots
from vae_lessons.explorers.page import Page, as_bytes, decoder, draw_plane, planes_of, real_images
from vae_lessons.measures.pictures import nearest


def latent(models, data, walk=None, limit=None):
    """Drag through the plane of codes, model or [model, ...] or {name: model}, Data -> Page.

    One handle moves in all planes, to the same place between their edges; beside them is what each model
    draws there, and the nearest of 1,000 test images, by Euclid over pixels. `walk`, a pair, numbers the
    images to walk between; `limit` gives all planes one scale. Raises ValueError unless latent is 2.
    """
    images, y = real_images(data)
    start, end = walk or (0, int(np.argmax(y != y[0])))
    planes = planes_of(models, images, limit)
    names = " and ".join(plane["name"] for plane in planes)
    caption = (
        f"Explorer: {names}; the plane of codes, coloured by class, with a handle, the picture decoded at "
        "the handle and the nearest real image."
    )
    return Page(
        "latent",
        _still(planes, images, y, start, caption),
        {
            "models": [
                {key: plane[key] for key in ("name", "codes", "box")}
                | {"decoder": decoder(plane["model"], plane["box"])}
                for plane in planes
            ],
            "images": as_bytes(images),
            "shape": images.shape[1:],
            "labels": y.tolist(),
            "walk": [start, end],
        },
    )


def _still(planes, images, y, start, caption):
    figure, made = plots.axes(1, 2 * len(planes), size=(2.6, 3.2), width_ratios=[3, 1] * len(planes))
    for plane, ax, beside in zip(planes, made[::2], made[1::2], strict=True):
        z = plane["codes"]
        draw_plane(ax, z, y, plane["box"], z[start])
        ax.set_title(plane["name"])
        picture = plane["model"].picture(z[start][None])
        found = nearest(picture, images).index
        plots.tiles(beside, plots.drawable(np.concatenate([picture, images[found]])), 1)
        beside.set_title("decoded;\nnearest", fontsize=9)
    return plots.Picture(figure, caption)
