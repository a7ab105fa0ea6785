"""The plane of codes under a handle: the latent explorer and the hole finder."""

import html

import ipywidgets as widgets
import numpy as np
import torch

from vae_lessons.explorers import ink
from vae_lessons.explorers.neighbours import Among
from vae_lessons.explorers.stage import Explorer, Stage, slider
from vae_lessons.plots import COLOURS, INK, axes, classes, label_classes, outside

IMAGES = 2_000  # real images: the points of the plane, among which the nearest is looked for
MARGIN = 26, 22  # pixels left of and below a plane, for the numbers on its axes
WIDER, HIGHER = 10, 74  # what the words beside two tiles take, in pixels


class Plane:
    """One model's plane of codes, with a handle on it: where each image lies, and what is drawn there.

    `limit` makes the plane reach from -limit to limit; None fits it to the codes.
    """

    def __init__(self, model, images, y, side, limit=None, name=""):
        check_plane(model)
        self.model, self.images, self.y = model, images, y
        self.codes, self.among = model.code(images), Among(images)
        low, high = self.codes.amin(0), self.codes.amax(0)
        self.centre = torch.zeros(2) if limit else (low + high) / 2
        self.half = float(limit or 0.53 * (high - low).max().clamp(min=1e-3))
        left, bottom = (self.centre - self.half).tolist()
        self.box = [left, left + 2 * self.half, bottom, bottom + 2 * self.half]
        top = 24 if name else 6
        self.size = side + MARGIN[0] + 6, side + MARGIN[1] + top
        self.pane = [MARGIN[0] / self.size[0], top / self.size[1], side / self.size[0], side / self.size[1]]
        self.paper = self._background(name, outside(self.codes, limit))

    def _background(self, name, missing):
        figure, ax = axes(size=(1, 1))
        z = self.codes.numpy()
        for c in np.unique(self.y):
            ax.plot(*z[self.y == c].T, ".", color=COLOURS[c % 10], ms=3, alpha=0.6, mew=0)
        label_classes(ax, z, self.y)
        ax.set(xlim=self.box[:2], ylim=self.box[2:])
        ax.tick_params(labelsize=7, length=2, pad=2)
        ax.set_title(name, fontsize=9)
        ax.text(0.99, 0.99, missing, transform=ax.transAxes, ha="right", va="top", fontsize=8)
        figure.set_layout_engine("none")
        left, top, width, height = self.pane
        ax.set_position([left, 1 - top - height, width, height])
        return ink.Sheet(figure, *self.size).image()

    def at(self, place):
        """The code at a place of the plane, -1 to 1 from edge to edge, (2,) -> (2,)."""
        return self.centre + self.half * torch.as_tensor(place, dtype=self.centre.dtype)

    def place(self, z):
        """Where in the plane a code is, -1 to 1 from edge to edge, (2,) -> (2,)."""
        return (torch.as_tensor(z, dtype=self.centre.dtype) - self.centre) / self.half

    def pixel(self, z):
        """Where on the paper a code is, in pixels of the page."""
        x, y = self.place(z).tolist()
        left, top, width, height = (share * self.size[i % 2] for i, share in enumerate(self.pane))
        return left + width * (1 + x) / 2, top + height * (1 - y) / 2

    def look(self, z):
        """What is decoded at z, and the nearest image -> picture (*shape), distance, index."""
        picture = self.model.picture(z[None].float())
        return picture[0], *self.among.nearest(picture)

    def stage(self, label):
        """The widget: this plane with a handle in the middle."""
        return Stage(
            png=ink.png(self.paper),
            size=list(self.size),
            box=self.box,
            pane=self.pane,
            label=label,
            alt="The codes of real images, coloured by class.",
            at=self.centre.tolist(),
        )

    def still(self, z, trail=(), marks=()):
        """The plane with its handle at z, a line along `trail` and rings at `marks`."""
        paper = self.paper.copy()
        if len(trail):
            ink.dashes(paper, [self.pixel(code) for code in trail])
        for x, y, colour in marks:
            ink.ring(paper, *self.pixel([x, y]), 6, colour, 3)
        ink.ring(paper, *self.pixel(z))
        ink.ring(paper, *self.pixel(z), 1.5, fill=INK)
        return paper


