"""A folder of pictures, of any sizes and kinds -> square images and labels."""

import contextlib
import os
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from vae_lessons.data.splits import Data, Split
from vae_lessons.runtime import progress_bar, resolve_seed
from vae_lessons.settings import plain, said, tensor, whole_number

FORMATS = "PNG", "JPEG", "GIF", "WEBP", "BMP"
ENDINGS = ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".webp", ".bmp"
CHANNELS = {"grey": "L", "rgb": "RGB"}  # by Pillow's modes
NAMED = 10  # files that cannot be read are named up to here, and counted beyond


def load_folder(path, size=28, colour="grey", test=0.1, seed=None):
    """A folder of PNG, JPEG, GIF, WebP or BMP files -> Data with pixels (N, C, size, size) and labels (N,).

    Pixels are uint8, C is 1 for `colour` "grey" and 3 for "rgb". Each image is turned as its EXIF says, laid
    over white where it is transparent, cropped to the square in its middle and resized; of an animation it is
    the first frame. Labels count the class folders, sorted by name, with everything below them; they are 0
    where there are none, and images beside class folders are a class before these. Hidden files and others
    are ignored. The share `test` of the images, at least one, is drawn at random for testing, the same for
    the same seed, but each class keeps one for training. Only one file at a time is open at its full size.
    Warns, with names and number, of files left out since they cannot be read or are larger than
    PIL.Image.MAX_IMAGE_PIXELS. Raises ValueError if path is no folder or holds too few images for a split,
    or on a size, colour, test or seed that is none.
    """
    size, seed = whole_number("size", size), resolve_seed(seed)
    if colour not in ("grey", "rgb"):
        raise ValueError(f'colour must be "grey" or "rgb", not {said(colour)}.')
    share = plain(test)
    if type(share) not in (int, float) or not 0 < share < 1:
        raise ValueError(f"test must be a share between 0 and 1, such as 0.1, not {said(test)}.")
    folder = _folder(path)
    files = _files(folder)
    if not files:
        raise ValueError(f"There is no PNG, JPEG, GIF, WebP or BMP file in the folder {folder}.")
    pixels, broken = _read(files, size, CHANNELS[colour])
    left_out = _left_out(folder, files, broken)
    kept = [i for i in range(len(files)) if i not in broken]
    if len(kept) < 2:
        raise ValueError(
            f"A training and a test set need two images or more, but {folder} holds {len(kept)}"
            f"{f', since {left_out}' if broken else ''}."
        )
    if broken:
        warnings.warn(f"In {folder} {left_out}.", stacklevel=2)
    y = _labels([files[i] for i in kept])
    rows = torch.tensor(kept)
    parts = (Split(pixels[rows[part]], y[part]) for part in _parts(y, share, seed, folder))
    return Data(*parts, folder.resolve().name or "folder")


def _folder(path):
    if not isinstance(path, (str, os.PathLike)):
        raise ValueError(f"path must be the name of a folder, not {said(path)}.")
    folder = Path(path).expanduser()
    if not folder.is_dir():
        what = "is a file" if folder.exists() else f"does not exist, seen from {Path.cwd()}"
        raise ValueError(f"path must be a folder of images, but {folder} {what}.")
    return folder


def _files(folder):
    """All image files below a folder, by their endings, in the same order on every machine."""
    found = []
    for where, below, names in os.walk(folder):
        below[:] = [name for name in below if not name.startswith(".")]
        found += [
            Path(where, name)
            for name in names
            if name.lower().endswith(ENDINGS) and not name.startswith(".") and Path(where, name).is_file()
        ]
    return sorted(found, key=lambda file: file.parts)


def _read(files, size, mode):
    """N files -> pixels (N, C, size, size) uint8, and why some could not be read, by index."""
    pixels = torch.zeros(len(files), len(mode), size, size, dtype=torch.uint8)
    broken = {}
    with progress_bar(len(files)) as bar:
        bar.unit = "image"
        for i, file in enumerate(files):
            try:
                square = np.array(_square(file, size, mode))
            except Image.DecompressionBombWarning:
                broken[i] = f"more than {Image.MAX_IMAGE_PIXELS:,} pixels"
            except Image.DecompressionBombError:
                broken[i] = f"more than {2 * Image.MAX_IMAGE_PIXELS:,} pixels"
            except Exception as error:  # Pillow raises whatever its parsers stumble over
                broken[i] = _reason(error)
            else:
                pixels[i] = torch.from_numpy(square).view(size, size, -1).permute(2, 0, 1)
            bar.update()
    return pixels, broken


