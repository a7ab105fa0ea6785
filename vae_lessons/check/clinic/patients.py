"""Data -> six VAEs with one bug each and a healthy one, trained, and what they show."""

from typing import NamedTuple

import torch
from torch import Tensor

from vae_lessons.check.clinic.bugs import CATALOGUE, PATIENTS, Healthy
from vae_lessons.data import Data, Split
from vae_lessons.history import Scores
from vae_lessons.runtime import resolve_seed
from vae_lessons.train import evaluate, fit

LETTERS = "ABCDEF"
IMAGES, HELD_OUT, EPOCHS, BATCH = 3000, 500, 8, 128
SETTINGS = {"latent": 2, "hidden": (128, 128)}


class Patient(NamedTuple):
    """What a short training run shows; its bug is not recorded here."""

    name: str  # "healthy", or a letter
    scores: list[Scores]  # on held-out images: before training, then after each epoch
    draws: Tensor  # (500, 1, 28, 28), new images
    mu: Tensor  # (500, L) of q(z|x), held-out images
    log_var: Tensor  # (500, L)
    y: Tensor | None  # (500,) their classes

    @property
    def numbers(self):
        """What the pictures show, as numbers, dict: nats, and spreads of codes and draws."""
        return {
            "nll": self.scores[-1].nll,
            "kl": self.scores[-1].kl,
            "sigma": (self.log_var / 2).exp().median().item(),
            "reach": self.mu.abs().max().item(),
            "lowest": self.mu.min().item(),
            "spread": self.draws.std(0).mean().item(),
            "darkest": self.draws.max().item(),
            "palest": self.draws.min().item(),
            "grey": ((self.draws > 0.05) & (self.draws < 0.95)).float().mean().item(),
        }


_ward = {}  # letter -> (name of its bug, Patient), and "healthy" -> (None, Patient), of the last `train`


def train(data, seed=None):
    """Train a healthy VAE and six that have one bug each, Data -> list of seven Patients.

    3,000 images, 8 epochs, two latent dimensions, always on the CPU: some seconds in all. Which letter
    has which bug depends on the seed, and is what `check.bug_clinic` asks. The caller's random state
    is unchanged.
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
    """Train one model with its own loss, (N, *shape), Split -> Patient."""
    model = kind(**SETTINGS, shape=tuple(x.shape[1:]), seed=seed % 2**63)
    model.start_at(x.mean(0))
    scores = [evaluate(model, held_out, seed)]
    history = fit(
        model,
        Data(Split(x), held_out),
        epochs=EPOCHS,
        batch=BATCH,
        device="cpu",
        seed=seed,
        progress=False,
        objective=lambda model, batch, generator: model.charged(*model.terms(batch, generator)),
    )
    with torch.no_grad():
        z = model.prior(HELD_OUT, torch.Generator().manual_seed(0))
        draws, (mu, log_var) = model.show(model.decode(z)), model.encode(held_out.x)
    return Patient(name, scores + history.test, draws, mu, log_var, held_out.y)
