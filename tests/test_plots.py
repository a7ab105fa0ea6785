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
    "flow_chart": lambda: plots.flow_chart(
        [("Is it hot?", "It is summer.", "Drink."), ("Is it cold?", "It is winter.", "Put on a coat.")],
        ("see", "means", "do"),
        marked=1,
        caption="Two questions, the second marked.",
    ),
    "images": lambda: plots.images(X[:7], columns=5, rows=("a", "b"), caption="Seven images in two rows."),
    "plane": lambda: plots.plane((Z, Y), (2 * Z, Y), titles=("a", "b"), limit=4, caption="Two clouds."),
    "ellipses": lambda: plots.ellipses(Z, Z.abs() / 5, Y, caption="Sixty ellipses."),
    "decoded_grid": lambda: plots.decoded_grid(X[:36], STEPS, STEPS, caption="A grid."),
    "curves": lambda: plots.curves({"a": {"train": [3, 2, 1], "test": [3, 2.5, 2]}}, caption="Two curves."),
    "clouds": lambda: plots.clouds(
        {"a": [(Z, "k", "named"), (Z[:9], "r")], "b": [(2 * Z, "k")]},
        [("x", "y")],
        rings=[((0, 0), torch.eye(2))],
        caption="Two clouds, one with rings.",
    ),
    "functions": lambda: plots.functions(
        {"a": {"p": (STEPS, STEPS), "q": (STEPS, STEPS**2)}, "b": {"p": (STEPS, -STEPS)}},
        "x",
        "y",
        shaded=("q",),
        widths=(3, 1),
        styles=(":", "-"),
        limits={"xlim": (-2, 2)},
        caption="Two plots, one shaded.",
    ),
    "bells": lambda: plots.bells(
        {"a": (Z[:, 0], STEPS, STEPS**2)}, ("x",), ("density",), caption="One histogram under a curve."
    ),
    "shells": lambda: plots.shells(
        {1: Z[:, 0].abs(), 2: Z.norm(dim=1)}, STEPS + 2, {1: STEPS**2, 2: STEPS}, caption="Two humps."
    ),
    "walks": lambda: plots.walks(
        {"L = 2": {"straight": (STEPS, STEPS**2), "round": (STEPS, STEPS + 3)}},
        {"L = 2": (1, torch.tensor(3.0))},
        caption="Two walks over a band.",
    ),
    "fits": lambda: plots.fits(
        {name: (STEPS, STEPS, torch.outer(STEPS, STEPS), Z[0], torch.eye(2)) for name in "abcd"},
        caption="Four densities, each under a Gaussian.",
    ),
    "machine": lambda: plots.machine(X[0], X[1], caption="An autoencoder with an image and its copy."),
    "a VAE's machine": lambda: plots.machine(heads=2, latent=2, caption="A VAE with two heads and noise."),
    "signed": lambda: plots.signed(X[:6] - 0.5, columns=3, caption="Six images of signed numbers."),
    "copies": lambda: plots.copies({"a": (Z, 0.5 * Z, Z[:2])}, caption="Points, copies and a line."),
    "best_line": lambda: plots.best_line(Z, 0.5 * Z, Z[:2], (Y, Y, 9 - Y), caption="A line and two curves."),
    "shares": lambda: plots.shares(STEPS, [1, 2], [0.1, 0.2], needed=4, caption="A rising curve with dots."),
    "errors_by_size": lambda: plots.errors_by_size(
        {"a": {1: 3, 2: 2}, "b": {2: 1}}, caption="Two falling curves."
    ),
    "map_of_plane": lambda: plots.map_of_plane(X[:36], STEPS, STEPS, Z, Y, caption="Dots over a grid."),
    "mixture": lambda: plots.mixture(Z, Y, Z[:3], torch.eye(2).expand(3, 2, 2), caption="Three circles."),
    "walk_of_pictures": lambda: plots.walk_of_pictures({"a": X[:20], "b": X[20:40]}, caption="Two walks."),
    "log_log": lambda: plots.log_log(
        [1, 10, 100], {"a": [3, 2, 1]}, ["k"], "x", "y", caption="One falling line."
    ),
    "draws_on_a_loss": lambda: plots.draws_on_a_loss(
        STEPS, STEPS**2, STEPS.cos(), Z[:9, 0], Z[:9, 0] ** 2, caption="Nine draws on a parabola."
    ),
    "ways_of_drawing": lambda: plots.ways_of_drawing(caption="Two graphs."),
    "sigma_bands": lambda: plots.sigma_bands({"a": (STEPS, STEPS.exp())}, "k", caption="A walk in a band."),
    "strips": lambda: plots.strips({"a": Z[:, 0], "b": Z[:, 1]}, ["k", "r"], 0, "x", caption="Two strips."),
    "triangles": lambda: plots.triangles({"a": Z[:, [0, 1, 0]].softmax(1)}, "ABC", caption="A triangle."),
    "hidden_and_seen": lambda: plots.hidden_and_seen(Z, Z[:, 0], {"A": (0, 1)}, caption="A cloud, twice."),
    "log_of_mean": lambda: plots.log_of_mean([0.1, 0.5, 1.0], caption="The curve log w with three dots."),
    "gap_maps": lambda: plots.gap_maps(
        STEPS, STEPS + 3, {"a": (2 * X[0, 0, :6, :6].cumsum(1), [Z[:5]])}, caption="A map with a climb."
    ),
    "touching_bounds": lambda: plots.touching_bounds(
        STEPS, -(STEPS**2), [-(STEPS**2), -2 * STEPS**2 - 1], "theta", caption="Two bounds under a curve."
    ),
    "posterior_map": lambda: plots.posterior_map(
        STEPS, STEPS, X[0, 0, :6, :6], {"q": (STEPS, 0.3)}, "x", caption="A density with a band."
    ),
    "covariance_pairs": lambda: plots.covariance_pairs(
        torch.eye(2), {"a": 2 * torch.eye(2)}, caption="Two circles."
    ),
    "drawn_functions": lambda: plots.drawn_functions(
        STEPS, X[0, 0, :20, :6], STEPS[:3], STEPS[:3], caption="Twelve functions and a band."
    ),
    "rate_distortion": lambda: plots.rate_distortion(
        {0: (9, 140), 1: (5, 144), 784: (0, 200)}, caption="Three points with strokes."
    ),
    "stacked_bars": lambda: plots.stacked_bars(
        {"a": (3, 1), "b": (2, torch.tensor(-0.0))}, ("one", "two"), caption="Two bars."
    ),
    "by_rank": lambda: plots.by_rank({"a": X[0, 0, 0], "b": [3, 1]}, 0.5, "y", caption="Two falling lines."),
    "training_lines": lambda: plots.training_lines({"a": [3, 2, 1], "b": [1]}, "y", caption="Two runs."),
    "dots_on_log_axis": lambda: plots.dots_on_log_axis({"a": 0.5, "b": 6144}, 1, "x", caption="Two dots."),
    "curve_with_mark": lambda: plots.curve_with_mark(
        [1, 2, 3], torch.ones(3), 2, "mark", "x", "y", caption="A flat line with a mark."
    ),
    "images_on_a_scale": lambda: plots.images_on_a_scale(
        Z[:, 0], {"a": (1.5, X[0]), "b": (torch.tensor(1.6), X[1])}, "x", caption="Two images over bars."
    ),
    "heatmap": lambda: plots.heatmap(
        {"a": Z[:3, :2].abs(), "b": Z[3:6].abs()},
        ("x", "y", "z"),
        ("u", "v"),
        caption="Two panels of six numbers in blue.",
    ),
    "grouped_bars": lambda: plots.grouped_bars(
        {"a": Z[:3, 0].abs(), "b": Z[:3, 1].abs()}, ("x", "y", "z"), "R^2", caption="Three pairs of bars."
    ),
    "rings": lambda: plots.rings(
        {"a": {"one": Z, "two": Z}, "b": {"one": 2 * Z, "two": Z}}, Z[:3], caption="Two rows of two clouds."
    ),
    "path": lambda: plots.path([1, 2, 3], [3, 2, 1], ["a", "", "b"], "x", "y", caption="A falling path."),
    "stacks": lambda: plots.stacks(
        {"N = 5": {1: (3, 2, 1), 4: (1, 1, 0)}},
        ("a", "b", "c"),
        [(2, "log N")],
        "beta",
        caption="Two stacked bars and a dotted line.",
    ),
    "rates_moved": lambda: plots.rates_moved(
        {"beta 1": (20.0, 90.0), "beta 2": (15.0, 95.0)},
        {"words": (30.0, 22.0, 92.0)},
        caption="Two points on a line, and an arrow to the left.",
    ),
}


