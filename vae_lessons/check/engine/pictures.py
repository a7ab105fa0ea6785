"""A learner's answer beside the target -> Picture."""

import numpy as np
import torch

from vae_lessons.check.engine.calling import no_answer
from vae_lessons.check.engine.exercise import Shown
from vae_lessons.check.engine.probes import placed
from vae_lessons.plots import COLOURS, INK, Picture, axes

TARGET, YOURS = COLOURS[0], COLOURS[6]


def lines(x, panels, xlabel, ylabel, alt):
    """Curves over x (N,), one plot for each {title: {"the target": (N,), "yours": (N,)}}, -> Picture."""
    figure, made = axes(1, len(panels), size=(4.4, 3.0), squeeze=False)
    for ax, (title, curves) in zip(made.flat, panels.items(), strict=True):
        for (name, y), colour, style in zip(curves.items(), (TARGET, YOURS), ("-", "--"), strict=True):
            y = np.where(np.isfinite(_plain(y)), _plain(y), np.nan)
            end = "" if np.isfinite(y).all() else ", not a number" + " here and there" * np.isfinite(y).any()
            ax.plot(_array(x), y, style, color=colour, lw=2, label=name + end)
        ax.set(title=title, xlabel=xlabel, ylabel=ylabel)
        ax.legend(frameon=False)
    return Picture(figure, alt)


def curve(at, target, yours, title, xlabel, alt, ylabel="loss"):
    """Two curves over a range, three of (N,), -> a drawing function. Raises Failed if their shapes differ."""
    if yours.shape != target.shape:
        raise no_answer("no curve")
    panels = {title: {"the target": target, "yours": yours}}
    return lambda: lines(at, panels, xlabel=xlabel, ylabel=ylabel, alt=alt)


def curve_of(reference, over, arguments, title, xlabel, ylabel, alt):
    """A `show` with the answer over a range of numbers beside the target: one curve each.

    `over` is (first, last); `arguments` takes one of its numbers, as a tensor (1, 1), to the arguments.
    """

    def show(call, seed):
        at = placed(torch.linspace(*over, 61, dtype=torch.float64, device="cpu"))
        inputs = [tuple(map(placed, arguments(value.view(1, 1)))) for value in at]
        target = torch.stack([reference(*args).squeeze() for args in inputs])
        yours = torch.stack([call.tensor(*args).squeeze() for args in inputs])
        return Shown(curve(at, target, yours, title, xlabel, alt, ylabel))

    return show


def surfaces(x, y, panels, xlabel, ylabel, alt):
    """Contours on one scale, {title: (len(y), len(x))}, the target first, -> Picture."""
    figure, made = axes(1, len(panels), size=(3.8, 3.2), sharex=True, sharey=True)
    levels = np.linspace(0, float(_array(next(iter(panels.values()))).max()), 12)
    for ax, (title, heights) in zip(made, panels.items(), strict=True):
        drawn = ax.contourf(_array(x), _array(y), _array(heights), levels, cmap="Blues", extend="both")
        ax.set(title=title, xlabel=xlabel)
    made[0].set_ylabel(ylabel)
    figure.colorbar(drawn, ax=made, label="nats")
    return Picture(figure, alt)


def histograms(columns, alt):
    """Histograms of {name: (N,)} as densities over -4..4, beside the standard normal density, -> Picture."""
    figure, made = axes(1, len(columns), size=(3.6, 2.6), sharey=True, squeeze=False)
    at = np.linspace(-4, 4, 200)
    for ax, (name, values) in zip(made.flat, columns.items(), strict=True):
        kept = np.clip(_array(values), -4, 4)
        ax.hist(kept, 40, range=(-4, 4), density=True, color=YOURS, alpha=0.6, label="yours")
        ax.plot(at, np.exp(-(at**2) / 2) / np.sqrt(2 * np.pi), color=TARGET, lw=2, label="the target")
        ax.set_xlabel(name)
        ax.set_ylim(0, 0.8)
    made.flat[0].set_ylabel("density")
    made.flat[-1].legend(frameon=False, fontsize=8)
    return Picture(figure, alt)


def cloud(draws, mean, a, alt):
    """Draws (N, 2) over the target's ellipses: circles stretched by a (2, 2), -> Picture."""
    figure, ax = axes(size=(4.6, 3.4))
    ax.plot(*_array(draws).T, ".", color=YOURS, ms=3, alpha=0.6, label="yours")
    turn = np.linspace(0, 2 * np.pi, 100)
    for radius in (1, 2, 3):
        ring = _array(mean) + radius * np.stack([np.cos(turn), np.sin(turn)], 1) @ _array(a).T
        ax.plot(*ring.T, color=TARGET, lw=1.5, label="the target at 1, 2, 3 sd" if radius == 1 else None)
    ax.set(aspect="equal", xlabel="$x_1$", ylabel="$x_2$")
    ax.legend(frameon=False, fontsize=8)
    return Picture(figure, alt)


