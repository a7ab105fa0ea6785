"""An encoder for a world whose posterior is known, and where the gap of its bound comes from (lesson 07)."""

from typing import NamedTuple

import torch
from torch import nn

from vae_lessons.evidence import best_diagonal
from vae_lessons.runtime import resolve_seed
from vae_lessons.settings import tensor, whole_number

FAMILIES = ("isotropic", "diagonal", "full")


class Gaps(NamedTuple):
    """Why a bound lies below log p(x), means over images, in nats: their sum is log p(x) - ELBO."""

    approximation: float  # what the best q of the family leaves
    amortization: float  # what the network's q leaves beyond that


def best_covariance(covariance, family):
    """The covariance of a family's best q for the posterior N(m, covariance), (L, L), str -> (L, L).

    "isotropic": L / trace(covariance^-1) for all; "diagonal": `best_diagonal`; "full": the posterior's own.
    Raises ValueError on another family.
    """
    if family not in FAMILIES:
        raise ValueError(f"family must be one of {', '.join(map(repr, FAMILIES))}, not {family!r}.")
    if family == "isotropic":
        variance = len(covariance) / (1 / best_diagonal(covariance)).sum()
        return variance * torch.eye(len(covariance), dtype=covariance.dtype)
    return covariance if family == "full" else best_diagonal(covariance).diag()


class Encoder(nn.Module):
    """A network of one hidden layer, x (B, D) -> mu (B, L), covariance (B, L, L) of a Gaussian q(z|x)."""

    def __init__(self, world, family="diagonal", hidden=32):
        super().__init__()
        if family not in FAMILIES:
            raise ValueError(f"family must be one of {', '.join(map(repr, FAMILIES))}, not {family!r}.")
        self.family, latent = family, world.latent
        self.sizes = latent, latent, latent * latent
        self.net = nn.Sequential(
            nn.Linear(len(world.b), whole_number("hidden", hidden)),
            nn.Tanh(),
            nn.Linear(hidden, sum(self.sizes)),
        ).double()

    def forward(self, x):
        """q(z|x) of each x, (B, D) -> mu (B, L), covariance (B, L, L)."""
        mu, log_sigma, lean = self.net(x).split(self.sizes, dim=1)
        if self.family == "isotropic":
            log_sigma = log_sigma.mean(1, keepdim=True).expand_as(mu)
        a = log_sigma.exp().diag_embed()  # the Cholesky factor: lower triangle, positive diagonal
        if self.family == "full":
            a = a + lean.unflatten(1, (mu.shape[1], -1)).tril(-1)
        return mu, a @ a.mT


def amortize(world, family="diagonal", hidden=32, steps=300, batch=64, seed=0):
    """Train an encoder on a linear-Gaussian world's images, by its exact ELBO, LinearGaussian -> Encoder.

    Raises ValueError if a setting is invalid. (Gershman & Goodman 2014)
    """
    steps, batch, seed = whole_number("steps", steps), whole_number("batch", batch), resolve_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        encoder = Encoder(world, family, hidden)
    generator = torch.Generator().manual_seed(seed)
    adam = torch.optim.Adam(encoder.parameters(), lr=0.05)
    schedule = torch.optim.lr_scheduler.LinearLR(adam, 1, 0, total_iters=steps)
    for _ in range(steps):
        x = world.sample(batch, generator)
        loss = -world.elbo(x, *encoder(x)).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        schedule.step()
    return encoder


def approximation_gap(world, x, family="diagonal"):
    """What the best q of a family leaves of log p(x), LinearGaussian, (B, D), str -> number, in nats.

    The mean over the images of log p(x) - ELBO(q*). Raises ValueError on another family or shape of x.
    (Cremer et al. 2018)
    """
    m, covariance = world.posterior(x)
    bound = world.elbo(x, m, best_covariance(covariance, family)[None])
    return (world.log_evidence(x) - bound).mean().item()


@torch.no_grad()
def gaps(world, x, encoder):
    """Divide log p(x) - ELBO of an encoder in two, LinearGaussian, (B, D), Encoder -> Gaps, in nats.

    Raises ValueError on another shape of x. (Cremer et al. 2018)
    """
    approximation = approximation_gap(world, x, encoder.family)
    whole = (world.log_evidence(x) - world.elbo(x, *encoder(x))).mean().item()
    return Gaps(approximation, whole - approximation)


def best_gaussian(model, x, full=False, steps=200, samples=16, seed=0):
    """The ELBO of the best Gaussian q of each image, no network, VAE, (B, *shape) -> (B,), in nats.

    Starts from the encoder's q and raises each image's own ELBO over mu and the Cholesky factor of q, which
    is lower triangular if `full` and else diagonal; the decoder is not trained. The ELBO is then measured
    with new samples. Raises ValueError if steps or samples are no counts. (Cremer et al. 2018)
    """
    steps, samples = whole_number("steps", steps), whole_number("samples", samples)
    generator = torch.Generator().manual_seed(resolve_seed(seed))
    with torch.no_grad():
        mu, log_var = (part.clone() for part in model.encode(tensor("x", x)))
    log_sigma, lean = log_var / 2, torch.zeros(*mu.shape, mu.shape[1])
    weights = [mu, log_sigma, lean][: 3 if full else 2]
    rows = x.repeat_interleave(samples, 0)

    def elbo():
        eps = torch.randn(len(x), samples, mu.shape[1], generator=generator)
        z = mu[:, None] + eps @ (log_sigma.exp().diag_embed() + lean.tril(-1)).mT
        nll = model.likelihood.nll(rows, model.decode(z.flatten(0, 1))).view(len(x), samples)
        log_ratio = (eps.square() - z.square()).sum(2) / 2 + log_sigma.sum(1, keepdim=True)
        return (log_ratio - nll).mean(1)

    for weight in weights:
        weight.requires_grad_()
    adam = torch.optim.Adam(weights, lr=0.03)
    schedule = torch.optim.lr_scheduler.LinearLR(adam, 1, 0, total_iters=steps)
    for _ in range(steps):
        gradients = torch.autograd.grad(-elbo().sum(), weights)  # and none for the model
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.grad = gradient
        adam.step()
        schedule.step()
    with torch.no_grad():
        return sum(elbo() for _ in range(20)) / 20
