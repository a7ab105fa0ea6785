"""The inputs on which functions are compared: seeded, and placed where the learner's own would be."""

from typing import NamedTuple

import torch

BATCHES = ((1, (4,)), (5, (4,)), (3, (1, 4, 5)))  # images and their shapes


class Probe(NamedTuple):
    """One input, and its name in the lesson's words."""

    title: str
    args: tuple
    kinks: tuple = ()  # parameters whose gradient is not compared: a right answer may have a kink there


def placed(value):
    """A tensor with the default dtype, on the default device; any other value unchanged."""
    if isinstance(value, torch.Tensor) and value.is_floating_point():
        return value.detach().to(torch.get_default_device(), torch.get_default_dtype())
    return value


def noise(*shape, seed=0):
    """Standard normal numbers for a probe, on the CPU, float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64, device="cpu")


def numbers(*values):
    """Each number by itself, numbers -> tuple of (1, 1)."""
    return tuple(map(row, values))


def row(*values):
    """One image of a few pixels, or one code, numbers -> (1, D)."""
    return torch.tensor([values], dtype=torch.float64, device="cpu")


def batch_title(images, shape):
    """What a probe is called, int, sizes -> text."""
    size = " x ".join(map(str, shape[1:])) if len(shape) > 1 else f"{shape[0]}"
    return f"{images} image{'s' * (images > 1)} of {size} pixels, x {(images, *shape)}"
