"""Training steps as one recorded CUDA graph: a small model's step is mostly the launching of its kernels."""

import math
from itertools import islice
from typing import NamedTuple

import torch


class Seen(NamedTuple):
    """nll and kl (S,) of each step of an epoch, still on the device, and its learning rates."""

    nll: torch.Tensor
    kl: torch.Tensor
    rates: list[float]


class Replay:
    """An epoch of training steps on tensors that stay where they are, so that one recording serves all.

    Images, order, betas, learning rates and results lie on the device, and a counter there says which step
    it is. On CUDA the fourth step is recorded and from then on replayed; elsewhere each step is simply run,
    with the same numbers. `losses` turns a batch (B, ...) into nll, kl and charged kl, three scalars;
    `rates` is an iterator of the learning rate of each step.
    (PyTorch's documentation, "CUDA Graphs"; Ng et al. 2021)
    """

    def __init__(self, model, train, losses, batch, lr, generator, rates):
        device, self.steps = train.pixels.device, math.ceil(len(train) / batch)
        self.model, self.train, self.losses, self.batch = model, train, losses, batch
        self.generator, self.all_rates, self.graph, self.ready = generator, rates, None, 0
        self.lr = torch.tensor(float(lr), device=device)
        self.optimizer = torch.optim.Adam(
            model.parameters(), self.lr, betas=(0.9, 0.99), fused=True, capturable=device.type == "cuda"
        )
        self.step = torch.zeros(1, dtype=torch.int64, device=device)
        self.rows = torch.arange(batch, device=device)
        self.order = torch.zeros(len(train), dtype=torch.int64, device=device)
        self.betas, self.rates = (torch.zeros(self.steps, device=device) for _ in range(2))
        self.seen = torch.zeros(2, self.steps, device=device)

    def epoch(self, order, betas, each):
        """Train on batches of indices, a beta for each -> Seen. `each` is called after every one."""
        rates = list(islice(self.all_rates, self.steps))
        self.order.copy_(torch.cat(order))
        self.betas.copy_(torch.tensor(list(islice(betas, self.steps))))
        self.rates.copy_(torch.tensor(rates))
        self.step.zero_()
        self.model.train()
        for index in order:
            if len(index) == self.batch:
                self._whole()
            else:
                self._run(index)
            each()
        return Seen(*self.seen.clone(), rates)

    def _whole(self):
        """One step on a whole batch: run, recorded or replayed."""
        if self.step.device.type != "cuda":
            return self._run(self._index())
        if self.graph is None and self.ready < 3:
            return self._warm_up()
        if self.graph is None:
            self._record()
        self.graph.replay()

    def _index(self):
        return self.order.index_select(0, self.step * self.batch + self.rows)

    def _run(self, index):
        """Forward, backward and Adam, with nothing that waits for the device."""
        self.optimizer.zero_grad()
        beta, rate = (values.index_select(0, self.step).squeeze() for values in (self.betas, self.rates))
        nll, kl, charged = self.losses(x=self.train.batch(index))
        (nll + beta * charged).backward()
        self.lr.copy_(rate)
        self.optimizer.step()
        self.seen.index_copy_(1, self.step, torch.stack((nll, kl)).detach()[:, None])
        self.step += 1

    def _warm_up(self):
        """A real step on another stream, as recording asks for some of them before it."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            self._run(self._index())
        torch.cuda.current_stream().wait_stream(stream)
        self.ready += 1

    def _record(self):
        """Record the step; it runs when it is replayed."""
        self.optimizer.zero_grad()
        self.graph = torch.cuda.CUDAGraph()
        self.graph.register_generator_state(self.generator)
        with torch.cuda.graph(self.graph):
            self._run(self._index())
