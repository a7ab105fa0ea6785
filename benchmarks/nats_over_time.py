"""Test ELBO in nats against seconds, fit and the common loop: python benchmarks/nats_over_time.py

Both train one model, 784-400-20-400-784, epoch after epoch; the clock stops while the test images are
scored, which is done alike for both. A second table says how long each took to reach a given ELBO.
"""

import argparse
import time

import torch
from loops import CommonVAE, common_elbo, common_loss, new_model, torchvision_set
from timing import machine

from vae_lessons.data import Data, load
from vae_lessons.train import evaluate, fit


def curve_of_fit(data, epochs, batch, seed):
    """(seconds, test ELBO) at the end of a run of 1, 2, 4, ... epochs: its learning rate knows its end."""
    training = Data(data.train, data.test.first(1))
    fit(new_model(), Data(training.test, training.test), epochs=1, progress=False)  # the first is slower
    points, n = [], 1
    while n <= epochs:
        model, start = new_model(), time.perf_counter()
        fit(model, training, epochs=n, batch=batch, seed=seed, device="cpu", progress=False)
        points.append((time.perf_counter() - start, evaluate(model, data.test, seed=seed).elbo))
        n *= 2
    return points


def curve_of_common(data, epochs, batch, seed):
    """(seconds, test ELBO) after each epoch of pytorch/examples' loop; one run, its rate is constant."""
    torch.manual_seed(seed)
    model, points, seconds = CommonVAE(), [], 0.0
    loader = torch.utils.data.DataLoader(torchvision_set(data.train), batch_size=batch, shuffle=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(epochs):
        start = time.perf_counter()
        for x, _ in loader:
            optimizer.zero_grad()
            recon, mu, logvar = model(x)
            loss = common_loss(recon, x, mu, logvar)
            loss.backward()
            loss.item()
            optimizer.step()
        seconds += time.perf_counter() - start
        points.append((seconds, common_elbo(model, data.test)))
    return points


def reached(points, elbo):
    """The seconds of the first point at or above an ELBO, or None."""
    return next((seconds for seconds, value in points if value >= elbo), None)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", default=["digits", "mnist"])
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--images", type=int)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    print(machine())
    for name in given.data:
        data = load(name, train=given.images)
        settings = data, given.epochs, given.batch, given.seed
        curves = {"fit": curve_of_fit(*settings), "pytorch/examples": curve_of_common(*settings)}
        print(f"\n{name}, {len(data.train):,} images, batch {given.batch}: seconds, test ELBO in nats")
        for who, points in curves.items():
            print(f"{who:18}", *(f"{seconds:6.1f} s {elbo:7.1f}" for seconds, elbo in points), sep="\n    ")
        best = max(elbo for _, elbo in curves["pytorch/examples"])
        times = [reached(points, best) for points in curves.values()]
        said = ["not reached" if t is None else f"{t:.1f} s" for t in times]
        print(f"to reach {best:.1f} nats: fit {said[0]}, pytorch/examples {said[1]}")
        if None not in times:
            print(f"ratio {times[1] / times[0]:.1f}")


if __name__ == "__main__":
    main()
