"""Arrays -> PIL images and PNG bytes, fast enough to follow a slider."""

import io
from functools import cache

import numpy as np
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image, ImageDraw, ImageFont, ImageOps

from vae_lessons.plots import INK, Picture, array, drawable, small_png

SHARP = 2  # pixels of a picture for one on the page, so that it is sharp on dense screens


class Still(Picture):
    """A PIL image, drawn SHARP times as large as it is shown, as a stored picture with its words."""

    def __init__(self, image, alt):
        small = image.resize((image.width // SHARP, image.height // SHARP), Image.Resampling.LANCZOS)
        self.png, self.caption = small_png(small), alt


class Sheet:
    """A figure that is drawn again and again, width x height in pixels of the page.

    Only the artists in `moving` are drawn anew, over a copy of the rest: axes and their words are most of
    the time.
    """

    def __init__(self, figure, width, height, moving=()):
        self.figure, self.moving = figure, list(moving)
        figure.set(dpi=100 * SHARP, size_inches=(width / 100, height / 100))
        for artist in self.moving:
            artist.set_animated(True)
        self.canvas = FigureCanvasAgg(figure)
        self.canvas.draw()
        self.still = self.canvas.copy_from_bbox(figure.bbox)

    def image(self):
        """The figure as it is now -> PIL image."""
        self.canvas.restore_region(self.still)
        for artist in self.moving:
            self.figure.draw_artist(artist)
        return Image.fromarray(np.asarray(self.canvas.buffer_rgba())).convert("RGB")


def png(image):
    """A PIL image -> PNG bytes, in 256 colours: that is half the time, and a third of the bytes."""
    buffer = io.BytesIO()
    if image.mode == "RGB":
        image = image.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    image.save(buffer, format="png", compress_level=1)
    return buffer.getvalue()


def paper(width, height, mode="RGB"):
    """White paper, in pixels of the page -> PIL image; mode "L" is grey, and three times as fast."""
    return Image.new(mode, (int(width * SHARP), int(height * SHARP)), "white")


def tile(x, side):
    """One image as `plots.images` draws it, (1, H, W), (3, H, W) or (H, W) -> PIL image, grey or in colour.

    Its longer side is `side` pixels of the page. Raises ValueError on other shapes.
    """
    (x,) = drawable(array(x)[None])
    x = 255 * x if x.ndim == 3 else 255 - 255 * x
    size = (side * SHARP,) * 2
    return ImageOps.pad(Image.fromarray(x.astype("uint8")), size, Image.Resampling.NEAREST, "white")


def put(image, piece, x, y):
    """Lay a piece on the paper, its upper left corner at x, y of the page."""
    image.paste(piece, (int(x * SHARP), int(y * SHARP)))


def frame(image, x, y, side, colour="#cccccc"):
    """A thin frame around a tile at x, y."""
    corner = [v * SHARP - 1 for v in (x, y)] + [(v + side) * SHARP for v in (x, y)]
    ImageDraw.Draw(image).rectangle(corner, outline=colour)


def write(image, text, x, y, size=12, colour=INK, anchor="la", bold=False):
    """Write a line at x, y of the page; `anchor` as PIL has it."""
    ImageDraw.Draw(image).text((x * SHARP, y * SHARP), text, colour, _font(size, bold), anchor)


def ring(image, x, y, radius=9, colour=INK, width=2.5, fill=None):
    """A circle at x, y of the page, as the handle is drawn."""
    box = [(x - radius) * SHARP, (y - radius) * SHARP, (x + radius) * SHARP, (y + radius) * SHARP]
    ImageDraw.Draw(image).ellipse(box, fill, colour, int(width * SHARP))


def beside(images, gap=12):
    """Images in a row, upper edges level -> PIL image."""
    width = sum(image.width for image in images) / SHARP + gap * (len(images) - 1)
    mode = "L" if all(image.mode == "L" for image in images) else "RGB"
    row = paper(width, max(image.height for image in images) / SHARP, mode)
    x = 0
    for image in images:
        put(row, image, x, 0)
        x += image.width / SHARP + gap
    return row


@cache
def _font(size, bold):
    name = font_manager.FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal")
    return ImageFont.truetype(font_manager.findfont(name), size * SHARP)


def dashes(image, points, colour=INK, dash=5, gap=3):
    """A dashed line from the first to the last of some points of the page."""
    (x0, y0), (x1, y1) = points[0], points[-1]
    length = max(np.hypot(x1 - x0, y1 - y0), 1e-9)
    draw = ImageDraw.Draw(image)
    for start in np.arange(0, length, dash + gap):
        ends = [min(t, length) / length for t in (start, start + dash)]
        line = [(v0 + t * (v1 - v0)) * SHARP for t in ends for v0, v1 in ((x0, x1), (y0, y1))]
        draw.line(line, colour, int(1.5 * SHARP))


def bar(image, x, y, width, height, colour):
    """A filled bar, its upper left corner at x, y of the page; nothing where it has no width."""
    if width > 0:
        corners = [v * SHARP for v in (x, y)] + [(x + width) * SHARP - 1, (y + height) * SHARP - 1]
        ImageDraw.Draw(image).rectangle(corners, fill=colour)
