"""x -> q(z|x) -> z -> p(x|z) by convolutions, for pictures of any size, grey or in colour."""

import math
from itertools import pairwise

import torch
from torch import nn

from vae_lessons.model.mlp import TwoHeads
from vae_lessons.model.vae import VAE, sizes
from vae_lessons.runtime import resolve_seed
from vae_lessons.settings import whole_number


class ConvolutionalEncoder(nn.Module):
    """Convolutions that halve height and width, then two heads, (B, *shape) -> Posterior of (B, latent)."""

    def __init__(self, shape, channels, latent):
        super().__init__()
        layers, halved = [], _halved(shape[1:], len(channels))
        for i, o in zip((shape[0], *channels), channels, strict=False):
            layers += [nn.Conv2d(i, o, 3, stride=2, padding=1), nn.SiLU()]
        self.hidden = nn.Sequential(*layers, nn.Flatten())
        self.head = TwoHeads(channels[-1] * math.prod(halved[-1]), latent)

    def forward(self, x):
        """The head's answer for each image, (B, *shape) -> Posterior of (B, latent)."""
        return self.head(self.hidden(x))


class ConvolutionalDecoder(nn.Module):
    """The encoder's way back, (B, latent) -> (B, *shape): each step doubles height and width.

    What an odd size has too much is cut off. The last step adds a bias of its own to each pixel, at which
    `start_at` lets an untrained decoder begin.
    """

    def __init__(self, latent, channels, shape):
        super().__init__()
        self.sizes = _halved(shape[1:], len(channels))[::-1]
        self.start = nn.Sequential(
            nn.Linear(latent, channels[-1] * math.prod(self.sizes[0])),
            nn.Unflatten(1, (channels[-1], *self.sizes[0])),
        )
        back = (*reversed(channels), shape[0])
        self.steps = nn.ModuleList(
            nn.ConvTranspose2d(i, o, 4, stride=2, padding=1) for i, o in pairwise(back)
        )
        self.bias = nn.Parameter(torch.zeros(shape))

    def forward(self, z):
        """The output for each code, (B, latent) -> (B, *shape)."""
        h = self.start(z)
        for step, (height, width) in zip(self.steps, self.sizes[1:], strict=True):
            h = step(nn.functional.silu(h))[..., :height, :width]
        return h + self.bias

    @torch.no_grad()
    def start_at(self, output):
        """Let an untrained decoder begin at this output, (*shape): its bias, which is zero until then."""
        if not self.bias.any():
            self.bias.copy_(output)


def _halved(size, times):
    """(height, width) and what is left of it after each halving, rounded up, list of times + 1 pairs."""
    sizes = [tuple(size)]
    for _ in range(times):
        sizes.append(tuple(-(-side // 2) for side in sizes[-1]))
    return sizes


class ConvolutionalVAE(VAE):
    """A VAE whose encoder and decoder are convolutions, for pictures of any size (LeCun et al. 1989).

    `channels` are those after each halving of height and width, `shape` is (C, H, W) of a picture, 1 channel
    for grey or 3 for colour. `likelihood` "gaussian" has one sigma, "learned" or a number; "bernoulli" or
    a module, such as `observation.Levels(data.train.x)`, has none. A learned sigma starts at 0.1, not 1,
    which suits pixels in [0, 1]: training moves log sigma by at most the learning rate a step.
    Raises ValueError if a setting is invalid. (Rybkin et al. 2021 on sigma)
    """

    def __init__(
        self,
        latent=16,
        channels=(16, 32, 64),
        likelihood="gaussian",
        sigma="learned",
        shape=(3, 32, 32),
        seed=None,
    ):
        latent, seed = whole_number("latent", latent), resolve_seed(seed)
        channels, shape = sizes("channels", channels), sizes("shape", shape)
        if len(shape) != 3:
            raise ValueError(f"shape must be (channels, height, width), such as (3, 32, 32), not {shape}.")
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # and not the GPU's
            encoder = ConvolutionalEncoder(shape, channels, latent)
            decoder = ConvolutionalDecoder(latent, channels, shape)
        learned = isinstance(sigma, str) and sigma == "learned"
        sigma = 1.0 if learned and likelihood != "gaussian" else sigma
        super().__init__(
            latent,
            likelihood=likelihood,
            sigma=sigma,
            shape=shape,
            seed=seed,
            encoder=encoder,
            decoder=decoder,
        )
        self.settings = {name: value for name, value in self.settings.items() if name != "hidden"}
        self.settings["channels"] = channels
        if learned and likelihood == "gaussian":
            nn.init.constant_(self.likelihood.log_sigma, math.log(0.1))
