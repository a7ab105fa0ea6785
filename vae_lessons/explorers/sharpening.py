"""The same codes while a decoder learns under another loss, step by step (lesson 16)."""

from typing import NamedTuple

import torch
from torch import Tensor

from vae_lessons import plots
from vae_lessons.explorers.page import Page, as_bytes
from vae_lessons.plots import COLOURS, INK
from vae_lessons.settings import finite_tensor

COLUMNS = 8


class Moment(NamedTuple):
    """What is seen at one step of a training."""

    step: int
    draws: Tensor  # (N, *shape), pictures of the same codes at every step
    rebuilt: Tensor  # (M, *shape), pictures of the same images at every step
    measured: dict  # {name: number}, the same names at every step


def sharpening(moments, images):
    """Choose a step of a training, [Moment, ...], real images (M, *shape) -> Page.

    Pictures of the same codes, the same images as the model rebuilds them, and a curve of each measure with
    the step marked. Raises ValueError if there are fewer than two moments, or they are not alike.
    """
    moments = list(moments)
    if len(moments) < 2:
        raise ValueError(f"A training has two moments or more, not {len(moments)}.")
    shapes = {(tuple(m.draws.shape), tuple(m.rebuilt.shape), tuple(m.measured)) for m in moments}
    if len(shapes) > 1 or moments[0].rebuilt.shape != finite_tensor("images", images).shape:
        raise ValueError("All moments must show as many pictures, and images, and have the same measures.")
    caption = (
        "Explorer: choose a step of the adversarial training. The pictures of the same codes and of the same "
        "images change with it, and a line marks the step in the curve of each measure."
    )
    draws = torch.stack([m.draws for m in moments])
    rebuilt = torch.stack([m.rebuilt for m in moments])
    return Page(
        "sharpening",
        _still(moments, images, caption),
        {
            "steps": [m.step for m in moments],
            "draws": as_bytes(draws),
            "rebuilt": as_bytes(rebuilt),
            "images": as_bytes(images),
            "shape": images.shape[1:],
            "columns": COLUMNS,
            "names": list(moments[0].measured),
            "values": [[float(m.measured[name]) for m in moments] for name in moments[0].measured],
        },
    )


def _still(moments, images, caption):
    first, last, names = moments[0], moments[-1], list(moments[0].measured)
    figure, made = plots.axes(1, 2 + len(names), size=(2.9, 2.5), width_ratios=[1.5, 1.5, *[1] * len(names)])
    for ax, moment in zip(made, (first, last), strict=False):
        shown = torch.cat([moment.draws[: 2 * COLUMNS], moment.rebuilt[:COLUMNS], images[:COLUMNS]])
        plots.tiles(ax, plots.drawable(shown), COLUMNS)
        ax.set_title(f"step {moment.step}: draws,\nrebuilt, images", fontsize=10)
    for ax, name in zip(made[2:], names, strict=True):
        ax.plot([m.step for m in moments], [float(m.measured[name]) for m in moments], "o-", color=COLOURS[0])
        ax.axvline(first.step, color=INK, lw=0.8)
        ax.set(xlabel="step", ylim=(0, None))
        ax.set_title(name, fontsize=10)
    return plots.Picture(figure, caption)
