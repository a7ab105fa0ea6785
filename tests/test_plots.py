"""Pictures: they show what they are given, have words, and come out the same each time."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from vae_lessons import plots

Z = torch.randn(60, 2, generator=torch.Generator().manual_seed(0))
Y = torch.arange(60) % 10
X = (
    torch.rand(60, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    .repeat_interleave(7, 2)
    .repeat_interleave(7, 3)
)
STEPS = torch.linspace(-2, 2, 6)
MADE = {
    "images": lambda: plots.images(X[:7], columns=5, rows=("a", "b"), alt="Seven images in two rows."),
    "plane": lambda: plots.plane((Z, Y), (2 * Z, Y), titles=("a", "b"), limit=4, alt="Two clouds."),
    "ellipses": lambda: plots.ellipses(Z, Z.abs() / 5, Y, alt="Sixty ellipses."),
    "decoded_grid": lambda: plots.decoded_grid(X[:36], STEPS, STEPS, alt="A grid."),
    "curves": lambda: plots.curves({"a": {"train": [3, 2, 1], "test": [3, 2.5, 2]}}, alt="Two curves."),
    "clouds": lambda: plots.clouds(
        {"a": [(Z, "k", "named"), (Z[:9], "r")], "b": [(2 * Z, "k")]},
        [("x", "y")],
        rings=[((0, 0), torch.eye(2))],
        alt="Two clouds, one with rings.",
    ),
    "log_log": lambda: plots.log_log(
        [1, 10, 100], {"a": [3, 2, 1]}, ["k"], "x", "y", alt="One falling line."
    ),
    "histograms": lambda: plots.histograms({"$z_1$": Z[:, 0], "$z_2$": Z[:, 1]}, alt="Two histograms."),
}


def opened(picture):
    return np.asarray(Image.open(io.BytesIO(picture.png)).convert("L")) / 255


@pytest.mark.parametrize("name", MADE)
def test_every_plot_is_a_picture_with_words(name):
    picture = MADE[name]()
    bundle = picture._repr_mimebundle_()
    assert bundle["text/plain"] == picture.alt == repr(picture)
    assert f'alt="{picture.alt}"' in bundle["text/html"]
    pixels = opened(picture)
    assert min(pixels.shape) > 50
    assert 0.001 < (pixels < 0.9).mean() < 0.9
    assert MADE[name]().png == picture.png
    assert len(picture.png) < 120_000


def test_words_are_escaped_in_html():
    figure, _ = plots.axes()
    html = plots.Picture(figure, 'a "b" & <c>')._repr_mimebundle_()["text/html"]
    assert 'alt="a &quot;b&quot; &amp; &lt;c>"' in html


def test_a_darker_image_makes_a_darker_picture():
    light, dark = (opened(plots.images(torch.full((4, 1, 9, 9), v))).mean() for v in (0.1, 0.9))
    assert dark < light - 0.15


def test_tiles_lie_in_reading_order():
    x = torch.zeros(4, 1, 28, 28)
    x[1] = 1  # the second of two columns, in the first of two rows
    pixels = opened(plots.images(x, columns=2))
    rows, columns = np.nonzero(pixels < 0.1)
    assert rows.mean() < pixels.shape[0] / 2
    assert columns.mean() > pixels.shape[1] / 2


def test_labels_that_overlap_make_room_and_others_stay():
    _, ax = plots.axes()
    ax.set(xlim=(-5, 5), ylim=(-5, 5))
    places = [(0, 0), (0, 0), (0.1, 0), (0, 0.1), (4, 4)]
    for i, place in enumerate(places):
        ax.text(*place, str(i))
    plots._make_room(ax)
    at = np.array([text.get_position() for text in ax.texts])
    far = np.hypot(*(at[:, None] - at).T) + 10 * np.eye(5)
    assert far.min() > 0.5
    assert np.hypot(*at[:4].T).max() < 1.5
    assert tuple(at[4]) == (4, 4)
    assert len(ax.lines) >= 3


def test_ten_classes_have_ten_colours():
    assert len(set(plots.COLOURS)) == 10


def test_figures_do_not_pile_up_in_pyplot():
    import matplotlib.pyplot as plt

    MADE["plane"]()
    assert plt.get_fignums() == []
