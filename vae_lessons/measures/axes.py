"""Codes + known factors -> numbers: what all axes say together, what one says alone, and turned axes."""

from typing import NamedTuple

import torch

from vae_lessons.model.mlp import Posterior
from vae_lessons.settings import finite_tensor, number_at_least, whole_number


def r2(predicted, factor):
    """The share of a factor's variance that a prediction explains, (N,) or (N, F) twice -> () or (F,).

    R^2 = 1 - sum (y - predicted)^2 / sum (y - mean y)^2

    It is 1 for a perfect prediction, 0 for the mean, and negative below that. Raises ValueError if the shapes
    differ, or a factor is the same for all images. (Hastie et al. 2009)
    """
    finite_tensor("predicted", predicted), finite_tensor("factor", factor)
    if predicted.shape != factor.shape:
        shapes = f"{tuple(predicted.shape)} and {tuple(factor.shape)}"
        raise ValueError(f"predicted and factor must have one shape, but they are {shapes}.")
    predicted, factor = predicted.double(), factor.double()
    total = (factor - factor.mean(0)).square().sum(0)
    if not (total > 0).all():
        raise ValueError("A factor that is the same for all images has no variance to explain.")
    return (1 - (factor - predicted).square().sum(0) / total).float()


class Line(NamedTuple):
    """What predicts a factor from codes z by z @ slope + offset."""

    slope: torch.Tensor  # (L,) or (L, F)
    offset: torch.Tensor  # () or (F,)

    def __call__(self, codes):
        """The predicted factors, (N, L) -> (N,) or (N, F)."""
        return codes @ self.slope + self.offset


def ridge(codes, factor, penalty=1.0):
    """The line through codes and factors by ridge regression, (N, L), (N,) or (N, F) -> Line.

    slope = argmin sum_i (y_i - slope . z_i)^2 + penalty |slope|^2 = (Z^T Z + penalty I)^-1 Z^T y

    with y and z less their means; penalty 0 is least squares. Raises ValueError if there are not as many
    factors as codes, or on NaN. (Hoerl & Kennard 1970)
    """
    penalty, (codes, factor) = number_at_least("penalty", penalty), _paired(codes, factor)
    z, y = codes.double(), factor.double()
    centred = z - z.mean(0)
    gram = centred.T @ centred + penalty * torch.eye(z.shape[1], dtype=z.dtype, device=z.device)
    slope = torch.linalg.lstsq(gram, centred.T @ (y - y.mean(0)).view(len(y), -1)).solution
    slope = slope.view(z.shape[1], *y.shape[1:])
    return Line(slope.to(codes.dtype), (y.mean(0) - z.mean(0) @ slope).to(codes.dtype))


def probe(codes, factor, codes_test, factor_test, neighbours=None):
    """How much of a factor the codes explain on test images, (N, L), (N,), (M, L), (M,) -> (), at most 1.

    R^2 of least squares; with `neighbours` k, of the mean factor of the k nearest codes, each axis first
    divided by its standard deviation. Factors may be (N, F) and (M, F) -> (F,). Raises ValueError if there
    are not as many factors as codes, or if k is more than N. (Hastie et al. 2009)
    """
    codes, factor = _paired(codes, factor)
    codes_test, factor_test = _paired(codes_test, factor_test)
    if neighbours is None:
        return r2(ridge(codes, factor, 0.0)(codes_test), factor_test)
    k = whole_number("neighbours", neighbours, at_most=len(codes))
    sd = codes.std(0).clamp(min=1e-12)
    nearest = [
        torch.cdist(part, codes / sd).topk(k, largest=False).indices for part in (codes_test / sd).split(500)
    ]
    return r2(factor[torch.cat(nearest)].mean(1), factor_test)


def best_axis(codes, factor, codes_test, factor_test):
    """What the best single axis explains, as `probe` has it, -> R^2 of each axis, (L,) or (L, F).

    Each axis is tried alone on the test images; the largest number of a column is that of the best axis.
    """
    axes = zip(codes.T, codes_test.T, strict=True)
    return torch.stack([probe(z[:, None], factor, t[:, None], factor_test) for z, t in axes])


def mutual_information(codes, factor, bins=20):
    """I(z_j; y) of each axis and one factor, (N, L), (N,) -> (L,), in nats.

    I = H(z_j) + H(y) - H(z_j, y),  H = -sum_k p_k log p_k + (K - 1) / 2N

    Axes, and factors of floating point, are cut into `bins` of equally many images; whole numbers are
    classes. The last term, with K the number of cells in use, corrects that few images make an entropy look
    small. Raises ValueError if there are not as many factors as codes, or fewer images than bins.
    (Miller 1955)
    """
    codes, factor = _paired(codes, factor)
    y = _binned(factor, bins)
    count = int(y.max()) + 1
    columns = [_binned(z, bins) for z in codes.float().T]
    return torch.stack([_entropy(z) + _entropy(y) - _entropy(z * count + y) for z in columns])


