"""A name -> a VAE with that one bug, and its symptoms: the catalogue of the clinic."""

import inspect
import textwrap
from typing import NamedTuple

import torch

from vae_lessons.gaussian import reparameterize
from vae_lessons.losses import Terms
from vae_lessons.model import VAE, Output, Posterior


class Healthy(VAE):
    """A VAE with a method for each part that can have a bug; each bug overrides one."""

    def noisy(self, mu, log_var, eps):
        """A draw from q(z|x), three of (B, L) -> (B, L)."""
        return reparameterize(mu, log_var, eps)

    def charged(self, nll, kl):
        """The two terms whose sum is minimised, (B,), (B,) -> Terms of (B,)."""
        return Terms(nll, kl)

    def prior(self, n, generator):
        """The z from which new images are decoded, -> (n, L)."""
        return torch.randn(n, self.latent, generator=generator)

    def show(self, logits):
        """What is drawn for the decoder's output, (B, *shape) -> (B, *shape)."""
        return logits.sigmoid()

    def forward(self, x, eps=None, generator=None):
        """One sample z and its decoding, (B, *shape) -> Output."""
        mu, log_var = self.encode(x)
        eps = torch.randn(mu.shape, generator=generator) if eps is None else eps
        z = self.noisy(mu, log_var, eps)
        return Output(self.decode(z), mu, log_var, z)


class _NoKl(Healthy):
    def charged(self, nll, kl):
        """The reconstruction alone, (B,), (B,) -> Terms of (B,)."""
        return Terms(nll, 0 * kl)


class _KlSign(Healthy):
    def charged(self, nll, kl):
        """The KL subtracted, (B,), (B,) -> Terms of (B,)."""
        return Terms(nll, -kl)


class _MeanOverPixels(Healthy):
    def charged(self, nll, kl):
        """The nll per pixel, the KL per image, (B,), (B,) -> Terms of (B,)."""
        return Terms(nll / 784, kl)  # reduction="mean" for the pixels, a sum for the KL


class _NoNoise(Healthy):
    def noisy(self, mu, log_var, eps):
        """No noise, three of (B, L) -> (B, L)."""
        return mu


class _ExpLogVar(Healthy):
    def noisy(self, mu, log_var, eps):
        """The variance in place of sigma, three of (B, L) -> (B, L)."""
        return mu + torch.exp(log_var) * eps


class _ReluMu(Healthy):
    def encode(self, x):
        """No negative mu, (B, *shape) -> Posterior of (B, L)."""
        mu, log_var = super().encode(x)
        return Posterior(torch.relu(mu), log_var)


class _TanhMu(Healthy):
    def encode(self, x):
        """No mu beyond 1, (B, *shape) -> Posterior of (B, L)."""
        mu, log_var = super().encode(x)
        return Posterior(torch.tanh(mu), log_var)


class _ReluLogVar(Healthy):
    def encode(self, x):
        """No sigma below 1, (B, *shape) -> Posterior of (B, L)."""
        mu, log_var = super().encode(x)
        return Posterior(mu, torch.relu(log_var))


class _SigmoidTwice(Healthy):
    def decode(self, z):
        """Probabilities in place of logits, (B, L) -> (B, *shape)."""
        return torch.sigmoid(super().decode(z))  # and the loss treats it as logits


class _UniformDraws(Healthy):
    def prior(self, n, generator):
        """Draws between 0 and 1, -> (n, L)."""
        return torch.rand(n, self.latent, generator=generator)


class _WideDraws(Healthy):
    def prior(self, n, generator):
        """Draws from far outside, -> (n, L)."""
        return 15 * torch.randn(n, self.latent, generator=generator)


class _LogitsShown(Healthy):
    def show(self, logits):
        """The logits without a sigmoid, (B, *shape) -> (B, *shape)."""
        return logits.clamp(0, 1)


class Bug(NamedTuple):
    """One bug: its model, what is wrong, and its symptoms. `{...}` are a patient's numbers."""

    model: type
    wrong: str
    seen: str  # in this patient: its symptoms
    else_seen: str  # in any patient: what this bug would show
    healthy: str = ""  # the healthy line, if the method of `Healthy` does not show it

    @property
    def code(self):
        """The buggy method and the line of the healthy one, str."""
        (name,) = (name for name in vars(self.model) if callable(vars(self.model)[name]))
        buggy, healthy = (_lines(getattr(kind, name)) for kind in (self.model, Healthy))
        return "\n".join([*buggy, f"# healthy: {self.healthy or healthy[-1].strip()}"])


def _lines(function):
    """The source of a method without its docstring, list of str."""
    lines = textwrap.dedent(inspect.getsource(function)).splitlines()
    return [line for line in lines if '"""' not in line]


