"""A setting -> the plain number that it is (stub, replaced at merge)."""

import math
import operator


def whole_number(name, value, at_least=1):
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or number < at_least:
        raise ValueError(f"{name} must be a whole number, at least {at_least}, not {value!r}.")
    return number


def positive_number(name, value):
    try:
        number = math.nan if isinstance(value, (bool, str)) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 < number < math.inf:
        raise ValueError(f"{name} must be a positive number, not {value!r}.")
    return number


def number_at_least(name, value, low=0):
    try:
        number = math.nan if isinstance(value, (bool, str)) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not low <= number < math.inf:
        raise ValueError(f"{name} must be a number, {low} or more, not {value!r}.")
    return number
