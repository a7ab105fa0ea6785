"""The example that everyone copies, then `fit`, in one run: python benchmarks/example.py [--seconds 15]

pytorch/examples (vae/main.py) as it is: 784-400-20-400-784, ReLU, Adam at 1e-3, batch 128, 10 epochs of grey
MNIST; its test loss is minus the test ELBO, one sample an image. Then `fit` with as many latents, two hidden
layers, and as many epochs as the seconds allow by the time of one, or as --epochs-of-fit says. Both clocks
count training alone. The learning rate of `fit` was chosen with 5,000 of the training images.
"""

import argparse
import time

import torch
from loops import CommonVAE, common, common_elbo, torchvision_set
from timing import machine

from vae_lessons.data import Data, load
from vae_lessons.model import VAE
from vae_lessons.train import evaluate, fit


def example(data, epochs):
    """Seconds of training, and test loss, of pytorch/examples."""
    torch.manual_seed(1)  # its default
    model, dataset = CommonVAE(torch.relu), torchvision_set(data.train)
    start = time.perf_counter()
    common(model, dataset, batch=128, epochs=epochs)
    return time.perf_counter() - start, -common_elbo(model, data.test)


def own(data, epochs, seconds, lr, settings):
    """Epochs, seconds of training and test loss of `fit`, in so many epochs or, for None, in the seconds."""
    training = Data(data.train, data.test.first(1))  # or its seconds would count a score after each epoch
    if epochs is None:
        took = fit(VAE(**settings), training, epochs=1, device="cpu", progress=False).seconds
        epochs = max(1, int(seconds / took))
    model = VAE(**settings)
    history = fit(model, training, epochs=epochs, lr=lr, device="cpu", progress=False)
    return epochs, history.seconds, -evaluate(model, data.test).elbo


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--epochs", type=int, default=10, help="of pytorch/examples")
    parser.add_argument("--epochs-of-fit", type=int, metavar="EPOCHS", help="instead of --seconds")
    parser.add_argument("--hidden", type=int, nargs="+", default=[400, 400])
    parser.add_argument("--lr", type=float, default=8e-3, help="peak learning rate of fit")
    given = parser.parse_args()
    data = load("mnist")
    print(machine())
    spent, loss = example(data, given.epochs)
    print(f"pytorch/examples: {given.epochs} epochs, {spent:.1f} s, test loss {loss:.1f} nats", flush=True)
    settings = {"latent": 20, "hidden": tuple(given.hidden)}
    epochs, took, loss = own(data, given.epochs_of_fit, given.seconds, given.lr, settings)
    print(f"fit, hidden {given.hidden}: {epochs} epochs, {took:.1f} s, test loss {loss:.1f} nats")
    print(f"ratio of the times {spent / took:.1f}")


if __name__ == "__main__":
    main()
