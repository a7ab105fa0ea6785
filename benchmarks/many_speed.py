"""Six betas trained as one batched model against six runs of `fit`: python benchmarks/many_speed.py

The last column of numbers is what matters: `fit_many` is to take at most 0.6 of the time in sequence.
"""

import argparse

from timing import interleaved, machine, print_ratios

from vae_lessons.data import load
from vae_lessons.many import fit_many
from vae_lessons.model import VAE
from vae_lessons.train import fit

BETAS = (0, 0.1, 1, 3, 10, 784)
SIZES = {"lesson 07: 784-128-128-2": (2, (128, 128)), "784-400-20": (20, (400,))}


def in_turn(data, latent, hidden, settings):
    models = [VAE(latent, hidden) for _ in BETAS]
    pairs = list(zip(models, BETAS, strict=True))
    return lambda: [fit(model, data, beta=beta, **settings) for model, beta in pairs]


def together(data, latent, hidden, settings):
    models = [VAE(latent, hidden) for _ in BETAS]
    return lambda: fit_many(models, data, betas=BETAS, **settings)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="digits")
    parser.add_argument("--images", type=int, default=9_000)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    data = load(given.data, train=given.images, test=2_000)
    settings = {"epochs": 1, "batch": given.batch, "device": given.device, "progress": False}
    print(machine())
    for name, size in SIZES.items():
        print(f"\n{name}, {data.name}, {len(data.train):,} images, batch {given.batch}; seconds for six")
        runs = {
            "six in turn": lambda size=size: in_turn(data, *size, settings),
            "six together": lambda size=size: together(data, *size, settings),
        }
        print_ratios(interleaved(runs, given.rounds), per=1e3, unit="s")


if __name__ == "__main__":
    main()