def _square(file, size, mode):
    """One file -> a PIL image (size, size) of the mode "L" or "RGB"."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Pillow says of odd but readable files
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with Image.open(file, formats=FORMATS) as image:
            image.draft(None, (2 * size, 2 * size))  # a JPEG is decoded at down to an eighth of its size
            image.load()
            with contextlib.suppress(Exception):  # damaged EXIF: the image as it lies
                image = ImageOps.exif_transpose(image)
            if image.mode.startswith("I"):  # 16 bit, which Pillow would clip at 255
                image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
            if image.has_transparency_data:
                image = image.convert("RGBA")
            elif image.mode not in ("L", "RGB"):
                image = image.convert("RGB")
            side, (width, height) = min(image.size), image.size
            left, top = (width - side) / 2, (height - side) / 2
            box = left, top, left + side, top + side
            image = image.resize((size, size), Image.Resampling.LANCZOS, box, reducing_gap=3)
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert(mode)


def _reason(error):
    if isinstance(error, Image.UnidentifiedImageError):
        return "no image"
    return str(error).split("\n")[0].rstrip(" .") or type(error).__name__


def _left_out(folder, files, broken):
    """How many files are left out, which and why, in one clause."""
    named = [f"{files[i].relative_to(folder)} ({why})" for i, why in list(broken.items())[:NAMED]]
    if len(broken) > NAMED:
        named.append(f"and {len(broken) - NAMED} more")
    return f"{len(broken)} of {len(files)} files cannot be read and are left out: {', '.join(named)}"


def _labels(files):
    """The number of each file's class folder, below the folder that all have in common, -> (N,) int64."""
    top = os.path.commonpath([file.parent for file in files])
    classes = [file.relative_to(top).parent.parts[:1] for file in files]
    numbers = {name: number for number, name in enumerate(sorted(set(classes)))}
    return torch.tensor([numbers[name] for name in classes])


def _parts(y, share, seed, folder):
    """Labels (N,) -> indices of the training and the test set, at random, each class in training."""
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed)).tolist()
    first = {}
    for i in order:
        first.setdefault(int(y[i]), i)
    kept = set(first.values())
    free = [i for i in order if i not in kept]
    if not free:
        raise ValueError(
            f"Each of the {len(kept)} class folders in {folder} holds one image, which is needed for "
            "training, so that none is left for testing; add images, or put all into one folder."
        )
    tested = set(free[: max(1, round(share * len(y)))])
    return torch.tensor([i for i in order if i not in tested]), torch.tensor(
        [i for i in order if i in tested]
    )


def save_pictures(x, path):
    """Write images as PNG files 0000.png, 0001.png, ... into a folder, (N, C, H, W) -> Path.

    C is 1 for grey or 3 for colour. Floating-point pixels are cut to [0, 1] and rounded to 256 levels:
    `load_folder` gives the same image again if it is square and keeps its size. Files of the same names
    are replaced. Raises TypeError or ValueError if x holds no such images, OSError if it cannot be written.
    """
    pixels = tensor("x", x).detach().cpu()
    if pixels.ndim != 4 or pixels.shape[1] not in (1, 3) or 0 in pixels.shape:
        raise ValueError(f"x must be (N, 1, H, W) or (N, 3, H, W), but it is {tuple(pixels.shape)}.")
    if pixels.is_floating_point():
        if not pixels.isfinite().all():
            raise ValueError("x must be finite numbers, but some are NaN or infinite.")
        pixels = (255 * pixels.float().clamp(0, 1)).round().byte()
    elif pixels.dtype != torch.uint8:
        raise TypeError(f"x must be uint8, 0 to 255, or floating point, 0 to 1, not {pixels.dtype}.")
    folder = Path(path).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(pixels.permute(0, 2, 3, 1).numpy()):
        Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(folder / f"{i:04d}.png")
    return folder
