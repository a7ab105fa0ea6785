"""The encoder and decoder that a model has unless others are passed in: x -> mu, log_var; z -> output."""

import math
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Posterior(NamedTuple):
    """q(z|x) of B images, each (B, L)."""

    mu: Tensor
    log_var: Tensor


def mlp(*sizes):
    """Linear layers of these sizes, each followed by SiLU (Hendrycks & Gimpel 2016).

    The weights start as in He et al. 2015, the biases at zero.
    """
    layers = []
    for i, o in pairwise(sizes):
        layers += [nn.Linear(i, o), nn.SiLU()]
        nn.init.kaiming_normal_(layers[-2].weight, nonlinearity="relu")
        nn.init.zeros_(layers[-2].bias)
    return nn.Sequential(*layers)


class TwoHeads(nn.Module):
    """What the hidden layers make of x -> q(z|x), (B, hidden) -> Posterior of (B, latent).

    Both heads are plain linear layers: mu and log_var may be any number. (Kingma & Welling 2014, appendix C)
    """

    def __init__(self, hidden, latent):
        super().__init__()
        self.mu_head = nn.Linear(hidden, latent)
        self.log_var_head = nn.Linear(hidden, latent)

    def forward(self, h):
        """The two parameters of q(z|x), (B, hidden) -> Posterior of (B, latent)."""
        return Posterior(self.mu_head(h), self.log_var_head(h))


class Encoder(nn.Module):
    """Hidden layers and a head, (B, *shape) -> what the head gives: a code (B, L), or a Posterior."""

    def __init__(self, shape, hidden, head):
        super().__init__()
        self.hidden, self.head = mlp(math.prod(shape), *hidden), head

    def forward(self, x):
        """The head's answer for each image, (B, *shape) -> (B, L) or Posterior of (B, L)."""
        return self.head(self.hidden(x.flatten(1)))


class Decoder(nn.Module):
    """Hidden layers, the encoder's in reverse, and an output for each pixel, (B, L) -> (B, *shape)."""

    def __init__(self, latent, hidden, shape):
        super().__init__()
        self.shape, self.hidden = shape, mlp(latent, *reversed(hidden))
        self.out = nn.Linear(hidden[0], math.prod(shape))
        nn.init.zeros_(self.out.bias)

    def forward(self, z):
        """The output for each code, (B, L) -> (B, *shape)."""
        return self.out(self.hidden(z)).view(len(z), *self.shape)

    @torch.no_grad()
    def start_at(self, output):
        """Let an untrained decoder begin at this output, (*shape): its bias, which is zero until then.

        It saves the first epoch, which otherwise goes into learning that most pixels are white.
        """
        if not self.out.bias.any():
            self.out.bias.copy_(output.flatten())
