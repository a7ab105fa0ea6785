"""x, y -> q(z|x, y) -> z -> p(x|z, y): the conditional variational autoencoder."""

import math

import torch
from torch import nn
from torch.nn.functional import one_hot

from vae_lessons.gaussian import kl_standard_normal, reparameterize
from vae_lessons.losses import Terms
from vae_lessons.model.mlp import Decoder, Encoder, Posterior, TwoHeads
from vae_lessons.model.vae import VAE, Output
from vae_lessons.settings import positive_number, tensor, whole_number


def condition(h, y, classes):
    """What a network gets, with the class beside it, (B, H), int64 (B,), C -> (B, H + C).

    row = [h_1, ..., h_H, 0, ..., 1, ..., 0],  the 1 at place y

    (Sohn et al. 2015)
    """
    return torch.cat([h, one_hot(y, classes).to(h)], dim=1)


class ConditionalVAE(VAE):
    """A VAE of images whose class y is told to both networks (Sohn et al. 2015): p(x|z, y) and q(z|x, y).

    `condition` is the number of classes C, and y then int64 (B,); or the number of columns of any y (B, C) in
    floating point. Each network gets the one-hot row of y, or y itself, times `loudness` beside its input. An
    `encoder` passed in takes (B, *shape) and that row (B, C), a `decoder` (B, L) and the row. The prior of z
    stays N(0, I). Other settings, errors: as a VAE's. Methods of a VAE that take x or z take y as well.
    """

    def __init__(self, latent=2, condition=10, loudness=3.0, **settings):
        self.condition = whole_number("condition", condition)
        self.loudness = positive_number("loudness", loudness)
        super().__init__(latent, **settings)
        self.settings |= {"condition": self.condition, "loudness": self.loudness}

    def _default_encoder(self, hidden):
        pixels = (math.prod(self.shape) + self.condition,)
        return Beside(Encoder(pixels, hidden, TwoHeads(hidden[-1], self.latent)))

    def _default_decoder(self, hidden):
        return Beside(Decoder(self.latent + self.condition, hidden, self.shape))

    def encode(self, x, y):
        """q(z|x, y) of each image, (B, *shape), (B,) or (B, C) -> Posterior of (B, L)."""
        return Posterior(*self.encoder(self._checked("x", x, self.shape), self._row(y, x)))

    def decode(self, z, y):
        """The output for each code and class, (B, L), (B,) or (B, C) -> (B, *shape)."""
        return self.decoder(self._checked("z", z, (self.latent,)), self._row(y, z))

    def forward(self, x, y, eps=None, generator=None):
        """One sample z ~ q(z|x, y) and its decoding, (B, *shape), (B,) or (B, C) -> Output."""
        mu, log_var = self.encode(x, y)
        z = reparameterize(mu, log_var, eps, generator)
        return Output(self.decode(z, y), mu, log_var, z)

    def terms(self, batch, generator=None):
        """-log p(x|z, y) from one sample z ~ q(z|x, y), and KL(q(z|x, y) || N(0, I)), Batch -> Terms of (B,).

        The negative ELBO is their sum: a bound of log p(x|y), in nats. (Sohn et al. 2015, equation 4)
        """
        out = self(batch.x, batch.y, generator=generator)
        mu, log_var = out.mu.to(batch.x.dtype), out.log_var.to(batch.x.dtype)  # sums not in 16 bits
        return Terms(self.likelihood.nll(batch.x, out.logits), kl_standard_normal(mu, log_var))

    @torch.no_grad()
    def code(self, x, y):
        """The mean of q(z|x, y), (B, *shape), (B,) or (B, C) -> (B, L), no gradient."""
        return self.encode(tensor("x", x).to(self.device), y).mu.to(x.device)

    @torch.no_grad()
    def picture(self, z, y):
        """The mean picture of p(x|z, y), (B, L), (B,) or (B, C) -> (B, *shape), no gradient."""
        return self.likelihood.mean(self.decode(tensor("z", z).to(self.device), y)).to(z.device)

    def reconstruct(self, x, y):
        """The picture of each image's code, (B, *shape), (B,) or (B, C) -> (B, *shape), no gradient."""
        return self.picture(self.code(x, y), y)

    def morph(self, first, second, y, steps=10):
        """Pictures of class y on the straight line between the codes of two images of it, as a VAE's `morph`.

        (*shape), (*shape), int64 () or (C,) -> (steps, *shape)
        """
        steps = whole_number("steps", steps, 2)
        pair = self.code(torch.stack([first, second]), y.expand(2, *y.shape))
        t = torch.linspace(0, 1, steps, dtype=pair.dtype, device=pair.device)[:, None]
        return self.picture((1 - t) * pair[0] + t * pair[1], y.expand(steps, *y.shape))

    def sample(self, y, generator=None):
        """A picture of each class asked for, z ~ N(0, I), (B,) or (B, C) -> (B, *shape)."""
        device = self.device if generator is None else generator.device
        z = torch.randn(len(tensor("y", y)), self.latent, generator=generator, device=device)
        return self.picture(z.to(next(self.parameters()).dtype), y)

    def transfer(self, x, y, y_new):
        """The code of each image, drawn as another class, (B, *shape), y, y -> (B, *shape), no gradient."""
        return self.picture(self.code(x, y), y_new)

    def _row(self, y, beside):
        """What the networks get of y, (B,) or (B, C) -> (B, C), of the type and device of `beside`."""
        if y is None:
            raise ValueError("A ConditionalVAE needs the classes y of the images, but there are none.")
        y, shape = tensor("y", y), (len(beside), self.condition)
        if y.is_floating_point():
            if y.shape != shape:
                raise ValueError(f"y must be {shape} if it is floating point, but it is {tuple(y.shape)}.")
            return self.loudness * y.to(beside)
        if y.dtype != torch.int64 or y.shape != shape[:1]:
            came = f"{y.dtype} of shape {tuple(y.shape)}"
            raise ValueError(f"y must be int64 ({len(beside)},), a class for each row, but it is {came}.")
        if not 0 <= y.min() <= y.max() < self.condition:
            came = f"{y.min()} to {y.max()}"
            raise ValueError(f"Classes must be from 0 to {self.condition - 1}, but y has {came}.")
        return self.loudness * one_hot(y.to(beside.device), self.condition).to(beside)


class Beside(nn.Module):
    """A network that gets the condition beside its input, (B, ...), (B, C) -> what it makes of (B, H + C)."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, h, row):
        """Both in one row for the network, (B, ...), (B, C) -> its answer."""
        return self.network(torch.cat([h.flatten(1), row], dim=1))

    def start_at(self, output):
        """Let an untrained decoder begin at this output, (*shape)."""
        self.network.start_at(output)
