"""A name -> images (N, 1, 28, 28) in [0, 1], labels and factors, on a device."""

import contextlib
import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import platformdirs
import torch
from torch import Tensor

from vae_lessons import handwriting
from vae_lessons.files import folder_made, written_whole
from vae_lessons.handwriting import Factors
from vae_lessons.runtime import resolve_device, resolve_seed
from vae_lessons.settings import tensor, whole_number

TRAIN, TEST = 18_000, 2_000  # images of the built-in digits
TORCHVISION = {"mnist": "MNIST", "fashion": "FashionMNIST"}
NAMES = ("digits", *TORCHVISION)
FILES = (
    "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte",
)  # fmt: skip


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
        return self.batch(slice(None))

    def batch(self, index):
        """A copy of the images at an index tensor, from 0 on, or a slice, (B, ...) floating point."""
        rows = isinstance(index, Tensor) and index.dtype == torch.int64 and index.device == self.pixels.device
        # index_select copies whole images, where [] goes pixel by pixel: 60 us instead of 200 for 128
        rows = rows and index.ndim == 1
        pixels = self.pixels.index_select(0, index) if rows else self.pixels[index]
        if pixels.dtype == torch.uint8:
            return pixels.float().div_(255)
        return pixels if rows else pixels.clone()

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


def load(name=None, train=None, test=None, device="cpu", folder=None):
    """Load "digits", "mnist" or "fashion" -> Data with pixels (N, 1, 28, 28) and labels (N,).

    `name` None takes the environment variable VAE_LESSONS_DATA, or else "digits": the handwriting
    that this package draws, 18,000 + 2,000 images with known factors, from no file and no network.
    "mnist" (LeCun et al. 1998) and "fashion" (Xiao et al. 2017) are read by torchvision from
    `folder`, or the variable VAE_LESSONS_DATA_DIR, or the user's cache folder, and downloaded to
    there once where they are missing. `train` and `test` choose so many images at random, always the same.
    Raises ValueError on an unknown name or count, RuntimeError where the images cannot be had.
    """
    where = "VAE_LESSONS_DATA" if name is None else "name"
    name = os.environ.get("VAE_LESSONS_DATA", "digits") if name is None else name
    if name not in NAMES:
        raise ValueError(f"{where} must be one of {', '.join(NAMES)}, not {name!r}.")
    for word, count in (("train", train), ("test", test)):
        if count is not None:
            whole_number(word, count)
    device = resolve_device(device)
    if name == "digits":
        splits = _digits()
    else:
        folder = folder or os.environ.get("VAE_LESSONS_DATA_DIR") or _cache() / "torchvision"
        splits = (_torchvision(name, Path(folder).expanduser(), part) for part in (True, False))
    splits = [split if n is None else split.choose(n) for split, n in zip(splits, (train, test), strict=True)]
    return Data(*(split.to(device) for split in splits), name)


def _cache():
    return Path(platformdirs.user_cache_dir("vae_lessons", appauthor=False))


def _digits():
    """The built-in digits, from the cache where it holds just these, else drawn and kept."""
    source = Path(handwriting.__file__).read_bytes()
    key = hashlib.sha256(source + f"{TRAIN} {TEST}".encode()).hexdigest()[:12]
    path = _cache() / f"digits-{key}.npz"
    arrays = _read_digits(path)
    if arrays is None:
        pixels, y, factors = handwriting.draw(TRAIN + TEST)
        arrays = (pixels.numpy(), y.numpy(), torch.stack(factors).numpy())
        _keep_digits(path, arrays)
    pixels, y, factors = (torch.from_numpy(a) for a in arrays)
    parts = slice(None, TRAIN), slice(TRAIN, None)
    return [Split(pixels[p], y[p], Factors(*factors[:, p])) for p in parts]


