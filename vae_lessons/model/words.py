"""Sentences -> p(sentence): tables of words, and a recurrent network that writes."""

import math

import torch
from torch import nn

from vae_lessons.runtime import resolve_seed
from vae_lessons.settings import positive_number, tensor, whole_number


def sentence_nats(logits, index):
    """-log p of each sentence, (B, M + 1, K), (B, M) -> (B,), in nats.

    nats = -sum_m log p(w_m | w_1, ..., w_m-1)

    logits[:, m] are those of the next word once m words have been read, m = 0, ..., M, so the last row is for
    a word that does not exist. Raises ValueError if the shapes do not fit.
    """
    return word_nats(logits, index).sum(1)


def word_nats(logits, index):
    """-log p of each word given those before it, (B, M + 1, K), (B, M) -> (B, M), in nats."""
    wanted = (index.shape[0], index.shape[1] + 1) if tensor("index", index).ndim == 2 else None
    if tensor("logits", logits).ndim != 3 or logits.shape[:2] != wanted:
        shapes = f"{tuple(logits.shape)} and {tuple(index.shape)}"
        raise ValueError(f"logits and index must be (B, M + 1, K) and (B, M), but they are {shapes}.")
    log_p = logits[:, :-1].log_softmax(-1)
    return -log_p.gather(2, index[..., None])[..., 0]


class Sentences(nn.Module):
    """A distribution over sentences of M words, one word after the other.

    A subclass says what comes next: forward, int64 (B, m) -> logits (B, m + 1, K).
    """

    def __init__(self, words, size):
        super().__init__()
        self.words, self.size = whole_number("words", words), whole_number("size", size, 2)

    @torch.no_grad()
    def nats(self, index):
        """-log p of each word given those before it, (B, M) -> (B, M), in nats."""
        return word_nats(self(index), index)

    @torch.no_grad()
    def write(self, n, generator=None):
        """n new sentences, each word drawn given those before it, int -> int64 (n, M)."""
        index = torch.zeros(whole_number("n", n), 0, dtype=torch.int64, device=self.device)
        for _ in range(self.words):
            p = self(index)[:, -1].softmax(-1)
            index = torch.cat([index, torch.multinomial(p, 1, generator=generator)], 1)
        return index

    @property
    def device(self):
        """Where the numbers are, a torch.device."""
        return next(iter(self.state_dict().values())).device


class Table(Sentences):
    """log p of each word, (M, C, K): C = 1 for one column a place, or C = K for one given the word before."""

    def __init__(self, log_p):
        words, _, size = tensor("log_p", log_p).shape
        super().__init__(words, size)
        self.register_buffer("log_p", log_p)

    def forward(self, index):
        """log p of the next word after each number of words, int64 (B, m) -> (B, m + 1, K)."""
        before = nn.functional.pad(index, (1, 0)) % self.log_p.shape[1]  # the first word has none before it
        place = torch.arange(before.shape[1], device=index.device).clamp(max=self.words - 1)
        return self.log_p[place, before]


def tables(index, size):
    """Three tables of sentences that were read, (N, M), int -> {"uniform", "places", "pairs": Table}.

    "uniform": every word 1/K. "places": the share of each word at each place. "pairs": the same, given the
    word before. Half a sentence is added to every count, so that no word is impossible. (Krichevsky &
    Trofimov 1981)
    """
    words, size = tensor("index", index).shape[1], whole_number("size", size, 2)
    places = index.new_zeros(words, 1, size).float()
    pairs = index.new_zeros(words, size, size).float()
    before = nn.functional.pad(index, (1, 0))[:, :-1]
    for m in range(words):
        places[m, 0] = torch.bincount(index[:, m], minlength=size)
        pairs[m] = torch.bincount(before[:, m] * size + index[:, m], minlength=size**2).view(size, size)
    counted = {"places": places, "pairs": pairs}
    uniform = {"uniform": Table(torch.full_like(places, -math.log(size)))}
    return uniform | {name: Table((counts + 0.5).log().log_softmax(-1)) for name, counts in counted.items()}


class Writer(Sentences):
    """A recurrent network that says which word comes next: embedding, GRU, logits (Cho et al. 2014).

    `seed` None takes that of the lessons. The caller's random state is left as it was.
    """

    def __init__(self, words=8, size=64, hidden=128, seed=None):
        super().__init__(words, size)
        hidden = whole_number("hidden", hidden)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(resolve_seed(seed))
            self.embed = nn.Embedding(size + 1, hidden)  # one row more, for the start of a sentence
            self.gru = nn.GRU(hidden, hidden, batch_first=True)
            self.out = nn.Linear(hidden, size)

    def forward(self, index):
        """Logits of the next word after each number of words, int64 (B, m) -> (B, m + 1, K)."""
        read = nn.functional.pad(tensor("index", index), (1, 0), value=self.size)
        return self.out(self.gru(self.embed(read))[0])


def fit_writer(writer, index, epochs=6, batch=128, lr=4e-3, seed=None, loss=sentence_nats):
    """Train a Writer on sentences by their mean nats, (N, M) -> mean nats of each epoch, a list.

    `loss(logits, index)` gives the nats of each sentence, (B,). Adam with a one-cycle schedule, as `fit`.
    The same seed gives the same numbers on one machine.
    """
    epochs, batch, lr = (
        whole_number("epochs", epochs),
        whole_number("batch", batch),
        positive_number("lr", lr),
    )
    index = tensor("index", index).to(writer.device)
    generator = torch.Generator(index.device).manual_seed(resolve_seed(seed))
    adam = torch.optim.Adam(writer.parameters(), lr, betas=(0.9, 0.99))
    steps = epochs * math.ceil(len(index) / batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(adam, lr, max(steps, 11), pct_start=0.1)
    means = []
    for _ in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(index), generator=generator, device=index.device).split(batch):
            nats = loss(writer(index[rows]), index[rows])
            adam.zero_grad()
            nats.mean().backward()
            adam.step()
            schedule.step()
            total += nats.detach().sum()
        means.append((total / len(index)).item())
    return means
