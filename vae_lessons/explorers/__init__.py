"""Pictures to drag: what the lessons show, under sliders and handles (ipywidgets), each with a still."""

from vae_lessons.explorers.bounds import bound
from vae_lessons.explorers.clouds import gaussian, kl
from vae_lessons.explorers.holes import hole_finder
from vae_lessons.explorers.training import training
from vae_lessons.explorers.noise import estimators, reparameterization
from vae_lessons.explorers.pictures import beta, components
from vae_lessons.explorers.planes import latent

__all__ = [
    "beta",
    "bound",
    "components",
    "estimators",
    "gaussian",
    "hole_finder",
    "kl",
    "latent",
    "reparameterization",
    "training",
]
