"""Drag through the plane of a conditional VAE: all classes in one handwriting (lesson 13)."""

import torch

from vae_lessons import plots
from vae_lessons.explorers.page import Page, as_bytes, box, check_plane, draw_plane, network
from vae_lessons.model import ConditionalVAE

IMAGES, REACH, START = 400, 4, 8  # test images, half a side of the plane, and the image it begins with


def conditional(model, data, names=()):
    """Drag through the plane of z of a conditional VAE, ConditionalVAE, Data with its conditions -> Page.

    A handle on the plane; beside it what is decoded there, as each of the classes. `names` are those of the
    last columns of the condition, numbers in standard deviations: each gets a slider from -2 to 2. Choosing a
    test image puts the handle to its code and the sliders to its numbers. Raises ValueError unless latent is
    2, the model is a ConditionalVAE with the package's decoder, and there are classes before the `names`.
    """
    check_plane(model)
    if not isinstance(model, ConditionalVAE) or not hasattr(model.decoder, "network"):
        raise ValueError("model must be a ConditionalVAE with the package's own decoder.")
    names, classes = tuple(names), model.condition - len(tuple(names))
    if classes < 1 or (names and not data.test.y.is_floating_point()):
        raise ValueError(
            f"names must be the last columns of the conditions, before them classes, not {names}."
        )
    images, y = data.test.batch(slice(IMAGES)).x.float().cpu(), data.test.y[:IMAGES].cpu()
    codes = model.code(images, y)
    rows = y if y.is_floating_point() else torch.nn.functional.one_hot(y, classes).float()
    labels, numbers = rows[:, :classes].argmax(1), rows[:, classes:]
    every = torch.cat([torch.eye(classes), numbers[START].expand(classes, -1)], 1)
    caption = (
        "Explorer: the plane of z, with the codes of real images coloured by class and a handle, and what is "
        f"decoded at the handle as each of {classes} classes."
    )
    return Page(
        "conditional",
        _still(model, codes, labels, every, images[START], caption),
        {
            "decoder": {"layers": _layers(model, codes[START], every), "output": "sigmoid"},
            "loudness": model.loudness,
            "codes": codes.float(),
            "labels": labels.tolist(),
            "numbers": numbers.float(),
            "names": names,
            "classes": classes,
            "images": as_bytes(images),
            "shape": images.shape[1:],
            "reach": REACH,
            "start": START,
        },
    )


def _layers(model, z, every):
    given = torch.cat([z.expand(len(every), -1), model.loudness * every], 1)
    return network(model.decoder.network, given.to(model.device, next(model.parameters()).dtype))


def _still(model, codes, labels, every, image, caption):
    figure, (plane, beside, ten) = plots.axes(1, 3, size=(3.0, 3.4), width_ratios=[3, 0.8, 2.6])
    draw_plane(plane, codes, plots.array(labels), box(codes, REACH), codes[START])
    plane.set(xlabel="$z_1$", ylabel="$z_2$")
    plots.tiles(beside, plots.drawable(image[None]), 1)
    beside.set_title(f"an image: {int(labels[START])}", fontsize=10)
    pictures = model.picture(codes[START].expand(len(every), -1), every)
    plots.tiles(ten, plots.drawable(pictures), min(5, len(every)))
    ten.set_title("its code, as every class", fontsize=10)
    return plots.Picture(figure, caption)