CATALOGUE = {
    "no KL": Bug(
        _NoKl,
        "the loss is the reconstruction alone",
        "its KL is {kl:.0f} nats and still climbs (healthy: {h.kl:.0f}), and each q(z|x) has shrunk to a "
        "point, sigma {sigma:.3f}. The loss puts no price on what the code says.",
        "the KL would climb past 10 nats and not level off, and each q(z|x) would shrink to a point, with a "
        "sigma below 0.01.",
    ),
    "KL with the wrong sign": Bug(
        _KlSign,
        "the KL is subtracted from the loss, so that leaving the prior is rewarded",
        "its KL runs away to {kl:.0e} nats, and it no longer reconstructs anything.",
        "the KL would run away to millions of nats, the nll would go back to that of the mean image, and "
        "the draws would be specks.",
    ),
    "reconstruction averaged over pixels": Bug(
        _MeanOverPixels,
        "the nll is a mean over 784 pixels, the KL a sum, which is beta = 784",
        "its KL is {kl:.2f}, every q(z|x) is the prior, and every draw is the mean image. This is posterior "
        "collapse; a KL summed over the batch, or a z without gradient, would look the same.",
        "the KL would fall to 0, all codes would sit on one point, and every draw would be the same grey "
        "blot.",
    ),
    "no noise": Bug(
        _NoNoise,
        "z = mu: the decoder never sees a sample",
        "every sigma is {sigma:.2f}, as in the prior, since nothing rewards a narrower one, and all q(z|x) "
        "overlap. To tell ten digits apart takes log 10 = 2.3 nats. With a KL of {kl:.1f} its nll is like "
        "the healthy one's, {nll:.0f} to {h.nll:.0f}, which is too good to be true.",
        "every q(z|x) would be as wide as the prior, sigma 1, and the KL would stay below 2 nats, while the "
        "nll is as low as the healthy one's.",
    ),
    "sigma = exp(log_var)": Bug(
        _ExpLogVar,
        "the noise is scaled by the variance, the KL still by the standard deviation",
        "its KL is {kl:.1f} (healthy: {h.kl:.1f}), and there is no other symptom.",
        "you would hardly see it: the KL would level off near 3 nats instead of 5, and curves, draws and "
        "codes would look healthy. A check of z's standard deviation finds it; a picture does not.",
    ),
    "ReLU on mu": Bug(
        _ReluMu,
        "mu cannot be negative",
        "no code has a negative coordinate.",
        "no code would have a negative coordinate: they would fill one quadrant, or one axis if a unit is "
        "dead, or one point if both are, and the nll would be some nats above the healthy one's.",
    ),
    "tanh on mu": Bug(
        _TanhMu,
        "mu cannot leave the interval from -1 to 1",
        "its codes fill a square and accumulate at its edges: the largest |mu| is {reach:.2f} (healthy: "
        "{h.reach:.1f}). The prior also draws from outside the square, where the decoder was never trained: "
        "some draws are distorted.",
        "the codes would fill a square from -1 to 1 and accumulate at its edges.",
        "return Posterior(mu, log_var)",
    ),
    "ReLU on log_var": Bug(
        _ReluLogVar,
        "no q(z|x) can be narrower than the prior",
        "no sigma is below 1.",
        "no sigma would be below 1; the codes would spread to 6 or more to be distinguishable, and the nll "
        "would be about 10 nats above the healthy one's.",
    ),
    "sigmoid twice": Bug(
        _SigmoidTwice,
        "the decoder ends in a sigmoid, and the loss applies another",
        "its pixels have probabilities from {palest:.2f} to {darkest:.2f}: the sigmoid of a number from 0 "
        "to 1 lies between 0.50 and 0.73. No pixel can be white, so the nll stays at {nll:.0f} nats, about "
        "784 log 2, the nll of probability 1/2 for every pixel.",
        "the background would be grey, since the sigmoid of a probability is at least 0.5, and the nll "
        "would stay near 784 log 2 = 543.",
        "return super().decode(z)",
    ),
    "draws from a uniform": Bug(
        _UniformDraws,
        "torch.rand in place of torch.randn",
        "both curves and the codes are healthy, but the draws are too similar (spread {spread:.3f}, healthy "
        "{h.spread:.3f}). They all come from the square between 0 and 1, a small part of the plane.",
        "both curves and the codes would be healthy, and the draws would all be variations of one or two "
        "digits.",
    ),
    "draws far too wide": Bug(
        _WideDraws,
        "z is drawn with 15 times the prior's standard deviation",
        "both curves and the codes are healthy; the draws come from where there are no codes.",
        "both curves and the codes would be healthy, and the draws bold black shapes, almost without grey.",
    ),
    "logits shown as pictures": Bug(
        _LogitsShown,
        "the draws are the decoder's output without the sigmoid",
        "both curves and the codes are healthy; the draws have hard edges and no grey.",
        "both curves and the codes would be healthy, and the draws thin and hard-edged, almost without grey.",
    ),
}
BUGS = {name: bug.wrong for name, bug in CATALOGUE.items()}  # what the learner chooses from
PATIENTS = (
    "no KL",
    "reconstruction averaged over pixels",
    "no noise",
    "tanh on mu",
    "sigmoid twice",
    "draws from a uniform",
)
