"""`fit` against the bare step, the common loop and pythae: python benchmarks/fit_speed.py [--batch 128 512]

On the same images and model. The bare step is forward + backward + fused Adam on batches that lie ready in
memory; everything else is overhead. The table compares epochs; two rows for `fit`: its training, with
progress bar and history, on a test set of one image, which is what the others do; and with the scores of
its test images, which the others leave out. Where the machine's speed changes from one second to the next,
that does not tell 1.04 from 1.10, so a line below it compares three epochs of `fit` with as many bare steps,
in turns of ten steps.
"""

import argparse
import contextlib
import gc
import io
import time
from itertools import cycle, islice

import torch
from loops import CommonVAE, bare, bare_steps, common, has_pythae, new_model, pythae_trainer, torchvision_set
from timing import interleaved, machine, print_ratios, quartiles

from vae_lessons.data import Data, load
from vae_lessons.train import fit


class Screen(io.StringIO):
    """A terminal that shows nothing, so that the progress bar is drawn."""

    def isatty(self):
        return True


def shown_fit(model, data, batch, epochs=1, watch=None):
    """`fit` as a learner calls it, its bar drawn."""
    with contextlib.redirect_stdout(Screen()):
        fit(model, data, epochs=epochs, batch=batch, lr=1e-3, device="cpu", watch=watch)


def own(data, batch):
    model = new_model()
    return lambda: shown_fit(model, data, batch)


def ready(data, batch):
    """An epoch of shuffled batches (B, 784), made ready in memory."""
    return [data.train.batch(index).x.flatten(1) for index in torch.randperm(len(data.train)).split(batch)]


def in_memory(data, batch):
    """The bare step on such batches."""
    model, batches = new_model(), ready(data, batch)
    return lambda: bare(model, batches)


def in_turns(data, batch, turn=10, epochs=3):
    """The time of `fit` over that of as many bare steps, taken in turns -> float.

    `fit` pauses after every `turn` steps, and the bare step takes as many; what `fit` does before its first
    step and after its last counts.
    """
    batches, model = ready(data, batch), new_model()
    steps, done, bare_time = epochs * len(batches), 0, 0.0
    bare_turns = bare_steps(new_model(), islice(cycle(batches), steps))

    def pause(history):
        nonlocal done, bare_time
        done += 1
        if done % turn == 0 or done == steps:
            start = time.perf_counter()
            for _ in range(turn):
                next(bare_turns, None)
            bare_time += time.perf_counter() - start

    gc.collect()
    start = time.perf_counter()
    shown_fit(model, data, batch, epochs, pause)
    return (time.perf_counter() - start - bare_time) / bare_time


def without_scores(data):
    """The same training images, with one test image to score."""
    return Data(data.train, data.test.first(1))


def contestants(data, batch):
    found = {
        "bare step": lambda: in_memory(data, batch),
        "fit": lambda: own(without_scores(data), batch),
        f"fit, scores of {len(data.test):,} test images": lambda: own(data, batch),
    }
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
    parser.add_argument("--own", action="store_true", help="fit and the bare step in turns, no table")
    given = parser.parse_args()
    data = load(given.data, train=given.images)
    print(machine())
    if not given.own and not has_pythae():
        print("pythae is not installed, so it is left out.")
    training = without_scores(data)
    for batch in given.batch:
        print(f"\n{data.name}, {len(data.train):,} images, batch {batch}, {given.rounds} rounds")
        if not given.own:
            steps = -(-len(data.train) // batch)
            print_ratios(interleaved(contestants(data, batch), given.rounds), per=steps, unit="ms a step")
        in_turns(training, batch)  # a round to warm up
        low, middle, high = quartiles([in_turns(training, batch) for _ in range(given.rounds)])
        print(f"fit over the bare step, in turns: {middle:.3f}  ({low:.3f}-{high:.3f})")


if __name__ == "__main__":
    main()
