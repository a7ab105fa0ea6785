"""Pictures to drag: a few lines of Python send what each needs, and a script draws it in the page."""

from vae_lessons.explorers.axes import axes
from vae_lessons.explorers.bend import bend
from vae_lessons.explorers.beta import beta
from vae_lessons.explorers.bound import bound
from vae_lessons.explorers.components import components
from vae_lessons.explorers.conditional import conditional
from vae_lessons.explorers.estimators import estimators
from vae_lessons.explorers.gaussian import gaussian
from vae_lessons.explorers.handwriting import handwriting
from vae_lessons.explorers.hole_finder import hole_finder
from vae_lessons.explorers.importance import importance
from vae_lessons.explorers.kl import kl
from vae_lessons.explorers.latent import latent
from vae_lessons.explorers.learn import learn
from vae_lessons.explorers.mixture import mixture
from vae_lessons.explorers.peaks import peaks
from vae_lessons.explorers.reparameterization import reparameterization
from vae_lessons.explorers.sentence import sentence
from vae_lessons.explorers.sharpening import Moment, sharpening
from vae_lessons.explorers.training import training

__all__ = [
    "Moment",
    "axes",
    "bend",
    "beta",
    "bound",
    "components",
    "conditional",
    "estimators",
    "gaussian",
    "handwriting",
    "hole_finder",
    "importance",
    "kl",
    "latent",
    "learn",
    "mixture",
    "peaks",
    "reparameterization",
    "sentence",
    "sharpening",
    "training",
]
