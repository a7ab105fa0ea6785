"""Where in the plane does nothing live? Guess, and be told."""

import numpy as np
import torch
from matplotlib.colors import to_rgba

from vae_lessons import measures, plots
from vae_lessons.explorers.page import (
    Page,
    as_bytes,
    box,
    check_plane,
    decoder,
    draw_plane,
    real_images,
)

GRID = 100  # places in a row of the map; a step of the handle by an arrow key is two of them
SHADES = 16  # of grey, in which the model's own pictures are sent: half the bytes, and it can hardly be seen


def hole_finder(model, data, ruler=None):
    """Ask where nothing lives, and be told whether you are right, model, Data -> Page.

    A hole is where the decoded picture is farther from all of the model's own pictures of real images
    than `ruler.limit`: what `measures.completeness` refuses. `ruler` is `measures.yardstick(model, data)`,
    measured here unless given. The distances are measured here, too, at 100 x 100 places: what is asked
    goes to the nearest of them, so every verdict is that of `completeness`. Raises ValueError unless latent
    is 2.
    """
    check_plane(model)
    images, y = real_images(data)
    codes, shape = model.code(images).float(), images.shape[1:]
    ruler = ruler or measures.yardstick(model, data)
    plane, own = box(codes), ruler.own.cpu()
    places = _places(plane)
    found = [measures.nearest(model.picture(z).flatten(1).cpu(), own) for z in places.split(1000)]
    distance, index = (torch.cat(parts) for parts in zip(*found, strict=True))
    sent, index = index.unique(return_inverse=True)
    own = own[sent].view(-1, *shape)
    return Page(
        "hole_finder",
        _still(model, codes, y, plane, places, distance - ruler.limit, own[index]),
        {
            "decoder": decoder(model, plane),
            "codes": codes,
            "labels": y.tolist(),
            "box": plane,
            "shape": shape,
            "grid": GRID,
            "distance": distance,
            "index": index.to(torch.int32),
            "own": as_bytes(own, SHADES),
            "limit": ruler.limit,
        },
    )


def _places(plane):
    """The middles of all squares of the map, row after row from the top, -> (GRID * GRID, 2)."""
    left, right, bottom, top = plane
    share = (torch.arange(GRID, dtype=torch.float64) + 0.5) / GRID
    x, y = left + share * (right - left), top - share * (top - bottom)
    return torch.cartesian_prod(y, x).flip(1).float()


def _still(model, codes, y, plane, places, over, nearest):
    """The plane with all holes shaded, and what is decoded in the deepest one towards the middle."""
    edge = GRID // 5
    inner = torch.zeros(GRID, GRID, dtype=torch.bool)
    inner[edge:-edge, edge:-edge] = True
    place = over.where(inner.flatten(), over.min()).argmax()
    figure, (ax, beside) = plots.axes(1, 2, size=(3, 3.8), width_ratios=[3, 1])
    shade = np.where(plots.array(over > 0)[:, None], to_rgba(plots.COLOURS[6], 0.35), 0)
    ax.imshow(shade.reshape(GRID, GRID, 4), extent=plane, interpolation="nearest", zorder=3)
    draw_plane(ax, codes, y, plane, places[place])
    ax.set(xlabel="$z_1$", ylabel="$z_2$")
    pictures = torch.stack([model.picture(places[place][None]).cpu()[0], nearest[place]])
    plots.tiles(beside, plots.drawable(pictures), 1)
    beside.set_title("decoded;\nits nearest", fontsize=9)
    return plots.Picture(
        figure,
        "Explorer: the plane of codes, coloured by class, with the holes shaded pink, where no picture "
        "of a real image is as near as it should be; beside it, what is decoded in a hole.",
    )
