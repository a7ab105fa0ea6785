"""Write a digit by hand: where each model puts it, and the copies it makes of it."""

import torch

from vae_lessons import plots
from vae_lessons.explorers.latent import box
from vae_lessons.explorers.page import (
    Page,
    as_bytes,
    check_plane,
    decoder,
    encoder,
    named,
    real_images,
)

SENT = 300  # test images: the points of the planes, and what may be taken in place of handwriting
COPIES = 24


def handwriting(models, data, limit=None, first=0):
    """Write on a pad, model or [model, ...] or {name: model}, Data -> Page.

    What is written is scaled and centred as MNIST's images are; each model shows the code of it, or its cloud
    q(z|x), and copies. Test images can be taken instead, `first` to begin with; `limit` gives all planes one
    scale. Raises ValueError unless latent is 2, images are grey squares and the networks are linear layers.
    """
    models = named(models)
    for _, model in models:
        check_plane(model)
    images, y = real_images(data, SENT)
    if images.shape[1] != 1 or images.shape[2] != images.shape[3]:
        raise ValueError(f"Handwriting is grey, on a square, but the images are {tuple(images.shape[1:])}.")
    planes = []
    for name, model in models:
        codes = model.code(images).float()
        planes.append({"name": name, "model": model, "codes": codes, "box": box(codes, limit)})
    caption = (
        f"Explorer: a pad to write a digit on; for {' and '.join(name for name, _ in models)}, where the "
        "digit lies among the codes of real images, and copies of it."
    )
    sent = [
        {"name": plane["name"], "codes": plane["codes"], "box": plane["box"]}
        | {"encoder": encoder(plane["model"], images), "decoder": decoder(plane["model"], plane["box"])}
        for plane in planes
    ]
    return Page(
        "handwriting",
        _still(planes, images, y, first, caption),
        {
            "models": sent,
            "images": as_bytes(images),
            "shape": images.shape[1:],
            "labels": y.tolist(),
            "first": first,
            "copies": COPIES,
        },
    )


def _still(planes, images, y, first, caption):
    x = images[first][None]
    figure, made = plots.axes(1, 1 + len(planes), size=(3.2, 3.2))
    plots.tiles(
        made[0], plots.drawable(torch.cat([x, *(plane["model"].reconstruct(x) for plane in planes)])), 1
    )
    made[0].set_title("written, and its copies", fontsize=10)
    for plane, ax in zip(planes, made[1:], strict=True):
        plots.scatter(ax, plots.array(plane["codes"]), y)
        ax.plot(*plots.array(plane["model"].code(x)[0]), "o", ms=11, mfc="none", mec=plots.INK, mew=2)
        ax.set(xlim=plane["box"][:2], ylim=plane["box"][2:], aspect="equal", title=plane["name"])
    return plots.Picture(figure, caption)
