"""A measurement and its bound -> a line to read, or an error: how the lessons state what they found."""

import json
import math
import os


def claim(what, value, above=None, below=None):
    """Assert a measured claim, number -> str to show, with the number and its bound.

    `value` must be greater than `above` and less than `below`, whichever is given. Raises
    AssertionError with the same words if it is not, so that a lesson's claim fails with the lesson.
    Where the environment variable VAE_LESSONS_CLAIMS names a file, a JSON line is added to it.
    """
    value = float(value)
    if above is None and below is None:
        raise ValueError("A claim needs a bound: above=, below= or both.")
    low, high = -math.inf if above is None else above, math.inf if below is None else below
    sides = [
        f"{side} {bound:.4g}" for side, bound in (("above", above), ("below", below)) if bound is not None
    ]
    said = f"{what}: {value:.4g}, {' and '.join(sides)}"
    if path := os.environ.get("VAE_LESSONS_CLAIMS"):
        with open(path, "a") as file:
            row = {"what": what, "value": value, "above": above, "below": below}
            file.write(json.dumps(row) + "\n")
    if not low < value < high:
        raise AssertionError(f"This claim does not hold here: {said}.")
    return said
