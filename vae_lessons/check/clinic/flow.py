"""A trained VAE and its data -> what is wrong with it, by the clinic's chart, from the top down."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch

from vae_lessons import plots
from vae_lessons.measures import nearest

IMAGES = 500  # of each set are looked at
FAR = 1.35  # draws lie so many times as far from the data as rebuilt images: too far


class Step(NamedTuple):
    """One row of the chart: a symptom, its sign in numbers, what it means, what to change."""

    name: str
    see: str  # a question
    sign: Callable | None  # the numbers of `measured` -> bool; None where only the eye can tell
    means: str
    change: str
    shows: str = ""  # the numbers that the sign is read from


STEPS = (
    Step(
        "off the scale",
        "Is the loss NaN or in the millions, or are rebuilt images far worse than the mean image?",
        lambda n: not math.isfinite(n["kl"]) or n["kl"] > 1e5 or not n["test"] > -5,
        "The learning rate is too high, the pixels do not lie in [0, 1], or the KL has the wrong sign.",
        "Divide pixels by 255 once. Divide lr by 4. The loss is nll + KL.",
        "explained {test:.2f}, KL {kl:.3g} nats",
    ),
    Step(
        "collapse",
        "Is the KL near 0, and are all draws alike?",
        lambda n: n["kl"] < 1,
        "Posterior collapse: beta is too large, the nll is a mean over pixels, or sigma is too large. "
        "Or training has hardly begun.",
        "Sum the nll over pixels. Set beta to 1, with a warm-up (lesson 09). Learn sigma (lesson 10).",
        "KL {kl:.1f} nats",
    ),
    Step(
        "not learned",
        "Are rebuilt images hardly better than the mean image?",
        lambda n: n["test"] < 0.3,
        "Too few steps, a learning rate that is too low, or a sigmoid too many.",
        "Take 1,000 steps or more. Try lr from 1e-3 to 4e-3. Give the loss the decoder's own output.",
        "explained {test:.2f}",
    ),
    Step(
        "KL not counted",
        "Do codes lie far outside the prior, or has every q(z|x) shrunk to a point?",
        lambda n: n["code_sd"] > 2.5 or n["sigma"] < 0.005,
        "The KL is missing from the loss, or beta is far below 1.",
        "Set beta to 1. Average the nll and the KL in the same way.",
        "sd of the codes {code_sd:.1f}, sigma of the sharpest axis {sigma:.3f}",
    ),
    Step(
        "no noise",
        "Is every q(z|x) as wide as the prior, although rebuilt images are good?",
        lambda n: n["sigma"] > 0.8,
        "z = mu: the decoder never sees a sample.",
        "z = mu + exp(log_var / 2) * eps, with new eps for each image and step.",
        "sigma of the sharpest axis {sigma:.2f}",
    ),
    Step(
        "hard edge",
        "Do the codes end at a hard edge: none below 0, or none beyond 1?",
        lambda n: n["lowest"] >= 0 or n["reach"] <= 1,
        "There is an activation function, such as ReLU or tanh, on mu.",
        "Make mu and log_var by plain linear layers.",
        "codes from {lowest:.1f}, largest |mu| {reach:.1f}",
    ),
    Step(
        "overfitting",
        "Are training images rebuilt much better than test images?",
        lambda n: 1 - n["test"] > 1.7 * (1 - n["train"]),
        "The model knows its training images by heart.",
        "Add pictures, also mirrored ones. Take fewer weights, or stop earlier.",
        "explained {train:.3f} in training, {test:.3f} in testing",
    ),
    Step(
        "test images seen",
        "Are test images rebuilt much better than training images?",
        lambda n: 1 - n["train"] > 1.5 * (1 - n["test"]),
        "Test images were used in training, or the two sets differ in kind.",
        "Train on data.train only. Split at random, and near copies together.",
        "explained {train:.3f} in training, {test:.3f} in testing",
    ),
    Step(
        "draws off the data",
        "Are rebuilt images good, but draws from the prior are not?",
        lambda n: n["off"] > FAR,
        "Draws come from where there are few codes, or are not drawn as they should be.",
        "z from N(0, I), shown by model.picture. Fewer latent numbers, a larger sigma or beta. "
        "Or a mixture fitted to the codes (lesson 02).",
        f"draws {{off:.2f}} times as far from the data as rebuilt images, limit {FAR}",
    ),
    Step(
        "details missing",
        "Have all curves levelled off, and are rebuilt images blurred?",
        None,
        "The code or the networks are too small, or the noise sigma is too large to pay for details.",
        "More latent numbers, channels and epochs; a smaller or learned sigma. What stays: lesson 16.",
    ),
)


class Visit(NamedTuple):
    """What the clinic found: the name of the first step whose sign is there, or None, and the numbers."""

    name: str | None
    numbers: dict

    @property
    def step(self):
        """The row of the chart, Step or None."""
        return next((step for step in STEPS if step.name == self.name), None)

    def __repr__(self):
        rows = []
        for step in STEPS:
            if step.sign:
                mark = "YES" if step.name == self.name else "no"
                rows.append(f"{mark:4}{step.name:20}{step.shows.format(**self.numbers)}")
                if step.name == self.name:
                    return "\n".join([*rows, f"    It means: {step.means}", f"    Change: {step.change}"])
        return "\n".join([*rows, "Discharged: no sign is there. Look at the pictures for missing details."])


def visit(model, data):
    """The first step of the chart that a trained VAE shows, on the CPU, VAE, Data -> Visit.

    Raises TypeError if the model is no VAE: it must have encode, picture and sample.
    """
    numbers = measured(model, data)
    return Visit(next((step.name for step in STEPS if step.sign and step.sign(numbers)), None), numbers)


@torch.no_grad()
def measured(model, data):
    """What the chart's signs are read from, VAE, Data -> dict of floats.

    `test` and `train` are shares of the pixels' variance that rebuilt images explain, those of z = mu,
    1 - sum |x - x_hat|^2 / sum |x - mean image|^2. `kl` is in nats per image. `code_sd` is the standard
    deviation of mu, by the widest axis, `lowest` the lowest and `reach` the largest |mu|, `sigma` the median
    of q(z|x) by the narrowest axis. `off` is the mean distance from 300 draws to their nearest training
    images over that of rebuilt test images. Raises TypeError as `visit` does.
    """
    if not all(hasattr(model, name) for name in ("encode", "picture", "sample", "reconstruct")):
        raise TypeError(f"model must be a VAE, but it is a {type(model).__name__}.")
    was, device = model.training, model.device
    model.to("cpu").eval()
    try:
        return _numbers(model, data)
    finally:
        model.to(device).train(was)


def _numbers(model, data):
    train, test = (split.first(IMAGES).to("cpu").x for split in (data.train, data.test))
    mean = data.train.mean().to("cpu")
    explained, rebuilt = {}, {}
    for name, x in (("train", train), ("test", test)):
        rebuilt[name] = model.reconstruct(x)
        error = (rebuilt[name] - x).square().sum() / (x - mean).square().sum().clamp(min=1e-12)
        explained[name] = 1 - error.item()
    mu, log_var = model.encode(test)
    kl = 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(1).mean()
    draws = model.sample(300, torch.Generator().manual_seed(0))
    finite = all(values.isfinite().all() for values in (*rebuilt.values(), draws))
    # the draws are held against as many rebuilt images as there are, and both against the same images
    near = data.train.first(4 * IMAGES).to("cpu").x
    both = [nearest(x, near).distance.mean().item() if finite else math.nan for x in (draws, rebuilt["test"])]
    return explained | {
        "kl": kl.item(),
        "code_sd": mu.std(0, correction=0).max().item(),
        "sigma": (log_var / 2).exp().median(0).values.min().item(),
        "lowest": mu.min().item(),
        "reach": mu.abs().max().item(),
        "off": both[0] / max(both[1], 1e-12),
    }


def flow_chart(found=None):
    """The chart as a picture, the step that a Visit found marked, -> Picture."""
    rows = [(step.see, step.means, step.change) for step in STEPS]
    marked = next((i for i, step in enumerate(STEPS) if found and step.name == found.name), None)
    caption = (
        f"The clinic as a flow chart, {len(STEPS)} questions from the top down: what you see, what it means "
        "and what to change."
    )
    if found:
        caption += (
            f" The marked row is what was found: {found.name}." if found.name else " Nothing was found."
        )
    return plots.flow_chart(
        rows, ("What do you see?", "What does it mean?", "What to change"), marked, caption=caption
    )
