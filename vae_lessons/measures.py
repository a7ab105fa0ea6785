"""Model + data -> numbers: what the lessons claim about latent spaces, as measurements."""

import math
from typing import NamedTuple

import torch
from torch import nn

from vae_lessons.gaussian import log_density, reparameterize
from vae_lessons.runtime import resolve_seed
from vae_lessons.settings import number_at_least, positive_number, tensor, whole_number


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
    codes = _finite("the codes", _at_least_two(model.code(x)))
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


@torch.no_grad()
def own_pictures(model, x, seed=0):
    """The model's own pictures of real images, z ~ q(z|x) decoded, (B, *shape) -> (B, *shape)."""
    generator = torch.Generator(model.device).manual_seed(resolve_seed(seed))
    parts = [model.picture(model(part.to(model.device), generator=generator).z) for part in x.split(1000)]
    return torch.cat(parts).to(x.device)


class Nearest(NamedTuple):
    """For each picture, the nearest of some images."""

    distance: torch.Tensor  # (N,) Euclidean, over pixels
    index: torch.Tensor  # (N,) which of the images it is


def nearest(pictures, images):
    """The nearest image to each picture, (N, *shape), (M, *shape) -> Nearest (N,), (N,).

    distance_n = min over m of | picture_n - image_m |,  index_n = the m where it is reached

    Raises ValueError if there is no picture or image, one is not finite, or the shapes differ.
    """
    _finite("pictures", pictures)
    _finite("images", images)
    if not (len(images) and len(pictures)) or pictures.shape[1:] != images.shape[1:]:
        shapes = f"{tuple(pictures.shape)} and {tuple(images.shape)}"
        raise ValueError(f"pictures and images must be (N, *shape) and (M, *shape), N, M >= 1, not {shapes}.")
    rows = images.to(pictures.device).flatten(1)
    parts = [torch.cdist(part, rows).min(1) for part in pictures.flatten(1).split(1000)]
    return Nearest(*(torch.cat(both) for both in zip(*parts, strict=True)))


class Yardstick(NamedTuple):
    """A model's own pictures of real images, and how near to them a picture has to be."""

    own: torch.Tensor  # (R, D) of training images
    held_out: torch.Tensor  # (B, D) of test images
    limit: float  # Euclidean distance within which 95 % of `held_out` have a neighbour in `own`


def yardstick(model, data, references=5_000):
    """Measure how near its own pictures of training images a model draws those of test images.

    -> Yardstick, by the nearest neighbour in pixel space.
    """
    own = own_pictures(model, data.train.first(references).x).flatten(1)
    held_out = own_pictures(model, data.test.x, seed=1).flatten(1)
    return Yardstick(own, held_out, nearest(held_out, own).distance.quantile(0.95).item())


def completeness(pictures, measure):
    """The share of pictures that lie on the data, (N, *shape), Yardstick -> float.

    On the data means as near to one of the model's own pictures as those of held-out images are; at
    best it is 0.95, by the choice of the limit. In pixels it refuses the mean image, a black one, blur
    and the average of two digits only while the latent space is small: lesson 02 shows where it stops.
    """
    near = nearest(pictures.flatten(1), measure.own).distance <= measure.limit
    return near.float().mean().item()


def coverage(pictures, measure):
    """The share of the model's pictures of held-out images that have one of `pictures` as near.

    (N, *shape), Yardstick -> float. A sampler that draws one perfect digit for ever is complete; this
    is what it misses (the idea, with other limits, is the coverage of Naeem et al. 2020).
    """
    near = nearest(measure.held_out, pictures.flatten(1)).distance <= measure.limit
    return near.float().mean().item()


