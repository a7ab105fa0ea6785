"""Codes -> a mixture of Gaussians to draw new codes from: the second model, fitted after training."""

from typing import NamedTuple

import torch

from vae_lessons.runtime import resolve_seed
from vae_lessons.settings import tensor, whole_number

ROUNDS = 100  # of k-means, at most
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


def fit_mixture(z, components=20, seed=None):
    """Divide codes into clusters by k-means, one Gaussian for each, (N, L) -> Mixture of K = components.

    weight_k = N_k / N,  mean_k, covariance_k = mean and covariance of the N_k codes of cluster k

    Every code belongs wholly to one component; expectation-maximization, which shares codes out, often starts
    from here. components = 1 is one Gaussian fitted to all codes. The same seed gives the same clusters, and
    the caller's random state is left as it was. Raises TypeError on what is no tensor, ValueError on what is
    not finite floating point (N, L), or if there are fewer different codes than components.
    (Lloyd 1982; Ghosh et al. 2020, section 4)
    """
    components = whole_number("components", components)
    if tensor("z", z).ndim != 2 or not z.is_floating_point():
        raise ValueError(f"z must be floating point (N, L), but it is {z.dtype} of shape {tuple(z.shape)}.")
    if not z.isfinite().all():
        raise ValueError("z must be finite numbers, but some are NaN or infinite.")
    if (different := len(z.unique(dim=0))) < max(components, 2):
        raise ValueError(f"components is {components}, but z holds {different} different codes; take fewer.")
    label = _k_means(z, components, torch.Generator(z.device).manual_seed(resolve_seed(seed)))
    least = FLOOR * z.var(0, correction=0).mean() * torch.eye(z.shape[1], device=z.device, dtype=z.dtype)
    weight, mean, covariance = zip(*(_moments(z[label == k], len(z)) for k in range(components)), strict=True)
    return Mixture(torch.stack(weight), torch.stack(mean), torch.stack(covariance) + least)


def _moments(cluster, total):
    """Weight, mean and covariance of the codes of one cluster, (N_k, L) -> (), (L,), (L, L)."""
    mean = cluster.mean(0)
    away = cluster - mean
    return mean.new_tensor(len(cluster) / total), mean, away.T @ away / len(cluster)


def _k_means(z, k, generator):
    """The cluster of each code, (N, L) -> (N,) of 0..k-1, none of them empty. (Lloyd 1982)

    The first centres are codes, each drawn with odds that grow with the squared distance to those before.
    (Arthur & Vassilvitskii 2007)
    """
    centre = z[torch.randint(len(z), (1,), generator=generator, device=z.device)]
    for _ in range(k - 1):
        odds = _distance(z, centre).amin(1) ** 2
        centre = torch.cat([centre, z[torch.multinomial(odds, 1, generator=generator)]])
    label = _distance(z, centre).argmin(1)
    for _ in range(ROUNDS):
        centre = torch.stack([z[label == i].mean(0) for i in range(k)])
        before, label = label, _distance(z, centre).argmin(1)
        if len(label.unique()) < k:  # a cluster lost its last code: stay with the clusters before
            return before
        if torch.equal(before, label):
            break
    return label


def _distance(z, centre):
    """Of each code to each centre, (N, L), (K, L) -> (N, K), and exactly 0 where they are the same."""
    return torch.cdist(z, centre, compute_mode="donot_use_mm_for_euclid_dist")