def two_tiles(plane, z, side):
    """Under each other: what a model draws at z, and the nearest real image -> PIL image, words."""
    picture, distance, index = plane.look(z)
    pictures = [ink.tile(x, side) for x in (picture, plane.images[index])]
    paper = ink.paper(side + WIDER, 2 * side + HIGHER, pictures[0].mode)
    where = "({:.2f}, {:.2f})".format(*z.tolist()).replace("-", "\N{MINUS SIGN}")
    label = plane.y[index]
    ink.write(paper, f"z = {where}", 1, 3, 10.5)
    ink.write(paper, f"nearest image: a {label}", 1, side + 30, 11)
    ink.write(paper, f"distance {distance:.2f}", 1, 2 * side + 54, 11)
    for tile, y in zip(pictures, (18, side + 46), strict=True):
        ink.put(paper, tile, 1, y)
        ink.frame(paper, 1, y, side)
    return paper, f"Decoded at {where}; the nearest image is a {label}, at distance {distance:.2f}."


class Latent(Explorer):
    """Planes of codes with one handle; see `latent`."""

    def __init__(self, models, data, walk=None, limit=None):
        models = _named(models)
        several = len(models) > 1
        sentence = (
            f"Explorer: {' and '.join(name for name, _ in models)}; the plane of codes, coloured by class, "
            "with a handle, the picture decoded at the handle and the nearest real image."
        )
        images, y = real_images(data)
        size, tile = (260, 112) if several else (380, 140)
        planes = [Plane(model, images, y, size, limit, name if several else "") for name, model in models]
        super().__init__("latent", sentence)
        self.planes, self.side, self.names = planes, tile, [name for name, _ in models] if several else []
        self.ends = list(walk or (0, int(np.argmax(y != y[0]))))
        self._build(same_scale=not several or limit is not None)

    def _build(self, same_scale):
        plane = self.planes[0]
        self.unit = (plane.centre.tolist(), plane.half) if same_scale else ([0.0, 0.0], 1.0)
        names = ("z\N{SUBSCRIPT ONE}", "z\N{SUBSCRIPT TWO}") if same_scale else ("across", "up")
        self.across, self.up = place_sliders(*names, *self.unit)
        self.along = slider("walk", 0.0, 0.0, 1.0, 0.02, form=".0%")
        last = len(plane.images) - 1
        self.whence, self.whither = (
            widgets.BoundedIntText(
                value=i,
                min=0,
                max=last,
                description=name,
                style={"description_width": "auto"},
                layout={"width": "150px"},
            )
            for name, i in zip(("from image", "to image"), self.ends, strict=True)
        )
        self.stages = [plane.stage(f"place in plane {i + 1}") for i, plane in enumerate(self.planes)]
        column, many = self.side + WIDER, len(self.planes)
        self.tiles = Stage(size=[many * column + 12 * (many - 1), 2 * self.side + HIGHER])
        self.thumbs = [Stage(size=[34, 34]) for _ in range(2)]
        self._ends_changed()
        self._go([plane.codes[self.ends[0]] for plane in self.planes])
        self._listen()
        width = {"width": f"{column + 6}px", "margin": "0"}
        heads = [widgets.HTML(f"<b>{html.escape(name)}</b>", layout=width) for name in self.names]
        beside = widgets.VBox([widgets.HBox(heads), self.tiles]) if heads else self.tiles
        first, second = self.thumbs
        self.display(
            widgets.HBox([*self.stages, beside], layout={"align_items": "center"}),
            widgets.HBox([self.across, self.up]),
            widgets.HBox(
                [self.whence, first, self.along, second, self.whither], layout={"align_items": "center"}
            ),
        )

    def _listen(self):
        for stage, plane in zip(self.stages, self.planes, strict=True):
            stage.observe(self.settled(lambda change, plane=plane: self._dragged(plane, change.new)), "at")
        for control in (self.across, self.up):
            control.observe(self.settled(lambda change: self._slid()), "value")
        self.along.observe(self.settled(lambda change: self._walked()), "value")
        for control in (self.whence, self.whither):
            control.observe(self.settled(lambda change: self._ends_changed(walk=True)), "value")

    def _dragged(self, plane, z):
        self._all_at(plane.place(z), dragged=plane)

    def _slid(self):
        (x, y), half = self.unit
        pairs = zip((self.across, self.up), self.said, strict=True)
        if all(abs(control.value - said) < control.step / 10 for control, said in pairs):
            return  # the browser only rounded what it was told
        self._all_at([(self.across.value - x) / half, (self.up.value - y) / half], slid=True)

    def _all_at(self, place, **moved):
        self._go([plane.at(place) for plane in self.planes], **moved)

    def _walked(self):
        t, (a, b) = self.along.value, self.ends
        self._go([(1 - t) * plane.codes[a] + t * plane.codes[b] for plane in self.planes])

    def _ends_changed(self, walk=False):
        self.ends = [self.whence.value, self.whither.value]
        for stage, plane in zip(self.stages, self.planes, strict=True):
            stage.trail = plane.codes[self.ends].tolist()
        images, y = self.planes[0].images, self.planes[0].y
        for thumb, i in zip(self.thumbs, self.ends, strict=True):
            thumb.show(ink.tile(images[i], 34), f"Image {i}, a {y[i]}.")
        if walk:
            self._walked()

    def _go(self, codes, dragged=None, slid=False):
        """Put the handles at these codes, one for each plane, and draw what is there.

        What the reader moves is left alone: an answer that comes late would pull it back.
        """
        self.codes = codes
        pairs = zip(self.planes, codes, strict=True)
        papers, words = zip(*(two_tiles(*pair, self.side) for pair in pairs), strict=True)
        self.tiles.show(
            ink.beside(papers), " ".join(words)
        )  # first what the reader waits for, in one message
        for plane, stage, z in zip(self.planes, self.stages, codes, strict=True):
            if plane is not dragged:
                stage.at = z.tolist()
        if slid:
            self.said = self.across.value, self.up.value
        else:
            self.said = set_place(self.across, self.up, *self.unit, self.planes[0].place(codes[0]))

    def still(self):
        """Each plane with its handle, and beside it what is there."""
        pieces = []
        for plane, z in zip(self.planes, self.codes, strict=True):
            pieces += [plane.still(z, plane.codes[self.ends]), two_tiles(plane, z, self.side)[0]]
        return ink.beside(pieces)