def told_apart(pictures, own, epochs=12, seed=None):
    """How often a classifier tells two sets of pictures apart, (N, *shape), (M, *shape) -> float.

    The accuracy, on a third held out, of a small network trained to tell them: 0.5 if they are alike,
    1 if every one gives itself away. The sets must be equally large, so that a guess is right half
    of the time; raises ValueError if they are not, have fewer than two pictures each, pictures of
    another shape, or NaN. (Lopez-Paz & Oquab 2017)
    """
    pictures, own = (_finite(*named).cpu() for named in (("pictures", pictures), ("own", own)))
    if pictures.shape != own.shape or len(own) < 2:
        shapes = f"{tuple(pictures.shape)} and {tuple(own.shape)}"
        raise ValueError(f"Both sets must be equally large and alike, two or more of each, not {shapes}.")
    n, seed, epochs = len(own), resolve_seed(seed), whole_number("epochs", epochs)
    x = torch.cat([own.flatten(1), pictures.flatten(1)])
    y = torch.cat([torch.zeros(n), torch.ones(n)])
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # and not the GPU's
        train, test = torch.randperm(2 * n).tensor_split([4 * n // 3])
        net = nn.Sequential(nn.Linear(x.shape[1], 64), nn.ReLU(), nn.Linear(64, 1), nn.Flatten(0))
        adam = torch.optim.Adam(net.parameters(), 2e-3, fused=True)
        for _ in range(epochs):
            for index in train[torch.randperm(len(train))].split(100):
                loss = nn.functional.binary_cross_entropy_with_logits(net(x[index]), y[index])
                adam.zero_grad()
                loss.backward()
                adam.step()
        with torch.no_grad():
            return ((net(x[test]) > 0) == (y[test] > 0)).float().mean().item()


@torch.no_grad()
def slant(x):
    """How far the ink of each image leans, (B, 1, H, W) -> (B,): shift to the right per unit of height.

    By second moments of the ink; in lesson 06 a measured stand-in where the true factor is not known.
    It is 0 where there is no ink. Raises ValueError on another shape or NaN.
    """
    if _finite("x", x).ndim != 4 or x.shape[1] != 1:
        raise ValueError(f"x must be (B, 1, H, W), but it is {tuple(x.shape)}.")
    ink = x[:, 0]
    mass = ink.sum((1, 2)).clamp(min=1e-9)
    rows = torch.arange(ink.shape[1], device=x.device, dtype=ink.dtype)
    columns = torch.arange(ink.shape[2], device=x.device, dtype=ink.dtype)
    dx = columns - (ink.sum(1) @ columns / mass)[:, None]
    dy = rows - (ink.sum(2) @ rows / mass)[:, None]
    shared = torch.einsum("bij,bi,bj->b", ink, dy, dx)
    return -(shared / torch.einsum("bij,bi->b", ink, dy**2).clamp(min=1e-9))


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
    variance = _finite("mu", _at_least_two(mu)).var(0)
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
    mu = _finite("mu", _at_least_two(torch.cat([out.mu for out in outs])))
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


class Information(NamedTuple):
    """The two parts of a VAE's KL term, in nats an image; their sum is its mean over images."""

    mutual: float  # I(x; z): what a draw z tells about the image that it came from
    prior: float  # KL(q(z) || p(z)): how far the aggregated posterior is from N(0, I)


@torch.no_grad()
def information(model, x, seed=0):
    """How much of the KL is information, and how much a misplaced q(z), (N, *shape) -> Information.

    mean KL(q(z|x) || p(z)) = I(x; z) + KL(q(z) || p(z)),  q(z) = mean over images of q(z|x_i)
    I(x; z) = mean of log q(z_i|x_i) - log q(z_i),  KL(q(z) || p(z)) = mean of log q(z_i) - log p(z_i)

    with one draw z_i ~ q(z|x_i) an image. Both are those of a data set that holds these N images and no
    others, in which z cannot tell more than which of the N it was: I(x; z) <= log N. Where the clouds hardly
    overlap the number is near log N and says little of other images. Time grows with N^2.
    Raises ValueError on fewer than two images or NaN, TypeError on a model without q(z|x).
    (Hoffman & Johnson 2016)
    """
    q = [model.encode(part.to(model.device)) for part in x.split(1000)]
    if not isinstance(q[0], tuple):
        raise TypeError(f"model must be a VAE, which has a q(z|x), not a {type(model).__name__}.")
    mu, log_var = (torch.cat(parts).cpu().double() for parts in zip(*q, strict=True))
    _finite("mu", _at_least_two(mu)), _finite("log_var", log_var)
    z = reparameterize(mu, log_var, generator=torch.Generator().manual_seed(resolve_seed(seed)))
    log_q = torch.cat([_log_mixture(part, mu, log_var) for part in z.split(500)])
    zero = torch.zeros_like(z)
    mutual, prior = log_density(z, mu, log_var) - log_q, log_q - log_density(z, zero, zero)
    return Information(mutual.mean().item(), prior.mean().item())


def _log_mixture(z, mu, log_var):
    """log q(z) under the mixture of N clouds, (M, L), (N, L), (N, L) -> (M,), in float64.

    The squares are multiplied out into two products of matrices, many times as fast as (M, N, L); around
    the middle of the clouds, where few digits are lost.
    """
    middle = mu.mean(0)
    z, mu = z - middle, mu - middle
    precision = torch.exp(-log_var)
    constant = (mu**2 * precision + log_var).sum(1) + mu.shape[1] * math.log(2 * math.pi)
    twice = 2 * z @ (mu * precision).T - z**2 @ precision.T - constant
    return torch.logsumexp(twice / 2, 1) - math.log(len(mu))


def _at_least_two(codes):
    if len(codes) < 2:
        raise ValueError(f"This measure needs two images at least, but x has {len(codes)}.")
    return codes


def _finite(name, values):
    if not tensor(name, values).isfinite().all():
        raise ValueError(f"{name} must be finite numbers, but some are NaN or infinite.")
    return values
