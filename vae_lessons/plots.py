"""Arrays -> pictures, in one look for the whole course. Nothing here sees a model or computes a result."""

import base64
import html
import io

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Ellipse
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


def hidden_and_seen(x, z, places, caption=""):
    """Dots (N, 2) in the colour of their hidden number z (N,), and again without it, -> Picture.

    `places` {name: (2,)} are written over the grey dots.
    """
    figure, (left, right) = axes(1, 2, size=(3.9, 3.6), sharex=True, sharey=True)
    shown = left.scatter(*array(x).T, c=array(z), s=9, cmap="viridis", vmin=-3, vmax=3)
    figure.colorbar(shown, ax=left, label="z", shrink=0.7)
    right.plot(*array(x).T, ".", color=FAINT, ms=5)
    for name, place in places.items():
        right.text(*array(place), name, weight="bold", ha="center", va="center", fontsize=13,
                   path_effects=HALO)  # fmt: skip
    left.set(title="dots, coloured by z", aspect="equal", xlabel="$x_1$", ylabel="$x_2$")
    right.set(title="what we are given", aspect="equal", xlabel="$x_1$")
    return Picture(figure, caption)


def functions(x, panels, xlabel="z", ylabel="density", size=(2.6, 2.5), fill=(), xlim=None, caption=""):
    """Functions of one number, {title: {name: (N,)}}, one plot for each title, over x (N,), -> Picture.

    One that is alone has no legend; the area under those of the titles in `fill` is coloured.
    """
    figure, made = axes(1, len(panels), size=size, squeeze=False)
    for ax, (title, lines) in zip(made.flat, panels.items(), strict=True):
        for (name, y), colour in zip(lines.items(), (INK, COLOURS[6], COLOURS[4], COLOURS[0]), strict=False):
            ax.plot(array(x), array(y), color=colour, label=name)
            if title in fill:
                ax.fill_between(array(x), array(y), color=COLOURS[3], alpha=0.6, lw=0)
        ax.set(title=title, xlabel=xlabel, xlim=xlim)
        if len(lines) > 1:
            ax.legend(frameon=False, fontsize=9)
    made.flat[0].set_ylabel(ylabel)
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

    mu (M,) and sigma (S,) are the axes. Contours are at 1, 3 and 10 nats; a climb begins at its dot.
    """
    figure, made = axes(1, len(panels), size=(4.2, 3.2), squeeze=False)
    for ax, (title, (gap, paths)) in zip(made.flat, panels.items(), strict=True):
        grid = array(mu), array(sigma), array(gap).T
        shade = ax.pcolormesh(*grid, cmap="Greys", vmin=0, vmax=20, rasterized=True)
        ax.clabel(ax.contour(*grid, [1, 3, 10], colors=INK, linewidths=0.6), fmt="%d", fontsize=8)
        for path, colour in zip(paths, (COLOURS[0], COLOURS[6]), strict=False):
            ax.plot(*array(path).T, color=colour, lw=1.6)
            ax.plot(*array(path)[0], "o", color=colour, ms=5)
        ax.set(title=title, xlabel=r"$\mu$", ylabel=r"$\sigma$", xlim=grid[0][[0, -1]], ylim=grid[1][[0, -1]])
    figure.colorbar(shade, ax=made, label="gap in nats")
    return Picture(figure, caption)


def touching_bounds(theta, log_p, bounds, xlabel, ylim=None, caption=""):
    """log p (N,) over a parameter theta (N,), and bounds under it, [(N,), ...], -> Picture.

    A ring marks where each bound touches log p, a square where that bound is highest.
    """
    figure, ax = axes(size=(6.2, 3.4))
    theta, log_p = array(theta), array(log_p)
    ax.plot(theta, log_p, color=INK, lw=2)
    ax.annotate(r"$\log p_\theta(x)$", (theta[-1], log_p[-1]), (4, 4), textcoords="offset points")
    for i, (bound, colour) in enumerate(zip(map(array, bounds), COLOURS[0:1] + COLOURS[6:8] + COLOURS[4:5],
                                            strict=False)):  # fmt: skip
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
    shown = ax.pcolormesh(at, array(z), array(density).T, cmap="Greys", rasterized=True)
    figure.colorbar(shown, ax=ax, label="p(z|x)")
    for (name, q), colour in zip(bands.items(), (COLOURS[0], COLOURS[6]), strict=False):
        mu, sigma = (np.broadcast_to(array(part), at.shape) for part in q)
        ax.plot(at, mu, color=colour, label=name)
        ax.fill_between(at, mu - sigma, mu + sigma, color=colour, alpha=0.3, lw=0)
    ax.set(xlabel=xlabel, ylabel="z", xticks=np.linspace(at[0], at[-1], 5))
    if bands:
        ax.legend(frameon=False, loc="upper left", fontsize=9)
    return Picture(figure, caption)


def covariance_pairs(target, others, caption=""):
    """The one-sigma ellipse of a covariance (2, 2) with another in each plot, {title: (2, 2)}, -> Picture."""
    turn = np.linspace(0, 2 * np.pi, 100)
    circle = np.stack([np.cos(turn), np.sin(turn)])
    wide = np.sqrt(array(target)[0, 0])
    figure, made = axes(1, len(others), size=(2.6, 2.9), sharey=True, sharex=True, squeeze=False)
    for ax, (title, covariance) in zip(made.flat, others.items(), strict=True):
        ax.plot(*(np.linalg.cholesky(array(covariance)) @ circle), color=COLOURS[6], lw=4, alpha=0.6,
                label="q")  # fmt: skip
        ax.plot(*(np.linalg.cholesky(array(target)) @ circle), color=INK, lw=1.2, label="posterior")
        ax.set(title=title, aspect="equal", xlabel="$z_1 - m_1$", xticks=np.round([-wide, 0, wide], 1))
    made.flat[0].set_ylabel("$z_2 - m_2$")
    figure.legend(
        *made.flat[0].get_legend_handles_labels(), frameon=False, ncols=2, loc="outside lower center"
    )
    return Picture(figure, caption)


def drawn_functions(at, drawn, x, y, ylim=None, caption=""):
    """Functions drawn at random, (K, N) over at (N,): twelve, mean +- 2 sd, and the data, -> Picture."""
    at, drawn = array(at), array(drawn)
    middle, band = drawn.mean(0), drawn.std(0)
    figure, ax = axes(size=(6.2, 3.4))
    ax.fill_between(at, middle - 2 * band, middle + 2 * band, color=COLOURS[3], alpha=0.5, lw=0)
    ax.plot(at, drawn[:12].T, color=COLOURS[0], lw=0.5, alpha=0.5)
    ax.plot(array(x), array(y), ".", color=INK)
    ax.set(xlabel="x", ylabel="y", ylim=ylim)
    return Picture(figure, caption)
