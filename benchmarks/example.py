"""The example that everyone copies, then `fit`, in one run: python benchmarks/example.py [--seconds 15]

pytorch/examples (vae/main.py) as it is: 784-400-20-400-784, ReLU, Adam at 1e-3, batch 128, 10 epochs of grey
MNIST; its test loss is minus the test ELBO, one sample an image. Then `fit` with as many latents, two hidden
layers, and as many epochs as the seconds allow by the time of one.
"""

import argparse
import time

import torch
from loops import CommonVAE, common, common_elbo, torchvision_set
from timing import machine

from vae_lessons.data import load
from vae_lessons.model import VAE
from vae_lessons.train import evaluate, fit


def example(data, epochs):
    """Seconds of training, and test loss, of pytorch/examples."""
    torch.manual_seed(1)  # its default
    model, dataset = CommonVAE(torch.relu), torchvision_set(data.train)
    start = time.perf_counter()
    common(model, dataset, batch=128, epochs=epochs)
    return time.perf_counter() - start, -common_elbo(model, data.test)


def own(data, seconds, settings):
    """Epochs, seconds and test loss of `fit`; its seconds count the scores after each epoch."""
    took = fit(VAE(**settings), data, epochs=1, device="cpu", progress=False).seconds
    epochs, model = max(1, int(seconds / took)), VAE(**settings)
    history = fit(model, data, epochs=epochs, device="cpu")
    return epochs, history.seconds, -evaluate(model, data.test).elbo


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--epochs", type=int, default=10, help="of pytorch/examples")
    parser.add_argument("--hidden", type=int, nargs="+", default=[400, 400])
    given = parser.parse_args()
    data = load("mnist")
    print(machine())
    seconds, loss = example(data, given.epochs)
    print(f"pytorch/examples: {given.epochs} epochs, {seconds:.1f} s, test loss {loss:.1f} nats", flush=True)
    epochs, seconds, loss = own(data, given.seconds, {"latent": 20, "hidden": tuple(given.hidden)})
    print(f"fit, hidden {given.hidden}: {epochs} epochs, {seconds:.1f} s, test loss {loss:.1f} nats")


if __name__ == "__main__":
    main()
