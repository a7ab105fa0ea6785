"""`fit` against the bare step, the common loop and pythae: python benchmarks/fit_speed.py [--batch 128 512]

One epoch each on the same images and model. The bare step is forward + backward + fused Adam on batches
that lie ready in memory; everything else is overhead. Two rows for `fit`: its training, with progress bar
and history, on a test set of one image, which is what the others do; and with the scores of its test
images, which the others leave out.
"""

import argparse
import io
import sys

import torch
from loops import CommonVAE, bare, common, has_pythae, new_model, pythae_trainer, torchvision_set
from timing import interleaved, machine, print_ratios

from vae_lessons.data import Data, load
from vae_lessons.train import fit


class Screen(io.StringIO):
    """A terminal that shows nothing, so that the progress bar is drawn."""

    def isatty(self):
        return True


def own(data, batch):
    """`fit` as a learner calls it, its bar drawn."""
    model = new_model()

    def run():
        shown, sys.stdout = sys.stdout, Screen()
        try:
            fit(model, data, epochs=1, batch=batch, lr=1e-3, device="cpu")
        finally:
            sys.stdout = shown

    return run


def in_memory(data, batch):
    """The bare step, with an epoch of shuffled batches made ready first."""
    model, order = new_model(), torch.randperm(len(data.train))
    batches = [data.train.batch(index).flatten(1) for index in order.split(batch)]
    return lambda: bare(model, batches)


def contestants(data, batch, everyone=True):
    training = Data(data.train, data.test.first(1))
    found = {
        "bare step": lambda: in_memory(data, batch),
        "fit": lambda: own(training, batch),
        f"fit, scores of {len(data.test):,} test images": lambda: own(data, batch),
    }
    if everyone:
        dataset = torchvision_set(data.train)
        found["loop of pytorch/examples"] = lambda: (
            lambda model=CommonVAE(): common(model, dataset, batch)  # noqa: B008
        )
        if has_pythae():
            found["pythae"] = lambda: pythae_trainer(data.train, batch)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="mnist", help="mnist, or digits, which need no file")
    parser.add_argument("--batch", type=int, nargs="+", default=[128, 512])
    parser.add_argument("--images", type=int, help="training images, default all")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--own", action="store_true", help="the bare step and fit alone")
    given = parser.parse_args()
    data = load(given.data, train=given.images)
    print(machine())
    if not given.own and not has_pythae():
        print("pythae is not installed, so it is left out.")
    for batch in given.batch:
        steps = -(-len(data.train) // batch)
        print(f"\n{data.name}, {len(data.train):,} images, batch {batch}, {given.rounds} rounds; ms a step")
        print_ratios(interleaved(contestants(data, batch, not given.own), given.rounds), per=steps)


if __name__ == "__main__":
    main()
