"""Pictures from few numbers: principal components to count (lesson 01), a sweep over beta (lesson 09)."""

import ipywidgets as widgets
import numpy as np
import torch

from vae_lessons.explorers import ink
from vae_lessons.explorers.planes import real_images
from vae_lessons.explorers.stage import Panel, slider
from vae_lessons.plots import COLOURS, INK, array, axes, label_classes, outside

INDIGO, ROSE, BETA = COLOURS[0], COLOURS[6], "\N{GREEK SMALL LETTER BETA}"


class Components:
    """The picture of images rebuilt from L components: two rows of tiles and a bar of the share kept."""

    def __init__(self, pca, images, side=56):
        self.pca, self.side = pca, side
        self.codes = pca.encode(images.to(pca.mean.device))
        self.tiles = [ink.tile(x, side) for x in images]
        self.kept = np.concatenate([[0], np.cumsum(array(pca.shares))])
        self.size = 76 + len(images) * (side + 4), 2 * side + 66

    def __call__(self, latent):
        """The picture -> PIL image, words."""
        side, decoded = self.side, self.pca.first(latent).decode(self.codes[:, :latent])
        rebuilt = [ink.tile(x, side) for x in array(decoded)]
        paper = ink.paper(*self.size, self.tiles[0].mode)
        for row, (name, tiles) in enumerate((("image", self.tiles), ("rebuilt", rebuilt))):
            top = row * (side + 4)
            ink.write(paper, name, 66, top + side / 2, 12, anchor="rm")
            for i, tile in enumerate(tiles):
                ink.put(paper, tile, 76 + i * (side + 4), top)
        share, top = self.kept[latent], 2 * side + 18
        wide = self.size[0] - 78
        ink.bar(paper, 76, top, wide, 16, "#e4e4e4")
        ink.bar(paper, 76, top, wide * share, 16, INDIGO)
        words = f"L = {latent}: {share:.1%} of the variance kept"
        ink.write(paper, words, 76, top + 22, 13, bold=True)
        return paper, f"Ten images and what {latent} components rebuild of them; {words}."


def components(pca, data, latent=16):
    """Drag the number of principal components L from 0 to 128, PCA, Data -> Explorer.

    It shows ten test images, what L components rebuild of them, and the share of the variance of the
    training images that they keep. `latent` is where the slider starts.
    """
    most = min(128, len(pca.components))
    panel = Components(pca.first(most), data.test.batch(slice(10)).x.float())
    sentence = (
        f"Explorer: ten test images, what {latent} principal components rebuild of them, and a bar with the "
        "share of the variance that they keep."
    )
    return Panel("components", sentence, panel, {"latent": slider("L", latent, 0, most, 1, 700)}, panel.size)


class Sweep:
    """The picture of one beta: its plane, its point on the rate-distortion curve, its draws."""

    def __init__(self, models, points, data, limit):
        self.models, self.points, self.limit = models, points, limit
        self.images, self.y = real_images(data)
        self.z = torch.randn(30, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float32)
        figure, (plane, curve) = axes(1, 2, width_ratios=(1.15, 1))
        self.ax, self.dots = plane, {}
        for c in np.unique(self.y):
            (self.dots[c],) = plane.plot([], [], ".", color=COLOURS[c % 10], ms=3, alpha=0.6, mew=0)
        plane.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xlabel="$z_1$", ylabel="$z_2$")
        turn = np.linspace(0, 2 * np.pi, 100)
        for radius in (1, 2, 3):
            plane.plot(radius * np.cos(turn), radius * np.sin(turn), ":", color=INK, lw=0.8)
        curve.plot([p.kl for p in points.values()], [p.nll for p in points.values()], "o:", color=INK, ms=3)
        (self.here,) = curve.plot([], [], "o", color=ROSE, ms=11)
        curve.set(xlabel="rate: KL, nats", ylabel="distortion: nll, nats")
        label_classes(plane, np.zeros((len(self.y), 2)), self.y)
        moving = [*self.dots.values(), *plane.texts, self.here]
        self.sheet, self.kept = ink.Sheet(figure, 600, 320, moving), {}
        self.size = 836, 360

    def __call__(self, beta):
        """The picture -> PIL image, words; drawn once for each beta."""
        if beta not in self.kept:
            self.kept[beta] = self._draw(beta)
        return self.kept[beta]

    def _draw(self, beta):
        model, point = self.models[beta], self.points[beta]
        codes = model.code(self.images).numpy()
        for (c, dots), name in zip(self.dots.items(), self.ax.texts, strict=True):
            dots.set_data(*codes[self.y == c].T)
            name.set_position(np.median(codes[self.y == c], axis=0))
        self.here.set_data([point.kl], [point.nll])
        paper = ink.paper(*self.size)
        words = f"{BETA} = {beta:g}:  KL {point.kl:.1f}, nll {point.nll:.1f} nats per image"
        ink.write(paper, words, 8, 4, 14, bold=True)
        ink.write(paper, outside(codes, self.limit), 8, 24, 10)
        ink.put(paper, self.sheet.image(), 0, 36)
        ink.write(paper, "draws: z ~ N(0, I)", 610, 36, 12)
        for i, picture in enumerate(model.picture(self.z)):
            ink.put(paper, ink.tile(picture, 42), 610 + 45 * (i % 5), 58 + 45 * (i // 5))
        return paper, f"{words}: the plane of codes, the point on the curve, and draws."


def beta(models, points, data, limit=9.0, start=1):
    """One slider over models trained with different beta, {beta: VAE}, {beta: Scores}, Data -> Explorer.

    It shows the means of q(z|x) of the test images, from -limit to limit, draws from the prior, and where
    the model lies on the rate-distortion curve of `points`. Raises ValueError if the betas differ, or a
    model has other than 2 latent numbers.
    """
    if list(models) != list(points) or not models:
        both = f"{list(models)} and {list(points)}"
        raise ValueError(f"models and points must have the same betas, not {both}.")
    if any(model.latent != 2 for model in models.values()):
        raise ValueError("A plane needs codes of 2 numbers, but some model has another latent.")
    sweep = Sweep(models, points, data, limit)
    options = [(f"{value:g}", value) for value in models]
    chosen = widgets.SelectionSlider(
        options=options,
        value=start if start in models else next(iter(models)),
        description=BETA,
        style={"description_width": "auto"},
        layout={"width": "420px"},
    )
    sentence = (
        f"Explorer: the model trained with beta {chosen.value:g}; its plane of codes coloured by class, its "
        "point on the rate-distortion curve, and thirty of its draws."
    )
    return Panel("beta", sentence, sweep, {"beta": chosen}, sweep.size)
