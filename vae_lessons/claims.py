"""A measurement and its bound -> a line to read, or an error: how the lessons state what they found."""

import html
import json
import math
import os

from vae_lessons.settings import finite_number, plain, said


class Claims:
    """Claims that hold, as one quiet line; the claims themselves are behind a fold."""

    def __init__(self, lines):
        self.lines = lines

    def __repr__(self):
        return (
            "1 measured claim holds." if len(self.lines) == 1 else f"{len(self.lines)} measured claims hold."
        )

    def _repr_mimebundle_(self, include=None, exclude=None):
        items = "".join(f"<li>{html.escape(line)}</li>" for line in self.lines)
        fold = f"<details><summary>{self!r}</summary><ul>{items}</ul></details>"
        return {"text/plain": repr(self), "text/html": fold}


def claims(*lines):
    """What `claim` said, several times, as one line to unfold, str ... -> Claims.

    claims(claim("a", 2, above=1), claim("b", 0, below=1)); a claim that does not hold has raised by then.
    Raises ValueError without a claim.
    """
    if not lines:
        raise ValueError("claims needs at least one claim: claims(claim(...), claim(...)).")
    return Claims(lines)


def claim(what, value, above=None, below=None):
    """Assert a measured claim, number -> str to show, with the number and its bound.

    `value` must be greater than `above` and less than `below`, whichever is given. Raises
    AssertionError with the same words if it is not, so that a lesson's claim fails with the lesson, or
    if it is NaN or infinite. Raises ValueError on a value or bound that is no number, or without a bound.
    Where the environment variable VAE_LESSONS_CLAIMS names a file, a JSON line is added to it.
    """
    number = plain(value)
    if type(number) not in (int, float):
        raise ValueError(f"{what}: a claim is about one number, not {said(value)}.")
    if above is None and below is None:
        raise ValueError("A claim needs a bound: above=, below= or both.")
    value = float(number)
    above, below = (
        bound if bound is None else finite_number(side, bound)
        for side, bound in (("above", above), ("below", below))
    )
    low, high = -math.inf if above is None else above, math.inf if below is None else below
    sides = [
        f"{side} {bound:.4g}" for side, bound in (("above", above), ("below", below)) if bound is not None
    ]
    line = f"{what}: {value:.4g}, {' and '.join(sides)}"
    if path := os.environ.get("VAE_LESSONS_CLAIMS"):
        with open(path, "a") as file:
            row = {"what": what, "value": value, "above": above, "below": below}
            file.write(json.dumps(row) + "\n")
    if not math.isfinite(value):
        raise AssertionError(f"This claim does not hold here: {what}: the value is not finite, but {value}.")
    if not low < value < high:
        raise AssertionError(f"This claim does not hold here: {line}.")
    return line
