"""The exercise on nearest images, and how it goes wrong."""

import torch

from vae_lessons import measures
from vae_lessons.check.engine import (
    COURSE,
    NEAR,
    PUBLIC,
    Exercise,
    Fact,
    Mistake,
    Probe,
    Shown,
    no_answer,
    noise,
    placed,
)
from vae_lessons.check.engine.pictures import points


def _probes(seed):
    points = (
        torch.tensor(rows, dtype=torch.float64, device="cpu")
        for rows in ([[0.0, 0.0]], [[5.0, 5.0], [3.0, 4.0]])
    )
    yield Probe("pictures = [[0, 0]], images = [[5, 5], [3, 4]]", tuple(points))
    for name, shape in (("rows of 6 pixels", (6,)), ("pictures (N, 1, 3, 2)", (1, 3, 2))):
        pictures, images = (noise(n, *shape, seed=seed + n) for n in (4, 9))
        yield Probe(f"4 pictures and 9 images, {name}", (pictures, images))
    yield Probe("5 pictures and 1 image", (noise(5, 6, seed=seed), noise(1, 6, seed=seed + 1)))


def _observe(call, seed):
    for probe in _probes(seed):
        distance, index = call.tensors(2, *map(placed, probe.args))
        for name, value in (("distance", distance), ("index", index)):
            value = value.detach().cpu().double()
            yield Fact(f"{probe.title}: {name}", value, 1e-3)


def _show(call, seed):
    pictures, images = (placed(1.5 * noise(n, 2, seed=seed + n)) for n in (6, 12))
    found = [call.tensors(2, pictures, images)[1], measures.nearest(pictures, images).index]
    yours, target = (images[index.clamp(0, len(images) - 1)] for index in found)
    if yours.shape != target.shape:
        raise no_answer("no points")
    alt = (
        "Six points in the plane, the nearest of twelve others to each, and the one that your function finds."
    )
    return Shown(lambda: points(pictures, target, yours, alt=alt))


def _by(measure_of, pick=torch.min):
    """Another distance, or another choice."""

    def nearest(pictures, images):
        apart = (pictures.flatten(1)[:, None] - images.flatten(1)[None]).abs()
        return tuple(pick(measure_of(apart), 1))

    return nearest


def _euclidean(apart):
    return (apart**2).sum(-1).sqrt()


nearest = Exercise(
    name="nearest",
    parameters=("pictures", "images"),
    reference=measures.nearest,
    observe=_observe,
    show=_show,
    verified="distance and index agree for four sets of pictures, as rows and as (N, 1, H, W).",
    mistakes=(
        Mistake(
            "squared distance",
            "these are squared distances. Take the square root.",
            PUBLIC,
            (_by(lambda apart: (apart**2).sum(-1)),),
        ),
        Mistake(
            "mean over pixels",
            "the squares are averaged over pixels. The Euclidean distance is the square root of their sum.",
            PUBLIC,
            (_by(lambda apart: (apart**2).mean(-1).sqrt()), _by(lambda apart: (apart**2).mean(-1))),
        ),
        Mistake(
            "sum of absolute differences",
            "these are sums of absolute differences. The Euclidean distance is the square root of the sum "
            "of squares.",
            NEAR,
            (_by(lambda apart: apart.sum(-1)), _by(lambda apart: apart.mean(-1))),
        ),
        Mistake(
            "the farthest",
            "this finds the farthest image. Find the nearest: min, not max.",
            NEAR,
            (_by(_euclidean, torch.max),),
        ),
        Mistake(
            "the wrong way round",
            "this finds the nearest picture to each image. Find the nearest image to each picture.",
            PUBLIC,
            (lambda pictures, images: tuple(measures.nearest(images, pictures)),),
        ),
        Mistake(
            "index before distance",
            "the order is wrong: return the distance first, then the index.",
            NEAR,
            (lambda *a: tuple(measures.nearest(*a))[::-1],),
        ),
        Mistake(
            "not flattened",
            "images (N, 1, H, W) are not flattened, so that torch.cdist compares rows of pixels. Flatten "
            "them first: .flatten(1).",
            COURSE,
            (
                lambda pictures, images: tuple(torch.cdist(pictures, images).min(1)),
                lambda pictures, images: tuple((pictures[:, None] - images).square().sum(-1).sqrt().min(1)),
            ),
        ),
    ),
    hints=(
        "Flatten both to rows of pixels: .flatten(1).",
        "torch.cdist returns the distance of every row to every other, (N, M).",
        ".min(1) returns two tensors: the minimum of each row, and its index.",
    ),
)
