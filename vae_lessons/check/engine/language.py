"""A learner's nats of a sentence on a language whose entropy is known -> less than it, a gap, or right."""

import torch
from torch import nn

from vae_lessons.check.engine.exercise import Shown

WORDS, SIZE = 5, 6
OPEN = 0.25  # nats; a right answer ends below 0.1


def world(seed, n=1_000):
    """Sentences of a Markov chain, int -> int64 (n, WORDS), and its entropy in nats a sentence."""
    generator = torch.Generator().manual_seed(seed)
    p = torch.full((SIZE,), 1 / SIZE, device="cpu", dtype=torch.float32)
    move = (2 * torch.randn(SIZE, SIZE, generator=generator, device="cpu", dtype=torch.float32)).softmax(1)
    index, nats = (
        torch.multinomial(p, n, replacement=True, generator=generator)[:, None],
        torch.special.entr(p).sum(),
    )
    for _ in range(WORDS - 1):
        index = torch.cat([index, torch.multinomial(move[index[:, -1]], 1, generator=generator)], 1)
        nats, p = nats + p @ torch.special.entr(move).sum(1), p @ move
    return index, nats.item()


def claimed(call, index, steps=60):
    """What a table of pairs that was trained by call(logits, index) claims on sentences, -> float."""
    table = nn.Embedding(SIZE + 1, SIZE, device="cpu", dtype=torch.get_default_dtype())
    nn.init.zeros_(table.weight)
    adam = torch.optim.Adam(table.parameters(), 0.3)
    read = nn.functional.pad(index, (1, 0), value=SIZE)
    for _ in range(steps):
        loss = call.tensor(table(read), index).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    return loss.item()


def read(call, seed):
    """Put a learner's nats on the language meter, Call, int -> Shown.

    Not fine where less is claimed than the entropy, or a gap stays open.
    """
    index, entropy = world(seed)
    found = claimed(call, index)
    below, gap = found < entropy - OPEN, found - entropy > OPEN
    verdict = "less than any writer can need, so something is not charged"
    verdict = verdict if below else "the gap stays open" if gap else "the gap closes"
    numbers = f"{found:.2f} nats a sentence, where the language has {entropy:.2f}"
    return Shown(
        says=f"On the language meter, a writer trained by it claims {numbers}: {verdict}.",
        fine=not (below or gap),
    )
