"""Where in the plane does nothing live? Guess, and be told."""

import ipywidgets as widgets
import numpy as np
import torch
from PIL import Image

from vae_lessons import measures
from vae_lessons.explorers import ink
from vae_lessons.explorers.neighbours import Among
from vae_lessons.explorers.planes import HIGHER, Plane, place_sliders, real_images, set_place
from vae_lessons.explorers.stage import Explorer, Stage
from vae_lessons.plots import COLOURS, array

HOLE, FULL = COLOURS[6], COLOURS[0]
TILE, WIDE = 140, 230  # the side of a picture, and of the paper with words around it
GRID = 44  # places in a row of the map
MARKS = 60  # rings that are kept on the plane


class HoleFinder(Explorer):
    """A plane to click on where nothing lives; see `hole_finder`."""

    def __init__(self, model, data, ruler=None):
        images, y = real_images(data)
        plane = Plane(model, images, y, 380)
        super().__init__(
            "hole_finder",
            "Explorer: the plane of codes, coloured by class, with the holes shaded rose, where no picture "
            "of a real image is as near as it should be; beside it, what is decoded in a hole.",
        )
        self.plane, self.ruler = plane, ruler or measures.yardstick(model, data)
        self.among = Among(self.ruler.own)
        self.map, self.asked = None, []
        self._build()

    def _build(self):
        plane = self.plane
        self.stage = plane.stage("place to ask about")
        self.answer = Stage(size=[WIDE, 2 * TILE + HIGHER + 20], alt="Nothing asked yet.")
        self.across, self.up = place_sliders(
            "z\N{SUBSCRIPT ONE}", "z\N{SUBSCRIPT TWO}", plane.centre.tolist(), plane.half
        )
        self.button = widgets.Button(description="Ask here", layout={"width": "110px"})
        self.reveal = widgets.ToggleButton(description="Show all holes", layout={"width": "140px"})
        self.answer.show(self._blank(), self.answer.alt)
        self.stage.observe(self.settled(lambda change: self._moved(change.new)), "at")
        for control in (self.across, self.up):
            control.observe(self.settled(lambda change: self._slid()), "value")
        self.stage.observe(lambda change: self.ask(), "clicks")
        self.button.on_click(lambda button: self.ask())
        self.reveal.observe(lambda change: self._paint(), "value")
        row = widgets.HBox([self.stage, self.answer], layout={"align_items": "center"})
        self.display(row, widgets.HBox([self.across, self.up, self.button, self.reveal]))

    def _moved(self, z):
        self.said = set_place(
            self.across, self.up, self.plane.centre.tolist(), self.plane.half, self.plane.place(z)
        )

    def _slid(self):
        self.stage.at = [self.across.value, self.up.value]

    def ask(self):
        """Say whether the place under the handle is a hole, and leave a mark there."""
        z = torch.tensor(self.stage.at)
        image, words, hole = self._answer(z)
        self.asked.append(hole)
        self.answer.show(image, words)
        self.stage.marks = [*self.stage.marks[-MARKS:], [*z.tolist(), HOLE if hole else FULL]]

    def _answer(self, z, score=True):
        picture = self.plane.model.picture(z[None].float())
        distance, index = self.among.nearest(picture)
        hole = distance > self.ruler.limit
        verdict = "A hole" if hole else "Not a hole"
        rule = f"{distance:.2f} away, the limit is {self.ruler.limit:.2f}"
        paper = self._blank()
        own = self.ruler.own[index].view(picture.shape[1:])
        for image, y in ((picture[0], 18), (own, TILE + 46)):
            ink.put(paper, ink.tile(image, TILE), 1, y)
        ink.write(paper, "decoded there", 1, 2, 11)
        ink.write(paper, "nearest of its pictures of real images", 1, TILE + 30, 11)
        ink.write(paper, rule, 1, 2 * TILE + 52, 11)
        ink.write(paper, verdict, 1, 2 * TILE + 70, 13, HOLE if hole else FULL, bold=True)
        if score:
            found = sum(self.asked) + hole
            ink.write(
                paper,
                f"{found} found in {len(self.asked) + 1} tries",
                WIDE - 2,
                2 * TILE + 72,
                11,
                anchor="ra",
            )
        return paper, f"{verdict}: {rule}.", hole

    def _blank(self):
        paper = ink.paper(WIDE, 2 * TILE + HIGHER + 20)
        for y in (18, TILE + 46):
            ink.frame(paper, 1, y, TILE)
        return paper

    def _paint(self):
        self.stage.show(self._shaded() if self.reveal.value else self.plane.paper, self.stage.alt)

    def _holes(self):
        """How far over the limit each place of a grid over the plane is, rows from the top, (GRID, GRID)."""
        if self.map is None:
            at = (torch.arange(GRID) + 0.5) / GRID * 2 - 1
            places = torch.cartesian_prod(at.flip(0), at).flip(1)
            pictures = self.plane.model.picture(self.plane.at(places).float())
            over = measures.nearest(pictures.flatten(1), self.ruler.own).distance - self.ruler.limit
            self.map = array(over).reshape(GRID, GRID)
        return self.map

    def _shaded(self):
        paper, (left, top, width, height) = self.plane.paper.copy(), self.plane.pane
        size = round(width * paper.width), round(height * paper.height)
        mask = Image.fromarray(((self._holes() > 0) * 90).astype("uint8")).resize(
            size, Image.Resampling.NEAREST
        )
        paper.paste(HOLE, (round(left * paper.width), round(top * paper.height)), mask)
        return paper

    def still(self):
        """The plane with all holes shaded, and what is decoded in the farthest one towards the middle."""
        over, edge = self._holes(), GRID // 5
        inner = over[edge:-edge, edge:-edge]
        row, column = np.unravel_index(inner.argmax(), inner.shape)
        place = [2 * (column + edge + 0.5) / GRID - 1, 1 - 2 * (row + edge + 0.5) / GRID]
        z = self.plane.at(torch.tensor(place, dtype=torch.float32))
        plane = self.plane
        paper = self._shaded()
        ink.ring(paper, *plane.pixel(z))
        return ink.beside([paper, self._answer(z, score=False)[0]])


def hole_finder(model, data, ruler=None):
    """Click where nothing lives, and be told whether you are right, model, Data -> Explorer.

    A hole is where the decoded picture is farther from all of the model's own pictures of real images
    than `ruler.limit`: what `measures.completeness` refuses. `ruler` is `measures.yardstick(model, data)`,
    measured here unless given. Raises ValueError unless latent is 2.
    """
    return HoleFinder(model, data, ruler)
