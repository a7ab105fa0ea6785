"""What every explorer is made of: a picture under controls, live in a notebook and still when stored."""

import gc
import sys
from pathlib import Path
from typing import ClassVar

import anywidget
import ipywidgets as widgets
import traitlets

from vae_lessons.explorers import ink

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


class Stage(anywidget.AnyWidget):
    """A picture that Python draws and, if `at` is set, a handle on it that the pointer or arrow keys move.

    `box` (left, right, bottom, top) is what part of the plane the picture shows, `pane` (left, top, width,
    height) where in the picture, as shares of its size. Letting go of the handle, or Enter, adds to `clicks`.
    """

    _esm = Path(__file__).with_name("stage.js")
    png = traitlets.Bytes().tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)
    label = traitlets.Unicode("handle").tag(sync=True)
    size = traitlets.List([300, 300]).tag(sync=True)
    box = traitlets.List([-1.0, 1.0, -1.0, 1.0]).tag(sync=True)
    pane = traitlets.List([0.0, 0.0, 1.0, 1.0]).tag(sync=True)
    at = traitlets.List([]).tag(sync=True)
    trail = traitlets.List([]).tag(sync=True)
    marks = traitlets.List([]).tag(sync=True)
    clicks = traitlets.Int(0).tag(sync=True)

    def show(self, image, alt):
        """Put another picture there, a PIL image and its words, in one message."""
        with self.hold_sync():
            self.png, self.alt = ink.png(image), alt


class Explorer:
    """A picture under controls. Displayed, it is a widget where there is one, else a still picture.

    A subclass builds `self.view`, a widget, and says in `still()` what a stored page shows. `sentence`
    describes that still, and never changes. When its cell is run again, the explorer of the run before is
    closed: its widgets are gone from the kernel, and what it held is free.
    """

    _open: ClassVar[dict] = {}  # (name, cell) -> (run, explorers): those whose widgets live

    def __init__(self, name, sentence):
        self.name, self.sentence, self._busy = name, sentence, False
        self._replace(*running_cell())

    def _replace(self, cell, run):
        """Close what an earlier run of the same cell left open."""
        before, others = Explorer._open.get((self.name, cell), (run, []))
        if run != before:
            for explorer in others:
                explorer.close()
            gc.collect()  # figures hold themselves in cycles, with buffers of megabytes
            others = []
        if cell is not None:
            Explorer._open[self.name, cell] = run, [*others, self]

    def display(self, *rows):
        """Stack widgets, and make them findable by the class vae-explorer."""
        self.view = widgets.VBox(rows, layout={"align_items": "flex-start", "overflow": "hidden"})
        self.view.add_class("vae-explorer").add_class(f"vae-explorer-{self.name}")

    def still(self):
        """The PIL image that a stored page shows."""
        raise NotImplementedError

    def close(self):
        """Take the widgets out of the kernel and let go of what they showed."""
        view = self.__dict__.pop("view", None)
        if view is not None:
            _close(view)
        for attribute in set(self.__dict__) - {"sentence", "name"}:
            del self.__dict__[attribute]

    def settled(self, react):
        """Wrap a handler so that the changes it makes itself do not call it again."""

        def handler(change):
            if not self.__dict__.get("_busy", True):
                self._busy = True
                try:
                    react(change)
                finally:
                    self._busy = False

        return handler

    def __repr__(self):
        return self.sentence

    def _repr_mimebundle_(self, include=None, exclude=None):
        if "view" not in self.__dict__:
            return {"text/plain": f"{self.sentence} (Closed: its cell was run again.)"}
        bundle = ink.Still(self.still(), self.sentence)._repr_mimebundle_()
        model_id = {"version_major": 2, "version_minor": 0, "model_id": self.view.model_id}
        return {**bundle, WIDGET_VIEW: model_id}


class Panel(Explorer):
    """One picture that is drawn anew from the values of its controls: draw(**values) -> image, words."""

    def __init__(self, name, sentence, draw, controls, size):
        super().__init__(name, sentence)
        self.draw, self.controls = draw, controls
        self.stage = Stage(size=list(size))
        self._show()
        for control in controls.values():
            control.observe(self._show, "value")
        self.display(widgets.HBox(list(controls.values()), layout={"flex_flow": "row wrap"}), self.stage)

    def _show(self, change=None):
        if "controls" in self.__dict__:
            self.stage.show(*self.draw(**self._values()))

    def _values(self):
        return {name: control.value for name, control in self.controls.items()}

    def still(self):
        """The picture for the values that the controls have."""
        return self.draw(**self._values())[0]


def slider(label, value, low, high, step, width=270, form=".2f"):
    """A slider with a name in front and its value behind, numbers -> FloatSlider or IntSlider."""
    kind = widgets.IntSlider if all(isinstance(v, int) for v in (value, low, high, step)) else None
    made = (kind or widgets.FloatSlider)(
        value=value,
        min=low,
        max=high,
        step=step,
        description=label,
        style={"description_width": "auto"},
        layout={"width": f"{width}px"},
        readout_format="d" if kind else form,
    )
    return made


def running_cell():
    """Which notebook cell runs, and which run of it this is -> (cell, run); None, None elsewhere."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    cell = parent.get("metadata", {}).get("cellId") or parent.get("content", {}).get("code")
    return cell, parent.get("header", {}).get("msg_id")


def _close(widget):
    """Close a widget with all it is made of, which ipywidgets keeps alive otherwise."""
    for child in getattr(widget, "children", ()):
        _close(child)
    for name in ("layout", "style"):
        part = getattr(widget, name, None)
        if isinstance(part, widgets.Widget):
            part.close()
    widget.unobserve_all()
    widget.close()
