"""Data -> six sick VAEs and a healthy one, what they leave to look at, and its picture."""

from typing import NamedTuple

import numpy as np
import torch
from matplotlib.collections import EllipseCollection
from torch import Tensor

from vae_lessons import plots
from vae_lessons.check.bugs import CATALOGUE, PATIENTS, Healthy
from vae_lessons.data import Data, Split
from vae_lessons.history import Scores
from vae_lessons.runtime import resolve_seed
from vae_lessons.train import evaluate, fit

LETTERS = "ABCDEF"
IMAGES, HELD_OUT, EPOCHS, BATCH = 3000, 500, 8, 128
SETTINGS = {"latent": 2, "hidden": (128, 128)}


class Patient(NamedTuple):
    """What a short training run leaves to look at; which bug it had is not written here."""

    name: str  # "healthy", or a letter
    scores: list[Scores]  # on held-out images: before training, then after each epoch
    draws: Tensor  # (500, 1, 28, 28), new images
    mu: Tensor  # (500, L) of q(z|x), held-out images
    log_var: Tensor  # (500, L)
    y: Tensor | None  # (500,) their classes

    @property
    def numbers(self):
        """What the pictures show as numbers, dict: nats, and spreads of codes and draws."""
        return {
            "nll": self.scores[-1].nll, "kl": self.scores[-1].kl,
            "sigma": (self.log_var / 2).exp().median().item(), "reach": self.mu.abs().max().item(),
            "lowest": self.mu.min().item(), "spread": self.draws.std(0).mean().item(),
            "darkest": self.draws.max().item(), "palest": self.draws.min().item(),
            "grey": ((self.draws > 0.05) & (self.draws < 0.95)).float().mean().item(),
        }  # fmt: skip


_ward = {}  # letter -> (name of its bug, Patient), and "healthy" -> (None, Patient), of the last `train`


def train(data, seed=None):
    """Train a healthy VAE and six that have one bug each, Data -> list of seven Patients.

    3,000 images, 8 epochs, two latent numbers, always on the CPU: some seconds in all. Which letter
    has which bug depends on the seed, and is what `check.bug_clinic` asks for. The caller's random
    state is left as it was.
    """
    seed = resolve_seed(seed)
    x, held_out = data.train.first(IMAGES).x.cpu(), data.test.first(HELD_OUT).to("cpu")
    order = torch.randperm(len(PATIENTS), generator=torch.Generator().manual_seed(seed + 6))
    _ward.clear()
    _ward["healthy"] = None, examine("healthy", Healthy, x, held_out, seed)
    for i, (letter, place) in enumerate(zip(LETTERS, order.tolist(), strict=True)):
        name = PATIENTS[place]
        _ward[letter] = name, examine(letter, CATALOGUE[name].model, x, held_out, seed + 1 + i)
    return [patient for _, patient in _ward.values()]


def ward():
    """The patients of the last `train` and their bugs, dict: letter -> (name of the bug, Patient)."""
    return dict(_ward)


def key():
    """The right answers for `check.bug_clinic`, dict: letter -> name of the bug."""
    return {letter: bug for letter, (bug, _) in _ward.items() if bug}


def examine(name, kind, x, held_out, seed):
    """Train one model of a kind by its own loss, (N, *shape), Split -> Patient."""
    model = kind(**SETTINGS, shape=tuple(x.shape[1:]), seed=seed % 2**63)
    model.start_at(x.mean(0))
    scores = [evaluate(model, held_out, seed)]
    history = fit(
        model, Data(Split(x), held_out), epochs=EPOCHS, batch=BATCH, device="cpu", seed=seed, progress=False,
        objective=lambda model, batch, generator: model.charged(*model.terms(batch, generator)),
    )  # fmt: skip
    with torch.no_grad():
        z = model.prior(HELD_OUT, torch.Generator().manual_seed(0))
        draws, (mu, log_var) = model.show(model.decode(z)), model.encode(held_out.x)
    return Patient(name, scores + history.test, draws, mu, log_var, held_out.y)


def show(patients):
    """The charts of all patients, one row each -> Picture: curves, new images, codes.

    The healthy model's curves are dotted in every row. An ellipse is one cloud's sigma; the dotted
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
    titles = ("nll (nats)", "KL (nats)", "new images, drawn from the prior", "codes, clouds, prior")
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
    """The mean of each image's cloud, forty clouds as ellipses, and the prior's circles."""
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
    """The row of one patient for those who cannot see it, -> str."""
    return (
        "{name}: nll {nll:.0f}, KL {kl:.2g} nats after the last epoch; codes from {lowest:.1f} to "
        "{reach:.1f}, median sigma {sigma:.2g}; new images with pixels from {palest:.2f} to "
        "{darkest:.2f}, spread {spread:.3f}, {grey:.0%} of them grey."
    ).format(name=patient.name, **patient.numbers)
