"""Worlds whose log p(x) is known exactly, and the evidence meter, which compares a learner's bound with it.

A world is a model with known parameters: z ~ N(0, I_L) is decoded, and x is drawn from p(x|z). Each has
`latent` (L), `sample`, `decode` and `log_evidence`, and computes in float64.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from vae_lessons.gaussian import kl_standard_normal, log_density_full, reparameterize
from vae_lessons.losses import gaussian_nll
from vae_lessons.observation import likelihood_named
from vae_lessons.runtime import resolve_seed
from vae_lessons.settings import positive_number, tensor, whole_number


class Cloud(NamedTuple):
    """p(z|x) of B images in a linear-Gaussian world: its mean depends on x, its covariance does not."""

    mu: Tensor  # (B, L)
    covariance: Tensor  # (L, L)


class LinearGaussian:
    """z ~ N(0, I_L), x = W z + b + sigma_x * noise: probabilistic PCA. W (D, L), b (D,), sigma_x scalar.

    p(x) and p(z|x) are Gaussian; p(z|x) has a diagonal covariance if the columns of W are orthogonal.
    If b is None, it is 0. Raises ValueError if a shape or sigma_x is invalid. (Tipping & Bishop 1999)
    """

    def __init__(self, W, b=None, sigma_x=1.0):
        self.W = torch.as_tensor(W, dtype=torch.float64)
        if self.W.ndim != 2 or 0 in self.W.shape:
            raise ValueError(f"W must be (D, L), but it is {tuple(self.W.shape)}.")
        pixels, self.latent = self.W.shape
        self.b = torch.as_tensor([0.0] * pixels if b is None else b, dtype=torch.float64)
        if self.b.shape != (pixels,):
            raise ValueError(f"b must be ({pixels},), as W has {pixels} rows, not {tuple(self.b.shape)}.")
        self.sigma_x = float(positive_number("sigma_x", sigma_x))

    @classmethod
    def random(cls, latent=2, pixels=6, sigma_x=0.5, seed=0):
        """A world with orthogonal columns of W, of norms from 1 to 2, numbers -> LinearGaussian.

        Raises ValueError unless latent is a whole number from 1 to pixels.
        """
        pixels = whole_number("pixels", pixels)
        latent = whole_number("latent", latent, at_most=pixels)
        noise = _normal(pixels, latent + 1, torch.Generator().manual_seed(resolve_seed(seed)))
        W = torch.linalg.qr(noise[:, 1:]).Q * torch.linspace(1, 2, latent, dtype=torch.float64)
        return cls(W, noise[:, 0], sigma_x)

    def decode(self, z):
        """The mean of p(x|z), (B, L) -> (B, D). Raises ValueError on another shape."""
        return _rows("z", z, self.latent) @ self.W.T + self.b

    def sample(self, n, generator=None):
        """n images, each from its own z, int -> (n, D). Raises ValueError if n is not a count."""
        mean = self.decode(_normal(n, self.latent, generator))
        return mean + self.sigma_x * _normal(*mean.shape, generator)

    def log_evidence(self, x):
        """log p(x) = log N(x; b, W W^T + sigma_x^2 I), (B, D) -> (B,), in nats.

        Raises ValueError on another shape, TypeError unless float64. (Tipping & Bishop 1999, equation 3)
        """
        noise = self.sigma_x**2 * torch.eye(len(self.b), dtype=torch.float64)
        return log_density_full(x, self.b, self.W @ self.W.T + noise)

    def posterior(self, x):
        """p(z|x), (B, D) -> Cloud.

        covariance = (I + W^T W / sigma_x^2)^-1,  mu = covariance W^T (x - b) / sigma_x^2

        Raises ValueError on another shape. (Tipping & Bishop 1999, equation 7)
        """
        precision = torch.eye(self.latent, dtype=torch.float64) + self.W.T @ self.W / self.sigma_x**2
        covariance = torch.cholesky_inverse(torch.linalg.cholesky(precision))
        centred = _rows("x", x, len(self.b)) - self.b
        return Cloud(centred @ self.W @ covariance / self.sigma_x**2, covariance)

    def elbo(self, x, mu, covariance):
        """The ELBO of q = N(mu, covariance), no sampling, (B, D), (B, L), (B or 1, L, L) -> (B,), in nats.

        log p(x|z = mu) - trace(W covariance W^T) / (2 sigma_x^2) - KL(q || N(0, I))

        Gradients reach mu and covariance. Raises ValueError if the shapes do not match.
        """
        if covariance.ndim != 3 or covariance.shape[1:] != (self.latent, self.latent):
            size = f"{self.latent}, {self.latent}"
            raise ValueError(f"covariance must be (B, {size}), but it is {tuple(covariance.shape)}.")
        spread = torch.einsum("di,bij,dj->b", self.W, covariance, self.W) / (2 * self.sigma_x**2)
        trace = covariance.diagonal(dim1=1, dim2=2).sum(1)
        kl = (trace + (mu**2).sum(1) - self.latent - torch.logdet(covariance)) / 2
        return -gaussian_nll(x, self.decode(mu), self.sigma_x) - spread - kl


def arc(z):
    """A point on the unit circle, 1.2 radians a unit of z from the top, (B, 1) -> (B, 2)."""
    return torch.cat([torch.sin(1.2 * z), torch.cos(1.2 * z)], dim=1)


def thermometer(z):
    """Logits of a row of 12 binary pixels that are likely to be 1 left of z, (B, 1) -> (B, 12)."""
    return 3 * (z - torch.linspace(-2, 2, 12, dtype=z.dtype))


class Curve:
    """One latent dimension, z ~ N(0, 1), decoded to a curve; integrals over z are computed numerically.

    `decode` turns z (B, 1) into (B, D): with likelihood "gaussian" the mean of N(x; decode(z), sigma_x^2 I),
    with "bernoulli" the logits of binary pixels. Raises ValueError if a setting is invalid.
    """

    latent = 1

    def __init__(self, decode=arc, likelihood="gaussian", sigma_x=0.3):
        self.decode, self.sigma_x = decode, float(positive_number("sigma_x", sigma_x))
        sigma = self.sigma_x if likelihood == "gaussian" else 1.0
        self.likelihood = likelihood_named(likelihood, sigma, torch.float64)

    def sample(self, n, generator=None):
        """n images, each from its own z, int -> (n, D). Raises ValueError if n is not a count."""
        return self.likelihood.sample(self.decode(_normal(n, 1, generator)), generator)

    def log_joint(self, x, z):
        """log p(x, z) = log p(x|z) + log N(z; 0, 1) at K values, (B, D), (B or 1, K) -> (B, K), in nats."""
        out = self.decode(z.reshape(-1, 1)).unflatten(0, z.shape)
        x, out = (t.flatten(0, 1) for t in torch.broadcast_tensors(_rows("x", x, out.shape[2])[:, None], out))
        return -self.likelihood.nll(x, out).view(-1, z.shape[1]) - (z**2 + math.log(2 * math.pi)) / 2

    def log_evidence(self, x):
        """log p(x) = log of the integral of p(x, z) over z, (B, D) -> (B,), in nats.

        By the trapezoid rule at 1,001 points, exact to rounding unless p(x|z) is narrower in z than 0.03.
        """
        z = torch.linspace(-9, 9, 1001, dtype=torch.float64)[None]
        parts = [torch.logsumexp(self.log_joint(part, z), 1) for part in x.split(100)]
        return torch.cat(parts) + math.log(z[0, 1] - z[0, 0])

    def log_posterior(self, x, z):
        """log p(z|x) = log p(x, z) - log p(x) at K values, (B, D), (B or 1, K) -> (B, K), in nats."""
        return self.log_joint(x, z) - self.log_evidence(x)[:, None]

    def elbo(self, x, mu, sigma):
        """The ELBO of q = N(mu, sigma^2), no sampling, (B, D), (B,), (B,) -> (B,), in nats.

        E_q[ log p(x, z) - log q(z) ], by the trapezoid rule at 181 points from mu - 9 sigma to mu + 9 sigma.
        Gradients reach mu and sigma. Raises ValueError on other shapes or a sigma that is not positive.
        """
        if not mu.shape == sigma.shape == x.shape[:1]:
            raise ValueError(f"mu {tuple(mu.shape)} and sigma {tuple(sigma.shape)} must be ({len(x)},).")
        if not (sigma > 0).all():
            raise ValueError(f"sigma must be positive, but the least is {sigma.min():.3g}.")
        eps = torch.linspace(-9, 9, 181, dtype=torch.float64)
        q = torch.softmax(-(eps**2) / 2, 0)
        entropy = sigma.log() + math.log(2 * math.pi * math.e) / 2
        pairs = zip(x.split(1000), (mu[:, None] + sigma[:, None] * eps).split(1000), strict=True)
        return torch.cat([self.log_joint(*pair) for pair in pairs]) @ q + entropy


def leaning(z):
    """The sum of both numbers, (B, 2) -> (B, 1): what is seen leaves open how they share it."""
    return z.sum(1, keepdim=True)


def banana(z):
    """z_2 + z_1^2, (B, 2) -> (B, 1): the same for all points of a parabola."""
    return z[:, 1:] + z[:, :1] ** 2


def ring(z):
    """The distance from the origin, (B, 2) -> (B, 1): the same for all points of a circle."""
    return z.norm(dim=1, keepdim=True)


def two_peaks(z):
    """z_1^2 and z_2, (B, 2) -> (B, 2): the sign of z_1 is not seen."""
    return torch.stack([z[:, 0] ** 2, z[:, 1]], 1)


class Plane:
    """Two latent numbers, z ~ N(0, I), decoded to a mean; integrals over z are computed numerically.

    `decode` turns z (B, 2) into the mean (B, D) of x, with N(x; decode(z), sigma_x^2 I). Raises ValueError if
    sigma_x is not positive.
    """

    latent = 2

    def __init__(self, decode=banana, sigma_x=0.3):
        self.decode, self.sigma_x = decode, float(positive_number("sigma_x", sigma_x))

    def nll(self, x, z):
        """-log p(x|z) of one x at K points, (D,), (K, 2) -> (K,), in nats."""
        out = self.decode(_rows("z", z, 2))
        return gaussian_nll(x.expand_as(out), out, self.sigma_x)

    def log_posterior(self, x, limit=5.0, points=501):
        """log p(z|x) of one x on a grid, (D,) -> (P, P) and log p(x), ().

        Entry [i, j] is that of z = (grid[j], grid[i]), and grid runs from -limit to limit.
        p(x) = integral of p(x, z) over z, a sum over the grid times the area of its cells
        """
        axis = torch.linspace(-limit, limit, points, dtype=torch.float64)
        z = torch.cartesian_prod(axis, axis).flip(1)  # the first number changes fastest
        joint = -self.nll(x.double(), z) - z.square().sum(1) / 2 - math.log(2 * math.pi)
        log_evidence = joint.logsumexp(0) + 2 * (axis[1] - axis[0]).log()
        return (joint - log_evidence).view(points, points), log_evidence

    def log_evidence(self, x):
        """log p(x) of one x, (D,) -> (), in nats, from -5 to 5 in steps of 0.02."""
        return self.log_posterior(x)[1]


def posterior_gap(log_joint, log_q, dz):
    """KL(q || posterior) of one latent number on a grid with step dz, (B, K), (B, K), () -> (B,), in nats.

    sum_k q_k (log q_k - log p(z_k|x)) dz,  log p(z|x) = log p(x, z) - log p(x),  p(x) = sum_k p(x, z_k) dz

    It is log p(x) - ELBO: what the bound leaves open. Raises ValueError if the shapes differ.
    (Jordan et al. 1999)
    """
    if tensor("log_joint", log_joint).shape != tensor("log_q", log_q).shape or log_q.ndim != 2:
        shapes = f"{tuple(log_joint.shape)} and {tuple(log_q.shape)}"
        raise ValueError(f"log_joint and log_q must both be (B, K), but they are {shapes}.")
    log_evidence = torch.logsumexp(log_joint, 1, keepdim=True) + math.log(dz)
    log_posterior = log_joint - log_evidence
    return (log_q.exp() * (log_q - log_posterior)).sum(1) * dz


def sampled_elbo(x, decode, mu, log_var, sigma_x, eps):
    """The ELBO from one z for each x, Gaussian p(x|z), (B, D), function, (B, L), (B, L), (), (B, L) -> (B,).

    elbo = log N(x; decode(z), sigma_x^2 I) - KL(q || N(0, I)),  z = mu + exp(log_var / 2) * eps

    In nats. `decode` takes z (B, L) to (B, D); eps ~ N(0, I). Its mean over eps is at most log p(x), and
    gradients reach whatever decode, mu, log_var and sigma_x are made of. Raises ValueError on shapes that
    do not fit or a sigma_x that is not positive. (Kingma & Welling 2014, equation 7)
    """
    z = reparameterize(mu, log_var, eps)
    log_likelihood = -gaussian_nll(x, decode(z), sigma_x)
    return log_likelihood - kl_standard_normal(mu, log_var)


def best_diagonal(covariance):
    """Variances of the diagonal q nearest to N(m, covariance), (L, L) -> (L,): 1 / (covariance^-1)_jj.

    There the slopes of KL(q || p) are 0. They are at most the diagonal of the covariance: q is too sure
    wherever the posterior leans. Raises ValueError unless covariance is square, positive definite.
    (Bishop 2006, section 10.1.2)
    """
    if tensor("covariance", covariance).ndim != 2 or covariance.shape[0] != covariance.shape[1]:
        raise ValueError(f"covariance must be (L, L), but it is {tuple(covariance.shape)}.")
    if torch.linalg.cholesky_ex(covariance).info:
        raise ValueError("covariance must be positive definite, but it is not.")
    return 1 / torch.linalg.inv(covariance).diagonal()


class Reading(NamedTuple):
    """A reading of the evidence meter: means over held-out images, in nats per image."""

    claimed: float  # what the loss claims as a lower bound
    exact: float  # log p(x)
    error: float  # standard error of the gap

    @property
    def gap(self):
        """log p(x) - claimed, the gap of the bound. If it is negative, the loss is not a bound."""
        return self.exact - self.claimed

    @property
    def too_much(self):
        """Whether more than log p(x) is claimed, by over four standard errors, or NaN."""
        return not self.gap >= -4 * self.error

    def __str__(self):
        end = ": more than there is" if self.too_much else ""
        return f"claims {self.claimed:.2f} nats, log p(x) is {self.exact:.2f}, gap {self.gap:.2f}{end}"


def measure(elbo, world=None, steps=600, seed=0, batch=256, images=2_000, samples=32):
    """Put elbo(x, decoded, mu, log_var) -> (B,) on the evidence meter, function -> Reading.

    Trains q(z|x) = N(A x + c, diag exp(log_var)), with A, c and log_var free, by the gradient of elbo on
    images of `world`, LinearGaussian.random() unless given; `decoded` is world.decode of one sample z:
    means, or logits. Then compares elbo on other `images`, `samples` of z each, with log p(x). The gap
    of a right ELBO ends near 0 if q can match the posterior, and is not negative beyond sampling error. elbo
    may also return its mean, (). Raises TypeError or ValueError if it returns anything else, or no gradient.
    """
    world = LinearGaussian.random() if world is None else world
    steps, samples = whole_number("steps", steps), whole_number("samples", samples)
    batch, images = whole_number("batch", batch), whole_number("images", images, 2)
    generator = torch.Generator().manual_seed(resolve_seed(seed))
    x = world.sample(images, generator)
    sizes = (x.shape[1], world.latent), (world.latent,), (world.latent,)
    A, c, log_var = weights = [torch.zeros(size).double().requires_grad_() for size in sizes]

    def claim_of(x):
        mu = x @ A + c
        wide = log_var.expand_as(mu)
        z = reparameterize(mu, wide, generator=generator)
        return _checked(elbo(x, world.decode(z), mu, wide), len(x))

    adam = torch.optim.Adam(weights, lr=0.1)
    schedule = torch.optim.lr_scheduler.LinearLR(adam, 1, 0, total_iters=steps)
    for _ in range(steps):
        adam.zero_grad()
        (-claim_of(world.sample(batch, generator)).mean()).backward()
        adam.step()
        schedule.step()
    with torch.no_grad():
        claimed, exact = sum(claim_of(x) for _ in range(samples)) / samples, world.log_evidence(x)
    error = (exact - claimed).std() / math.sqrt(len(x))
    return Reading(claimed.mean().item(), exact.mean().item(), error.item())


def _checked(claimed, images):
    """Validate that a claimed bound is one number per image, or one, with a gradient, and return it."""
    if not isinstance(claimed, Tensor):
        raise TypeError(f"elbo must return a tensor, but it returned a {type(claimed).__name__}.")
    if claimed.shape not in ((images,), ()):
        raise ValueError(f"elbo must return one number per image, ({images},), not {tuple(claimed.shape)}.")
    if torch.is_grad_enabled() and not claimed.requires_grad:
        raise ValueError("elbo must depend on its arguments, but no gradient reaches mu or log_var.")
    return claimed


def _rows(name, t, columns):
    if tensor(name, t).ndim != 2 or t.shape[1] != columns:
        raise ValueError(f"{name} must be (B, {columns}), but it is {tuple(t.shape)}.")
    return t


def _normal(n, columns, generator=None):
    return torch.randn(whole_number("n", n), columns, generator=generator, dtype=torch.float64)
