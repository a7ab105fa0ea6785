"""Training to watch: the plane and the draws while `fit` runs, and a button that stops it (lesson 08).

It is the one explorer that needs its kernel, which trains the reader's own model.
"""

import contextlib
import copy
import itertools
import threading
import time
from typing import ClassVar

import ipywidgets as widgets
import torch
from IPython.display import display

from vae_lessons import plots
from vae_lessons.explorers.page import check_plane, real_images
from vae_lessons.history import Diverged
from vae_lessons.train import fit

REHEARSED = 0, 10, 40, 120  # steps that the still shows
PAUSE = 0.5  # seconds between two pictures, at least
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
ONE_OF_BOTH = """<style>
.jp-OutputArea:has(.vae-explorer-training) .vae-training-still,
.jp-OutputArea:has(.vae-training-still) [data-mime-type$="widget-view+json"]:not(:has(.vae-explorer-training))
{ display: none; }
</style>"""
SENTENCE = (
    "Explorer: four moments of a training, from the untrained model on; the plane of codes, coloured by "
    "class, unfolds over the prior's circles, and draws from the prior turn from grey to digits."
)


class Training:
    """A model in training; see `training`. `histories` are what each `fit` returned, `thread` runs it."""

    latest: ClassVar = None  # the one made last: it is stopped when another is made

    def __init__(self, model, data, limit=4.5, **settings):
        check_plane(model)
        if Training.latest is not None:
            Training.latest.stop()
        Training.latest = self
        self.model, self.data, self.limit, self.settings = model, data, limit, settings
        self.images, self.y = real_images(data)
        self.z = torch.randn(48, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float32)
        self.histories, self.thread, self.halt = [], None, threading.Event()
        self.picture = widgets.HTML()
        self.button = widgets.Button(description="Train", icon="play", button_style="primary")
        self.stopper = widgets.Button(
            description="Stop, keep what it learned", icon="stop", disabled=True, layout={"width": "230px"}
        )
        self.button.on_click(lambda button: self.start())
        self.stopper.on_click(lambda button: self.stop())
        self.show("as it is now")
        self.view = widgets.VBox([widgets.HBox([self.button, self.stopper]), self.picture])
        self.view.add_class("vae-explorer").add_class("vae-explorer-training")

    def show(self, words):
        """Draw the model as it is: its codes, and its draws from N(0, I)."""
        figure, (plane, draws) = plots.axes(1, 2, size=(4.2, 4.2))
        self._plane(plane, self._codes(self.model))
        plots.tiles(draws, plots.drawable(self.model.picture(self.z)), 8)
        draws.set_title("draws: z ~ N(0, I)")
        picture = plots.Picture(figure, f"{words[0].upper()}{words[1:]}; the plane of codes and 48 draws.")
        self.picture.value = picture._repr_mimebundle_()["text/html"]

    def _codes(self, model):
        return plots.array(model.code(self.images))

    def _plane(self, ax, codes):
        plots.scatter(ax, codes, self.y)
        plots.latent_axes(ax, codes, self.limit, circles=(1, 2, 3))

    def start(self):
        """Train in a thread, so that the kernel stays free; nothing if it trains already."""
        if self.thread is None or not self.thread.is_alive():
            self.halt.clear()
            self.button.disabled, self.stopper.disabled = True, False
            self.thread = threading.Thread(target=self._train, daemon=True)
            self.thread.start()

    def stop(self):
        """Ask the training to stop after the step it is at; the model keeps what it learned."""
        self.halt.set()

    def _train(self):
        steps, drawn = 0, 0.0

        def watch(history):
            nonlocal steps, drawn
            steps += 1
            if self.halt.is_set():
                raise KeyboardInterrupt
            if time.perf_counter() - drawn > PAUSE:
                last = f", test {history.test[-1]}" if history.test else ""
                self.show(f"epoch {len(history) + 1}, step {steps}{last}")
                drawn = time.perf_counter()

        try:
            history = fit(self.model, self.data, progress=False, watch=watch, **self.settings)
            self.histories.append(history)
            last = f"; test {history.test[-1]}" if history.test else ""
            self.show((history.stopped or f"{len(history)} epochs done") + last)
        except Diverged as error:
            self.histories.append(error.history)
            self.show("diverged: the loss is no longer finite")
        finally:
            self.button.disabled, self.stopper.disabled = False, True

    def still(self):
        """Four moments of a rehearsal, a copy of the model trained for 120 steps, -> Picture."""
        model, moments, count = copy.deepcopy(self.model), {}, itertools.count(1)

        def look(title):
            moments[title] = self._codes(model), model.picture(self.z[:8])

        def watch(history):
            step = next(count)
            if step in REHEARSED:
                look(f"step {step}")
            if step == REHEARSED[-1]:
                raise KeyboardInterrupt

        look("before")
        with contextlib.suppress(Diverged):
            fit(model, self.data, progress=False, watch=watch, **self.settings)
        figure, made = plots.axes(2, len(moments), size=(2.4, 1.9), height_ratios=(2, 1), squeeze=False)
        for (title, (codes, pictures)), plane, draws in zip(moments.items(), *made, strict=True):
            self._plane(plane, codes)
            plane.set(title=title, xlabel="", ylabel="")
            plots.tiles(draws, plots.drawable(pictures), 4)
        return plots.Picture(figure, SENTENCE)

    def __repr__(self):
        return SENTENCE

    def _ipython_display_(self):
        """The live view, and the still, which JupyterLab shows instead once no kernel holds the view."""
        view = {"version_major": 2, "version_minor": 0, "model_id": self.view.model_id}
        display({WIDGET_VIEW: view}, raw=True)
        still = self.still()._repr_mimebundle_()
        still["text/html"] = f'<div class="vae-training-still">{ONE_OF_BOTH}{still["text/html"]}</div>'
        display(still, raw=True)


def training(model, data, limit=4.5, **settings):
    """Watch a model learn, and stop it when you like, model, Data -> Training, to be shown.

    Train runs `fit(model, data, **settings)` beside the notebook, which stays free; Stop ends it after the
    step it is at, and the model keeps what it learned. Train again goes on from there. The plane reaches from
    -limit to limit. Raises ValueError unless latent is 2.
    """
    return Training(model, data, limit, **settings)
