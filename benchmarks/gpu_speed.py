"""On a GPU: `fit` in float32 and bfloat16, with and without its CUDA graph, and the loop of pytorch/examples.

    python benchmarks/gpu_speed.py [--batch 128 512] [--data mnist]

At batch 128 a step takes as long as it takes to launch its kernels one by one, which a graph does away
with. Without a GPU it says so and ends.
"""

import argparse

import torch
from loops import CommonVAE, common, new_model, torchvision_set
from timing import interleaved, machine, print_ratios

from vae_lessons.data import Data, load
from vae_lessons.train import fit

EPOCHS = 5


def own(data, batch, **ways):
    """Five epochs of `fit`, without the scores of the test images; recording a graph is among them."""
    model = new_model("cuda")
    part = Data(data.train, data.test.first(1))
    settings = {"epochs": EPOCHS, "batch": batch, "device": "cuda", "progress": False}
    return lambda: fit(model, part, **settings, **ways)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--batch", type=int, nargs="+", default=[128, 512])
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("There is no CUDA GPU here, so nothing was measured.")
    data = load(given.data)
    dataset, data = torchvision_set(data.train), data.to("cuda")
    print(machine())
    for batch in given.batch:
        runs = {
            "fit": lambda b=batch: own(data, b),
            "fit, bfloat16": lambda b=batch: own(data, b, precision="bfloat16"),
            "fit, graph": lambda b=batch: own(data, b, graph=True),
            "fit, graph, bfloat16": lambda b=batch: own(data, b, graph=True, precision="bfloat16"),
            "loop of pytorch/examples": lambda b=batch: (
                lambda model=CommonVAE().cuda(): common(model, dataset, b, "cuda", EPOCHS)  # noqa: B008
            ),
        }
        print(f"\n{data.name}, {len(data.train):,} images, batch {batch}; ms a step")
        print_ratios(interleaved(runs, given.rounds), per=EPOCHS * -(-len(data.train) // batch))


if __name__ == "__main__":
    main()
