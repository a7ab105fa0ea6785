"""x -> code -> x_hat, linearly: principal component analysis, by singular value decomposition."""

from typing import NamedTuple

import torch
from torch import Tensor

from vae_lessons.settings import tensor, whole_number


class PCA(NamedTuple):
    """Principal components in order of decreasing variance; the code z has one number per component.

    No other L-dimensional affine subspace has a smaller squared error. (Eckart & Young 1936)
    """

    mean: Tensor  # (*shape) of the images
    components: Tensor  # (L, *shape) orthonormal: of norm 1, and orthogonal to each other
    variances: Tensor  # (L,) of each dimension of the code, dividing by N, not N - 1
    total: Tensor  # () the variance of the images, summed over pixels

    @property
    def shares(self):
        """The fraction of the variance of the images that each component explains, (L,)."""
        return self.variances / self.total

    def first(self, latent):
        """The same PCA with only the first `latent` components. Raises ValueError if it has fewer."""
        latent = whole_number("latent", latent, 0, len(self.components))
        return self._replace(components=self.components[:latent], variances=self.variances[:latent])

    def encode(self, x):
        """The code of each image, (B, *shape) -> (B, L). Raises ValueError on another shape.

        z = (x - mean) components^T
        """
        if tensor("x", x).shape[1:] != self.mean.shape:
            raise ValueError(f"x must be (B, *{tuple(self.mean.shape)}), but it is {tuple(x.shape)}.")
        return (x - self.mean).flatten(1) @ self.components.flatten(1).T

    def decode(self, z):
        """The picture of each code, (B, L) -> (B, *shape). Raises ValueError on another L.

        x_hat = mean + z components;  pixels may fall outside [0, 1]
        """
        if tensor("z", z).ndim != 2 or z.shape[1] != len(self.components):
            raise ValueError(f"z must be (B, {len(self.components)}), but it is {tuple(z.shape)}.")
        return self.mean + (z @ self.components.flatten(1)).unflatten(1, self.mean.shape)

    def reconstruct(self, x):
        """The picture of each image's code, (B, *shape) -> (B, *shape)."""
        return self.decode(self.encode(x))


def principal_components(x):
    """Fit all principal components, (N, *shape) -> PCA with L = min(N, pixels).

    x - mean = U S V^T;  components = rows of V^T, variances = S^2 / N

    The sign of a component is arbitrary; here its entry with the largest magnitude is positive. Raises
    ValueError for fewer than two images, NaN or infinity, TypeError if x is not a floating-point tensor.
    (Pearson 1901; Hotelling 1933)
    """
    if tensor("x", x).ndim < 2 or len(x) < 2:
        raise ValueError(f"x must be (N, ...) with two images at least, but it is {tuple(x.shape)}.")
    if not x.is_floating_point():
        raise TypeError(f"x must be floating point, as split.x is, but it is {x.dtype}.")
    if not x.isfinite().all():
        raise ValueError("x must be finite numbers, but some are NaN or infinite.")
    mean = x.mean(0)
    _, s, rows = torch.linalg.svd((x - mean).flatten(1), full_matrices=False)
    largest = rows.gather(1, rows.abs().argmax(1, keepdim=True))
    variances = s**2 / len(x)
    return PCA(mean, (rows * largest.sign()).unflatten(1, mean.shape), variances, variances.sum())
