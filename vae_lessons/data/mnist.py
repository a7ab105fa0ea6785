"""MNIST (LeCun et al. 1998) and Fashion-MNIST (Xiao et al. 2017), read and downloaded by torchvision."""

import os
import shutil
import tempfile
from pathlib import Path

import torch

from vae_lessons.data.splits import Split
from vae_lessons.files import folder_made

DATASETS = {"mnist": "MNIST", "fashion": "FashionMNIST"}  # by torchvision's names
FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def read(name, folder, train):
    """One split of MNIST or Fashion-MNIST in a folder, downloaded if it is missing, -> Split.

    Raises RuntimeError, with what to do about it, if the files cannot be downloaded or read.
    """
    kind = DATASETS[name]
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
