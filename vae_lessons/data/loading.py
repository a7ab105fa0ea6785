"""A name -> images (N, 1, 28, 28) in [0, 1], labels and factors, on a device."""

import contextlib
import hashlib
import os
from pathlib import Path

import numpy as np
import platformdirs
import torch

from vae_lessons.data import digits, mnist
from vae_lessons.data.digits import Factors
from vae_lessons.data.splits import Data, Split
from vae_lessons.files import written_whole
from vae_lessons.runtime import resolve_device
from vae_lessons.settings import whole_number

TRAIN, TEST = 18_000, 2_000  # images of the built-in digits
NAMES = ("digits", *mnist.DATASETS)


def load(name=None, train=None, test=None, device="cpu", folder=None):
    """Load "digits", "mnist" or "fashion" -> Data with pixels (N, 1, 28, 28) and labels (N,).

    `name` None takes the environment variable VAE_LESSONS_DATA, or else "digits": the handwriting
    that this package draws, 18,000 + 2,000 images with known factors, from no file and no network.
    "mnist" (LeCun et al. 1998) and "fashion" (Xiao et al. 2017) are read by torchvision from
    `folder`, or the variable VAE_LESSONS_DATA_DIR, or the user's cache folder, and downloaded to
    there once where they are missing. `train` and `test` choose so many images at random, always the same.
    Raises ValueError on an unknown name or count, RuntimeError if the images cannot be read or downloaded.
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
        splits = (mnist.read(name, Path(folder).expanduser(), part) for part in (True, False))
    splits = [split if n is None else split.choose(n) for split, n in zip(splits, (train, test), strict=True)]
    return Data(*(split.to(device) for split in splits), name)


def _cache():
    return Path(platformdirs.user_cache_dir("vae_lessons", appauthor=False))


def _digits():
    """The built-in digits, from the cache where it holds just these, else drawn and kept."""
    source = Path(digits.__file__).read_bytes()
    key = hashlib.sha256(source + f"{TRAIN} {TEST}".encode()).hexdigest()[:12]
    path = _cache() / f"digits-{key}.npz"
    arrays = _read_digits(path)
    if arrays is None:
        pixels, y, factors = digits.draw(TRAIN + TEST)
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
