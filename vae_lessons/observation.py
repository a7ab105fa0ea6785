"""The observation model p(x|z): a decoder's output (B, *shape) and images -> nats, a mean image, a draw.

Each likelihood is a module with `nll(x, out)`, `mean(out)`, `sample(out)`, `output(mean)` and `check(x)`;
nothing else in the package asks which one a model has.
"""

import math

import torch
from torch import nn

from vae_lessons.losses import bernoulli_terms, check_levels, check_pixels, gaussian_terms, levels_terms
from vae_lessons.settings import positive_number, said


class Bernoulli(nn.Module):
    """Pixels that are 0 or 1 with probability sigmoid(out): the output is their logits.

    Between 0 and 1 it is the usual cross-entropy and no density. (Kingma & Welling 2014, appendix C.1)
    """

    def nll(self, x, out):
        """-log p(x|z), (B, *shape), (B, *shape) -> (B,), in nats. It trusts x: `check` looks at it once."""
        return bernoulli_terms(x, out.to(x.dtype)).flatten(1).sum(1)

    def mean(self, out):
        """The mean image of p(x|z), (B, *shape) -> (B, *shape) in [0, 1]."""
        return out.sigmoid()

    def sample(self, out, generator=None):
        """A draw x ~ p(x|z), (B, *shape) -> (B, *shape) of 0 and 1."""
        return torch.bernoulli(out.sigmoid(), generator=generator)

    def output(self, mean):
        """The output whose mean image is this one, (*shape) -> (*shape), at most 6.9 from 0."""
        return mean.clamp(1e-3, 1 - 1e-3).logit()

    def check(self, x):
        """Refuse pixels outside [0, 1]. Raises ValueError or TypeError as `check_pixels` does."""
        check_pixels(x, "bernoulli")


class Gaussian(nn.Module):
    """Pixels N(out, sigma^2): the output is their mean, `sigma` a positive number or "learned".

    A learned sigma is one parameter for all pixels, log_sigma, which starts at 0.
    Raises ValueError on another sigma. (Kingma & Welling 2014, appendix C.2; Rybkin et al. 2021)
    """

    def __init__(self, sigma=1.0, dtype=None):
        super().__init__()
        if isinstance(sigma, str) and sigma == "learned":
            self.log_sigma = nn.Parameter(torch.tensor(0.0, dtype=dtype))
        else:
            sigma = positive_number("sigma", sigma, 'a positive number or "learned"')
            self.log_sigma = nn.Buffer(torch.tensor(math.log(sigma), dtype=dtype))

    @property
    def sigma(self):
        """The standard deviation, a scalar tensor."""
        return self.log_sigma.exp()

    def nll(self, x, out):
        """-log p(x|z), (B, *shape), (B, *shape) -> (B,), in nats. It trusts x: `check` looks at it once."""
        return gaussian_terms(x, out.to(x.dtype), self.log_sigma).flatten(1).sum(1)

    def mean(self, out):
        """The mean image of p(x|z), which is the output itself, in whatever range the data have."""
        return out

    def sample(self, out, generator=None):
        """A draw x ~ p(x|z), (B, *shape) -> (B, *shape)."""
        eps = torch.randn(out.shape, generator=generator, device=out.device, dtype=out.dtype)
        return out + self.sigma * eps

    def output(self, mean):
        """The output whose mean image is this one, (*shape) -> (*shape)."""
        return mean

    def check(self, x):
        """Refuse NaN and infinity. Raises ValueError or TypeError as `check_pixels` does."""
        check_pixels(x, "gaussian")


class Levels(nn.Module):
    """Pixels of 256 levels, 0 to 1: a histogram h that each output tilts, h_j exp(out j/255), normalised.

    The histogram is that of `x`, images (N, *shape), each level counted once more, so that none is
    impossible. Raises ValueError if a pixel lies between the levels. (`losses.levels_nll`)
    """

    def __init__(self, x):
        super().__init__()
        check_levels(x)
        counts = torch.bincount((255 * x).round_().byte().flatten(), minlength=256) + 1.0
        self.log_h = nn.Buffer((counts / counts.sum()).log())

    def nll(self, x, out):
        """-log p(x|z), (B, *shape), (B, *shape) -> (B,), in nats. It trusts x: `check` looks at it once."""
        return levels_terms(x, out.to(x.dtype), self.log_h).flatten(1).sum(1)

    def log_probability(self, out):
        """The log-probability of each level, (...) -> (..., 256), in nats."""
        level = torch.linspace(0, 1, 256, device=out.device, dtype=out.dtype)
        return (self.log_h.to(out) + out[..., None] * level).log_softmax(-1)

    def mean(self, out):
        """The mean image of p(x|z), (B, *shape) -> (B, *shape) in [0, 1]."""
        return self.log_probability(out).exp() @ torch.linspace(0, 1, 256, device=out.device, dtype=out.dtype)

    def sample(self, out, generator=None):
        """A draw x ~ p(x|z), (B, *shape) -> (B, *shape) of the 256 levels."""
        odds = self.log_probability(out).exp().view(-1, 256)
        return torch.multinomial(odds, 1, generator=generator).view(out.shape).to(out.dtype) / 255

    def output(self, mean):
        """The output whose mean image is this one, (*shape) -> (*shape), at most 1,000 from 0.

        Means are kept a thousandth away from 0 and 1, as the Bernoulli's are.
        """
        mean = mean.clamp(1e-3, 1 - 1e-3)
        low, high = torch.full_like(mean, -1000), torch.full_like(mean, 1000)
        for _ in range(30):  # the mean rises with the output: halve the interval that holds it
            middle = (low + high) / 2
            less = self.mean(middle) < mean
            low, high = torch.where(less, middle, low), torch.where(less, high, middle)
        return (low + high) / 2

    def check(self, x):
        """Refuse pixels that are none of the levels. Raises ValueError or TypeError."""
        check_levels(x)


LIKELIHOODS = {"bernoulli": Bernoulli, "gaussian": Gaussian}


def likelihood_named(name, sigma=1.0, dtype=None):
    """A likelihood from its name and sigma, or itself if it is one, -> nn.Module.

    Raises ValueError if the name is unknown, or a likelihood without a sigma is given one.
    """
    if isinstance(name, nn.Module):
        return name
    if name not in LIKELIHOODS:
        raise ValueError(f"likelihood must be one of {', '.join(map(repr, LIKELIHOODS))}, not {said(name)}.")
    if name == "gaussian":
        return Gaussian(sigma, dtype)
    if sigma != 1:
        raise ValueError("A Bernoulli likelihood has no sigma; leave it out.")
    return Bernoulli()
