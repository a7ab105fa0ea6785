"""How the time of an epoch grows with N, L, batch and hidden size: python benchmarks/growth.py

One is changed at a time, around N = 6,000, L = 2, batch 256, hidden (512, 512), all runs interleaved. The
exponent is the slope of log time against log size over the whole row: 1 is in proportion, 0 is free.
"""

import argparse
import math

from timing import interleaved, machine, ratios

from vae_lessons.data import Data, load
from vae_lessons.model import VAE
from vae_lessons.train import fit

BASE = {"N": 6_000, "L": 2, "batch": 256, "hidden": 512}
SIZES = {
    "N": (1_500, 3_000, 6_000, 12_000),
    "L": (2, 8, 32, 128),
    "batch": (32, 64, 128, 256, 512, 1024),
    "hidden": (64, 128, 256, 512, 1024),
}


def epoch(data, N, L, batch, hidden):
    """One epoch of `fit`, ready to run."""
    model = VAE(latent=L, hidden=(hidden, hidden))
    part = Data(data.train.first(N), data.test.first(1))
    return lambda: fit(model, part, epochs=1, batch=batch, device="cpu", progress=False)


def exponent(sizes, times):
    """The slope of the straight line through the logarithms."""
    x, y = ([math.log(v) for v in values] for values in (sizes, times))
    mx, my = sum(x) / len(x), sum(y) / len(y)
    return sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True)) / sum((a - mx) ** 2 for a in x)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--small", action="store_true", help="a quarter of the images, to try it out")
    given = parser.parse_args()
    data, shrink = load("digits"), 4 if given.small else 1
    print(machine())
    for name, sizes in SIZES.items():
        runs = {}
        for size in sizes:
            setting = {**BASE, name: size}
            setting["N"] //= shrink
            runs[str(size)] = lambda setting=setting: epoch(data, **setting)
        found = interleaved(runs, given.rounds)
        over = [ratios(timed, found[0])[1] for timed in found]
        shown = [size // shrink for size in sizes] if name == "N" else sizes
        print(f"\n{name:8}" + "".join(f"{size:>9,}" for size in shown))
        print("seconds " + "".join(f"{sorted(t.wall)[len(t.wall) // 2]:9.3f}" for t in found))
        print(
            "ratio   "
            + "".join(f"{ratio:9.2f}" for ratio in over)
            + f"   exponent {exponent(sizes, over):.2f}"
        )


if __name__ == "__main__":
    main()
