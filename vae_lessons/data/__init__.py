"""A name, a folder or one's own tensors -> images, labels and factors."""

from vae_lessons.data.binary import binarized
from vae_lessons.data.digits import Factors
from vae_lessons.data.folder import load_folder, save_pictures
from vae_lessons.data.loading import load
from vae_lessons.data.postcards import draw_folder
from vae_lessons.data.splits import Batch, Data, Split

__all__ = [
    "Batch",
    "Data",
    "Factors",
    "Split",
    "binarized",
    "draw_folder",
    "load",
    "load_folder",
    "save_pictures",
]
