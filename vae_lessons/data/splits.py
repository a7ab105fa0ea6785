"""N images with what is known about each, and how a model takes them."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from vae_lessons.data.digits import Factors
from vae_lessons.runtime import resolve_seed
from vae_lessons.settings import tensor, whole_number


class Batch(NamedTuple):
    """B images as a model takes them."""

    x: Tensor  # (B, ...) floating point, in [0, 1] if stored as uint8
    y: Tensor | None = None  # (B,) labels, where there are any

    def to(self, device):
        """The same batch on a device."""
        return Batch(*(None if part is None else part.to(device) for part in self))


@dataclass(frozen=True)
class Split:
    """N images with what is known about each.

    `pixels` is (N, ...) as stored: uint8 in 0..255, a quarter of the memory, or floating point.
    Raises TypeError or ValueError on pixels of another type, NaN, or y and factors that are no
    tensors of the same N.
    """

    pixels: Tensor
    y: Tensor | None = None
    factors: Factors | None = None

    def __post_init__(self):
        pixels = tensor("pixels", self.pixels)
        if pixels.dtype != torch.uint8 and not pixels.is_floating_point():
            raise TypeError(
                f"pixels must be uint8, 0 to 255, or floating point, not {pixels.dtype}; "
                "write pixels.to(torch.uint8) or pixels.float()."
            )
        if pixels.ndim < 2 or len(pixels) == 0:
            raise ValueError(f"pixels must be (N, ...), N at least 1, not {tuple(pixels.shape)}.")
        if pixels.is_floating_point() and not pixels.isfinite().all():
            raise ValueError("pixels must be finite numbers, but some are NaN or infinite.")
        for name, values in (("y", [self.y]), ("factors", self.factors or [])):
            for value in values:
                if value is not None and tensor(name, value).shape[:1] != pixels.shape[:1]:
                    raise ValueError(f"{name} of shape {tuple(value.shape)} is not for {len(pixels)} images.")

    def __len__(self):
        return len(self.pixels)

    @property
    def x(self):
        """A copy of all images, (N, ...) floating point, those stored as uint8 in [0, 1]."""
        return self.batch(slice(None)).x

    def batch(self, index):
        """A copy of the images and labels at an index tensor, from 0 on, or a slice, -> Batch."""
        rows = isinstance(index, Tensor) and index.dtype == torch.int64 and index.device == self.pixels.device
        # index_select copies whole images, where [] goes pixel by pixel: 60 us instead of 200 for 128
        pixels = self.pixels.index_select(0, index) if rows and index.ndim == 1 else self.pixels[index]
        x = pixels.float().div_(255) if pixels.dtype == torch.uint8 else pixels.clone()
        return Batch(x, None if self.y is None else self.y[index])

    def mean(self):
        """The mean image, (...) floating point, as `x.mean(0)` without the memory for x."""
        if self.pixels.dtype != torch.uint8:
            return self.pixels.mean(0, dtype=torch.promote_types(self.pixels.dtype, torch.float32))
        # sums of whole numbers, exact up to 65,000 images; a mean over bytes takes nine times as long
        return sum(part.float().sum(0) for part in self.pixels.split(256)) / len(self) / 255

    def at(self, index):
        """The images at an index tensor or slice, with what is known about them."""
        y = None if self.y is None else self.y[index]
        factors = None if self.factors is None else Factors(*(f[index] for f in self.factors))
        return Split(self.pixels[index], y, factors)

    def first(self, n):
        """The first n images, or all where there are fewer."""
        return self.at(slice(whole_number("n", n)))

    def choose(self, n, seed=0):
        """n images chosen at random, always the same ones; all, in their order, where there are fewer.

        The first images of a set need not be like the rest: in MNIST's test set the first half is
        neater handwriting than the second (LeCun et al. 1998).
        """
        if whole_number("n", n) >= len(self):
            return self
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(resolve_seed(seed)))
        return self.at(order[:n].to(self.pixels.device))

    def to(self, device):
        """The same images on a device."""
        y = None if self.y is None else self.y.to(device)
        factors = None if self.factors is None else Factors(*(f.to(device) for f in self.factors))
        return Split(self.pixels.to(device), y, factors)


class _Fields(NamedTuple):
    train: Split
    test: Split
    name: str


class Data(_Fields):
    """A training set and a test set, each a Split: train, test and a name.

    Raises TypeError if one of them is no Split.
    """

    __slots__ = ()

    def __new__(cls, train, test, name="data"):
        for part, split in (("train", train), ("test", test)):
            if not isinstance(split, Split):
                raise TypeError(
                    f"Data takes two Splits, Data(Split(train), Split(test)), but {part} is a "
                    f"{type(split).__name__}."
                )
        return super().__new__(cls, train, test, name)

    def to(self, device):
        """The same data on a device."""
        return Data(self.train.to(device), self.test.to(device), self.name)


def checked_split(name, value):
    """The value itself if it is a Split, or holds `pixels` as one does. Raises TypeError otherwise."""
    if not hasattr(value, "pixels"):
        raise TypeError(f"{name} must be a Split, such as data.test, not a {type(value).__name__}.")
    return value
