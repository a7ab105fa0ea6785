"""Eight small clouds on a circle, and several copies of a VAE or a GAN that learn them side by side."""

import math
from itertools import pairwise

import torch
from torch import nn

from vae_lessons.adversarial import fit_adversarial, standard_normal
from vae_lessons.data.splits import Data, Split
from vae_lessons.gaussian import kl_standard_normal, log_density, reparameterize
from vae_lessons.losses import Terms
from vae_lessons.model.mlp import Posterior
from vae_lessons.runtime import resolve_seed
from vae_lessons.settings import finite_tensor, whole_number
from vae_lessons.train import fit

MODES, RADIUS, SD, HIDDEN, LATENT = 8, 2.0, 0.1, 64, 2
SHARE = 0.025  # of all draws: a fifth of what a mode would get if all got the same


def centres():
    """The middle of each cloud, -> (8, 2)."""
    angle = torch.arange(MODES) * (2 * math.pi / MODES)
    return RADIUS * torch.stack([angle.cos(), angle.sin()], 1)


def ring(n, copies=5, seed=None):
    """n points for each of some copies, independent of each other, int -> Data of (n, copies, 2).

    x = centre_k + 0.1 eps,  k one of eight with equal odds,  eps ~ N(0, I)
    """
    n, copies = whole_number("n", n), whole_number("copies", copies)
    noise = torch.Generator().manual_seed(resolve_seed(seed))

    def points(count):
        which = torch.randint(MODES, (count, copies), generator=noise)
        return Split(centres()[which] + SD * torch.randn(count, copies, 2, generator=noise))

    return Data(points(n), points(1_000), "ring")


def modes_held(points):
    """How many of the eight clouds are drawn, (N, C, 2) -> int64 (C,).

    A cloud counts if at least 2.5 % of all points, a fifth of its share, lie within 3 sd of its centre.
    Raises ValueError on another shape or NaN.
    """
    return ((_near(points)).double().mean(0) >= SHARE).sum(-1)


def share_on(points):
    """The share of points within 3 sd of a centre, (N, C, 2) -> (C,). Of the ring's own it is .989."""
    return _near(points).any(-1).double().mean(0)


def _near(points):
    """Whether each point lies in each cloud, (N, C, 2) -> (N, C, 8)."""
    if finite_tensor("points", points).ndim != 3 or points.shape[2] != 2:
        raise ValueError(f"points must be (N, C, 2), but it is {tuple(points.shape)}.")
    away = points[:, :, None] - centres().to(points)
    return away.norm(dim=-1) <= 3 * SD


class Copies(nn.Module):
    """C networks of the same sizes, none of which sees another, (B, C, sizes[0]) -> (B, C, sizes[-1]).

    Their weights are stacked, so that one product of matrices serves all of them; ReLU between.
    They start as those of nn.Linear do.
    """

    def __init__(self, copies, *sizes):
        super().__init__()
        pairs = list(pairwise(sizes))
        self.weights = nn.ParameterList(_initial(i, copies, i, o) for i, o in pairs)
        self.biases = nn.ParameterList(_initial(i, copies, 1, o) for i, o in pairs)

    def forward(self, x):
        """What each network makes of its own inputs, (B, C, I) -> (B, C, O)."""
        h = x.transpose(0, 1)
        for k, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            h = torch.baddbmm(bias, h, weight)
            h = h.relu() if k + 1 < len(self.weights) else h
        return h.transpose(0, 1)


def _initial(inputs, *shape):
    return nn.Parameter((2 * torch.rand(shape) - 1) / math.sqrt(inputs))


def _seeded(build, seed):
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(resolve_seed(seed))  # and not the GPU's
        return build()


class RingVAE(nn.Module):
    """Copies of a VAE of points, 2-64-64-(2 + 2) and 2-64-64-2, each with one learned sigma.

    p(x|z) = N(x; decoder(z), sigma^2 I). `fit` trains it: its two terms are sums over the copies.
    """

    def __init__(self, copies=5, seed=None):
        super().__init__()
        self.copies = whole_number("copies", copies)
        sizes = HIDDEN, HIDDEN
        self.encoder, self.decoder = _seeded(
            lambda: (Copies(copies, 2, *sizes, 2 * LATENT), Copies(copies, LATENT, *sizes, 2)), seed
        )
        self.log_sigma = nn.Parameter(torch.full((copies, 1), -1.0))

    def terms(self, batch, generator=None):
        """The two terms of the negative ELBO, summed over the copies, Batch -> Terms of (B,), in nats."""
        q = Posterior(*self.encoder(batch.x).chunk(2, -1))
        mean = self.decoder(reparameterize(*q, generator=generator))
        log_p = log_density(
            batch.x.flatten(0, 1), mean.flatten(0, 1), (2 * self.log_sigma).expand_as(mean).flatten(0, 1)
        )
        kl = kl_standard_normal(*(part.flatten(0, 1) for part in q))
        return Terms(*(part.view(len(batch.x), -1).sum(1) for part in (-log_p, kl)))

    @torch.no_grad()
    def sample(self, n, seed=None):
        """n draws of each copy: the decoder's mean of z ~ N(0, I), int -> (n, C, 2), on the CPU."""
        return _drawn(self.decoder, n, self.copies, seed)


class RingCritic(Copies):
    """Copies of a critic of points, 2-64-64-1, (B, C, 2) -> logits (B, C)."""

    def __init__(self, copies):
        super().__init__(copies, 2, HIDDEN, HIDDEN, 1)

    def forward(self, x):
        """The logit of "real" for each point, (B, C, 2) -> (B, C)."""
        return super().forward(x)[..., 0]


def fit_ring_vae(data, steps=2_500, lr=3e-3, seed=None):
    """Train copies of a VAE on the ring, Data of (N, C, 2) -> RingVAE, by `fit` with batches of 128."""
    copies, batch = data.train.pixels.shape[1], 128
    epochs = max(1, round(steps * batch / len(data.train)))
    model = RingVAE(copies, seed)
    fit(model, data, epochs, batch=batch, lr=lr, seed=seed, device="cpu", progress=False)
    return model


def fit_ring_gan(data, steps=1_500, lr=1e-3, penalty=0.0, seed=None):
    """Train copies of a GAN on the ring, Data of (N, C, 2) -> a function: n -> draws (n, C, 2).

    Both networks are 2-64-64; `fit_adversarial` trains all copies at once. The losses are means over
    copies, the penalty is a sum over them, so it is divided by their number.
    """
    copies = data.train.pixels.shape[1]
    generator, critic = _seeded(lambda: (Copies(copies, LATENT, HIDDEN, HIDDEN, 2), RingCritic(copies)), seed)
    fit_adversarial(
        generator,
        data,
        steps,
        standard_normal(copies, LATENT),
        penalty / copies,
        critic,
        lr,
        every=1,
        falling=False,
        device="cpu",
        seed=seed,
        progress=False,
    )
    return lambda n, seed=None: _drawn(generator, n, copies, seed)


@torch.no_grad()
def _drawn(decoder, n, copies, seed):
    noise = torch.Generator().manual_seed(resolve_seed(seed))
    return decoder(torch.randn(whole_number("n", n), copies, LATENT, generator=noise))
