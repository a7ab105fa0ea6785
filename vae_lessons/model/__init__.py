"""x -> q(z|x) -> z -> p(x|z): the models, and files of them."""

from vae_lessons.model.conditional import ConditionalVAE, condition
from vae_lessons.model.convolutional import ConvolutionalVAE
from vae_lessons.model.mlp import Posterior, TwoHeads, mlp
from vae_lessons.model.saved import load_model, save_model
from vae_lessons.model.vae import VAE, Autoencoder, Output
from vae_lessons.model.vq import WordVAE

__all__ = [
    "VAE",
    "Autoencoder",
    "ConditionalVAE",
    "ConvolutionalVAE",
    "Output",
    "Posterior",
    "TwoHeads",
    "WordVAE",
    "condition",
    "load_model",
    "mlp",
    "save_model",
]
