"""Arrays -> pictures, in one look for the whole course. Nothing here sees a model or computes a result."""

import base64
import html
import io

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Ellipse, Polygon, Rectangle
from matplotlib.patheffects import withStroke
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

    def __repr__(self):
        return self.caption

    def _repr_mimebundle_(self, include=None, exclude=None):
        # as HTML alone: image/png beside it would store every picture twice, and JupyterLab gives it no words
        words, data = html.escape(self.caption), base64.b64encode(self.png).decode()
        style = "color: var(--jp-ui-font-color2, #555); font-size: 90%; max-width: 48em"
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
        for c in np.unique(y):
            ax.plot(*z[y == c].T, ".", color=COLOURS[c % 10], ms=2.5, alpha=0.6)
        label_classes(ax, z, y)
        _latent_axes(ax, z, limit, circles)
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
    _latent_axes(ax, mu, limit or 1.02 * max((abs(mu) + sigma).max(), *circles), circles)
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


def curves(columns, caption="", xlabel="epoch", ylabel="nats per image"):
    """One plot for each {title: {name: (N,)}}, against 1..N, -> Picture."""
    figure, made = axes(1, len(columns), size=(4.2, 3.0))
    for ax, (title, lines) in zip(np.atleast_1d(made), columns.items(), strict=True):
        for i, (name, values) in enumerate(lines.items()):
            style = dict(color=(INK, COLOURS[6], COLOURS[0], COLOURS[4])[i % 4])
            ax.plot(range(1, len(values) + 1), values, ("-", "--", ":", "-.")[i % 4], label=name, **style)
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
        _rings(ax, array(mean), array(a))
    return Picture(figure, caption)


def log_log(x, lines, colours, xlabel, ylabel, caption=""):
    """Lines {name: (N,)} against x (N,), both axes logarithmic, each named at its end, -> Picture."""
    x = array(x)
    figure, ax = axes(size=(5.0, 3.1))
    for (name, y), colour in zip(lines.items(), colours, strict=True):
        y = array(y)
        ax.loglog(x, y, "o-", color=colour, ms=4)
        ax.annotate(name, (x[-1], y[-1]), (8, -3), textcoords="offset points", color=colour)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    return Picture(figure, caption)


def _rings(ax, mean, a):
    turn = np.linspace(0, 2 * np.pi, 100)
    for radius in (1, 2, 3):
        ax.plot(*(mean + radius * np.stack([np.cos(turn), np.sin(turn)], 1) @ a.T).T, color=INK, lw=1)


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


def _latent_axes(ax, z, limit, circles):
    for radius in circles:
        ax.add_patch(Circle((0, 0), radius, fill=False, color=INK, lw=0.8, ls=":"))
    if limit:
        ax.set(xlim=(-limit, limit), ylim=(-limit, limit))
    ax.set(aspect="equal", xlabel="$z_1$", ylabel="$z_2$")
    _make_room(ax)
    ax.text(1, 1, outside(z, limit), transform=ax.transAxes, ha="right", va="top", path_effects=HALO)


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


def _make_room(ax, share=0.055):
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
        if np.hypot(*(end - place)) > gap / 3:
            ax.plot(*zip(place, end, strict=True), color=INK, lw=0.7)
            text.set_position(end)


def array(values):
    """A tensor, on whatever device, or numbers in a list -> NumPy array."""
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)


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
            ax, ((1.5, 0), (2.0, 0)), ((3.2, 0.2), (3.8, 0.6)), ((3.2, -0.2), (3.8, -0.6)),
            ((4.2, 0.6), (6.35, 0.15)), ((4.2, -0.5), (6.35, -0.05)), ((5.5, -0.75), (6.35, -0.25)),
        )  # fmt: skip
    _arrows(ax, ((4.15 + wide, 0), (4.7 + wide, 0)), ((5.9 + wide, 0), (6.4 + wide, 0)))
    _funnel(ax, 4.7 + wide, 5.9 + wide, 0.5, 1.2, "decoder", COLOURS[9])
    _tile(ax, 7.15 + wide, x_hat, r"$\hat x$", "copy")
    return Picture(figure, caption)


def _tile(ax, at, image, symbol, name):
    """An image in a frame, or its symbol, around (at, 0)."""
    if image is None:
        ax.text(at, 0, symbol, ha="center", va="center", fontsize=18)
    else:
        ax.imshow(drawable(array(image).reshape(1, 1, *image.shape[-2:]))[0], cmap="gray_r", vmin=0, vmax=1,
                  extent=(at - 0.75, at + 0.75, -0.75, 0.75), zorder=1)  # fmt: skip
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
    right.axvline(degrees[error.argmin()], color=INK, lw=0.8, ls=":")
    right.set(xlabel="direction of the line, degrees", ylabel="squared distance", ylim=(0, None))
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