def entropy(factor, bins=20):
    """H(y) of a factor, (N,) -> (), in nats, cut into bins and corrected as `mutual_information` has it."""
    return _entropy(_binned(finite_tensor("factor", factor), bins))


def mutual_information_gap(mi, entropy):
    """By how much the best axis leads the second best, (L, F), (F,) -> (F,), from 0 to 1.

    MIG_k = (largest I(z_j; y_k) - second largest) / H(y_k),  both over the axes j

    1: one axis holds the factor, and no other anything of it. 0: two axes hold equally much of it.
    (Chen et al. 2018, section 4)
    """
    best, second = mi.topk(2, dim=0).values
    return (best - second) / entropy


def rotated(mu, log_var, R):
    """q(z|x) after turning latent space, z -> R z, as a diagonal Gaussian, (B, L) x 2, (L, L) -> Posterior.

    mu' = R mu,  variance'_j = 1 / [R diag(1 / sigma^2) R^T]_jj

    The turned q has the covariance R diag(sigma^2) R^T, which is not diagonal. This is the diagonal Gaussian
    q' with the smallest KL(q' || turned q): its variances are 1 over the diagonal of the inverse covariance.
    (Bishop 2006, section 10.1.2)
    """
    return Posterior(mu @ R.T, -torch.log(torch.exp(-log_var) @ (R**2).T))


def random_rotation(latent, seed=0):
    """A rotation of latent space, uniform over all of them, int -> (L, L). (Stewart 1980)"""
    generator = torch.Generator().manual_seed(whole_number("seed", seed, 0))
    return _proper(_orthonormal(torch.randn(latent, latent, generator=generator, dtype=torch.float64)))


def turn_to(directions):
    """A rotation R after which the first K axes lie along given directions, (K, L) -> (L, L).

    (R z)_1 = z . d_1 / |d_1|, and axis k lies along the part of d_k at right angles to those before it, since
    axes are at right angles (Gram-Schmidt). Raises ValueError on directions of which one is a sum of others,
    more than L, or NaN. (Golub & Van Loan 2013)
    """
    d = finite_tensor("directions", directions)
    if d.ndim != 2 or len(d) > d.shape[1] or torch.linalg.matrix_rank(d) < len(d):
        raise ValueError(
            f"directions must be (K, L), K at most L, none a sum of others; this is {tuple(d.shape)}."
        )
    d = d.cpu().double()
    spanned = _orthonormal(d.T)  # (L, K)
    others = torch.linalg.qr(d.T, mode="complete").Q[:, len(d) :]
    return _proper(torch.cat([spanned, others], 1)).to(directions.device)


def _orthonormal(columns):
    """The Gram-Schmidt process, (L, K) -> (L, K): Q of Q R = columns, R with a positive diagonal."""
    q, r = torch.linalg.qr(columns)
    return q * r.diagonal().sign()


def _proper(columns):
    """Orthonormal columns -> the rotation with these rows, float32; the last is flipped if it mirrors."""
    R = columns.T.clone()
    if torch.linalg.det(R) < 0:
        R[-1] *= -1
    return R.float()


def _binned(values, bins):
    """Values in bins of equally many, classes as they are, (N,) -> int64 (N,), from 0 on."""
    if not values.is_floating_point():
        return values.unique(return_inverse=True)[1]
    bins = whole_number("bins", bins, 2)
    if len(values) < bins:
        raise ValueError(
            f"There must be as many images as bins, {bins} at least, but there are {len(values)}."
        )
    edges = torch.quantile(values.double(), torch.linspace(0, 1, bins + 1, dtype=torch.float64)[1:-1])
    return torch.searchsorted(edges, values.double().contiguous())


def _entropy(cells):
    counts = torch.bincount(cells).double()
    p = counts[counts > 0] / len(cells)
    return (-(p * p.log()).sum() + (len(p) - 1) / (2 * len(cells))).float()


def _paired(codes, factor):
    finite_tensor("codes", codes), finite_tensor("factor", factor)
    if codes.ndim != 2 or len(codes) != len(factor) or factor.ndim > 2:
        shapes = f"{tuple(codes.shape)} and {tuple(factor.shape)}"
        raise ValueError(f"codes and factor must be (N, L) and (N,) or (N, F), but they are {shapes}.")
    return codes, factor