def opened(picture, mode="L"):
    return np.asarray(Image.open(io.BytesIO(picture.png)).convert(mode)) / 255


class Elsewhere(torch.Tensor):
    """A tensor as on a GPU: NumPy cannot read it before .cpu()."""

    def cpu(self):
        return self.as_subclass(torch.Tensor)

    def numpy(self, *_, **__):
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    __array__ = numpy


@pytest.mark.parametrize("name", MADE)
def test_every_plot_is_a_picture_with_words(name):
    picture = MADE[name]()
    bundle = picture._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html"}  # the picture once, and with its words
    assert bundle["text/plain"] == picture.caption == repr(picture)
    assert f'alt="{picture.caption}"' in bundle["text/html"]
    pixels = opened(picture)
    assert min(pixels.shape) > 50
    assert 0.001 < (pixels < 0.9).mean() < 0.9
    assert MADE[name]().png == picture.png
    assert len(picture.png) < 120_000


def test_words_are_escaped_in_html():
    figure, _ = plots.axes()
    html = plots.Picture(figure, 'a "b" & <c>')._repr_mimebundle_()["text/html"]
    assert 'alt="a &quot;b&quot; &amp; &lt;c&gt;"' in html


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
    plots.make_room(ax)
    at = np.array([text.get_position() for text in ax.texts])
    far = np.hypot(*(at[:, None] - at).T) + 10 * np.eye(5)
    assert far.min() > 0.5
    assert np.hypot(*at[:4].T).max() < 1.5
    assert tuple(at[4]) == (4, 4)
    assert len(ax.lines) >= 3