def _read_digits(path):
    """The arrays of a cache file, or None if it is missing, damaged or not what it should be."""
    n = TRAIN + TEST
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = file["pixels"], file["y"], file["factors"]
    except Exception:  # a damaged file fails in more ways than can be listed
        return None
    expected = ((n, 1, 28, 28), np.uint8), ((n,), np.int64), ((4, n), np.float32)
    fits = [(a.shape, a.dtype) == form for a, form in zip(arrays, expected, strict=True)]
    return arrays if all(fits) else None


def _keep_digits(path, arrays):
    """Write the cache file, beside those of other versions; without a cache it works as well."""
    with contextlib.suppress(OSError), written_whole(path) as file:
        np.savez(file, pixels=arrays[0], y=arrays[1], factors=arrays[2])


def _torchvision(name, folder, train):
    """One split of MNIST or Fashion-MNIST, whole, or RuntimeError with what to do about it."""
    kind = TORCHVISION[name]
    dataset = getattr(_import_datasets(), kind)
    raw = folder / kind / "raw"
    split, problem = _read_torchvision(dataset, folder, train)
    # Archives beside files that cannot be read are those of a download that was cut off.
    if split is None and ("download=True" in problem or any(raw.glob("*.gz"))):
        _download(dataset, raw)
        split, problem = _read_torchvision(dataset, folder, train)
    if split is None:
        raise RuntimeError(
            f"The files of {kind} in {raw} are damaged or cannot be read "
            f"({problem}); delete that folder and load again."
        )
    return split


def _read_torchvision(dataset, folder, train):
    """What torchvision finds in a folder -> (Split, None), or (None, why not)."""
    try:
        loaded = dataset(folder, train=train)
    except Exception as error:  # torchvision raises whatever its parser stumbles over
        return None, _reason(error)
    pixels, y = loaded.data, loaded.targets
    if pixels.shape[1:] != (28, 28) or len(pixels) != len(y) or len(y) == 0:
        return None, f"images {tuple(pixels.shape)} with labels {tuple(y.shape)}"
    return Split(pixels.unsqueeze(1), y), None


def _download(dataset, raw):
    """Download with torchvision beside `raw`, and move the files there once all are whole.

    torchvision itself writes in place, and takes any file that is there for a whole one: a download
    that is cut off, or two at once, would leave half a file.
    """
    try:
        with folder_made(raw), tempfile.TemporaryDirectory(prefix=".download-", dir=raw) as temporary:
            fresh = Path(temporary) / dataset.__name__ / "raw"
            fresh.mkdir(parents=True)
            for archive in raw.glob("*.gz"):
                shutil.copy(archive, fresh)
            dataset(temporary, download=True)
            for file in fresh.glob("*-ubyte"):
                os.replace(file, raw / file.name)
    except Exception as error:
        raise RuntimeError(
            f"There is no whole {dataset.__name__} in {raw}, and it could not be downloaded "
            f'({_reason(error)}); connect to the network, {_by_hand(raw)}, or use load("digits").'
        ) from None


def _by_hand(raw):
    """Which files to put where, and which lie nearby that are named otherwise, or elsewhere."""
    names = [spelling for name in FILES for spelling in (name.replace("-idx", ".idx"), name)]
    near = (above / name for above in (raw, raw.parent, raw.parent.parent) for name in names)
    found = next((path for path in near if path.is_file() and path not in (raw / n for n in FILES)), None)
    other = f" under these names (there is {found})" if found else ""
    return f"put its four files, {', '.join(FILES)}, into that folder{other}"


def _import_datasets():
    """torchvision.datasets, imported only when asked for, since it takes seconds and 160 MB."""
    try:
        from torchvision import datasets
    except Exception as error:  # a build for another torch fails in more than one way
        raise RuntimeError(
            f"torchvision does not import beside torch {torch.__version__} "
            f"({_reason(error)}); install the two together: "
            "pip install --upgrade --force-reinstall torch torchvision"
        ) from None
    return datasets


def _reason(error):
    """An error in one line: its type, and the first and last line of what it says."""
    lines = [line.strip(" .:") for line in str(error).splitlines() if line.strip()]
    return ": ".join(dict.fromkeys([type(error).__name__, *lines[:1], *lines[-1:]]))