def scatter(groups, alt):
    """Points in the plane, {"the target": (N, 2), "yours": (M, 2)}, -> Picture."""
    figure, ax = axes(size=(4.6, 3.4))
    for (name, z), colour in zip(groups.items(), (TARGET, YOURS), strict=True):
        ax.plot(*_array(z).T, ".", color=colour, ms=3, alpha=0.6, label=name)
    ax.set(aspect="equal", xlabel="$z_1$", ylabel="$z_2$")
    ax.legend(frameon=False, fontsize=8)
    return Picture(figure, alt)


def points(x, target, yours, alt):
    """Points in the plane with the target of each and the answer for each, three of (N, 2), -> Picture."""
    figure, ax = axes(size=(4.6, 3.4))
    x, target, yours = map(_array, (x, target, yours))
    ax.plot(*x.T, ".", color=INK, ms=4, label="x")
    ax.plot(*np.stack([x, yours], 1).transpose(2, 1, 0), color=YOURS, lw=0.6)
    ax.plot(*target.T, "o", color=TARGET, ms=7, mfc="none", label="the target")
    ax.plot(*yours.T, ".", color=YOURS, ms=6, label="yours")
    ax.set(aspect="equal", xlabel="$x_1$", ylabel="$x_2$")
    ax.legend(frameon=False, fontsize=8)
    return Picture(figure, alt)


def spreads(panels, xlabel, alt):
    """Histograms of {title: ({"the target": (K,), "yours": (K,)}, the true mean)}, -> Picture."""
    figure, made = axes(1, len(panels), size=(4.2, 2.8), squeeze=False)
    for ax, (title, (samples, truth)) in zip(made.flat, panels.items(), strict=True):
        both = np.concatenate([_array(values) for values in samples.values()])
        low, high = np.quantile(both, [0.005, 0.995])
        bins = np.linspace(low, max(high, low + 1e-6), 50)
        for (name, values), colour in zip(samples.items(), (TARGET, YOURS), strict=True):
            values = np.clip(_array(values), low, bins[-1])
            ax.hist(values, bins, color=colour, alpha=0.5, label=f"{name}, mean {values.mean():.2f}")
        ax.axvline(truth, color=INK, ls="--", label=f"true gradient {truth:.2f}")
        ax.set(title=title, xlabel=xlabel, ylabel="samples")
        ax.legend(frameon=False, fontsize=8)
    return Picture(figure, alt)


def meter(claimed, exact, error, verdict, alt):
    """The evidence meter: what is claimed beside log p(x), the gap, and a verdict in words, -> Picture."""
    figure, ax = axes(size=(6.0, 1.9))
    reach = max(abs(claimed - exact) * 1.4, 1.0) if np.isfinite(claimed) else 1.0
    ax.axvspan(exact, exact + reach, color=COLOURS[2], alpha=0.1, lw=0)
    ax.axvline(exact, color=INK)
    ax.barh(0, claimed - exact, 0.35, left=exact, color=COLOURS[2] if claimed > exact else TARGET, alpha=0.7)
    ax.errorbar(claimed, 0, xerr=4 * error, fmt="o", color=INK, capsize=3)
    ax.text(exact, 0.62, f"log p(x) = {exact:.2f} ", color=INK, ha="right", va="center")
    ax.text(exact, 0.62, " no bound reaches here", color=COLOURS[2], va="center")
    ax.text(claimed, -0.62, f"claimed {claimed:.2f}", ha="center", va="center")
    ax.set(xlim=(exact - reach, exact + reach), ylim=(-0.9, 0.9), yticks=[], xlabel="nats per image")
    ax.set_title(f"gap {exact - claimed:.2f} nats: {verdict}", fontsize=11)
    ax.spines["left"].set_visible(False)
    return Picture(figure, alt)


def _array(values):
    """Numbers to draw: NaN and infinity are left at zero, for a picture of a wrong answer must not fail."""
    return np.nan_to_num(_plain(values), nan=0.0, posinf=0.0, neginf=0.0)


def _plain(values):
    return values.detach().cpu().double().numpy() if hasattr(values, "detach") else np.asarray(values)
