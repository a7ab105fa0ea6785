"""On a GPU: the common loop, `fit` in float32 and bfloat16, and one step as a CUDA graph.

    python benchmarks/gpu_speed.py [--batch 128 512] [--data mnist]

At batch 128 the floor is what it costs to launch a step's kernels one by one, which a graph does away
with. `fit` has no graph; the last rows say what one would bring. Without a GPU it says so and ends.
"""

import argparse
import itertools

import torch
from loops import CommonVAE, common, new_model, torchvision_set
from timing import interleaved, machine, print_ratios

from vae_lessons.data import Data, load
from vae_lessons.train import fit, terms


def own(data, batch, precision):
    """One epoch of `fit`, without the scores of the test images."""
    model = new_model("cuda")
    part = Data(data.train, data.test.first(1))
    settings = {"epochs": 1, "batch": batch, "precision": precision, "device": "cuda", "progress": False}
    return lambda: fit(model, part, **settings)


class Replayed:
    """Gather, forward, backward, Adam as one CUDA graph; index is filled in, nll and kl read at the end."""

    def __init__(self, data, batch, precision):
        self.train, self.precision = data.train, precision
        self.model, self.batch = new_model("cuda"), batch
        self.generator = torch.Generator("cuda").manual_seed(0)
        lr = torch.tensor(1e-3, device="cuda")
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr, fused=True, capturable=True)
        self.index = torch.zeros(batch, dtype=torch.int64, device="cuda")
        self.seen = torch.zeros(2, device="cuda")
        self._warm_up()
        self.graph = torch.cuda.CUDAGraph()
        self.graph.register_generator_state(self.generator)
        self.optimizer.zero_grad(set_to_none=True)
        with torch.cuda.graph(self.graph):
            self._step()

    def _step(self):
        x = self.train.batch(self.index)
        with torch.autocast("cuda", torch.bfloat16, self.precision == "bfloat16", cache_enabled=False):
            nll, kl = (term.mean() for term in terms(self.model, x, generator=self.generator))
        (nll + kl).backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.seen += torch.stack((nll, kl)).detach()

    def _warm_up(self):
        """Some real steps on another stream, as capturing asks for."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                self._step()
        torch.cuda.current_stream().wait_stream(stream)

    def epoch(self):
        """One epoch but for the last, smaller batch; a single wait, at its end."""
        order = torch.randperm(len(self.train), device="cuda")
        for index in itertools.takewhile(lambda i: len(i) == self.batch, order.split(self.batch)):
            self.index.copy_(index)
            self.graph.replay()
        return self.seen.tolist()


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
            "fit": lambda b=batch: own(data, b, "float32"),
            "fit, bfloat16": lambda b=batch: own(data, b, "bfloat16"),
            "graph": lambda b=batch: Replayed(data, b, "float32").epoch,
            "graph, bfloat16": lambda b=batch: Replayed(data, b, "bfloat16").epoch,
            "loop of pytorch/examples": lambda b=batch: (
                lambda model=CommonVAE().cuda(): common(model, dataset, b, "cuda")  # noqa: B008
            ),
        }
        print(f"\n{data.name}, {len(data.train):,} images, batch {batch}; ms a step")
        print_ratios(interleaved(runs, given.rounds), per=-(-len(data.train) // batch))


if __name__ == "__main__":
    main()
