"""Write a digit by hand: where each model puts it, and the copies it makes of it."""

import torch

from vae_lessons import plots
from vae_lessons.explorers.page import (
    Page,
    as_bytes,
    decoder,
    draw_plane,
    encoder,
    planes_of,
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
    images, y = real_images(data, SENT)
    if images.shape[1] != 1 or images.shape[2] != images.shape[3]:
        raise ValueError(f"Handwriting is grey, on a square, but the images are {tuple(images.shape[1:])}.")
    planes = planes_of(models, images, limit)
    caption = (
        f"Explorer: a pad to write a digit on; for {' and '.join(plane['name'] for plane in planes)}, where "
        "the digit lies among the codes of real images, and copies of it."
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
        draw_plane(ax, plane["codes"], y, plane["box"], plane["model"].code(x)[0])
        ax.set_title(plane["name"])
    return plots.Picture(figure, caption)
