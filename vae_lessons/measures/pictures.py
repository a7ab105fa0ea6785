"""Pictures that a model draws -> numbers: whether they lie on the data, cover it, are told from it."""

import math
from typing import NamedTuple

import torch
from torch import nn

from vae_lessons.runtime import resolve_seed
from vae_lessons.settings import finite_tensor, whole_number


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
    finite_tensor("pictures", pictures)
    finite_tensor("images", images)
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
    """How often a small network tells two sets of pictures apart, (N, *shape), (N, *shape) -> float.

    `two_sample_accuracy` of `classifier`: 0.5 if it sees no difference, 1 if every picture gives itself away.
    The sets must be equally large, so that a guess is right half of the time; raises ValueError if they
    are not, have fewer than two pictures each, pictures of another shape, or NaN. (Lopez-Paz & Oquab 2017)
    """
    pictures, own = (finite_tensor(*named).cpu() for named in (("pictures", pictures), ("own", own)))
    if pictures.flatten(1).shape != own.flatten(1).shape or len(own) < 2:
        shapes = f"{tuple(pictures.shape)} and {tuple(own.shape)}"
        raise ValueError(f"Both sets must be equally large and alike, two or more of each, not {shapes}.")
    seed, epochs = resolve_seed(seed), whole_number("epochs", epochs)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # and not the GPU's
        return two_sample_accuracy(pictures, own, lambda x, y: classifier(x, y, epochs))


def two_sample_accuracy(pictures, own, train):
    """The share of held-out pictures whose set a classifier guesses, (N, *shape), (N, *shape) -> float.

    `train(x, y)` gets two thirds of all pictures, in random order, as rows x (R, D), with y (R,) 0 for those
    of `own` and 1 for the others. It returns a function from rows (M, D) to guesses (M,), 0 or 1, which is
    then asked about the last third. (Lopez-Paz & Oquab 2017)
    """
    x = torch.cat([own.flatten(1), pictures.flatten(1)])
    y = torch.cat([torch.zeros(len(own)), torch.ones(len(pictures))])
    learned, held_out = torch.randperm(len(x)).tensor_split([2 * len(x) // 3])
    guess = train(x[learned], y[learned])
    return (guess(x[held_out]) == y[held_out]).float().mean().item()


def classifier(x, y, epochs=12):
    """Train a small network to guess y, 0 or 1, from rows x, (R, D), (R,) -> a function (M, D) -> (M,)."""
    # Not `fit`, which would score a test set after each epoch: here one accuracy counts, at the end.
    net = nn.Sequential(nn.Linear(x.shape[1], 64), nn.ReLU(), nn.Linear(64, 1), nn.Flatten(0))
    adam = torch.optim.Adam(net.parameters(), 2e-3, fused=True)
    for _ in range(epochs):
        for index in torch.randperm(len(x)).split(100):
            loss = nn.functional.binary_cross_entropy_with_logits(net(x[index]), y[index])
            adam.zero_grad()
            loss.backward()
            adam.step()
    return lambda rows: (net(rows).detach() > 0).float()


@torch.no_grad()
def slant(x):
    """How far the ink of each image leans, (B, 1, H, W) -> (B,): shift to the right per unit of height.

    By second moments of the ink; in lesson 06 a measured stand-in where the true factor is not known.
    It is 0 where there is no ink. Raises ValueError on another shape or NaN.
    """
    if finite_tensor("x", x).ndim != 4 or x.shape[1] != 1:
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
def sharpness(x):
    """Squared differences of neighbouring pixels per unit of ink, (B, C, H, W) -> (B,).

    sharpness = (sum of squared differences to the right and down) / (sum of x)

    Blur lowers it; noise and hard edges raise it, so it is compared with that of real images: more is not
    better. It is 0 where there is no ink. Raises ValueError on another shape or NaN.
    """
    if finite_tensor("x", x).ndim != 4:
        raise ValueError(f"x must be (B, C, H, W), but it is {tuple(x.shape)}.")
    steps = sum(x.diff(dim=dim).square().flatten(1).sum(1) for dim in (2, 3))
    return steps / x.flatten(1).sum(1).clamp(min=1e-9)


@torch.no_grad()
def grey(x, margin=0.1):
    """The share of pixels with ink that are neither light nor dark, (B, ...) -> (B,).

    Ink is above `margin`, and grey between `margin` and 1 - margin. It is 0 where there is no ink. Raises
    ValueError on NaN.
    """
    ink = finite_tensor("x", x).flatten(1) > margin
    middle = ink & (x.flatten(1) < 1 - margin)
    return middle.sum(1) / ink.sum(1).clamp(min=1)


def pair_log_density(z, mu, log_var):
    """log q(z_b|x_n) of each code under each image's Gaussian, (B, L), (N, L), (N, L) -> (B, N), in nats."""
    away = (((one - mu).square() / log_var.exp()).sum(-1) for one in z)  # code by code, to spare memory
    return -0.5 * (torch.stack(list(away)) + (log_var + math.log(2 * math.pi)).sum(-1))


def consistent_average(x, z, mu, log_var):
    """The mean of images, each weighed by its q at z, (N, D), (B, L), (N, L), (N, L) -> (B, D).

    average_b = sum_n w_bn x_n,  w_bn = q(z_b|x_n) / sum_m q(z_b|x_m)

    Of all pictures drawn from z, it has the least expected squared error, and the least cross-entropy, over
    the images that z could have come from. The decoder is not asked. Raises ValueError on NaN.
    (Bousquet et al. 2017; Rezende & Viola 2018)
    """
    for named in (("x", x), ("z", z), ("mu", mu), ("log_var", log_var)):
        finite_tensor(*named)
    return pair_log_density(z, mu, log_var).softmax(1) @ x


def images_averaged(z, mu, log_var):
    """How many images share each code, (B, L), (N, L), (N, L) -> (B,): 1 / sum_n w_bn^2, from 1 to N.

    The weights are those of `consistent_average`. (Kong 1992, for the count)
    """
    return 1 / pair_log_density(z, mu, log_var).softmax(1).square().sum(1)
