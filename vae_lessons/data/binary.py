"""Grey images -> images of black and white pixels, as the published likelihoods of MNIST are measured on."""

import torch

from vae_lessons.data.splits import Split
from vae_lessons.runtime import resolve_seed
from vae_lessons.settings import whole_number


def binarized(split, copies=1, seed=0):
    """Each pixel drawn once, 1 with its grey value as probability, Split (N) -> Split (copies * N) of bytes.

    Several `copies` are as many draws of each image, one after the other. Raises ValueError if copies is no
    whole number, at least 1, or pixels lie outside [0, 1]. (Salakhutdinov & Murray 2008)
    """
    copies, x = whole_number("copies", copies), split.x.cpu()
    if x.min() < 0 or x.max() > 1:
        raise ValueError(f"pixels must lie in [0, 1], but they reach from {x.min():.4g} to {x.max():.4g}.")
    generator = torch.Generator().manual_seed(resolve_seed(seed))
    drawn = [torch.bernoulli(x, generator=generator).mul_(255).to(torch.uint8) for _ in range(copies)]
    y = None if split.y is None else split.y.repeat(copies)
    return Split(torch.cat(drawn).to(split.pixels.device), y)
