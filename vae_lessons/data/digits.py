"""The built-in digits: factors -> strokes -> pixels.

Each image starts as a template, a few strokes through control points. The strokes are wobbled and
bent by smooth noise, widened, slanted, rotated, scaled to a box of 20 pixels and drawn with a round
pen, centred by mass in 28x28 as MNIST is (LeCun et al. 1998). Unlike MNIST, the factors are known.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from vae_lessons.runtime import resolve_seed
from vae_lessons.settings import whole_number

SIZE = 28  # pixels a side
BOX = 20  # the longer side of the digit, pen included, in pixels
POINTS = 96  # points along the strokes of one digit
WOBBLE = 0.023  # sd of each control point's displacement, in heights of the template
BEND = 0.065  # amplitude of the smooth bending, in heights of the template


class Factors(NamedTuple):
    """The true factors of N images, each (N,) float32."""

    slant: Tensor  # horizontal shift per unit of height, positive leans right
    rotation: Tensor  # radians, positive is counter-clockwise
    width: Tensor  # horizontal stretch, 1 is the template's own width
    thickness: Tensor  # half-width of the pen, in pixels


def arc(x, y, rx, ry, start, stop, n):
    """n points of an ellipse from angle `start` to `stop`, in degrees clockwise from the right."""
    angles = [math.radians(start + (stop - start) * i / (n - 1)) for i in range(n)]
    return [(x + rx * math.cos(a), y + ry * math.sin(a)) for a in angles]


def path(text):
    """Points from "x,y x,y ..." in hundredths of the template's height."""
    return [tuple(int(v) / 100 for v in point.split(",")) for point in text.split()]


# (class, weight, strokes) in a box of height 1, y downwards; a point written twice is a corner.
TEMPLATES = (
    (0, 0.7, [arc(0.5, 0.5, 0.35, 0.5, -80, 280, 6)]),
    (0, 0.3, [[*arc(0.5, 0.5, 0.32, 0.49, -60, -400, 7), (0.4, 0.06)]]),
    (1, 0.6, [path("50,0 50,50 50,100")]),
    (1, 0.25, [path("32,22 43,12 52,0 52,0 52,50 52,100")]),
    (1, 0.15, [path("30,20 50,0 50,0 50,50 50,100"), path("25,100 50,100 75,100")]),
    (2, 0.45, [arc(0.48, 0.27, 0.3, 0.27, -170, 30, 5) + path("52,66 18,98 18,98 50,97 85,95")]),
    (2, 0.35, [path("20,22 45,0 74,22 62,60 35,92 18,94 20,76 40,80 62,95 88,90")]),
    (2, 0.2, [path("15,12 45,2 74,12 68,42 20,100 20,100 50,99 80,100")]),
    (3, 0.7, [path("20,12 48,0 72,22 40,48 40,48 76,72 48,100 16,88")]),
    (3, 0.3, [path("18,2 45,1 70,2 70,2 42,40 42,40 76,68 48,100 16,90")]),
    (4, 0.6, [path("22,2 14,55 14,55 50,55 82,50"), path("72,0 68,50 64,100")]),
    (4, 0.4, [path("62,0 36,34 10,66 10,66 50,66 90,64"), path("62,0 62,50 62,100")]),
    (5, 0.6, [path("26,4 22,44 22,44 48,38 76,68 48,100 16,90"), path("26,4 52,3 80,0")]),
    (5, 0.4, [path("82,2 34,4 34,4 26,42 26,42 52,42 74,68 48,100 14,92")]),
    (6, 0.65, [path("66,0 36,24 19,62 32,98 64,94 72,66 48,52 22,72")]),
    (6, 0.35, [path("36,0 24,36 18,74 42,100 70,86 62,58 36,60 20,80")]),
    (7, 0.65, [path("14,6 48,4 82,2 82,2 58,46 42,100")]),
    (7, 0.35, [path("14,4 48,2 82,2 82,2 58,48 36,100"), path("32,52 56,50 78,48")]),
    (8, 0.7, [path("72,12 50,0 27,18 44,44 70,72 48,100 22,82 40,52 66,30 72,12")]),
    (8, 0.3, [arc(0.5, 0.24, 0.23, 0.24, 90, 450, 6), arc(0.5, 0.74, 0.28, 0.26, -90, 270, 6)]),
    (9, 0.55, [path("72,20 48,0 20,24 38,56 64,44 72,20 72,20 70,60 64,100")]),
    (9, 0.45, [path("72,22 48,0 22,26 42,54 66,40 72,22 72,22 74,60 64,92 44,100")]),
)


def spline(strokes, points=POINTS):
    """Control points (C, 2) and the matrix (P, C) that draws a Catmull-Rom spline through them.

    Points are shared among the strokes by length and spaced evenly along each. Control points with
    equal coordinates are one point, so strokes that meet stay together when it moves.
    """
    controls = sorted({p for stroke in strokes for p in stroke})
    column = {p: i for i, p in enumerate(controls)}
    xy = torch.tensor(controls, dtype=torch.float32)
    fine = [_catmull_rom([column[p] for p in stroke], len(controls)) for stroke in strokes]
    along = [(f @ xy).diff(dim=0).norm(dim=1).cumsum(0) for f in fine]
    total = sum(a[-1].item() for a in along)
    counts = [max(4, round(points * a[-1].item() / total)) for a in along]
    counts[0] += points - sum(counts)
    rows = []
    for matrix, length, count in zip(fine, along, counts, strict=True):
        at = torch.linspace(0, length[-1].item(), count)
        rows.append(matrix[torch.searchsorted(length, at).clamp(max=len(length) - 1)])
    return xy, torch.cat(rows)


