"""Training to watch: the plane and the draws while `fit` runs, and a button that stops it (lesson 08)."""

import contextlib
import copy
import itertools
import threading
import time

import ipywidgets as widgets
import numpy as np
import torch

from vae_lessons.explorers import ink
from vae_lessons.explorers.planes import check_plane, real_images
from vae_lessons.explorers.stage import Explorer, Stage
from vae_lessons.history import Diverged
from vae_lessons.plots import COLOURS, INK, axes, label_classes, outside
from vae_lessons.train import fit

POINTS = 1_000  # images whose codes are drawn
REHEARSED = 0, 10, 40, 120  # steps that the still shows
PAUSE = 0.3  # seconds between two pictures, at least


class Watched:
    """The picture of a model in training: its codes, and its draws from N(0, I)."""

    def __init__(self, data, limit):
        images, y = real_images(data)
        self.images, self.y = images[:POINTS], y[:POINTS]
        self.z = torch.randn(48, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float32)
        figure, ax = axes(subplot_kw={"aspect": "equal"})
        style = dict(ms=3, mew=0)
        self.dots = {c: ax.plot([], [], ".", color=COLOURS[c % 10], **style)[0] for c in np.unique(self.y)}
        turn = np.linspace(0, 2 * np.pi, 100)
        for radius in (1, 2, 3):
            ax.plot(radius * np.cos(turn), radius * np.sin(turn), ":", color=INK, lw=0.8)
        label_classes(ax, np.zeros((len(self.y), 2)), self.y)
        ax.set(xlim=(-limit, limit), ylim=(-limit, limit), xlabel="$z_1$", ylabel="$z_2$")
        self.names, self.limit = ax.texts, limit
        self.sheet = ink.Sheet(figure, 360, 350, [*self.dots.values(), *ax.texts])
        self.size = 800, 392

    def plane(self, codes):
        """The plane with these codes, (N, 2) array -> PIL image."""
        for (c, dots), name in zip(self.dots.items(), self.names, strict=True):
            dots.set_data(*codes[self.y == c].T)
            name.set_position(np.median(codes[self.y == c], axis=0))
        return self.sheet.image()

    def draw(self, model, words):
        """The plane, and 48 draws beside it -> PIL image."""
        paper = ink.paper(*self.size)
        ink.write(paper, words, 8, 6, 13, bold=True)
        codes = model.code(self.images).numpy()
        ink.write(paper, outside(codes, self.limit), 8, 24, 10)
        ink.put(paper, self.plane(codes), 0, 36)
        ink.write(paper, "draws: z ~ N(0, I)", 380, 44, 12)
        for i, picture in enumerate(model.picture(self.z)):
            ink.put(paper, ink.tile(picture, 48), 380 + 51 * (i % 8), 66 + 51 * (i // 8))
        return paper

    def strip(self, moments):
        """Planes beside each other with eight draws below each, {title: (codes, pictures)} -> PIL image."""
        paper = ink.paper(840, 330)
        for i, (title, (codes, pictures)) in enumerate(moments.items()):
            x = 212 * i
            small = self.plane(codes).resize((204 * ink.SHARP, 198 * ink.SHARP))
            ink.write(paper, title, x + 112, 2, 12, anchor="ma")
            ink.put(paper, small, x, 20)
            ink.write(paper, outside(codes, self.limit), x + 112, 217, 10, anchor="ma")
            for j, picture in enumerate(pictures[:8]):
                ink.put(paper, ink.tile(picture, 42), x + 24 + 44 * (j % 4), 232 + 46 * (j // 4))
        return paper


class Training(Explorer):
    """A model in training; see `training`. `histories` are what each `fit` returned, `thread` runs it."""

    def __init__(self, model, data, limit=4.5, **settings):
        check_plane(model)
        super().__init__(
            "training",
            "Explorer: four moments of a training, from the untrained model on; the plane of codes, coloured "
            "by class, unfolds over the prior's circles, and draws from the prior turn from grey to digits.",
        )
        self.model, self.data, self.settings = model, data, settings
        self.watched, self.histories, self.thread = Watched(data, limit), [], None
        self.halt = threading.Event()
        self.stage = Stage(size=list(self.watched.size))
        self.button = widgets.Button(description="Train", icon="play", button_style="primary")
        self.stopper = widgets.Button(
            description="Stop, keep what it learned", icon="stop", disabled=True, layout={"width": "230px"}
        )
        self.button.on_click(lambda button: self.start())
        self.stopper.on_click(lambda button: self.stop())
        self._picture("as it is now")
        self.display(widgets.HBox([self.button, self.stopper]), self.stage)

    def _picture(self, words):
        alt = f"{words}; the plane of codes and draws from the prior."
        self.stage.show(self.watched.draw(self.model, words), alt)

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

    def close(self):
        """Stop training, then close the widgets."""
        thread = self.__dict__.get("thread")
        if thread is not None:
            self.halt.set()
            thread.join()
        super().close()

    def _train(self):
        steps, drawn = 0, 0.0

        def watch(history):
            nonlocal steps, drawn
            steps += 1
            if self.halt.is_set():
                raise KeyboardInterrupt
            if time.perf_counter() - drawn > PAUSE:
                last = f", test {history.test[-1]}" if history.test else ""
                self._picture(f"epoch {len(history) + 1}, step {steps}{last}")
                drawn = time.perf_counter()

        try:
            history = fit(self.model, self.data, progress=False, watch=watch, **self.settings)
            self.histories.append(history)
            last = f"; test {history.test[-1]}" if history.test else ""
            self._picture((history.stopped or f"{len(history)} epochs done") + last)
        except Diverged as error:
            self.histories.append(error.history)
            self._picture("diverged: the loss is no longer finite")
        finally:
            self.button.disabled, self.stopper.disabled = False, True

    def still(self):
        """Four moments of a rehearsal: a copy of the model trained for 120 steps."""
        model, moments, seen = copy.deepcopy(self.model), {}, self.watched

        def look(step):
            title = f"step {step}" if step else "before"
            moments[title] = model.code(seen.images).numpy(), model.picture(seen.z)

        count = itertools.count(1)

        def watch(history):
            step = next(count)
            if step in REHEARSED:
                look(step)
            if step == REHEARSED[-1]:
                raise KeyboardInterrupt

        look(0)
        with contextlib.suppress(Diverged):
            fit(model, self.data, progress=False, watch=watch, **self.settings)
        return seen.strip(moments)


def training(model, data, limit=4.5, **settings):
    """Watch a model learn, and stop it when you like, model, Data -> Explorer.

    Train runs `fit(model, data, **settings)` beside the notebook, which stays free; Stop ends it after the
    step it is at, and the model keeps what it learned. Train again goes on from there. The plane reaches from
    -limit to limit. Raises ValueError unless latent is 2.
    """
    return Training(model, data, limit, **settings)
