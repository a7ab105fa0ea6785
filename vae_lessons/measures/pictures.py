"""Pictures that a model draws -> numbers: whether they lie on the data, cover it, are told from it."""

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
    """How often a classifier tells two sets of pictures apart, (N, *shape), (M, *shape) -> float.

    The accuracy, on a third held out, of a small network trained to tell them: 0.5 if they are alike,
    1 if every one gives itself away. The sets must be equally large, so that a guess is right half
    of the time; raises ValueError if they are not, have fewer than two pictures each, pictures of
    another shape, or NaN. (Lopez-Paz & Oquab 2017)
    """
    pictures, own = (finite_tensor(*named).cpu() for named in (("pictures", pictures), ("own", own)))
    if pictures.flatten(1).shape != own.flatten(1).shape or len(own) < 2:
        shapes = f"{tuple(pictures.shape)} and {tuple(own.shape)}"
        raise ValueError(f"Both sets must be equally large and alike, two or more of each, not {shapes}.")
    n, seed, epochs = len(own), resolve_seed(seed), whole_number("epochs", epochs)
    # Not `fit`, which would score a test set after each epoch: here one accuracy counts, at the end.
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
