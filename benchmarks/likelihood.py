"""log p(x) of binarized MNIST, in nats: train within a budget, then estimate it with 5,000 samples.

    python benchmarks/likelihood.py --recipe quick --seconds 120
    python benchmarks/likelihood.py --recipe importance --seconds 600 --checkpoint run.pt
    python benchmarks/likelihood.py --recipe burda --seconds 600
    python benchmarks/likelihood.py --ablate --seconds 30

Every pixel is drawn anew, with its grey value as probability, each time an image is trained on; test images
are drawn once (Salakhutdinov & Murray 2008, Burda et al. 2016). 50 latents. Every choice was made with the
5,000 validation images, which are taken from the training set; the test images serve for the last line
alone, and only with --test. With --all, for a recipe that is chosen, the validation images are trained on.

`--seconds` is training time: the learning rate follows the clock. `--steps` repeats a run exactly, with the
number of steps that the first printed. With `--checkpoint`, a run that was cut off goes on where it was: the
file belongs to one run, so there is one seed then, and no --ablate.
"""

import argparse
import ast
import math
import time
from pathlib import Path
from typing import NamedTuple

import torch
from timing import machine
from torch import nn

from vae_lessons.data import Batch, binarized, load
from vae_lessons.files import written_whole
from vae_lessons.likelihood import evaluate_importance, importance, negative_elbo, sticking_the_landing
from vae_lessons.model import VAE
from vae_lessons.runtime import resolve_device, resolve_seed
from vae_lessons.settings import positive_number, whole_number
from vae_lessons.train import evaluate

PUBLISHED = {"VAE": 86.76, "IWAE, k = 5": 85.54, "IWAE, k = 50": 84.78}  # Burda et al. 2016, Table 1
HELD_OUT = 5_000  # training images that serve for validation


class Recipe(NamedTuple):
    """All that a run can be made of; a field is what the ablation takes away."""

    hidden: tuple = (512, 512)
    tanh: bool = False
    schedule: bool = True  # the rate warms up and falls along a cosine; else it is constant
    output_bias: bool = True  # decoding starts at the mean image
    centred: bool = True  # the encoder sees an image less the mean image
    landing: bool = True  # sticking the landing (Roeder et al. 2017)
    weight_decay: float = 0.03  # of AdamW (Loshchilov & Hutter 2019)
    lr: float = 6e-3
    batch: int = 400
    samples: int = 1  # k of the importance-weighted last part; 1: none
    last: float = 0.5  # the share of training that is importance-weighted


RECIPES = {
    "vae": Recipe(),
    "quick": Recipe(samples=5, last=0.2),
    # chosen and measured before the input was centred
    "importance": Recipe(samples=8, batch=200, lr=4e-3, centred=False),
    # their network
    "burda": Recipe(
        hidden=(200, 200), tanh=True, lr=4e-3, batch=200, weight_decay=3e-3, samples=5, last=0.25
    ),
}
ABLATION = {
    "all": {},
    "one hidden layer": {"hidden": (512,)},
    "constant rate, 1e-3": {"schedule": False, "lr": 1e-3},
    "output bias starts at 0": {"output_bias": False},
    "input not centred": {"centred": False},
    "plain gradient of the ELBO": {"landing": False},
    "no weight decay": {"weight_decay": 0.0},
}


class Centre(nn.Module):
    """Takes a mean image off, (B, D) -> (B, D)."""

    def __init__(self, mean):
        super().__init__()
        self.mean = nn.Buffer(mean.flatten())

    def forward(self, x):
        return x - self.mean


def model_of(recipe, train, seed):
    """An untrained model with 50 latents."""
    model = VAE(latent=50, hidden=recipe.hidden, seed=seed)
    if recipe.tanh:
        for name, layer in list(model.named_modules()):
            if isinstance(layer, nn.SiLU):
                model.set_submodule(name, nn.Tanh())
            elif isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight, generator=torch.Generator().manual_seed(seed))
    if recipe.output_bias:
        model.start_at(train.mean())
    if recipe.centred:
        model.encoder.hidden.insert(0, Centre(train.mean()))
    return model


