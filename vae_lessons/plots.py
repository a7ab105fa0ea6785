"""Arrays -> pictures, in one look for the whole course. Nothing here sees a model or computes a result."""

import base64
import html
import io
import textwrap
from pathlib import Path

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Ellipse, Polygon, Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import LogLocator, NullLocator
from PIL import Image, ImageChops

# Ten classes that colour-blind readers can tell apart: the "muted" scheme of Tol 2021, and a grey.
COLOURS = (
    "#332288",
    "#ddcc77",
    "#882255",
    "#88ccee",
    "#aa4499",
    "#999933",
    "#cc6677",
    "#44aa99",
    "#8c8c8c",
    "#117733",
)
INK, FAINT = "#222222", "#b8b8b8"
HALO = [withStroke(linewidth=3, foreground="white")]  # around words that lie over dots
DPI = 90


class Picture:
    """A figure as PNG with its caption, which is its text alternative, too, and what nbval compares."""

    def __init__(self, figure, caption):
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=DPI, bbox_inches="tight", facecolor="white")
        self.png, self.caption = small_png(Image.open(buffer)), caption

    def save(self, path):
        """Write the picture to a PNG file. Raises OSError where that is not possible."""
        Path(path).write_bytes(self.png)

    def __repr__(self):
        return self.caption

    def _repr_mimebundle_(self, include=None, exclude=None):
        # as HTML alone: image/png beside it would store every picture twice, and JupyterLab gives it no words
        words, data = html.escape(self.caption), base64.b64encode(self.png).decode()
        style = "opacity: 0.8; font-size: 90%; max-width: 48em"
        return {
            "text/plain": self.caption,
            "text/html": f'<figure style="margin: 0"><img alt="{words}" src="data:image/png;base64,{data}">'
            f'<figcaption aria-hidden="true" style="{style}">{words}</figcaption></figure>',
        }


def small_png(image):
    """A PIL image -> PNG bytes, in 256 colours, a third of the size, if none is then far off, else in all."""
    image = image.convert("RGB")
    few = image.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)
    off = max(high for _, high in ImageChops.difference(image, few.convert("RGB")).getextrema())
    buffer = io.BytesIO()
    (few if off < 24 else image).save(buffer, format="png", optimize=True)
    return buffer.getvalue()


def axes(rows=1, columns=1, size=(4.5, 3.4), **options):
    """A figure and its axes, `size` inches each, without pyplot's global state."""
    figure = Figure(figsize=(size[0] * columns, size[1] * rows), layout="constrained")
    made = figure.subplots(rows, columns, **options)
    for ax in np.atleast_1d(made).flat:
        ax.spines[["top", "right"]].set_visible(False)
    return figure, made


