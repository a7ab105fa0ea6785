"""Pictures to drag: what the lessons show, under sliders and handles (ipywidgets), each with a still."""

from vae_lessons.explorers.bounds import bound
from vae_lessons.explorers.clouds import gaussian, kl
from vae_lessons.explorers.handwriting import handwriting
from vae_lessons.explorers.holes import hole_finder
from vae_lessons.explorers.latent import latent
from vae_lessons.explorers.learn import learn
from vae_lessons.explorers.noise import estimators, reparameterization
from vae_lessons.explorers.pictures import beta, components
from vae_lessons.explorers.training import training

__all__ = [
    "beta",
    "bound",
    "components",
    "estimators",
    "gaussian",
    "handwriting",
    "hole_finder",
    "kl",
    "latent",
    "learn",
    "reparameterization",
    "training",
]
