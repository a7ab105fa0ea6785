"""Two mistakes at once: the right answer times a known constant, and a known mistake times one."""

import math
from collections.abc import Callable
from typing import NamedTuple


class Multiple(NamedTuple):
    """A constant factor by which answers are often wrong."""

    words: str  # completes "this is the right answer ..."
    factor: Callable  # the arguments by name -> number
    needs: str | None = None  # the parameter that it depends on


def _pixels(given):
    return given["logits" if "logits" in given else "x_hat"][0].numel()


def _latent(given):
    return given["mu"].shape[-1]


def _images(given):
    return len(given["x" if "x" in given else "log_var"])


_SIZES = (
    *(
        Multiple("divided by the number of pixels", lambda given: 1 / _pixels(given), needs)
        for needs in ("logits", "x_hat")
    ),
    Multiple("divided by the number of latent dimensions", lambda given: 1 / _latent(given), "mu"),
    *(
        Multiple(f"{how} the number of images", lambda given, power=power: _images(given) ** power, needs)
        for how, power in (("multiplied by", 1), ("divided by", -1))
        for needs in ("x", "log_var")
    ),
)
SIGN = Multiple("multiplied by -1", lambda given: -1)
SIMPLE = (
    SIGN,
    Multiple("multiplied by 2", lambda given: 2),
    Multiple("divided by 2", lambda given: 1 / 2),
    *_SIZES,
)


def _turned(multiple):
    return Multiple(
        f"{multiple.words}, and {SIGN.words}", lambda given: -multiple.factor(given), multiple.needs
    )


_ONES = (
    *SIMPLE,
    Multiple("divided by log 2, so in bits and not in nats", lambda given: 1 / math.log(2)),
    Multiple("multiplied by log 2", lambda given: math.log(2)),
)
MULTIPLES = (*_ONES, *(_turned(multiple) for multiple in _ONES if multiple is not SIGN))


def fitting(multiples, parameters):
    """Those of the multiples that mean something for a function of these parameters, as a list."""
    estimator = "f" in parameters  # its mu is (L,), without images
    return [m for m in multiples if m.needs is None or (m.needs in parameters and not estimator)]


def times(code, parameters, multiple):
    """A function whose answer is that of another, times the multiple."""

    def multiplied(*args, **kwargs):
        given = dict(zip(parameters, args, strict=False)) | kwargs
        by, answer = multiple.factor(given), code(*args, **kwargs)
        return tuple(by * part for part in answer) if isinstance(answer, tuple) else by * answer

    return multiplied
