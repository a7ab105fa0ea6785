"""Drag through a plane of codes: what is decoded there, and how near real images are."""

import numpy as np

from vae_lessons import plots
from vae_lessons.explorers.page import Page, as_bytes, check_plane, decoder, named, real_images
from vae_lessons.measures.pictures import nearest


def latent(models, data, walk=None, limit=None):
    """Drag through the plane of codes, model or [model, ...] or {name: model}, Data -> Page.

    One handle moves in all planes, to the same place between their edges; beside them is what each model
    draws there, and the nearest of 1,000 test images, by Euclid over pixels. `walk`, a pair, numbers the
    images to walk between; `limit` gives all planes one scale. Raises ValueError unless latent is 2.
    """
    models = named(models)
    for _, model in models:
        check_plane(model)
    images, y = real_images(data)
    start, end = walk or (0, int(np.argmax(y != y[0])))
    planes = [{"name": name, "model": model, "codes": model.code(images).float()} for name, model in models]
    for plane in planes:
        plane["box"] = box(plane["codes"], limit)
    names = " and ".join(name for name, _ in models)
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


def box(codes, limit=None):
    """What part of the plane is shown, (N, 2) -> [left, right, bottom, top], a square."""
    if limit:
        return [-limit, limit, -limit, limit]
    low, high = codes.amin(0), codes.amax(0)
    half = float(0.53 * (high - low).max().clamp(min=1e-3))
    x, y = ((low + high) / 2).tolist()
    return [x - half, x + half, y - half, y + half]


def _still(planes, images, y, start, caption):
    figure, made = plots.axes(1, 2 * len(planes), size=(2.6, 3.2), width_ratios=[3, 1] * len(planes))
    for plane, ax, beside in zip(planes, made[::2], made[1::2], strict=True):
        z, left_right = plane["codes"], plane["box"]
        plots.scatter(ax, plots.array(z), y)
        ax.plot(*z[start], "o", ms=11, mfc="white", mec=plots.INK, mew=2)
        ax.set(xlim=left_right[:2], ylim=left_right[2:], aspect="equal", title=plane["name"])
        picture = plane["model"].picture(z[start][None])
        found = nearest(picture, images).index
        plots.tiles(beside, plots.drawable(np.concatenate([picture, images[found]])), 1)
        beside.set_title("decoded;\nnearest", fontsize=9)
    return plots.Picture(figure, caption)
