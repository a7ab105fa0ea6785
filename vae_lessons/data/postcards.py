"""A folder of small pictures that the package draws itself: postcards in class folders, PNG files."""

import colorsys
import csv
import random
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from vae_lessons.runtime import resolve_seed
from vae_lessons.settings import whole_number

WIDTH, HEIGHT = 96, 64  # of the files; each is drawn twice as large and scaled down
SKIES = (  # the sky at noon, at sunset and at night: above and at the horizon, red, green and blue
    ((70, 140, 220), (205, 230, 245)),
    ((110, 80, 150), (250, 170, 95)),
    ((15, 20, 55), (60, 65, 115)),
)
GROUND = {"boat": (40, 110, 150), "house": (120, 165, 80), "tree": (150, 170, 75)}  # sea and two meadows


class Factors(NamedTuple):
    """What the program chose for one postcard; lengths are shares of the picture's height."""

    hour: float  # 0 noon, 1/2 sunset, 1 night
    horizon: float  # its height, 0.3 to 0.5
    x: float  # of the object, from the middle, positive to the right, -0.2 to 0.2
    size: float  # of the object, 0.35 to 0.55
    hue: float  # of the object, from 0, red, over yellow and green to 0.65, blue


def draw_folder(path, n=2_000, seed=None):
    """Draw n postcards as PNG files of 96 x 64 pixels below a folder, in boat/, house/ and tree/ -> Path.

    Five factors are drawn for each, uniformly and independently: hour, horizon, x, size and hue. The file
    factors.csv has them, one row for each file. The same seed draws the same files; old ones of the
    same names are replaced. Raises ValueError if n or seed is none, OSError if a file cannot be written.
    """
    n, seed, folder = whole_number("n", n), resolve_seed(seed), Path(path).expanduser()
    for name in GROUND:
        (folder / name).mkdir(parents=True, exist_ok=True)
    with open(folder / "factors.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", *Factors._fields])
        for i, (kind, factors) in enumerate(_chosen(n, seed)):
            name = f"{kind}/{i:05d}.png"
            postcard(kind, factors).save(folder / name, compress_level=3)
            rows.writerow([name, *factors])
    return folder


def postcards(n, seed=None):
    """The pictures that `draw_folder` writes, one after the other, PIL images. ValueError as there."""
    for kind, factors in _chosen(whole_number("n", n), resolve_seed(seed)):
        yield postcard(kind, factors)


def _chosen(n, seed):
    """Kind and Factors of n postcards, one after the other."""
    choose, kinds = random.Random(seed), sorted(GROUND)
    for i in range(n):
        hour, horizon, x = choose.random(), choose.uniform(0.3, 0.5), choose.uniform(-0.2, 0.2)
        yield (
            kinds[i % len(kinds)],
            Factors(hour, horizon, x, choose.uniform(0.35, 0.55), choose.uniform(0, 0.65)),
        )


def postcard(kind, factors):
    """One picture of a boat, a house or a tree, str, Factors -> PIL image of 96 x 64 pixels, RGB."""
    width, height = 2 * WIDTH, 2 * HEIGHT
    horizon = height * (1 - factors.horizon)
    image = Image.fromarray(_sky(factors.hour, width, height, horizon))
    draw, light = ImageDraw.Draw(image), 1 - 0.7 * factors.hour
    _sun(draw, factors.hour, width, horizon)
    draw.rectangle((0, horizon, width, height), fill=_lit(GROUND[kind], light))
    side = factors.size * height
    corner = width / 2 + factors.x * height - side / 2, horizon + 0.12 * height - side
    colour = tuple(int(255 * part) for part in colorsys.hsv_to_rgb(factors.hue, 0.75, 0.95))
    OBJECTS[kind](_pen(draw, corner, side), _lit(colour, max(light, 0.5)), max(light, 0.5))
    return image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)


def _sky(hour, width, height, horizon):
    """Colours between those of noon, sunset and night, and from the top to the horizon, (H, W, 3) uint8."""
    step, share = (0, 2 * hour) if hour < 0.5 else (1, 2 * hour - 1)
    above, below = (1 - share) * np.array(SKIES[step]) + share * np.array(SKIES[step + 1])
    down = (np.arange(height) / horizon).clip(0, 1)[:, None]
    rows = (1 - down) * above + down * below
    return np.broadcast_to(rows[:, None], (height, width, 3)).astype(np.uint8)


def _sun(draw, hour, width, horizon):
    """The sun, which has gone below the horizon, and behind the ground, some time before night."""
    radius, x, y = 0.055 * width, 0.36 * width, 0.18 * horizon + 1.25 * hour * horizon
    yellow = (255, int(245 - 130 * min(1, 1.4 * hour)), int(190 - 120 * min(1, 1.4 * hour)))
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=yellow)


def _lit(colour, light):
    return tuple(int(light * part) for part in colour)


def _pen(draw, corner, side):
    """A function that fills a polygon given in a square from 0 to 1, x to the right and y down."""

    def fill(points, colour):
        draw.polygon([(corner[0] + side * x, corner[1] + side * y) for x, y in points], fill=colour)

    return fill


def _boat(fill, colour, light):
    fill([(0, 0.72), (1, 0.72), (0.8, 1), (0.2, 1)], _lit((110, 65, 45), light))
    fill([(0.47, 0), (0.53, 0), (0.53, 0.72), (0.47, 0.72)], _lit((90, 60, 45), light))
    fill([(0.56, 0.05), (0.95, 0.64), (0.56, 0.64)], colour)
    fill([(0.44, 0.2), (0.44, 0.64), (0.1, 0.64)], colour)


def _house(fill, colour, light):
    fill([(0.1, 0.45), (0.9, 0.45), (0.9, 1), (0.1, 1)], _lit((245, 235, 215), light))
    fill([(0, 0.48), (0.5, 0.02), (1, 0.48)], colour)
    fill([(0.42, 0.62), (0.58, 0.62), (0.58, 1), (0.42, 1)], colour)


def _tree(fill, colour, light):
    fill([(0.44, 0.5), (0.56, 0.5), (0.58, 1), (0.42, 1)], _lit((105, 70, 45), light))
    turn = np.linspace(0, 2 * np.pi, 40)
    fill(list(zip(0.5 + 0.38 * np.cos(turn), 0.36 + 0.36 * np.sin(turn), strict=True)), colour)


OBJECTS = {"boat": _boat, "house": _house, "tree": _tree}
