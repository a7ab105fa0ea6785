"""What a caller passes -> a plain Python number, or a tensor, or one sentence on what would do."""

import math


def whole_number(name, value, at_least=1, at_most=None):
    """A whole number of Python, NumPy or PyTorch -> int. True and 2.0 are none.

    Raises ValueError if it is no whole number, or is below `at_least` or above `at_most`.
    """
    number = plain(value)
    if type(number) is not int or number < at_least or (at_most is not None and number > at_most):
        wanted = f", at least {at_least}" if at_most is None else f" from {at_least} to {at_most}"
        raise ValueError(f"{name} must be a whole number{wanted}, not {said(value)}.")
    return number


def finite_number(name, value, wanted="a finite number"):
    """A number of Python, NumPy or PyTorch -> int or float. True is none.

    Raises ValueError, with what is `wanted`, if it is no number, or NaN or infinite.
    """
    return _number(name, value, wanted, math.isfinite)


def positive_number(name, value, wanted="a positive number"):
    """As `finite_number`, and greater than 0."""
    return _number(name, value, wanted, lambda number: 0 < number < math.inf)


def number_at_least(name, value, least=0):
    """As `finite_number`, and `least` or more."""
    return _number(name, value, f"a number, {least} or more", lambda number: least <= number < math.inf)


def tensor(name, value):
    """A tensor as it is. Raises TypeError on anything else, with how to write it as a tensor."""
    import torch  # here, since the threads are settled before it is imported

    if isinstance(value, torch.Tensor):
        return value
    came, how = f"a {type(value).__name__}", ""
    if type(value).__module__ == "numpy":
        came, how = "a NumPy array", f"; write torch.from_numpy({name})"
    elif isinstance(value, (list, tuple)):
        how = f"; write torch.tensor({name})"
    raise TypeError(f"{name} must be a tensor, not {came}{how}.")


def finite_tensor(name, value):
    """A tensor as it is. Raises TypeError on anything else, ValueError if it holds NaN or infinity."""
    if not tensor(name, value).isfinite().all():
        raise ValueError(f"{name} must be finite numbers, but some are NaN or infinite.")
    return value


def plain(value):
    """The Python number in one of NumPy's, or in an array or tensor of one; all else as it is."""
    try:
        return value.item()
    except (AttributeError, TypeError, ValueError, RuntimeError):  # no array, or not of one number
        return value


def said(value):
    """A value as an error shows it, in one line: its repr, or its type where that is long."""
    words = repr(value)
    return words if len(words) <= 60 and "\n" not in words else f"a {type(value).__name__}"


def _number(name, value, wanted, good):
    number = plain(value)
    if type(number) not in (int, float) or not good(number):
        raise ValueError(f"{name} must be {wanted}, not {said(value)}.")
    return number
