"""The exercises of the lessons, each under the name of the function that the learner writes.

from vae_lessons import check
check.reparameterize(reparameterize)  # the verdict; .hint() and .solution() help
"""

from vae_lessons.check import clinic
from vae_lessons.check.bugs import BUGS
from vae_lessons.check.cloud import sample_cloud
from vae_lessons.check.diagnosis import bug_clinic
from vae_lessons.check.divergence import kl_standard_normal
from vae_lessons.check.drawing import generate
from vae_lessons.check.gaussian import log_density
from vae_lessons.check.heads import two_heads
from vae_lessons.check.implied import beta_implied
from vae_lessons.check.loss import vae_loss
from vae_lessons.check.losses import elbo
from vae_lessons.check.measures import completeness
from vae_lessons.check.neighbours import nearest
from vae_lessons.check.pathwise import reparameterized_gradient
from vae_lessons.check.pca import pca_reconstruct
from vae_lessons.check.purpose import PURPOSES, choose_beta
from vae_lessons.check.reconstruction import bernoulli_nll
from vae_lessons.check.sampling import reparameterize
from vae_lessons.check.score_function import score_function_gradient
from vae_lessons.check.squares import autoencoder_loss
from vae_lessons.check.train_epoch import train_epoch
from vae_lessons.check.units import active_units

__all__ = [
    "BUGS",
    "PURPOSES",
    "active_units",
    "autoencoder_loss",
    "bernoulli_nll",
    "beta_implied",
    "bug_clinic",
    "choose_beta",
    "clinic",
    "completeness",
    "elbo",
    "generate",
    "kl_standard_normal",
    "log_density",
    "nearest",
    "pca_reconstruct",
    "reparameterize",
    "reparameterized_gradient",
    "sample_cloud",
    "score_function_gradient",
    "train_epoch",
    "two_heads",
    "vae_loss",
]
