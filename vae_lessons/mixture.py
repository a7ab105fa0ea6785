"""Codes -> a mixture of Gaussians to draw new codes from: the second model, fitted after training."""

import math
from typing import NamedTuple

import torch

from vae_lessons.runtime import resolve_seed
from vae_lessons.settings import tensor, whole_number

ROUNDS = 100  # of k-means, at most
CHUNK = 4_000_000  # numbers in memory at a time, while densities are computed
FLOOR = 1e-6  # share of the variance of all codes that each component has at least, so that none is flat


class Mixture(NamedTuple):
    """A mixture of K Gaussians, p(z) = sum_k weight_k N(z; mean_k, covariance_k)."""

    weight: torch.Tensor  # (K,), sums to 1
    mean: torch.Tensor  # (K, L)
    covariance: torch.Tensor  # (K, L, L)

    def sample(self, n, generator=None):
        """n draws, int -> (n, L): each from a component of its own, chosen by weight.

        k ~ weight,  z = mean_k + A_k eps,  A_k A_k^T = covariance_k,  eps ~ N(0, I)

        Raises ValueError if n is no count. (Bishop 2006, section 9.2)
        """
        k = torch.multinomial(self.weight, whole_number("n", n), replacement=True, generator=generator)
        shape, like = (n, self.mean.shape[1], 1), self.mean
        eps = torch.randn(shape, generator=generator, device=like.device, dtype=like.dtype)
        return self.mean[k] + (torch.linalg.cholesky(self.covariance)[k] @ eps)[..., 0]

    def log_density(self, z):
        """log p(z) of codes, (N, L) -> (N,), in nats.

        log p(z) = logsumexp_k( log weight_k + log N(z; mean_k, covariance_k) )

        Raises ValueError on another shape. (Bishop 2006, equation 9.7)
        """
        return torch.logsumexp(self._log_joint(z), 1)

    def shares(self, z):
        """p(component k | z) of each code, (N, L) -> (N, K), rows sum to 1. (Bishop 2006, equation 9.13)"""
        return torch.softmax(self._log_joint(z), 1)

    def _log_joint(self, z):
        """log weight_k + log N(z; mean_k, covariance_k), (N, L) -> (N, K), not too many codes at a time."""
        if tensor("z", z).shape[1:] != self.mean.shape[1:]:
            raise ValueError(f"z must be (N, {self.mean.shape[1]}), but it is {tuple(z.shape)}.")
        a = torch.linalg.cholesky(self.covariance)
        rows = max(1, CHUNK // self.mean.numel())
        return torch.cat([log_joint(part, self.weight.log(), self.mean, a) for part in z.split(rows)])


def mixture_log_density(z, log_weight, mean, a):
    """log p(z) of a mixture of K Gaussians, (N, L), (K,), (K, L), (K, L, L) -> (N,), in nats.

    log p(z) = logsumexp_k( log weight_k + log N(z; mean_k, a_k a_k^T) )

    a_k is the lower triangular Cholesky factor of a covariance. (Bishop 2006, equation 9.7)
    """
    return torch.logsumexp(log_joint(z, log_weight, mean, a), 1)


def log_joint(z, log_weight, mean, a):
    """log of p(component k) p(z | component k), (N, L), (K,), (K, L), (K, L, L) -> (N, K), in nats."""
    eps = torch.linalg.solve_triangular(a, z.T - mean[..., None], upper=False)  # a eps = z - mean, (K, L, N)
    log_det = a.diagonal(dim1=1, dim2=2).log().sum(1)  # half of the covariance's
    log_p = -eps.square().sum(1).T / 2 - log_det - z.shape[1] / 2 * math.log(2 * math.pi)
    return log_weight + log_p


def fit_mixture(z, components=20, seed=None, steps=0):
    """A mixture of Gaussians fitted to codes, (N, L) -> Mixture of K = components.

    It starts from k-means, with one Gaussian for each cluster, so that every code belongs wholly to one
    component. With `steps`, so many steps of expectation-maximization follow, which share codes out between
    components: each step raises the mean log density of the codes (`maximized`). components = 1 is one
    Gaussian fitted to all codes. Raises as `k_means` does, and ValueError if steps is no count.
    (Dempster et al. 1977; Ghosh et al. 2020, section 4)
    """
    mixture = mixture_of(z, k_means(z, components, seed))
    for _ in range(whole_number("steps", steps, 0)):
        mixture = maximized(z, mixture.shares(z))
    return mixture


def maximized(z, shares):
    """The mixture that fits codes best once they are shared out, (N, L), (N, K) -> Mixture.

    weight_k = N_k / N,  mean_k, covariance_k = mean and covariance of the codes, weighted by their shares,
    N_k = sum_n share_nk

    The covariance gets a millionth of the variance of all codes in every direction, as in `mixture_of`.
    (Bishop 2006, section 9.2.2)
    """
    latent, wide = z.shape[1], z.double()  # a difference of squares is taken below
    shares = shares.double()
    total = shares.sum(0).clamp(min=1e-9)
    mean = shares.T @ wide / total[:, None]
    squares = (wide[:, :, None] * wide[:, None, :]).flatten(1)  # z z^T, (N, L L)
    covariance = (shares.T @ squares / total[:, None]).view(-1, latent, latent)
    covariance = covariance - mean[:, :, None] * mean[:, None, :]
    found = total / len(z), mean, covariance + _least(wide)
    return Mixture(*(value.to(z.dtype) for value in found))


def mixture_of(z, cluster):
    """One Gaussian for each cluster of codes, (N, L), (N,) of 0..K-1 -> Mixture.

    weight_k = N_k / N,  mean_k, covariance_k = mean and covariance of the N_k codes of cluster k

    A cluster that is flat, as one of few codes is, gets a millionth of the variance of all codes in every
    direction. (Bishop 2006, section 9.2)
    """
    parts = [_moments(z[cluster == k], len(z)) for k in range(int(cluster.max()) + 1)]
    weight, mean, covariance = map(torch.stack, zip(*parts, strict=True))
    return Mixture(weight, mean, covariance + _least(z))


def _least(z):
    """The covariance that every component has at least, (N, L) -> (L, L)."""
    return FLOOR * z.var(0, correction=0).mean() * torch.eye(z.shape[1], device=z.device, dtype=z.dtype)


def k_means(z, clusters, seed=None):
    """Divide codes into clusters, each about its mean, (N, L) -> the cluster of each code, (N,) of 0..K-1.

    Centres are moved to the mean of the codes that they are nearest to, again and again, until nothing
    changes. They start at codes, each drawn with odds that grow with the squared distance to those before.
    No cluster is empty. The same seed gives the same clusters, and the caller's random state is left as it
    was. Raises TypeError on what is no tensor, ValueError on what is not finite floating point (N, L), or if
    there are fewer different codes than clusters. (Lloyd 1982; Arthur & Vassilvitskii 2007)
    """
    k = _checked(z, clusters)
    generator = torch.Generator(z.device).manual_seed(resolve_seed(seed))
    centre = z[torch.randint(len(z), (1,), generator=generator, device=z.device)]
    for _ in range(k - 1):
        odds = _distance(z, centre).amin(1) ** 2
        centre = torch.cat([centre, z[torch.multinomial(odds, 1, generator=generator)]])
    cluster = _distance(z, centre).argmin(1)
    for _ in range(ROUNDS):
        centre = torch.stack([z[cluster == i].mean(0) for i in range(k)])
        before, cluster = cluster, _distance(z, centre).argmin(1)
        if len(cluster.unique()) < k:  # one lost its last code: stay with the clusters before
            return before
        if torch.equal(before, cluster):
            break
    return cluster


def _moments(codes, total):
    """Weight, mean and covariance of the codes of one cluster, (N_k, L) -> (), (L,), (L, L)."""
    mean = codes.mean(0)
    away = codes - mean
    return mean.new_tensor(len(codes) / total), mean, away.T @ away / len(codes)


def _distance(z, centre):
    """Of each code to each centre, (N, L), (K, L) -> (N, K), and exactly 0 where they are the same."""
    return torch.cdist(z, centre, compute_mode="donot_use_mm_for_euclid_dist")


def _checked(z, clusters):
    """The number of clusters, once the codes can be divided into so many."""
    clusters = whole_number("the number of clusters", clusters)
    if tensor("z", z).ndim != 2 or not z.is_floating_point():
        raise ValueError(f"z must be floating point (N, L), but it is {z.dtype} of shape {tuple(z.shape)}.")
    if not z.isfinite().all():
        raise ValueError("z must be finite numbers, but some are NaN or infinite.")
    if (different := len(z.unique(dim=0))) < max(clusters, 2):
        raise ValueError(f"z holds {different} different codes, which do not make {clusters} clusters.")
    return clusters
