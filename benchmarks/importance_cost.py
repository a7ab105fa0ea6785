"""Seconds and memory of the importance-weighted bound: python benchmarks/importance_cost.py --images 10000

K = 5,000 samples for each image, 784-400-20 model, with its progress bar where there is a terminal.
"""

import argparse
import resource
import sys
import time

from loops import new_model
from timing import machine

from vae_lessons.data import load
from vae_lessons.likelihood import evaluate_importance
from vae_lessons.train import evaluate, fit


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--samples", type=int, nargs="+", default=[50, 500, 5_000])
    given = parser.parse_args()
    data, model = load(given.data, test=given.images), new_model()
    fit(model, data, epochs=1, device="cpu", progress=False)
    print(f"{machine()}\n{len(data.test):,} images, elbo {evaluate(model, data.test).elbo:.2f} nats")
    print("      K   bound (nats)   seconds   us a sample   peak MB of the process")
    for samples in given.samples:
        start = time.perf_counter()
        bound = evaluate_importance(model, data.test, samples).mean().item()
        seconds = time.perf_counter() - start
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> (20 if sys.platform == "darwin" else 10)
        each = 1e6 * seconds / samples / len(data.test)
        print(f"{samples:7,}  {bound:13.2f}  {seconds:8.1f}  {each:12.2f}  {used:9,}", flush=True)


if __name__ == "__main__":
    main()
