"""Patients of the clinic -> Picture: curves, new images and codes, one row each."""

import numpy as np
from matplotlib.collections import EllipseCollection

from vae_lessons import plots


def show(patients):
    """The charts of all patients, one row each -> Picture: curves, new images, codes.

    The healthy model's curves are dotted in every row. An ellipse is the sigma of one q(z|x); the dotted
    circles are one, two and three standard deviations of the prior.
    """
    healthy = patients[0]
    widths = {"width_ratios": [1.1, 1.1, 2.4, 1.15]}
    figure, made = plots.axes(len(patients), 4, size=(2.5, 1.6), gridspec_kw=widths)
    for row, patient in zip(np.atleast_2d(made), patients, strict=True):
        for ax, term in zip(row, ("nll", "kl"), strict=False):
            _curve(ax, [getattr(s, term) for s in healthy.scores], [getattr(s, term) for s in patient.scores])
        plots.tiles(row[2], plots.drawable(patient.draws[:16]), 8)
        _codes(row[3], patient)
        row[0].set_ylabel(patient.name, rotation=0, ha="right", va="center", fontsize=13, weight="bold")
    titles = ("nll (nats)", "KL (nats)", "new images, drawn from the prior", "mu, q(z|x) and the prior")
    for ax, title in zip(np.atleast_2d(made)[0], titles, strict=True):
        ax.set_title(title, fontsize=10)
    for ax in np.atleast_2d(made)[-1, :2]:
        ax.set_xlabel("epoch")
    alt = " ".join(["Charts of the clinic.", *map(_in_words, patients)])
    return plots.Picture(figure, alt)


def _curve(ax, healthy, values):
    ax.plot(healthy, ":", color=plots.INK, lw=1)
    ax.plot(values, color=plots.COLOURS[6])
    ax.text(
        1,
        0.97,
        f"{values[-1]:.{2 if values[-1] < 10 else 0}f}",
        transform=ax.transAxes,
        ha="right",
        va="top",
        color=plots.COLOURS[6],
    )
    top = max(*healthy, *values)
    ax.set_xticks(range(0, len(values), 4))
    ax.set_ylim(0 if top < 100 else None, top + 0.25 * (top - min(*healthy, *values)))
    ax.tick_params(labelsize=8)


def _codes(ax, patient):
    """The mu of each image, forty q(z|x) as ellipses, and the prior as circles."""
    mu, sigma = patient.mu.numpy(), (patient.log_var / 2).exp().numpy()
    y = plots.classes([0] * len(mu) if patient.y is None else patient.y, len(mu))
    colours = np.array(plots.COLOURS)[y % 10]
    ax.scatter(*mu.T, c=colours, s=3, lw=0)
    _ellipses(ax, mu[:40], sigma[:40], fc=colours[:40], ec=plots.INK, lw=0.4, alpha=0.35)
    _ellipses(ax, np.zeros((3, 2)), np.array([[1, 1], [2, 2], [3, 3]]), fc="none", ec=plots.INK, ls=":")
    limit = max(3.3, 1.05 * patient.numbers["reach"])
    ticks = [-int(limit - 1), 0, int(limit - 1)]
    ax.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xticks=ticks, yticks=ticks)
    ax.tick_params(labelsize=8)


def _ellipses(ax, centres, radii, **style):
    sizes = *(2 * radii.T), np.zeros(len(radii))
    place = dict(units="xy", offsets=centres, offset_transform=ax.transData)
    ax.add_collection(EllipseCollection(*sizes, **place, **style))


def _in_words(patient):
    """The text alternative of one patient's row, -> str."""
    return (
        "{name}: nll {nll:.0f}, KL {kl:.2g} nats after the last epoch; codes from {lowest:.1f} to "
        "{reach:.1f}, median sigma {sigma:.2g}; new images with pixels from {palest:.2f} to {darkest:.2f}, "
        "spread {spread:.3f}, {grey:.0%} of them grey."
    ).format(name=patient.name, **patient.numbers)