def below(pixels):
    """What 16 random bits of a pixel have to be below for it to be drawn as 1, uint8 -> int16."""
    return (pixels.int() * 257 - 2**15).to(torch.int16)


def binary(limits, generator):
    """Each pixel 0 or 1 with its grey value as probability, limits from `below` (B, ...) -> float (B, ...).

    torch.bernoulli takes two to four times as long.
    """
    words = torch.empty(-(-limits.numel() // 4), dtype=torch.int64, device=limits.device)
    words.random_(-(2**63), None, generator=generator)
    return (words.view(torch.int16)[: limits.numel()].view(limits.shape) < limits).float()


class Run:
    """A training that can stop at any step and go on from a file.

    Not `fit`, which trains for epochs: this one trains for a time, with pixels drawn anew at each step.
    """

    def __init__(self, recipe, train, seed, device, seconds=None, steps=None, checkpoint=None):
        self.recipe, self.seconds, self.steps, self.checkpoint = recipe, seconds, steps, checkpoint
        self.limits, self.device = below(train.pixels).to(device), device
        self.belongs = {  # to this a checkpoint belongs, and goes on with nothing else
            "recipe": recipe._asdict(),
            "seed": seed,
            "seconds": seconds,
            "steps": steps,
            "images": [len(train), train.pixels.sum(dtype=torch.int64).item()],
            "device": device.type,
        }
        self.model = model_of(recipe, train, seed).to(device)
        settings = {"betas": (0.9, 0.99), "weight_decay": recipe.weight_decay, "fused": True}
        self.optimizer = torch.optim.AdamW(self.model.parameters(), recipe.lr, **settings)
        self.generator = torch.Generator(device).manual_seed(seed)
        self.step, self.spent = 0, 0.0
        if checkpoint and Path(checkpoint).exists():
            self._read()

    @property
    def share(self):
        """How much of the training is over, 0 to 1."""
        return min(1.0, self.step / self.steps if self.steps else self.spent / self.seconds)

    def rate(self):
        """The learning rate now: a warm-up over a fiftieth of the time, then half a cosine."""
        if not self.recipe.schedule:
            return self.recipe.lr
        return self.recipe.lr * min(1.0, self.share / 0.02 + 0.01) * (1 + math.cos(math.pi * self.share)) / 2

    def loss(self, x):
        weighted = self.recipe.samples > 1 and self.share >= 1 - self.recipe.last
        objective = sticking_the_landing if self.recipe.landing else negative_elbo
        if weighted:
            objective = importance(self.recipe.samples)
        terms = objective(self.model, Batch(x), self.generator)
        return (terms.nll + terms.kl).mean()

    def go(self):
        """Train until the budget is spent -> the model, in evaluation mode."""
        self.model.train()
        while self.share < 1:
            start, before = time.perf_counter(), self.spent
            order = torch.randperm(len(self.limits), generator=self.generator, device=self.device)
            for index in order.split(self.recipe.batch):
                for group in self.optimizer.param_groups:
                    group["lr"] = self.rate()
                loss = self.loss(binary(self.limits.index_select(0, index), self.generator))
                self.optimizer.zero_grad()
                loss.backward()
                self.optimizer.step()
                self.step += 1
                self.spent = before + time.perf_counter() - start
                if self.share >= 1:
                    break
            if not loss.isfinite():
                raise SystemExit(f"The loss is no longer finite after step {self.step:,}; try a smaller lr.")
            if self.checkpoint:
                self._write()
        return self.model.eval()

    def _state(self):
        return {
            "belongs": self.belongs,
            "model": self.model.state_dict(),
            "step": self.step,
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "spent": self.spent,
        }

    def _write(self):
        with written_whole(self.checkpoint) as file:
            torch.save(self._state(), file)

    def _read(self):
        state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        theirs = state.get("belongs", {})
        if other := [name for name, value in self.belongs.items() if theirs.get(name) != value]:
            raise SystemExit(
                f"{self.checkpoint} is a run with another {' and '.join(other)}; name another file."
            )
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"].cpu())
        self.step, self.spent = state["step"], state["spent"]


def splits(data, seed=0):
    """Training, validation and test images of a Data; the latter two drawn to 0 or 1 once. Three of Split."""
    order = torch.randperm(len(data.train), generator=torch.Generator().manual_seed(seed))
    train, held_out = data.train.at(order[HELD_OUT:]), data.train.at(order[:HELD_OUT])
    return train, binarized(held_out, seed=seed), binarized(data.test, seed=seed)


def report(name, run, split, samples, last=False):
    """Estimate and print one line -> nats."""
    start = time.perf_counter()
    each = evaluate_importance(run.model, split, samples, seed=0)
    nats, error = -each.mean().item(), each.std().item() / math.sqrt(len(each))
    elbo = -evaluate(run.model, split, seed=0).elbo
    took = time.perf_counter() - start
    print(
        f"{name:28s} {run.spent:6.0f} {run.step:8,} {elbo:9.2f} {nats:10.2f} +-{error:5.2f}   "
        f"K = {samples:,}, {len(split):,} {'test' if last else 'validation'} images, {took:.0f} s",
        flush=True,
    )
    return nats


def check(given):
    """Refuse, before anything is loaded or trained, what would stop a run at its end. Raises ValueError."""
    for name in ("samples", "test", "steps"):
        if getattr(given, name) is not None:
            whole_number(f"--{name}", getattr(given, name))
    positive_number("--seconds", given.seconds)
    for seed in given.seeds:
        resolve_seed(seed)
    if given.all and not given.test:
        raise ValueError("With --all, no image is left but the test images; add --test 5000.")
    if given.checkpoint and (given.ablate or len(given.seeds) > 1):
        raise ValueError("A --checkpoint belongs to one run: give one seed and no --ablate, or leave it out.")
    if given.checkpoint and Path(given.checkpoint).is_dir():
        raise ValueError(f"--checkpoint must be a file, but {given.checkpoint} is a folder.")
    for field in given.set:
        if field.partition("=")[0] not in Recipe._fields:
            raise ValueError(f"--set changes {', '.join(Recipe._fields)}, not {field}.")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", choices=RECIPES, default="vae")
    parser.add_argument("--seconds", type=float, default=120, help="training time")
    parser.add_argument("--steps", type=int, help="instead of --seconds, to repeat a run exactly")
    parser.add_argument("--checkpoint", help="a file to write to after each epoch, and to go on from")
    parser.add_argument("--samples", type=int, default=500, help="K on the validation images")
    parser.add_argument("--test", type=int, metavar="K", help="and with K samples on the test images")
    parser.add_argument("--all", action="store_true", help="train on the validation images, too")
    parser.add_argument("--ablate", action="store_true", help="the recipe without each of its parts")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--set", nargs="+", default=[], metavar="FIELD=VALUE", help="change the recipe")
    given = parser.parse_args()
    try:
        check(given)
    except ValueError as error:
        parser.error(str(error))
    recipe = RECIPES[given.recipe]
    changed = dict(pair.split("=") for pair in given.set)
    recipe = recipe._replace(**{k: type(getattr(recipe, k))(ast.literal_eval(v)) for k, v in changed.items()})
    device = resolve_device(given.device)
    data = load(given.data)
    train, validation, test = splits(data)
    if given.all:
        train = data.train
    print(machine())
    print(f"{given.data}: {len(train):,} training images; published: ", end="")
    print(", ".join(f"{name} {nats}" for name, nats in PUBLISHED.items()))
    print(f"{'':28s} {'s':>6s} {'steps':>8s} {'-ELBO':>9s} {'-log p(x)':>10s}")
    for name, change in (ABLATION if given.ablate else {given.recipe: {}}).items():
        for seed in given.seeds:
            budget = {"seconds": given.seconds, "steps": given.steps, "checkpoint": given.checkpoint}
            run = Run(recipe._replace(**change), train, seed, device, **budget)
            run.go()
            if not given.all:
                shown = validation.first(1_000) if given.ablate else validation
                report(f"{name}, seed {seed}", run, shown, given.samples)
            if given.test:
                report(f"{name}, seed {seed}", run, test, given.test, last=True)


if __name__ == "__main__":
    main()
