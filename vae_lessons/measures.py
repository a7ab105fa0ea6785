"""Model + data -> numbers: what the lessons claim about latent spaces, as measurements."""

from typing import NamedTuple

import torch

NEIGHBOURS = 5_000  # of a model's own pictures are enough to know where they lie


class Walk(NamedTuple):
    """How the picture moves along straight walks through latent space."""

    steps: torch.Tensor  # (S,) Euclidean distance of one picture to the next
    continuity: float  # 99th percentile of the steps over their median: 1 is perfectly even


@torch.no_grad()
def continuity(model, x, walks=200, step=0.05, seed=0):
    """How unevenly the picture moves along walks between codes, (B, *shape) -> Walk.

    Each walk goes straight from one image's code to another's in steps of equal length, `step` times
    the spread of the codes (the root mean square of their distance to their mean, per dimension).
    Raises ValueError on fewer than two images.
    """
    if len(x) < 2:
        raise ValueError(f"A walk needs two images at least, but x has {len(x)}.")
    generator = torch.Generator().manual_seed(seed)
    codes = model.code(x)
    length = step * codes.std(0).square().mean().sqrt()
    ends = torch.randint(len(x), (2, walks), generator=generator).to(codes.device)
    start, way = codes[ends[0]], codes[ends[1]] - codes[ends[0]]
    counts = (way.norm(dim=1) / length).long()  # whole steps that fit into each walk
    moved = []
    for z, direction, count in zip(start, way, counts, strict=True):
        if count > 0:
            along = torch.arange(count + 1, device=z.device)[:, None] * length
            pictures = model.picture(z + along * direction / direction.norm())
            moved.append(pictures.flatten(1).diff(dim=0).norm(dim=1))
    steps = torch.cat(moved)
    return Walk(steps, (steps.quantile(0.99) / steps.median()).item())


class Yardstick(NamedTuple):
    """A model's own pictures of real images, and how near to them a picture has to be."""

    own: torch.Tensor  # (R, D)
    limit: float  # Euclidean distance


def yardstick(model, data, references=NEIGHBOURS):
    """The model's pictures of training images; the limit holds 95 % of those of test images.

    -> Yardstick. The distance is that to the nearest picture, in pixel space.
    """
    own = model.reconstruct(data.train.batch(slice(references))).flatten(1)
    held_out = model.reconstruct(data.test.x).flatten(1)
    return Yardstick(own, _nearest(held_out, own).quantile(0.95).item())


def completeness(pictures, measure):
    """The share of pictures as near to the model's own as those of held-out images, (B, ...) -> float.

    1 - completeness is the share that lies off the data: 0.05 at best, by the choice of the limit.
    """
    near = _nearest(pictures.flatten(1), measure.own) <= measure.limit
    return near.float().mean().item()


def _nearest(a, b):
    """Distance of each row of a to the nearest row of b, (N, D), (M, D) -> (N,)."""
    return torch.cat([torch.cdist(part, b).amin(1) for part in a.split(1000)])
