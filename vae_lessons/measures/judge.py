"""Pictures -> what a small classifier of real images makes of them: classes, features, Fréchet distance."""

import torch
from torch import nn

from vae_lessons.data.splits import checked_split
from vae_lessons.runtime import resolve_seed
from vae_lessons.settings import finite_tensor, tensor, whole_number


class Judge:
    """A classifier of the images and labels of data.train, which then judges pictures; it stays on the CPU.

    Pixels - 256 features - one logit for each class, trained by the cross-entropy with Adam. The same seed
    gives the same judge, and the caller's random state is left as it was. Raises ValueError if the images
    have no labels, or labels that are not whole numbers from 0 on.
    """

    def __init__(self, data, epochs=6, features=256, seed=None):
        split, epochs = checked_split("data.train", data.train), whole_number("epochs", epochs)
        self.shape, y = tuple(split.pixels.shape[1:]), _labels(split.y)
        x = split.x.flatten(1).float().cpu()
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(resolve_seed(seed))  # and not the GPU's
            self._features = nn.Sequential(
                nn.Linear(x.shape[1], whole_number("features", features)), nn.ReLU()
            )
            self._logits = nn.Linear(features, int(y.max()) + 1)
            parameters = [*self._features.parameters(), *self._logits.parameters()]
            adam = torch.optim.Adam(parameters, 2e-3, fused=True)
            for _ in range(epochs):
                for index in torch.randperm(len(x)).split(128):
                    loss = nn.functional.cross_entropy(self._logits(self._features(x[index])), y[index])
                    adam.zero_grad()
                    loss.backward()
                    adam.step()

    @torch.no_grad()
    def features(self, x):
        """What the hidden layer makes of pictures, (B, *shape) -> (B, F), at least 0. On the CPU.

        Raises ValueError on another shape or NaN, TypeError on what is no tensor.
        """
        if finite_tensor("x", x).shape[1:] != self.shape:
            wanted = ", ".join(["B", *map(str, self.shape)])
            raise ValueError(f"x must be ({wanted}), but it is {tuple(x.shape)}.")
        return self._features(x.detach().cpu().float().flatten(1))

    @torch.no_grad()
    def classes(self, x):
        """The class that each picture looks most like, (B, *shape) -> int64 (B,), on the CPU."""
        return self._logits(self.features(x)).argmax(1)

    def agrees(self, pictures, y):
        """The share of pictures that look like the class they are meant to be, (B, *shape), (B,) -> float."""
        if tensor("y", y).shape != (len(pictures),):
            raise ValueError(
                f"y must be one class for each of {len(pictures)} pictures, not {tuple(y.shape)}."
            )
        return (self.classes(pictures) == y.cpu()).double().mean().item()

    def frechet(self, pictures, images):
        """The Fréchet distance of pictures from real images in the judge's features, -> float.

        As `frechet_distance` has it; 0 at the least, and above 0 even between two sets of real images. In the
        features of Inception it is the "FID"; its numbers and these cannot be compared. (Heusel et al. 2017)
        """
        return frechet_distance(self.features(pictures), self.features(images))

    def coverage(self, pictures, images, neighbours=5):
        """The share of real images that have a picture as near as their own neighbours, -> float.

        In the features, an image is covered if one of `pictures` is nearer to it than its k-th nearest
        other real image, k = `neighbours`. As many other real images as there are `images` cover about
        1 - 2^-k of them. Raises ValueError if there are not more images than neighbours. (Naeem et al. 2020)
        """
        k, real = whole_number("neighbours", neighbours), self.features(images)
        if len(real) <= k:
            raise ValueError(f"images must be more than {k}, the neighbours, but there are {len(real)}.")
        radius = torch.cdist(real, real).topk(k + 1, largest=False).values[:, k]  # the nearest is itself
        nearest = torch.cdist(real, self.features(pictures)).amin(1)
        return (nearest <= radius).double().mean().item()


def frechet_distance(a, b):
    """The Fréchet distance of the Gaussians fitted to two sets of rows, (N, F), (M, F) -> float, in float64.

    d = |m_a - m_b|^2 + tr[ S_a + S_b - 2 (S_a S_b)^(1/2) ],  m, S: mean and covariance (of N - 1)

    Raises ValueError if a set has fewer than two rows, another number of columns, or NaN.
    (Dowson & Landau 1982)
    """
    a, b = (finite_tensor(*named).double() for named in (("a", a), ("b", b)))
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        shapes = f"{tuple(a.shape)} and {tuple(b.shape)}"
        raise ValueError(f"a and b must be (N, F) and (M, F), two rows or more, not {shapes}.")
    root, other = _root(_covariance(a)), _covariance(b)
    # tr (S_a S_b)^(1/2) = tr (S_a^(1/2) S_b S_a^(1/2))^(1/2), and the latter is symmetric
    shared = torch.linalg.eigvalsh(root @ other @ root).clamp(min=0).sqrt().sum()
    d = (a.mean(0) - b.mean(0)).square().sum() + root.square().sum() + other.trace() - 2 * shared
    return max(d.item(), 0.0)


def _covariance(rows):
    centred = rows - rows.mean(0)
    return centred.T @ centred / (len(rows) - 1)


def _root(covariance):
    """The symmetric square root, (F, F) -> (F, F)."""
    values, vectors = torch.linalg.eigh(covariance)
    return vectors * values.clamp(min=0).sqrt() @ vectors.T


def _labels(y):
    if y is None:
        raise ValueError("A judge learns classes, but these images have no labels y.")
    if y.ndim != 1 or y.is_floating_point() or y.min() < 0:
        raise ValueError("A judge learns classes, y must be whole numbers from 0 on, (N,).")
    return y.long().cpu()