def test_a_map_has_its_lowest_row_at_the_bottom():
    x = torch.zeros(4, 1, 28, 28)
    x[1] = 1  # the second column of the lowest row
    dark = opened(plots.map_of_plane(x, [0.0, 1.0], [0.0, 1.0], torch.zeros(1, 2), [0])) < 0.3
    rows, columns = np.nonzero(dark)
    assert np.median(rows) > dark.shape[0] / 2
    assert np.median(columns) > dark.shape[1] / 2


RGB = torch.zeros(1, 3, 8, 8)
RGB[:, 0], RGB[:, 2, :4] = 1, 0.5  # red, the upper half towards purple


def test_three_channels_are_drawn_as_red_green_and_blue():
    for picture in (plots.images(RGB, columns=1), plots.decoded_grid(RGB, [0.0], [0.0])):
        colours = {tuple(rgb) for rgb in opened(picture, "RGB").round(1).reshape(-1, 3)}
        assert {(1.0, 0.0, 0.5), (1.0, 0.0, 0.0)} <= colours
    wide = opened(plots.images(RGB, columns=2), "RGB")
    assert (wide[:, -5:] == 1).all()  # paper, where there is no second image


@pytest.mark.parametrize("x", [X[:7], RGB], ids=["grey", "colour"])
def test_images_come_in_many_forms_and_look_the_same(x):
    expected = plots.images(x, columns=4).png
    as_bytes = (255 * x).round().byte()
    assert plots.images(as_bytes, columns=4).png == plots.images(as_bytes / 255, columns=4).png
    for same in (x.double(), x.numpy(), x.tolist(), x.as_subclass(Elsewhere), x.requires_grad_(False)):
        assert plots.images(same, columns=4).png == expected
    if x.shape[1] == 1:
        assert plots.images(x[:, 0], columns=4).png == expected


