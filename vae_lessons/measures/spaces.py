"""Model + images -> numbers about its latent space: pace, active units, aggregated posterior, angles."""

from typing import NamedTuple

import torch

from vae_lessons.runtime import resolve_seed
from vae_lessons.settings import finite_tensor, number_at_least, positive_number, tensor, whole_number


class Walk(NamedTuple):
    """How the picture moves along straight walks through latent space."""

    steps: torch.Tensor  # (S,) Euclidean distance of one picture to the next
    continuity: float  # 99th percentile of the steps over their median: 1 is perfectly even


@torch.no_grad()
def continuity(model, x, walks=200, step=0.05, seed=0):
    """How unevenly the picture moves along walks between codes, (B, *shape) -> Walk.

    Each walk goes straight from one image's code to another's in steps of equal length, `step` times
    the spread of the codes (the root mean square over dimensions of their standard deviation).
    Raises ValueError on fewer than two images, and where there is nowhere to walk: the codes do not
    differ, or those of a VAE have no active unit, or the decoder draws the same picture for all.
    """
    walks, step = whole_number("walks", walks), positive_number("step", step)
    generator = torch.Generator().manual_seed(resolve_seed(seed))
    codes = finite_tensor("the codes", _at_least_two(model.code(x)))
    length = step * codes.std(0).square().mean().sqrt()
    if not length > 10 * torch.finfo(codes.dtype).eps * codes.abs().max() or (
        hasattr(model, "sample") and units(codes).active == 0
    ):
        raise ValueError(
            "There is nowhere to walk: the codes of these images do not differ. Either the images are "
            "equal, or the encoder says the same of all of them (posterior collapse)."
        )
    ends = torch.randint(len(x), (2, walks), generator=generator)
    start, way = codes[ends[0]], codes[ends[1]] - codes[ends[0]]
    counts = (way.norm(dim=1) / length).long()  # whole steps that fit into each walk
    moved = []
    for z, direction, count in zip(start, way, counts, strict=True):
        if count > 0:
            along = torch.arange(int(count) + 1, device=z.device)[:, None] * length
            pictures = model.picture(z + along * direction / direction.norm())
            moved.append(pictures.flatten(1).diff(dim=0).norm(dim=1))
    if not moved:
        raise ValueError(f"No walk is as long as one step of {step}; take shorter steps or more walks.")
    steps = torch.cat(moved)
    if not steps.max() > 10 * torch.finfo(steps.dtype).eps * pictures.flatten(1).norm(dim=1).max():
        raise ValueError(
            "There is nothing to see on the walk: the picture stays the same from code to code, for the "
            "decoder does not look at z (posterior collapse)."
        )
    return Walk(steps, (steps.quantile(0.99) / steps.median()).item())


class Units(NamedTuple):
    """Which latent dimensions say something about the image."""

    variance: torch.Tensor  # (L,) over images, of the mean of q(z|x)
    active: int  # how many of them are above the threshold


@torch.no_grad()
def active_units(model, x, threshold=0.01):
    """How many latent dimensions tell images apart, (B, *shape) -> Units: `units` of the model's codes."""
    return units(model.code(x), threshold)


def units(mu, threshold=0.01):
    """How many dimensions of the means of q(z|x) vary from image to image, (B, L) -> Units.

    variance_j = variance over images of mu_j(x);  unit j is active where it is above `threshold`

    Raises ValueError on fewer than two images or NaN. (Burda et al. 2016, section 2)
    """
    threshold = number_at_least("threshold", threshold)
    variance = finite_tensor("mu", _at_least_two(mu)).var(0)
    return Units(variance, int((variance > threshold).sum()))


class Aggregated(NamedTuple):
    """The aggregated posterior q(z), the mixture of q(z|x) over images, beside the prior N(0, I)."""

    mean: torch.Tensor  # (L,)
    sd: torch.Tensor  # (L,)
    kl: float  # nats


