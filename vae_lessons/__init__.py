"""The models, training loop, measures and pictures behind the lessons on the variational autoencoder."""

from vae_lessons.runtime import settle_threads

__version__ = "0.1.0"

settle_threads()  # before anything here imports torch, which reads these settings once