@pytest.mark.parametrize(
    "x", [torch.rand(4, 784), torch.rand(2, 5, 4, 4), torch.rand(0, 1, 4, 4), torch.ones(2, 1, 4, 4).long()]
)
def test_other_images_are_refused_in_a_sentence(x):
    with pytest.raises(ValueError, match=r"^Images must be .+, but are .+\.$"):
        plots.images(x)
    with pytest.raises(ValueError, match=r"^Images must be .+, but are .+\.$"):
        plots.decoded_grid(x, STEPS[:2], STEPS[:1])


@pytest.mark.parametrize("y", [Y.float(), Y.byte(), Y.numpy(), Y.tolist(), Y.as_subclass(Elsewhere)])
def test_labels_are_whole_numbers_of_any_kind(y):
    z = Z.as_subclass(Elsewhere)
    assert plots.plane((z, y), (2 * z, y), titles=("a", "b"), limit=4).png == MADE["plane"]().png
    assert plots.ellipses(z, z.abs() / 5, y).png == MADE["ellipses"]().png


@pytest.mark.parametrize("y", [Y / 2, Y[:9], Y[:, None], ["a"] * 60, None, [float("nan")] * 60])
def test_other_labels_are_refused_in_a_sentence(y):
    for draw in (lambda: plots.plane((Z, y)), lambda: plots.ellipses(Z, Z.abs(), y)):
        with pytest.raises(
            ValueError, match=r"^y must be whole numbers, one class .+ 60 points, but it is .+\.$"
        ):
            draw()


@pytest.mark.parametrize("alpha", [0.35, 1.0])
def test_no_colour_of_a_figure_is_far_off_in_its_png(alpha):
    figure, ax = plots.axes()
    for i, z in enumerate(np.random.default_rng(0).normal(size=(800, 2))):
        colour = plots.COLOURS[i % 10] if alpha < 1 else (*abs(z / 4).clip(0, 1), i / 800)
        ax.plot(*z, "o", color=colour, alpha=alpha, ms=9, mew=0)
    raw = io.BytesIO()
    figure.savefig(raw, dpi=plots.DPI, bbox_inches="tight", facecolor="white")
    exact = np.asarray(Image.open(raw).convert("RGB")) / 255
    assert np.abs(opened(plots.Picture(figure, "Dots."), "RGB") - exact).max() < 0.1


def test_axes_show_all_that_they_are_given_or_say_how_many_they_do_not(monkeypatch):
    drawn = []
    monkeypatch.setattr(plots, "Picture", lambda figure, alt: drawn.append(figure.axes[0]))
    z = torch.tensor([[0.0, 0.0], [1.0, -9.0], [7.0, 0.0]])
    y = torch.arange(3)
    plots.ellipses(z, torch.ones(3, 2), y)
    plots.ellipses(z, torch.ones(3, 2), y, limit=4)
    plots.plane((z, y), limit=4)
    plots.plane((z, y), limit=10)
    all_shown, *cropped, wide = drawn
    assert all_shown.get_xlim()[1] >= 10
    assert all_shown.get_ylim()[0] <= -10
    for ax in cropped:
        assert "2 of 3 lie outside" in [text.get_text() for text in ax.texts]
    for ax in (all_shown, wide):
        assert not any("outside" in text.get_text() for text in ax.texts)


def test_ten_classes_have_ten_colours():
    assert len(set(plots.COLOURS)) == 10


def test_figures_do_not_pile_up_in_pyplot():
    import matplotlib.pyplot as plt

    MADE["plane"]()
    assert plt.get_fignums() == []


def test_the_machine_shows_the_image_and_its_copy():
    dark, light = torch.ones(1, 7, 7), torch.zeros(1, 7, 7)
    ink = opened(plots.machine(dark, light, caption="Black in, white out.")) < 0.3
    half = ink.shape[1] // 2
    assert ink[:, :half].sum() > 5 * ink[:, half:].sum()


def test_signed_images_are_grey_at_zero_and_each_on_its_own_scale():
    x = torch.zeros(2, 1, 4, 4)
    x[0, 0, 0], x[1, 0, 0] = 5.0, -0.01
    seen = opened(plots.signed(x, columns=2, caption="Two images with a black and a white bar."))
    assert seen.min() < 0.05
    assert np.median(seen) == pytest.approx(0.5, abs=0.05)
