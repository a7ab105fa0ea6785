"""A learner's answer -> what they read: the verdict, and the error that stops a graded notebook."""

import html
import inspect
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial

COLOURS = {"untouched": "#94a4a2", "wrong": "#e76300", "right": "#3f90da"}
YES, NO = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")  # of VAE_LESSONS_STRICT


class Unsolved(AssertionError):
    """An exercise is untouched or wrong, and VAE_LESSONS_STRICT is on."""

    def _render_traceback_(self):
        """What Jupyter shows in place of a traceback: the sentence alone."""
        return [f"Unsolved: {self}"]


@dataclass
class Verdict:
    """The result of a check, which displays itself. Its picture, if it has one, is drawn when displayed."""

    status: str  # "untouched", "wrong" or "right"
    mistake: str | None  # the catalogue's name for what is wrong, if it is known
    message: str  # what the learner reads
    draw: Callable | None = field(default=None, repr=False, compare=False)  # () -> plots.Picture

    @cached_property
    def picture(self):
        """The answer beside the target, a plots.Picture, or None."""
        return self.draw() if self.draw else None

    def __repr__(self):
        return self.message

    def _repr_mimebundle_(self, include=None, exclude=None):
        text = html.escape(self.message).replace("\n", "<br>").replace("    ", "&emsp;")
        style = f"border-left: 4px solid {COLOURS[self.status]}; padding: 0.3em 0.8em; max-width: 60em"
        bundle = {"text/plain": self.message, "text/html": f'<div style="{style}">{text}</div>'}
        if self.picture is not None:
            bundle["text/html"] += self.picture._repr_mimebundle_()["text/html"]
        return bundle


class Words(str):
    """Text that a cell shows as it is, without quotation marks."""

    __slots__ = ()

    def __repr__(self):
        return str(self)


def graded(exercise, answer, verdict):
    """Record the verdict on an answer, -> the same Verdict.

    Raises Unsolved if it is not right and VAE_LESSONS_STRICT is on. If the environment variable
    VAE_LESSONS_VERDICTS names a file, a JSON line is added to it first.
    """
    must = strict()
    if path := os.environ.get("VAE_LESSONS_VERDICTS"):
        row = {"exercise": exercise, "status": verdict.status, "mistake": verdict.mistake}
        row |= {"message": verdict.message, "package": _in_package(answer)}
        with open(path, "a") as file:
            file.write(json.dumps(row) + "\n")
    if must and verdict.status != "right":
        raise Unsolved(verdict.message)
    return verdict


def strict():
    """Whether VAE_LESSONS_STRICT is on, bool. Raises ValueError if its value means neither on nor off."""
    value = os.environ.get("VAE_LESSONS_STRICT", "")
    plain = value.strip().lower()
    if plain not in (*YES, *NO):
        raise ValueError(
            f"VAE_LESSONS_STRICT is {value!r}: set it to 1, true, yes or on, or to 0, false, no or off."
        )
    return plain in YES


def _in_package(answer):
    """The dotted name of an answer that is this package's own function or class, or None."""
    function = inspect.unwrap(answer.func if isinstance(answer, partial) else answer)
    module = getattr(function, "__module__", None) or ""
    own = module.split(".")[0] == __name__.split(".")[0]
    return f"{module}.{getattr(function, '__qualname__', type(function).__name__)}" if own else None


class Hinted:
    """What all kinds of exercises share: hints that are given one at a time, then `last`."""

    hints: tuple
    last: str  # where to look after the last hint
    given = 0

    def hint(self):
        """The next hint."""
        self.given = min(self.given + 1, len(self.hints))
        left = len(self.hints) - self.given
        end = f"{left} more." if left else self.last
        return Words(f"Hint {self.given} of {len(self.hints)}: {self.hints[self.given - 1]} ({end})")