def _catmull_rom(stroke, controls, fine=40):
    """The matrix (S * fine, C) of a uniform Catmull-Rom spline through the indexed control points."""
    t = torch.arange(fine) / fine
    weights = torch.stack(
        [
            -t / 2 + t**2 - t**3 / 2,
            1 - 5 / 2 * t**2 + 3 / 2 * t**3,
            t / 2 + 2 * t**2 - 3 / 2 * t**3,
            -(t**2) / 2 + t**3 / 2,
        ],
        dim=1,
    )
    ends = [stroke[0], *stroke, stroke[-1]]
    pieces = []
    for i in range(len(stroke) - 1):
        piece = torch.zeros(fine, controls)
        for k in range(4):
            piece[:, ends[i + k]] += weights[:, k]
        pieces.append(piece)
    return torch.cat(pieces)


def draw(n, seed=0):
    """Draw n digits, int -> uint8 pixels (N, 1, 28, 28), labels (N,) int64, Factors of (N,).

    Classes are equally likely and in random order. The same n and seed give the same images.
    Raises ValueError if n is not a positive whole number, or seed none.
    """
    n = whole_number("n", n)
    generator = torch.Generator().manual_seed(resolve_seed(seed))
    weights = torch.tensor([share for _, share, _ in TEMPLATES])
    template = torch.multinomial(weights, n, replacement=True, generator=generator)
    labels = torch.tensor([digit for digit, _, _ in TEMPLATES])[template]
    factors = _sample_factors(n, generator)
    points = _bend(_write(template, generator), generator)
    centres = _place(points, factors)
    penalty = _press(n, factors.thickness, generator)
    pixels = torch.cat(
        [
            _ink(c, p, r)
            for c, p, r in zip(
                centres.split(100), penalty.split(100), factors.thickness.split(100), strict=True
            )
        ]
    )
    return pixels.view(n, 1, SIZE, SIZE), labels, factors


def _sample_factors(n, generator):
    noise = torch.randn(4, n, generator=generator)
    return Factors(
        slant=0.12 + 0.22 * noise[0],
        rotation=0.12 * noise[1],
        width=(0.13 * noise[2]).exp(),
        thickness=(1.4 * (0.26 * noise[3]).exp()).clamp(min=0.85),
    )


def _write(template, generator):
    """The strokes of each image as points, (N,) -> (N, P, 2), every control point wobbled."""
    points = torch.empty(len(template), POINTS, 2)
    for i, (_, _, strokes) in enumerate(TEMPLATES):
        rows = (template == i).nonzero().squeeze(1)
        controls, matrix = spline(strokes)
        wobble = WOBBLE * torch.randn(len(rows), *controls.shape, generator=generator)
        points[rows] = matrix @ (controls + wobble)
    return points - 0.5


def _bend(points, generator, waves=3):
    """Move points by a smooth random field: a few sine waves, each about one period a box."""
    n = len(points)
    for _ in range(waves):
        wave = 2.5 * torch.randn(n, 2, 1, generator=generator)
        phase = 2 * math.pi * torch.rand(n, 1, 1, generator=generator)
        push = BEND * torch.randn(n, 1, 2, generator=generator)
        points = points + push * torch.sin(points @ wave + phase)
    return points


def _place(points, factors):
    """Widen, slant, rotate, scale to the box and centre by mass, (N, P, 2) -> (N, P, 2) in pixels."""
    x, y = points[..., 0] * factors.width[:, None], points[..., 1]
    x = x - factors.slant[:, None] * y
    cos, sin = factors.rotation.cos()[:, None], factors.rotation.sin()[:, None]
    turned = torch.stack([x * cos + y * sin, y * cos - x * sin], dim=-1)
    extent = (turned.amax(1) - turned.amin(1)).amax(-1)
    scale = (BOX - 2 * factors.thickness) / extent
    return (turned - turned.mean(1, keepdim=True)) * scale[:, None, None] + (SIZE - 1) / 2


def _press(n, thickness, generator):
    """How far the pen is lifted along the strokes, (N, P), as a penalty on squared distance.

    Pressure falls off smoothly by up to a third; in one image of eight the pen skips for a moment.
    """
    along = torch.linspace(0, 1, POINTS)
    phase = 2 * math.pi * torch.rand(n, 1, generator=generator)
    depth = 0.35 * torch.rand(n, 1, generator=generator)
    radius = thickness[:, None] * (1 - depth * (0.5 + 0.5 * torch.sin(6 * along + phase)))
    penalty = thickness[:, None] ** 2 - radius**2
    start = torch.rand(n, 1, generator=generator)
    skips = torch.rand(n, 1, generator=generator) < 0.125
    gap = (along > start) & (along < start + 0.09) & skips
    return penalty.masked_fill(gap, 1e4)


def _ink(centres, penalty, radius):
    """Draw a round pen at the points, (N, P, 2), (N, P), (N,) -> (N, 784) uint8, anti-aliased."""
    side = torch.arange(SIZE, dtype=torch.float32)
    grid = torch.cartesian_prod(side, side).flip(1)  # (784, 2) as x, y
    offset = (centres**2).sum(-1) + penalty
    squared = torch.baddbmm(offset[:, None, :], grid.expand(len(centres), -1, -1), -2 * centres.mT)
    nearest = squared.amin(-1) + (grid**2).sum(-1)
    ink = (radius[:, None] - nearest.clamp(min=0).sqrt()) / 1.2 + 0.5
    return (255 * ink.clamp(0, 1)).round().to(torch.uint8)