def images(x, columns=10, rows=(), tile=0.62, caption=""):
    """Images side by side in rows of `columns`, (N, 1, H, W), (N, 3, H, W) or (N, H, W) -> Picture.

    One channel is drawn as black ink on white, three as red, green and blue. Bytes reach from 0 to 255, other
    numbers from 0 to 1, and are cut to that. `rows` names the rows, written before them; `tile` is the
    side of one image in inches. Raises ValueError on other shapes or whole numbers that are no bytes.
    """
    x = drawable(x)
    count, height = -(-len(x) // columns), x.shape[1]
    figure, ax = axes(size=(tile * columns, tile * count))
    tiles(ax, x, columns)
    for i, name in enumerate(rows):
        ax.text(-4, (i + 0.5) * height, name, ha="right", va="center", fontsize=10)
    return Picture(figure, caption)


def plane(*groups, titles=("",), limit=None, circles=(), caption=""):
    """Scatter plots of codes coloured by class, one for each (z (N, 2), y (N,)), -> Picture.

    Axes share one `limit` if it is given, and say how many points lie outside; `circles` are radii around
    the origin. Raises ValueError unless y are whole numbers, one for each point.
    """
    figure, made = axes(1, len(groups), size=(4.6, 4.6))
    for ax, (z, y), title in zip(np.atleast_1d(made), groups, titles, strict=True):
        z, y = array(z), classes(y, len(z))
        scatter(ax, z, y)
        latent_axes(ax, z, limit, circles)
        ax.set_title(title)
    return Picture(figure, caption)


def ellipses(mu, sigma, y, limit=None, circles=(1, 2, 3), caption=""):
    """One-sigma ellipses of q(z|x) over the prior's circles, (N, 2), (N, 2), (N,) -> Picture.

    The axes show all of them, or reach to `limit` and say how many centres lie outside. Raises ValueError
    unless y are whole numbers, one for each ellipse.
    """
    mu, sigma, y = array(mu), array(sigma), classes(y, len(mu))
    figure, ax = axes(size=(5.4, 5.4))
    for m, s, c in zip(mu, sigma, y, strict=True):
        ax.add_patch(Ellipse(m, *(2 * s), color=COLOURS[c % 10], alpha=0.35, lw=0))
    label_classes(ax, mu, y)
    latent_axes(ax, mu, limit or 1.02 * max((abs(mu) + sigma).max(), *circles), circles)
    return Picture(figure, caption)


def decoded_grid(pictures, z1, z2, caption=""):
    """Decoded pictures where their codes are, (R * C, 1 or 3, H, W), columns at z1, rows at z2 from top.

    They are drawn as `images` draws them, with its errors.
    """
    x = drawable(pictures)
    figure, ax = axes(size=(5.8, 5.8))
    tiles(ax, x, len(z1))
    h, w = x.shape[1:3]
    ax.axis("on")
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    ax.set_xticks(np.arange(len(z1)) * w + w / 2, [f"{v:.1f}" for v in z1], fontsize=7)
    ax.set_yticks(np.arange(len(z2)) * h + h / 2, [f"{v:.1f}" for v in z2], fontsize=7)
    ax.set_xlabel("$z_1$")
    ax.set_ylabel("$z_2$", rotation=0, labelpad=12)
    return Picture(figure, caption)


def curves(columns, caption="", xlabel="epoch", ylabel="nats per image", start=1):
    """One plot for each {title: {name: (N,)}}, against start, start + 1, ..., -> Picture."""
    figure, made = axes(1, len(columns), size=(4.2, 3.0))
    for ax, (title, lines) in zip(np.atleast_1d(made), columns.items(), strict=True):
        for i, (name, values) in enumerate(lines.items()):
            style = dict(color=(INK, COLOURS[6], COLOURS[0], COLOURS[4])[i % 4])
            ax.plot(
                range(start, start + len(values)), values, ("-", "--", ":", "-.")[i % 4], label=name, **style
            )
        ax.set(title=title, xlabel=xlabel, ylabel=ylabel)
        ax.legend(frameon=False)
    return Picture(figure, caption)


def clouds(panels, labels, rings=(), size=(2.9, 3.8), caption=""):
    """Points in the plane, {title: [(points (N, 2), colour), ...]}, one plot for each title, -> Picture.

    `labels` are the names of the two axes, one pair for all plots, which then share their scale, or a pair
    for each. `rings` are (mean (2,), a (2, 2)), one for each plot: the circles of radius 1, 2 and 3,
    stretched by the matrix a and moved to the mean. A third entry of a group is its name in a legend.
    """
    shared = len(labels) == 1
    figure, made = axes(1, len(panels), size=size, sharex=shared, sharey=shared, squeeze=False)
    pairs = list(labels) * (len(panels) if shared else 1)
    for ax, (title, groups), (x, y) in zip(made.flat, panels.items(), pairs, strict=True):
        for points, colour, *name in groups:
            ax.plot(*array(points).T, ".", color=colour, ms=3, alpha=0.7, label="".join(name))
        ax.set(title=title, xlabel=x, ylabel=y, aspect="equal")
        if any(len(group) > 2 for group in groups):
            ax.legend(frameon=False, handletextpad=0, fontsize=9, markerscale=2)
        if shared:
            ax.label_outer()
    for ax, (mean, a) in zip(made.flat, rings, strict=False):
        sigma_ellipses(ax, array(mean), array(a))
    return Picture(figure, caption)


def log_log(x, lines, colours, xlabel, ylabel, caption=""):
    """Lines {name: (N,)} against x (N,), both axes logarithmic, each named at its end, -> Picture.

    Every value of x is a tick.
    """
    x = array(x)
    figure, ax = axes(size=(5.0, 3.1))
    for (name, y), colour in zip(lines.items(), colours, strict=True):
        y = array(y)
        ax.loglog(x, y, "o-", color=colour, ms=4)
        ax.annotate(name, (x[-1], y[-1]), (8, -3), textcoords="offset points", color=colour)
    ax.set_xticks(x, [f"{v:g}" for v in x], minor=False)
    ax.xaxis.set_minor_locator(NullLocator())
    low, high = ax.get_ylim()
    if high < 100 * low:  # fewer than two powers of ten would be named
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_locator(NullLocator())
    ax.set(xlabel=xlabel, ylabel=ylabel)
    return Picture(figure, caption)


def sigma_ellipses(ax, mean, a, colour=INK):
    """Ellipses at 1, 2 and 3 standard deviations of a Gaussian, its mean (2,), its factor a (2, 2)."""
    turn = np.linspace(0, 2 * np.pi, 100)
    for radius in (1, 2, 3):
        ax.plot(*(mean + radius * np.stack([np.cos(turn), np.sin(turn)], 1) @ a.T).T, color=colour, lw=1)


def tiles(ax, x, columns):
    """Draw what `drawable` gives in rows of `columns`, on white paper."""
    n, h, w, *colours = x.shape
    rows = -(-n // columns)
    canvas = np.full((rows * columns, h, w, *colours), 1.0 if colours else 0.0)
    canvas[:n] = x
    canvas = canvas.reshape(rows, columns, h, w, *colours).swapaxes(1, 2)
    canvas = canvas.reshape(rows * h, columns * w, *colours)
    ax.imshow(canvas, cmap="gray_r", vmin=0, vmax=1, extent=(0, columns * w, rows * h, 0))
    ax.axis("off")


def drawable(x):
    """Images as they are drawn, (N, 1, H, W), (N, 3, H, W) or (N, H, W) -> (N, H, W) or (N, H, W, 3).

    Bytes are divided by 255; the rest is cut to [0, 1], as the mean of a Gaussian decoder may leave it.
    Raises ValueError on other shapes and types.
    """
    x = array(x)
    x = x[:, None] if x.ndim == 3 else x
    if x.ndim != 4 or x.shape[1] not in (1, 3) or 0 in x.shape:
        raise ValueError(f"Images must be (N, 1, H, W), (N, 3, H, W) or (N, H, W), but are {x.shape}.")
    if x.dtype != np.uint8 and x.dtype.kind not in "bf":
        raise ValueError(f"Images must be floating point, 0 to 1, or uint8, 0 to 255, but are {x.dtype}.")
    x = x / np.float32(255) if x.dtype == np.uint8 else np.nan_to_num(x.astype(float)).clip(0, 1)
    return x[:, 0] if x.shape[1] == 1 else x.transpose(0, 2, 3, 1)


def classes(y, n):
    """The classes of n points, whole numbers of any type, (n,) -> int (n,). Raises ValueError otherwise."""
    y = array(y)
    if y.shape != (n,) or y.dtype.kind not in "biuf" or not all(float(c).is_integer() for c in y):
        kind = f"{y.dtype} of shape {y.shape}"
        raise ValueError(f"y must be whole numbers, one class for each of {n} points, but it is {kind}.")
    return y.astype(int)


def outside(z, limit):
    """How many points (N, 2) lie beyond -limit to limit, in words; "" if none does or limit is None."""
    n = int((abs(array(z)) > limit).any(1).sum()) if limit else 0
    return f"{n:,} of {len(z):,} lie outside" if n else ""


def latent_axes(ax, z, limit, circles):
    """Axes of a plane of codes (N, 2): circles around the origin, a limit, and how many lie beyond it."""
    for radius in circles:
        ax.add_patch(Circle((0, 0), radius, fill=False, color=INK, lw=0.8, ls=":"))
    if limit:
        ax.set(xlim=(-limit, limit), ylim=(-limit, limit))
    ax.set(aspect="equal", xlabel="$z_1$", ylabel="$z_2$")
    make_room(ax)
    ax.text(1, 1, outside(z, limit), transform=ax.transAxes, ha="right", va="top", path_effects=HALO)


def scatter(ax, z, y):
    """Draw codes (N, 2) as dots in the colours of their classes (N,), and each class's name."""
    for c in np.unique(y):
        ax.plot(*z[y == c].T, ".", color=COLOURS[c % 10], ms=2.5, alpha=0.6)
    label_classes(ax, z, y)


def label_classes(ax, z, y):
    """Write each class's name at the median of its codes."""
    for c in np.unique(y):
        at = np.median(z[y == c], axis=0)
        ax.text(
            *at,
            str(c),
            color=INK,
            fontsize=13,
            weight="bold",
            ha="center",
            va="center",
            path_effects=HALO,
            clip_on=True,
        )


def make_room(ax, share=0.055):
    """Push labels apart that overlap, each with a thin line to its place; axes must have their limits."""
    places = np.array([text.get_position() for text in ax.texts])
    gap = share * max(np.ptp(ax.get_xlim()), np.ptp(ax.get_ylim()))
    turn = np.arange(len(places))[:, None] + [0, np.pi / 2]
    at = places + 1e-3 * gap * np.cos(turn)  # so that two labels in one place have somewhere to go
    for _ in range(300):
        way = at[:, None] - at
        far = np.hypot(*way.T)
        push = np.clip(gap - far, 0, None) / np.maximum(far, 1e-9) / 4
        at += (push[..., None] * way).sum(1)
    for text, end, place in zip(ax.texts, at, places, strict=True):
        moved = np.hypot(*(end - place))
        if moved > gap / 50:
            text.set_position(end)
        if moved > gap / 3:
            ax.plot(*zip(place, end, strict=True), color=INK, lw=0.7)


def array(values):
    """A tensor, on whatever device, or numbers in a list -> NumPy array."""
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)


def draws_on_a_loss(at, loss, density, z, paid, caption=""):
    """Draws z (K,) on the curve of a loss (N,) over `at` (N,), and the density they come from, -> Picture.

    A dashed line marks the lowest point of the loss.
    """
    at, z, loss = array(at), array(z), array(loss)
    figure, (top, bottom) = axes(2, 1, size=(5.6, 1.8), sharex=True)
    for ax in (top, bottom):
        ax.axvline(at[loss.argmin()], color=INK, lw=1, ls="--")
    top.plot(at, loss, color=INK)
    top.plot(z, array(paid), "o", color=COLOURS[6], ms=5, alpha=0.7)
    top.set_ylabel("loss $f(z)$")
    bottom.fill_between(at, array(density), color=COLOURS[0], alpha=0.4, lw=0)
    bottom.plot(z, 0 * z, "|", color=COLOURS[6], ms=12)
    bottom.set(xlabel="$z$", ylabel="density")
    return Picture(figure, caption)


def ways_of_drawing(caption=""):
    """Two computation graphs from mu and sigma to f(z), where z is drawn or where eps is, -> Picture."""
    figure, ax = axes(size=(6.4, 2.9))
    ax.set(xlim=(0, 6.4), ylim=(0, 2.9))
    ax.axis("off")
    box = dict(boxstyle="round,pad=0.4", facecolor="white", edgecolor=INK)
    die = box | dict(facecolor=COLOURS[1], edgecolor="none")
    for y, end in ((2.4, 3.5), (0.5, 0.9)):  # the way back of the gradient, and where it ends
        ax.annotate(
            "", (end, y - 0.4), (5.6, y - 0.4), arrowprops=dict(arrowstyle="-|>", color=COLOURS[6], lw=2)
        )
        ax.text(4.65, y - 0.36, "gradient", color=COLOURS[6], ha="center", va="bottom", fontsize=9)
    ax.text(3.4, 2.0, "\N{MULTIPLICATION X}", color=COLOURS[6], ha="center", va="center", fontsize=13)
    steps = {
        (0.7, 2.4): (r"$\mu,\ \sigma$", box),
        (3.0, 2.4): (r"draw $z$ from $N(\mu, \sigma^2)$", die),
        (5.7, 2.4): ("$f(z)$", box),
        (0.7, 0.5): (r"$\mu,\ \sigma$", box),
        (3.0, 0.5): (r"$z = \mu + \sigma\,\varepsilon$", box),
        (5.7, 0.5): ("$f(z)$", box),
        (3.0, 1.35): (r"draw $\varepsilon$ from $N(0, 1)$", die),
    }
    words = {at: ax.text(*at, text, ha="center", va="center", bbox=b) for at, (text, b) in steps.items()}
    for start, end in (((0.7, y), (3.0, y)) for y in (2.4, 0.5)):
        _arrow(ax, words[start], words[end])
        _arrow(ax, words[end], words[5.7, end[1]])
    _arrow(ax, words[3.0, 1.35], words[3.0, 0.5])
    return Picture(figure, caption)


def _arrow(ax, start, end):
    """An arrow from the box around one text to the box around another."""
    style = dict(arrowstyle="->", color=INK, patchA=start.get_bbox_patch(), patchB=end.get_bbox_patch())
    ax.annotate("", end.get_position(), start.get_position(), arrowprops=style | dict(shrinkA=2, shrinkB=2))


def sigma_bands(paths, colours, caption=""):
    """mu with a band of one sigma at each step of training, {name: (mu (N,), sigma (N,))}, -> Picture."""
    figure, ax = axes(size=(5.6, 2.8))
    for (name, (mu, sigma)), colour in zip(paths.items(), colours, strict=True):
        mu, sigma = array(mu), array(sigma)
        ax.plot(mu, color=colour, label=name)
        ax.fill_between(range(len(mu)), mu - sigma, mu + sigma, color=colour, alpha=0.2, lw=0)
    ax.legend(frameon=False, loc="center right")
    ax.set(xlabel="step", ylabel=r"$\mu \pm \sigma$")
    return Picture(figure, caption)


def strips(values, colours, truth, xlabel, caption=""):
    """One strip of dots for each {name: (K,)}, scattered in height, and a line at the truth, -> Picture."""
    figure, ax = axes(size=(6.0, 2.6))
    for row, ((_, x), colour) in enumerate(zip(values.items(), colours, strict=True)):
        height = np.random.default_rng(row).uniform(0, 0.7, len(x))
        ax.plot(array(x), row + height, ".", ms=3, color=colour)
    ax.axvline(truth, color=INK, lw=1)
    ax.set(xlabel=xlabel, ylim=(len(values) - 0.1, -0.2))
    ax.set_yticks(np.arange(len(values)) + 0.35, list(values))
    return Picture(figure, caption)


def triangles(panels, corners, caption=""):
    """Shares of three that add up to 1, as dots in a triangle, one for each {title: (N, 3)}, -> Picture.

    `corners` names the three pure choices.
    """
    at = np.array([[0, 0], [1, 0], [0.5, 0.75**0.5]])
    figure, made = axes(1, len(panels), size=(3.0, 2.8), squeeze=False, subplot_kw=dict(aspect="equal"))
    for ax, (title, y) in zip(made.flat, panels.items(), strict=True):
        ax.plot(*at[[0, 1, 2, 0]].T, color=FAINT, lw=0.8)
        ax.plot(*(array(y) @ at).T, ".", color=COLOURS[0], ms=3, alpha=0.4)
        for name, (x, height), side in zip(corners, at, ("top", "top", "bottom"), strict=True):
            ax.text(x, height + (0.04 if side == "bottom" else -0.04), name, ha="center", va=side)
        ax.set_title(title, pad=16)
        ax.axis("off")
    return Picture(figure, caption)


def functions(
    panels,
    xlabel,
    ylabel,
    shaded=(),
    widths=(1.8,),
    styles=("--", "-", "-"),
    sharey=True,
    size=(4.2, 2.8),
    limits=None,
    caption="",
):
    """Curves of functions, {title: {name: (x (N,), y (N,))}}, one plot for each title, -> Picture.

    The area between a curve named in `shaded` and the axis is filled. `widths` and `styles` are those of the
    lines, thick ones first where they lie on each other; `limits` are the ends of the axes,
    {"xlim": (low, high)}.
    """
    figure, made = axes(1, len(panels), size=size, sharey=sharey, squeeze=False)
    for ax, (title, curves) in zip(made.flat, panels.items(), strict=True):
        for i, (name, (x, y)) in enumerate(curves.items()):
            colour, style = (INK, COLOURS[6], COLOURS[0])[i % 3], styles[i % len(styles)]
            if name in shaded:
                ax.fill_between(array(x), array(y), color=colour, alpha=0.3, lw=0, label=name)
                ax.axhline(0, color=INK, lw=0.6)
            else:
                ax.plot(array(x), array(y), style, color=colour, lw=widths[i % len(widths)], label=name)
        ax.set(title=title, xlabel=xlabel, ylabel=ylabel, **(limits or {}))
        ax.legend(frameon=False, fontsize=9)
        if sharey:
            ax.label_outer()
    return Picture(figure, caption)


def bells(panels, xlabels, ylabels, caption=""):
    """Histograms of values under a curve, {title: (values (N,), x (M,), y (M,))}, -> Picture."""
    figure, made = axes(1, len(panels), size=(4.2, 2.8), squeeze=False)
    for ax, (title, (values, x, y)), *names in zip(made.flat, panels.items(), xlabels, ylabels, strict=True):
        ax.hist(array(values), bins=30, density=True, color=COLOURS[0], alpha=0.5, lw=0)
        ax.plot(array(x), array(y), color=INK)
        ax.set(title=title, xlabel=names[0], ylabel=names[1])
    return Picture(figure, caption)


def shells(lengths, x, densities, caption=""):
    """Lengths of draws {L: (N,)} as histograms, under their densities {L: (M,)} over x, -> Picture.

    A dotted line stands at the root of each L.
    """
    figure, ax = axes(size=(8.4, 3.0))
    for i, (L, values) in enumerate(lengths.items()):
        colour, at = COLOURS[(6, 4, 7, 0)[i % 4]], L**0.5
        ax.hist(array(values), bins=40, density=True, color=colour, alpha=0.5, lw=0)
        ax.plot(array(x), array(densities[L]), color=colour)
        ax.axvline(at, ymax=0.83, color=INK, lw=0.8, ls=":")
        ax.text(at, 0.68 + 0.06 * (i % 2), f"L = {L}", ha="center")
    ax.set(xlabel="distance from the origin (dotted: the root of L)", ylabel="density", ylim=(0, 0.8))
    return Picture(figure, caption)


def walks(panels, bands, caption=""):
    """Distance from the origin along walks, {title: {name: (t (N,), r (N,))}}, over bands, -> Picture.

    `bands` holds the ends (low, high) of a grey band for each title.
    """
    figure, made = axes(1, len(panels), size=(2.9, 2.8), squeeze=False)
    for ax, (title, curves) in zip(made.flat, panels.items(), strict=True):
        low, high = map(float, bands[title])
        ax.axhspan(low, high, color=FAINT, alpha=0.5, lw=0, label="99 % of draws")
        for (name, (t, r)), colour in zip(curves.items(), (COLOURS[6], COLOURS[0]), strict=True):
            ax.plot(array(t), array(r), color=colour, lw=1.8, label=name)
        ax.set(title=title, xlabel="share of the way", ylim=(0, 1.15 * high))
    made.flat[0].set_ylabel("distance from the origin")
    made.flat[-1].legend(frameon=False, loc="lower center", fontsize=9)
    return Picture(figure, caption)


def fits(panels, columns=3, caption=""):
    """A density in grey under the one- and two-sigma ellipses of a Gaussian, for each title, -> Picture.

    {title: (x (M,), y (N,), density (M, N), mean (2,), a (2, 2))}, a as in `clouds`.
    """
    rows = -(-len(panels) // columns)
    figure, made = axes(rows, columns, size=(2.5, 2.5), sharex=True, sharey=True, squeeze=False)
    for ax, (title, (x, y, density, mean, a)) in zip(made.flat, panels.items(), strict=False):
        ax.pcolormesh(array(x), array(y), array(density).T, cmap="Greys", shading="gouraud", rasterized=True)
        turn = np.linspace(0, 2 * np.pi, 100)
        for radius in (1, 2):
            ring = array(mean) + radius * np.stack([np.cos(turn), np.sin(turn)], 1) @ array(a).T
            ax.plot(*ring.T, color=COLOURS[6], lw=2)
        ax.set(title=title, aspect="equal", xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    for ax in made.flat[len(panels) :]:
        ax.axis("off")
    return Picture(figure, caption)


def hidden_and_seen(x, z, places, caption=""):
    """Dots (N, 2) in the colour of their hidden number z (N,), and again without it, -> Picture.

    `places` {name: (2,)} are written over the grey dots.
    """
    figure, (left, right) = axes(1, 2, size=(3.9, 3.6), sharex=True, sharey=True)
    shown = left.scatter(*array(x).T, c=array(z), s=9, cmap="viridis", vmin=-3, vmax=3)
    figure.colorbar(shown, ax=left, label="z", shrink=0.7)
    right.plot(*array(x).T, ".", color=FAINT, ms=5)
    for name, place in places.items():
        right.text(
            *array(place), name, weight="bold", ha="center", va="center", fontsize=13, path_effects=HALO
        )
    left.set(title="dots, coloured by z", aspect="equal", xlabel="$x_1$", ylabel="$x_2$")
    right.set(title="what we are given", aspect="equal", xlabel="$x_1$")
    return Picture(figure, caption)


def log_of_mean(w, caption=""):
    """log w with dots at w (N,), the log of their mean and the mean of their logs, -> Picture."""
    w = array(w)
    at = np.linspace(w.min() / 2, 1.1 * w.max(), 400)
    figure, ax = axes(size=(4.6, 2.9))
    ax.plot(at, np.log(at), color=INK)
    ax.plot(w, np.log(w), "o", color=COLOURS[0])
    ends = [np.log(w).mean(), np.log(w.mean())]
    ax.plot([w.mean()] * 2, ends, "o-", color=COLOURS[6])
    for end, words in zip(ends, ("mean of the logs", "log of the mean"), strict=True):
        ax.annotate(words, (w.mean(), end), (9, -9), textcoords="offset points", color=COLOURS[6])
    ax.set(xlabel="weight w", ylabel="log w")
    return Picture(figure, caption)


def gap_maps(mu, sigma, panels, caption=""):
    """Gaps of q = N(mu, sigma^2), {title: (gap (M, S), [path (K, 2), ...])}, as maps with climbs, -> Picture.

    mu (M,) and sigma (S,) are the axes. Contours are at 1, 3 and 10 nats; a climb begins at its dot and ends
    at its cross.
    """
    figure, made = axes(1, len(panels), size=(4.2, 3.2), squeeze=False)
    for ax, (title, (gap, paths)) in zip(made.flat, panels.items(), strict=True):
        grid = array(mu), array(sigma), array(gap).T
        shade = ax.pcolormesh(*grid, cmap="Greys", vmin=0, vmax=20, rasterized=True)
        lines = ax.contour(*grid, [1, 3, 10], colors=INK, linewidths=0.6)
        for words in ax.clabel(lines, fmt="%d", fontsize=8):
            words.set(zorder=4, path_effects=HALO)
        for path, colour in zip(paths, (COLOURS[0], COLOURS[6]), strict=False):
            ax.plot(*array(path).T, color=colour, lw=1.6)
            ax.plot(*array(path)[0], "o", color=colour, ms=5)
            ax.plot(*array(path)[-1], "X", color=colour, mec="white", ms=9, zorder=3)
        ax.set(title=title, xlabel=r"$\mu$", ylabel=r"$\sigma$", xlim=grid[0][[0, -1]], ylim=grid[1][[0, -1]])
    figure.colorbar(shade, ax=made, label="gap in nats", extend="max")
    return Picture(figure, caption)


def touching_bounds(theta, log_p, bounds, xlabel, ylim=None, caption=""):
    """log p (N,) over a parameter theta (N,), and bounds under it, [(N,), ...], -> Picture.

    A ring marks where each bound touches log p, a square where that bound is highest.
    """
    figure, ax = axes(size=(6.2, 3.4))
    theta, log_p = array(theta), array(log_p)
    ax.plot(theta, log_p, color=INK, lw=2)
    ax.annotate(r"$\log p_\theta(x)$", (theta[-1], log_p[-1]), (4, 4), textcoords="offset points")
    for i, (bound, colour) in enumerate(
        zip(map(array, bounds), COLOURS[0:1] + COLOURS[6:8] + COLOURS[4:5], strict=False)
    ):
        touch, top = np.argmin(log_p - bound), bound.argmax()
        ax.plot(theta, bound, color=colour, label=f"bound {i + 1}")
        ax.plot(theta[touch], bound[touch], "o", color=colour, mfc="white", ms=8)
        ax.plot(theta[top], bound[top], "s", color=colour, ms=5)
    ax.set(xlabel=xlabel, ylabel="nats a dot", ylim=ylim)
    ax.legend(frameon=False, fontsize=9, loc="lower right")
    return Picture(figure, caption)


def posterior_map(at, z, density, bands, xlabel, caption=""):
    """A density over z (K,) in grey for each place `at` (N,), (N, K), under {name: (mu, sigma)}, -> Picture.

    mu and sigma are (N,), or one number for all places.
    """
    figure, ax = axes(size=(6.8, 3.5))
    at = array(at)
    greys = ListedColormap(colormaps["Greys"](np.linspace(0, 0.6, 256)))  # no black: bands lie over it
    shown = ax.pcolormesh(at, array(z), array(density).T, cmap=greys, rasterized=True)
    figure.colorbar(shown, ax=ax, label="p(z|x)")
    for (name, q), colour in zip(bands.items(), (COLOURS[0], COLOURS[6]), strict=False):
        mu, sigma = (np.broadcast_to(array(part), at.shape) for part in q)
        ax.plot(at, mu, color=colour, label=name)
        ax.fill_between(at, mu - sigma, mu + sigma, color=colour, alpha=0.3, lw=0)
        ax.plot(at, np.stack([mu - sigma, mu + sigma], 1), color=colour, lw=0.6)
    ax.set(xlabel=xlabel, ylabel="z", xticks=np.linspace(at[0], at[-1], 5))
    if bands:
        figure.legend(frameon=False, ncols=2, loc="outside lower center", fontsize=9)
    return Picture(figure, caption)


def covariance_pairs(target, others, caption=""):
    """The one-sigma ellipse of a covariance (2, 2) with another in each plot, {title: (2, 2)}, -> Picture."""
    turn = np.linspace(0, 2 * np.pi, 100)
    circle = np.stack([np.cos(turn), np.sin(turn)])
    wide = np.sqrt(array(target)[0, 0])
    figure, made = axes(1, len(others), size=(2.6, 2.9), sharey=True, sharex=True, squeeze=False)
    for ax, (title, covariance) in zip(made.flat, others.items(), strict=True):
        ax.plot(
            *(np.linalg.cholesky(array(covariance)) @ circle), color=COLOURS[6], lw=4, alpha=0.6, label="q"
        )
        ax.plot(*(np.linalg.cholesky(array(target)) @ circle), color=INK, lw=1.2, label="posterior")
        ax.set(title=title, aspect="equal", xlabel="$z_1 - m_1$", xticks=np.round([-wide, 0, wide], 1))
    made.flat[0].set_ylabel("$z_2 - m_2$")
    figure.legend(
        *made.flat[0].get_legend_handles_labels(), frameon=False, ncols=2, loc="outside lower center"
    )
    return Picture(figure, caption)


def drawn_functions(at, drawn, x, y, caption=""):
    """Functions drawn at random, (K, N) over at (N,): twelve, mean +- 2 sd, data; their sd, -> Picture."""
    at, drawn = array(at), array(drawn)
    middle, sd = drawn.mean(0), drawn.std(0)
    figure, (ax, below) = axes(2, 1, size=(6.2, 2.6), sharex=True, height_ratios=(5, 3))
    band = {"color": COLOURS[3], "alpha": 0.5, "lw": 0, "label": "mean $\\pm$ 2 standard deviations"}
    ax.fill_between(at, middle - 2 * sd, middle + 2 * sd, **band)
    lines = ax.plot(at, drawn[:12].T, color=COLOURS[0], lw=0.5, alpha=0.5)
    lines[0].set_label("functions drawn")
    ax.plot(array(x), array(y), ".", color=INK, label="data")
    ax.set(ylabel="y")
    below.plot(at, sd, color=INK)
    below.plot(array(x), np.zeros(len(x)), "|", color=INK)
    below.set(xlabel="x", ylabel="standard deviation", ylim=(0, None))
    figure.legend(frameon=False, ncols=3, loc="outside upper center", fontsize=9)
    return Picture(figure, caption)


def machine(x=None, x_hat=None, heads=1, latent=4, caption=""):
    """How an autoencoder works, from an image to its copy, (H, W) or (1, H, W) each -> Picture.

    Frames stand in for images that are not given; `latent` squares are the code. With two heads it is a VAE:
    mu, log sigma^2 and the noise eps make z.
    """
    wide = 2.6 * (heads - 1)  # what the heads need more
    figure, ax = axes(size=(7.4 + wide, 2.5))
    ax.set(xlim=(-0.1, 8.0 + wide), ylim=(-1.85, 1.55), aspect="equal")
    ax.axis("off")
    _tile(ax, 0.75, x, "$x$", "image")
    _funnel(ax, 2.0, 3.2, 1.2, 0.5, "encoder", COLOURS[0])
    if heads == 1:
        _squares(ax, 3.95, 0, latent, "code $z$", COLOURS[6])
        _arrows(ax, ((1.5, 0), (2.0, 0)), ((3.2, 0), (3.75, 0)))
    else:
        _squares(ax, 4.0, 0.7, latent, r"$\mu$", COLOURS[7], tall=1.0)
        _squares(ax, 4.0, -0.8, latent, r"$\log\sigma^2$", COLOURS[7], tall=1.0)
        _squares(ax, 5.35, -0.95, latent, r"$\varepsilon \sim N(0, I)$", FAINT, tall=1.0)
        _squares(ax, 6.55, 0, latent, r"$z = \mu + \sigma\,\varepsilon$", COLOURS[6])
        _arrows(
            ax,
            ((1.5, 0), (2.0, 0)),
            ((3.2, 0.2), (3.8, 0.6)),
            ((3.2, -0.2), (3.8, -0.6)),
            ((4.2, 0.6), (6.35, 0.15)),
            ((4.2, -0.5), (6.35, -0.05)),
            ((5.5, -0.75), (6.35, -0.25)),
        )
    _arrows(ax, ((4.15 + wide, 0), (4.7 + wide, 0)), ((5.9 + wide, 0), (6.4 + wide, 0)))
    _funnel(ax, 4.7 + wide, 5.9 + wide, 0.5, 1.2, "decoder", COLOURS[9])
    _tile(ax, 7.15 + wide, x_hat, r"$\hat x$", "copy" if heads == 1 else "mean of $p(x|z)$")
    return Picture(figure, caption)


def _tile(ax, at, image, symbol, name):
    """An image in a frame, or its symbol, around (at, 0)."""
    if image is None:
        ax.text(at, 0, symbol, ha="center", va="center", fontsize=18)
    else:
        ax.imshow(
            drawable(array(image).reshape(1, 1, *image.shape[-2:]))[0],
            cmap="gray_r",
            vmin=0,
            vmax=1,
            extent=(at - 0.75, at + 0.75, -0.75, 0.75),
            zorder=1,
        )
        name = f"{name} {symbol}"
    ax.add_patch(Rectangle((at - 0.75, -0.75), 1.5, 1.5, fill=False, color=INK, lw=1, zorder=2))
    ax.text(at, -0.95, name, ha="center", va="top")


def _funnel(ax, left, right, high, low, name, colour):
    """A network that narrows or widens: half heights `high` at its left and `low` at its right."""
    corners = [(left, high), (right, low), (right, -low), (left, -high)]
    ax.add_patch(Polygon(corners, facecolor=colour, alpha=0.25, edgecolor=colour, lw=1.5))
    ax.text((left + right) / 2, 0, name, ha="center", va="center")


def _squares(ax, at, middle, count, name, colour, tall=1.5):
    """A column of `count` numbers around (at, middle), with its name below."""
    side = tall / max(count, 4)
    for i in range(count):
        bottom = middle + (i - count / 2) * side
        ax.add_patch(
            Rectangle((at - side / 2, bottom), side, side, facecolor=colour, alpha=0.35, edgecolor=INK)
        )
    ax.text(at, middle - count * side / 2 - 0.1, name, ha="center", va="top", fontsize=10)


def _arrows(ax, *ways):
    for start, end in ways:
        ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": INK, "lw": 1.2})


def signed(x, columns=6, rows=(), tile=0.9, caption=""):
    """Images of signed numbers, each on its own scale, (N, 1, H, W) or (N, H, W) -> Picture.

    Grey is 0, black the largest number by size, white the same below 0. `rows` as in `images`.
    """
    x = array(x)
    largest = np.abs(x).max(axis=tuple(range(1, x.ndim)), keepdims=True)
    return images(0.5 + x / np.where(largest > 0, 2 * largest, 1), columns, rows, tile, caption)


def copies(panels, caption=""):
    """Points in the plane, their copies and what the copies lie on, -> Picture.

    `panels` are {title: (points (N, 2), copies (N, 2), line (K, 2))}; a stroke joins a point to its copy.
    """
    figure, made = axes(1, len(panels), size=(4.2, 3.4), sharex=True, sharey=True, squeeze=False)
    for ax, (title, (points, copied, line)) in zip(made.flat, panels.items(), strict=True):
        _strokes(ax, points, copied, line)
        ax.set_title(title)
    return Picture(figure, caption)


def best_line(points, copied, line, sweep, caption=""):
    """The best straight line through points in the plane, and all lines in a sweep beside it, -> Picture.

    points and copied (N, 2), line (2, 2); `sweep` are the directions in degrees, the error of a line in each
    and the variance of its codes, (K,) each.
    """
    figure, (left, right) = axes(1, 2, size=(4.4, 3.4))
    _strokes(left, points, copied, line)
    degrees, error, variance = map(array, sweep)
    left.set_title(f"the best line, at {degrees[error.argmin()]:.0f} degrees")
    right.plot(degrees, error, color=COLOURS[6], label="error")
    right.plot(degrees, variance, "--", color=COLOURS[0], label="variance of $z$")
    right.plot(degrees, error + variance, "-.", color=FAINT, label="their sum")
    right.axvline(degrees[error.argmin()], color=INK, lw=0.8, ls=":", label="best line")
    right.set(xlabel="direction of the line, degrees", ylabel="mean squared distance", ylim=(0, None))
    right.set_xticks(range(0, 181, 45))
    right.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    return Picture(figure, caption)


def _strokes(ax, points, copied, line):
    """Points, their copies on a line, and every third pair joined by a stroke."""
    points, copied = array(points), array(copied)
    ax.plot(*np.stack([points, copied], 1)[::3].transpose(2, 1, 0), color=COLOURS[6], lw=0.7)
    ax.plot(*points.T, ".", color=COLOURS[0], ms=3)
    ax.plot(*array(line).T, color=INK)
    ax.set(aspect="equal", xlabel="$x_1$", ylabel="$x_2$")


def shares(kept, sizes, tested, needed, caption=""):
    """The share of the variance that L components keep, -> Picture.

    kept (D,) of the images they were fitted to, for L = 1..D; tested (K,) of others, for L = sizes (K,);
    `needed` is the L that keeps 90 %.
    """
    figure, ax = axes(size=(5.4, 3.2))
    ax.plot(range(1, len(kept) + 1), array(kept), color=INK, label="images it was fitted to")
    ax.plot(sizes, array(tested), "o", color=COLOURS[6], ms=5, label="test images")
    ax.plot([0, needed, needed], [0.9, 0.9, 0], color=FAINT, ls=":")
    ax.text(needed + 4, 0.04, f"{needed} numbers for 90 %")
    ax.set(xlabel="components kept, L", ylabel="share of variance kept", ylim=(0, 1.03), xlim=(0, 260))
    ax.legend(frameon=False, loc="center right")
    return Picture(figure, caption)


def errors_by_size(methods, caption=""):
    """The error of each method against the length of its code, {name: {L: error}}, -> Picture."""
    figure, ax = axes(size=(5.8, 3.6))
    styles = zip(("-", "o", "s--", "^:"), (INK, COLOURS[0], COLOURS[6], COLOURS[9]), strict=True)
    for (name, error), (style, colour) in zip(methods.items(), styles, strict=False):
        ax.plot(error.keys(), error.values(), style, color=colour, label=name)
    sizes = sorted({size for error in methods.values() for size in error})
    ax.set_xscale("log", base=2)
    ax.set(xlabel="length of the code, L", ylabel="squared error per test image", ylim=(0, None))
    ax.set_xticks(sizes, sizes)
    ax.legend(frameon=False)
    return Picture(figure, caption)


def map_of_plane(pictures, z1, z2, codes, y, caption=""):
    """Codes coloured by class over the pictures decoded on a grid, columns at z1, rows at z2, -> Picture.

    The pictures are (len(z2) * len(z1), 1, H, W), the first row of them the lowest z2.
    """
    rows, columns = len(z2), len(z1)
    x = drawable(pictures)
    h, w = x.shape[1:3]
    sheet = x.reshape(rows, columns, h, w)[::-1].swapaxes(1, 2).reshape(rows * h, columns * w)
    edges = [(z[0] - (z[1] - z[0]) / 2, z[-1] + (z[1] - z[0]) / 2) for z in map(array, (z1, z2))]
    figure, ax = axes(size=(6.4, 6.4))
    ax.imshow(sheet, cmap="gray_r", vmin=0, vmax=1.25, extent=(*edges[0], *edges[1]), aspect="auto")
    z, y = array(codes), classes(y, len(codes))
    for c in np.unique(y):
        ax.plot(*z[y == c].T, ".", color=COLOURS[c % 10], ms=2)
    label_classes(ax, z, y)
    ax.set(xlabel="$z_1$", ylabel="$z_2$", xlim=edges[0], ylim=edges[1])  # the map may be of a part
    return Picture(figure, caption)


def mixture(codes, y, mean, factor, caption=""):
    """Codes coloured by class, and the ellipse of 2 sd of each of K Gaussians, (K, 2), (K, 2, 2), -> Picture.

    `factor` is a matrix A for each with A A^T = covariance.
    """
    z, y = array(codes), classes(y, len(codes))
    figure, ax = axes(size=(5.4, 5.4))
    for c in np.unique(y):
        ax.plot(*z[y == c].T, ".", color=COLOURS[c % 10], ms=2.5, alpha=0.6)
    turn = np.linspace(0, 2 * np.pi, 100)
    for m, a in zip(array(mean), array(factor), strict=True):
        ax.plot(*(m + 2 * np.stack([np.cos(turn), np.sin(turn)], 1) @ a.T).T, color=INK, lw=1.2)
    label_classes(ax, z, y)
    ax.set(aspect="equal", xlabel="$z_1$", ylabel="$z_2$")
    return Picture(figure, caption)


def walk_of_pictures(groups, caption=""):
    """The pictures along walks, {name: (T, 1, H, W)}, over how far each step moves them, -> Picture.

    The distance between neighbours is drawn in units of the median of its walk. Thirteen pictures are shown,
    each above its place on the walk.
    """
    figure, made = axes(
        2, len(groups), size=(5.6, 1.5), squeeze=False, sharey="row", gridspec_kw={"height_ratios": (1, 3)}
    )
    for (name, pictures), strip, pace in zip(groups.items(), *made, strict=True):
        x, last = drawable(pictures), len(pictures) - 1
        shown = x[np.linspace(0, last, 13).round().astype(int)]
        tiles(strip, shown, 13)
        strip.set_title(name)
        moved = np.sqrt(np.square(np.diff(x.reshape(len(x), -1), axis=0)).sum(1))
        pace.plot(np.arange(1, len(x)), moved / np.median(moved), color=INK)
        pace.axhline(1, color=FAINT, lw=0.8, ls="--", label="the median step")
        pace.set(xlabel="step", xlim=(-last / 24, last * 25 / 24), ylim=(0, None))
        pace.set_xticks(np.linspace(0, last, 7).round())
    pace.legend(frameon=False)
    made[1, 0].set_ylabel("change of picture,\nin medians")
    return Picture(figure, caption)


def rate_distortion(points, caption=""):
    """The curve of {beta: (rate, distortion)}, with a stroke of slope -beta at each point -> Picture."""
    figure, ax = axes(size=(6.2, 4))
    rates, distortions = zip(*points.values(), strict=True)
    ax.plot(rates, distortions, ":", color=INK)
    for beta, (rate, distortion) in points.items():
        ax.plot(rate, distortion, "o", color=COLOURS[0])
        ax.annotate(f"β = {beta}", (rate, distortion), (6, 5), textcoords="offset points")
        run = np.array([-1, 1]) / (1 / 4 + beta / 9)  # strokes that look about equally long
        ax.plot(rate + run, distortion - beta * run, color=COLOURS[6])
    ax.set(xlabel="rate: KL (nats per image)", ylabel="distortion: nll (nats per image)")
    return Picture(figure, caption)


def stacked_bars(bars, parts, xlabel="", ylabel="nats per image", caption=""):
    """Bars {name: (part, ...)} in as many pieces as `parts` has names, each with its number -> Picture."""
    figure, ax = axes(size=(6.2, 3.2))
    names, below = list(map(str, bars)), np.zeros(len(bars))
    for values, part, colour in zip(zip(*bars.values(), strict=True), parts, (0, 6, 4), strict=False):
        ax.bar(names, values, bottom=below, color=COLOURS[colour], label=part, width=0.6)
        below += np.maximum(values, 0)
    for i, top in enumerate(below):
        ax.text(i, top, f"{top:.1f}", ha="center", va="bottom")
    ax.set(xlabel=xlabel, ylabel=ylabel, ylim=(0, 1.1 * below.max()))
    ax.legend(frameon=False)
    return Picture(figure, caption)


def by_rank(lines, level, ylabel, log=False, caption=""):
    """Values of latent dimensions, largest first, {name: (L,)}, and a dotted level -> Picture."""
    figure, ax = axes(size=(6, 3.4))
    for i, (name, values) in enumerate(lines.items()):
        style = dict(marker="os^v"[i % 4], color=COLOURS[(0, 6, 4, 9)[i % 4]], label=name)
        ax.plot(range(1, len(values) + 1), np.sort(array(values))[::-1], **style)
    ax.axhline(level, color=INK, ls=":")
    ax.set(xlabel="latent dimension, by rank", ylabel=ylabel, yscale="log" if log else "linear")
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return Picture(figure, caption)


def training_lines(lines, ylabel, caption=""):
    """A quantity after each epoch, {name: (E,)}, the runs of any length -> Picture."""
    figure, ax = axes(size=(6, 3.2))
    for i, (name, values) in enumerate(lines.items()):
        style = dict(marker="os^v"[i % 4], ms=4, color=COLOURS[(0, 6, 4, 9)[i % 4]], label=name)
        ax.plot(range(1, len(values) + 1), array(values), **style)
    ax.set(xlabel="epoch", ylabel=ylabel)
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.legend(frameon=False)
    return Picture(figure, caption)


def dots_on_log_axis(values, mark, xlabel, caption=""):
    """One dot for each {name: number}, on a logarithmic axis with a dotted line at `mark` -> Picture."""
    figure, ax = axes(size=(6, 0.36 * len(values) + 0.8))
    names, numbers = list(values), list(values.values())
    ax.axvline(mark, color=INK, ls=":")
    ax.plot(numbers, range(len(names)), "o", color=COLOURS[6])
    for i, number in enumerate(numbers):
        words = f"{number:,.2f}" if number < 100 else f"{number:,.0f}"
        left = number < mark  # of the dot, so that the line at `mark` does not cross the words
        ax.annotate(
            words,
            (number, i),
            (-7 if left else 7, -4),
            textcoords="offset points",
            ha="right" if left else "left",
        )
    ax.margins(x=0.22)
    ax.set(xscale="log", xlabel=xlabel, ylim=(len(names) - 0.5, -0.5))
    ax.set_yticks(range(len(names)), names)
    return Picture(figure, caption)


def curve_with_mark(x, y, mark, label, xlabel, ylabel, caption=""):
    """One line, y against x, (N,), (N,), and a named vertical line where x is `mark` -> Picture."""
    figure, ax = axes(size=(5.4, 3.0))
    ax.plot(array(x), array(y), color=COLOURS[0])
    ax.axvline(mark, color=COLOURS[6], ls="--", label=label)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.legend(frameon=False)
    return Picture(figure, caption)


def images_on_a_scale(values, marked, xlabel, caption=""):
    """A histogram of numbers (N,), and images at their own, {name: (number, (1, H, W))}, -> Picture.

    The images stand side by side in the order of their numbers, each joined to its place by a line.
    """
    figure, ax = axes(size=(8.0, 3.4))
    top = ax.hist(array(values), bins=40, color=COLOURS[8], alpha=0.6)[0].max()
    marked = sorted(marked.items(), key=lambda pair: pair[1][0])
    numbers = [float(number) for _, (number, _) in marked]
    low, high = min(*numbers, array(values).min()), max(*numbers, array(values).max())
    places = low + (high - low) * (np.arange(len(marked)) + 0.5) / len(marked)
    for (name, (_, image)), number, place in zip(marked, numbers, places, strict=True):
        ax.plot([number, number, place], [0, 1.05 * top, 1.25 * top], color=COLOURS[6], lw=1.2)
        width, height = 0.12 * (high - low), 0.45 * top
        inset = ax.inset_axes((place - width / 2, 1.25 * top, width, height), transform=ax.transData)
        inset.imshow(drawable(image[None])[0], cmap="gray_r", vmin=0, vmax=1)
        inset.set(xticks=[], yticks=[])
        inset.set_title(name, fontsize=9)
    ax.set(xlabel=xlabel, ylabel="images", ylim=(0, 1.9 * top))
    ax.set_yticks([tick for tick in ax.get_yticks() if tick <= top])
    return Picture(figure, caption)


def heatmap(panels, rows, columns, least=0.03, caption=""):
    """Numbers from 0 to 1 as shades of blue, one panel for each {title: (R, C)} -> Picture.

    `rows` and `columns` are names; numbers below `least` are not written.
    """
    figure, made = axes(1, len(panels), size=(0.62 * len(columns) + 0.9, 0.3 * len(rows) + 1.1))
    for ax, (title, values) in zip(np.atleast_1d(made), panels.items(), strict=True):
        values = array(values)
        ax.imshow(values, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for (row, column), value in np.ndenumerate(values):
            if value >= least:
                colour = "white" if value > 0.5 else INK
                ax.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=8, color=colour)
        ax.set_xticks(range(len(columns)), columns, rotation=40, ha="right")
        ax.set_yticks(range(len(rows)), rows)
        ax.tick_params(length=0)
        ax.set_title(title, fontsize=11)
    return Picture(figure, caption)


def grouped_bars(bars, groups, xlabel, caption=""):
    """Horizontal bars {name: (G,)}, one of each name in each of G named groups, -> Picture."""
    figure, ax = axes(size=(6.4, 0.95 * len(groups) + 0.4))
    height = 0.8 / len(bars)
    for i, ((name, values), colour) in enumerate(zip(bars.items(), (6, 3, 0, 8, 1, 9), strict=False)):
        at = np.arange(len(groups)) + (i - (len(bars) - 1) / 2) * height
        ax.barh(at, array(values), height, color=COLOURS[colour], label=name)
    ax.set_yticks(range(len(groups)), groups)
    ax.invert_yaxis()
    ax.set(xlabel=xlabel, xlim=(0, 1))
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return Picture(figure, caption)


def stacks(panels, parts, levels, xlabel, ylabel="nats per image", caption=""):
    """Stacked bars, one panel for each {title: {bar: (part, ...)}}, a dotted level in each, -> Picture.

    `parts` names the pieces, from below, and `levels` has a (height, name) for each panel.
    """
    figure, made = axes(1, len(panels), size=(2.5, 3.1), sharey=True)
    for ax, (title, bars), (level, name) in zip(np.atleast_1d(made), panels.items(), levels, strict=True):
        below = np.zeros(len(bars))
        for values, part, colour in zip(zip(*bars.values(), strict=True), parts, (3, 6, 0), strict=True):
            values = [float(value) for value in values]
            ax.bar(list(map(str, bars)), values, bottom=below, color=COLOURS[colour], label=part, width=0.7)
            below += np.maximum(values, 0)
        ax.axhline(level, color=INK, ls=":")
        ax.text(len(bars) - 0.5, level, name, ha="right", va="bottom", path_effects=HALO)
        ax.set(title=title, xlabel=xlabel)
    np.atleast_1d(made)[0].set_ylabel(ylabel)
    ax.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    return Picture(figure, caption)


def rates_moved(curve, moves, caption=""):
    """A curve {name: (rate, distortion)}, and points that move, {name: (rates before, after, distortion)}.

    -> Picture; an arrow goes from each ring to its point.
    """
    figure, ax = axes(size=(6.4, 4))
    rates, distortions = zip(*curve.values(), strict=True)
    ax.plot(rates, distortions, "o:", color=INK)
    for name, (rate, distortion) in curve.items():
        ax.annotate(name, (rate, distortion), (7, 3), textcoords="offset points")
    for (name, (before, after, distortion)), colour in zip(moves.items(), (6, 0, 3, 4), strict=False):
        ax.plot(before, distortion, "o", color=COLOURS[colour], mfc="white")
        ax.annotate("", (after, distortion), (before, distortion), arrowprops={"arrowstyle": "->"})
        ax.plot(after, distortion, "o", color=COLOURS[colour], label=name)
    ax.set(xlabel="rate (nats per image)", ylabel="distortion: nll (nats per image)")
    ax.legend(frameon=False)
    return Picture(figure, caption)


def densities(panels, limits, columns=4, caption=""):
    """Densities on a square of the plane in grey, and draws upon them, {title: (density, draws)}, -> Picture.

    density (P, P) with z_1 along its rows, draws (N, 2); the square is limits[0] to limits[1] both ways.
    """
    rows = -(-len(panels) // columns)
    figure, made = axes(
        rows, min(columns, len(panels)), size=(2.15, 2.5) if len(panels) > 1 else (3.2, 3.2), squeeze=False
    )
    for i, (ax, (title, (density, draws))) in enumerate(zip(made.flat, panels.items(), strict=True)):
        values = array(density)
        extent = (*limits, *limits)
        ax.imshow(values, cmap="Greys", origin="lower", extent=extent, vmax=1.1 * values.max())
        ax.plot(*array(draws).T, ".", color=COLOURS[0 if i < columns else 6], ms=2, alpha=0.7)
        ax.set(xlim=limits, ylim=limits, aspect="equal")
        ax.set_title(title, fontsize=10)
        if i >= len(panels) - columns:
            ax.set_xlabel("$z_1$")
        if i % columns == 0:
            ax.set_ylabel("$z_2$")
    return Picture(figure, caption)


def flow_chart(rows, titles, marked=None, caption=""):
    """Questions from the top down, each with two boxes to its right where the answer is yes, -> Picture.

    `rows` are (question, box, box), `titles` names the three columns, `marked` is the row to be coloured.
    """
    high, wide, left = 1.0, (3.3, 3.3, 4.1), (0.0, 4.0, 7.7)
    figure, ax = axes(size=(11.8, 0.84 * len(rows) + 0.7))
    ax.set(xlim=(-0.1, 11.9), ylim=(-high * len(rows) - 0.4, 0.45))
    ax.axis("off")
    for x, width, title in zip(left, wide, titles, strict=True):
        ax.text(x + width / 2, 0.2, title, ha="center", fontsize=11, weight="bold")
    arrow = dict(arrowstyle="-|>", color=INK, lw=1.2, shrinkA=0, shrinkB=0)
    for i, words in enumerate(rows):
        y, colour = -high * i - 0.1, COLOURS[6] if i == marked else INK
        for column, (x, width, text) in enumerate(zip(left, wide, words, strict=True)):
            ax.add_patch(
                Rectangle(
                    (x, y - 0.72),
                    width,
                    0.72,
                    fc="#fbe9ec" if i == marked else "#eef3f8" if column == 0 else "white",
                    ec=colour,
                    lw=2 if i == marked else 1,
                )
            )
            lines = textwrap.fill(text, int(width * 13.5))
            ax.text(x + width / 2, y - 0.36, lines, ha="center", va="center", fontsize=8.5)
        ax.annotate("", (left[1], y - 0.36), (left[0] + wide[0], y - 0.36), arrowprops=arrow)
        ax.text(left[0] + wide[0] + 0.3, y - 0.32, "yes", ha="center", va="bottom", fontsize=9)
        ax.annotate("", (left[2], y - 0.36), (left[1] + wide[1], y - 0.36), arrowprops=arrow)
        ax.annotate("", (left[0] + 1.65, y - high), (left[0] + 1.65, y - 0.72), arrowprops=arrow)
        ax.text(left[0] + 1.75, y - 0.86, "no", va="center", fontsize=9)
    ax.text(left[0] + 1.65, -high * len(rows) - 0.15, "healthy", ha="center", va="top", weight="bold")
    return Picture(figure, caption)


def rings(rows, centres, caption=""):
    """Points of models in rows, {name: {title: (N, 2)}}, with circles at centres (M, 2), -> Picture."""
    count = max(len(row) for row in rows.values())
    figure, made = axes(len(rows), count, size=(1.9, 2.1), sharex=True, sharey=True, squeeze=False)
    for line, (name, row), colour in zip(made, rows.items(), (0, 6, 9, 4), strict=False):
        for ax, (title, points) in zip(line, row.items(), strict=True):
            ax.plot(*array(points).T, ".", color=COLOURS[colour], ms=2, alpha=0.6)
            ax.plot(*array(centres).T, "o", mfc="none", mec=INK, ms=9, mew=0.8)
            ax.set(xlim=(-3, 3), ylim=(-3, 3), aspect="equal", xticks=(-2, 0, 2), yticks=(-2, 0, 2))
            ax.set_title(title, fontsize=9)
        line[0].set_ylabel(name)
    return Picture(figure, caption)


def path(x, y, names, xlabel, ylabel, caption=""):
    """A path through points (N,), (N,), each with its name, or "", and both axes from 0 -> Picture."""
    x, y = array(x), array(y)
    figure, ax = axes(size=(5.2, 3.4))
    ax.plot(x, y, "o-", color=COLOURS[0], ms=5)
    heights = [5] * (len(x) - 1) + [-9]  # the last name below its point, the others above theirs
    for a, b, name, height in zip(x, y, names, heights, strict=True):
        ax.annotate(name, (a, b), (7, height), textcoords="offset points")
    ax.set(xlabel=xlabel, ylabel=ylabel, xlim=(0, 1.2 * x.max()), ylim=(0, 1.15 * y.max()))
    return Picture(figure, caption)