def _named(models):
    """A model, a list of models, or a dictionary -> [(name, model)]."""
    several = models if isinstance(models, list | tuple) else [models]
    return list(models.items()) if isinstance(models, dict) else [(type(m).__name__, m) for m in several]


def latent(models, data, walk=None, limit=None):
    """Drag through the plane of codes, model or [model, ...] or {name: model}, Data -> Explorer.

    One handle moves in all planes, to the same place between their edges; beside them is what each model
    draws there, and the nearest of 2,000 test images, by Euclid over pixels. `walk`, a pair, numbers the
    images to walk between; `limit` gives all planes one scale. Raises ValueError unless latent is 2.
    """
    return Latent(models, data, walk, limit)


def place_sliders(across, up, centre, half):
    """Two sliders over a plane, the keyboard's way to move a handle: names, centre, half its width."""
    pairs = zip((across, up), centre, strict=True)
    return [slider(name, v, v - half, v + half, half / 100) for name, v in pairs]


def set_place(across, up, centre, half, place):
    """Set both sliders to a place in -1 to 1, on the grid of their steps -> the two values."""
    said = [v + half * round(100 * p) / 100 for v, p in zip(centre, place.tolist(), strict=True)]
    across.value, up.value = said
    return across.value, up.value


def check_plane(model):
    """Raise ValueError unless a model's codes have 2 numbers."""
    latent = getattr(model, "latent", None)
    if latent != 2:
        raise ValueError(f"A plane needs codes of 2 numbers, but latent is {latent}.")


def real_images(data):
    """The test images that an explorer shows, on the CPU, and their classes -> (N, *shape), array (N,)."""
    images, y = data.test.batch(slice(IMAGES)).x.float().cpu(), data.test.y
    return images, classes([0] * len(images) if y is None else y[:IMAGES], len(images))