@torch.no_grad()
def aggregated(model, x):
    """Mean and sd of the aggregated posterior and how far it is from the prior, (B, *shape) -> Aggregated.

    m = mean of mu(x),  C = covariance of mu(x) + diag(mean of sigma^2(x)),  sd = sqrt(diag C)
    kl = KL( N(m, C) || N(0, I) ) = 1/2 [ trace C + m . m - L - log det C ],  in nats

    `kl` sees the first two moments only. The KL of q(z) itself is larger, by that from q(z) to the
    Gaussian N(m, C). It is infinite where q(z) is flat, as an autoencoder's can be, whose codes have no
    width. Raises ValueError on fewer than two images or NaN. (Hoffman & Johnson 2016)
    """
    noise = torch.Generator(model.device)  # unused, but the caller's random state stays as it was
    outs = [model(part.to(model.device), generator=noise) for part in x.split(1000)]
    mu = finite_tensor("mu", _at_least_two(torch.cat([out.mu for out in outs])))
    rounding = mu.shape[1] * torch.finfo(mu.dtype).eps * mu.abs().max().double()
    mu = mu.double()
    covariance = torch.cov(mu.T).reshape(mu.shape[1], -1)
    if outs[0].log_var is not None:
        covariance += torch.cat([out.log_var for out in outs]).double().exp().mean(0).diag()
    mean, sd = mu.mean(0), covariance.diag().sqrt()
    axes = torch.linalg.eigvalsh(covariance)  # variances; none of them is known better than this:
    known = axes > torch.maximum(rounding**2, axes[-1] * len(axes) * torch.finfo(axes.dtype).eps)
    kl = (covariance.trace() + mean @ mean - len(mean) - axes.where(known, 0.0).log().sum()) / 2
    return Aggregated(mean.float().to(x.device), sd.float().to(x.device), kl.item())


@torch.no_grad()
def principal_angles(a, b):
    """The angles between two column spaces, in degrees, (D, L), (D, K) -> (min(L, K),), rising.

    cos angle_i = max of u . v over unit vectors u in span(a), v in span(b), each at right angles to
    those of the angles before

    All are 0 where one space holds the other. The last is the largest; it is 90 where some direction
    of the smaller space is at right angles to all of the other. Raises ValueError if the D differ, or
    the columns of one matrix depend on each other or are not finite. (Bjorck & Golub 1973)
    """
    if a.ndim != 2 or b.ndim != 2 or len(a) != len(b):
        raise ValueError(f"a and b must be (D, L) and (D, K), but are {tuple(a.shape)} and {tuple(b.shape)}.")
    wide, narrow = sorted((_basis(a, "a"), _basis(b, "b")), key=lambda basis: -basis.shape[1])
    shared = wide.T @ narrow
    cosines = torch.linalg.svdvals(shared)
    sines = torch.linalg.svdvals(narrow - wide @ shared).flip(0)  # exact where the angle is small
    return torch.atan2(sines, cosines).rad2deg().float().to(a.device)


def _basis(matrix, name):
    """Orthonormal columns with the same span, (D, L) -> (D, L) float64, on the CPU."""
    matrix = tensor(name, matrix).cpu() if matrix.is_floating_point() else matrix.cpu().double()
    if matrix.numel() == 0 or not matrix.isfinite().all():
        raise ValueError(f"{name} must hold finite numbers, at least one, but it does not.")
    u, s, _ = torch.linalg.svd(matrix.double(), full_matrices=False)
    smallest = s[0] * max(matrix.shape) * torch.finfo(matrix.dtype).eps  # as matrix_rank has it
    if len(s) < matrix.shape[1] or s[-1] <= smallest:
        raise ValueError(f"The columns of {name} must not depend on each other, but they do.")
    return u


def _at_least_two(codes):
    if len(codes) < 2:
        raise ValueError(f"This measure needs two images at least, but x has {len(codes)}.")
    return codes
