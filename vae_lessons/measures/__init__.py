"""Model + data -> numbers: what the lessons claim about latent spaces and pictures, as measurements."""

from vae_lessons.measures.kl_parts import Information, information
from vae_lessons.measures.pictures import (
    Nearest,
    Yardstick,
    classifier,
    completeness,
    coverage,
    nearest,
    own_pictures,
    slant,
    told_apart,
    two_sample_accuracy,
    yardstick,
)
from vae_lessons.measures.spaces import (
    Aggregated,
    Units,
    Walk,
    active_units,
    aggregated,
    continuity,
    principal_angles,
    units,
)

__all__ = [
    "Aggregated",
    "Information",
    "Nearest",
    "Units",
    "Walk",
    "Yardstick",
    "active_units",
    "aggregated",
    "classifier",
    "completeness",
    "continuity",
    "coverage",
    "information",
    "nearest",
    "own_pictures",
    "principal_angles",
    "slant",
    "told_apart",
    "two_sample_accuracy",
    "units",
    "yardstick",
]
