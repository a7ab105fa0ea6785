"""x -> q(z|x) -> z -> p(x|z): the models, and files of them."""

from vae_lessons.model.convolutional import ConvolutionalVAE
from vae_lessons.model.mlp import Posterior, TwoHeads, mlp
from vae_lessons.model.saved import load_model, save_model
from vae_lessons.model.vae import VAE, Autoencoder, Output

__all__ = [
    "VAE",
    "Autoencoder",
    "ConvolutionalVAE",
    "Output",
    "Posterior",
    "TwoHeads",
    "load_model",
    "mlp",
    "save_model",
]
