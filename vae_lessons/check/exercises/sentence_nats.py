"""The exercise on the nats of a sentence, lesson 14, and how it goes wrong."""

import torch

from vae_lessons.check.engine import (
    COURSE,
    NEAR,
    PUBLIC,
    Exercise,
    Mistake,
    Probe,
    language,
    noise,
    tensor_facts,
)
from vae_lessons.model import words

NAMES = ("logits", "index")


def _observe(call, seed):
    logits = torch.tensor([[[0.0, 1.0], [2.0, 0.0]]], dtype=torch.float64)
    one = logits, torch.tensor([[1]])
    yield from tensor_facts(call, Probe("one word, index = [[1]], logits = [[[0, 1], [2, 0]]]", one), NAMES)
    for i, (b, m, k) in enumerate(((1, 3, 4), (5, 4, 3))):
        index = noise(b, m, k, seed=5 * seed + i).argmax(2)
        probe = Probe(
            f"logits {(b, m + 1, k)} and index {(b, m)}",
            (2 * noise(b, m + 1, k, seed=5 * seed + i + 2), index),
        )
        yield from tensor_facts(call, probe, NAMES, ("logits",))


def _nats(log_p, index):
    """-log p of each word from its row, (B, M, K), (B, M) -> (B, M)."""
    return -log_p.gather(2, index[..., None])[..., 0]


def _logs(logits):
    return logits.log_softmax(-1)


sentence_nats = Exercise(
    reference=words.sentence_nats,
    solutions=(words.sentence_nats, words.word_nats),
    observe=_observe,
    show=language.read,
    verified="its values and gradients agree with the package's on every input.",
    mistakes=(
        Mistake(
            "seeing its own word",
            "row m + 1 is read for word m: those logits come after the word was read, so that the writer "
            "can copy "
            "it. Word m is judged by logits[:, m], which has read the m words before it.",
            PUBLIC,
            (lambda logits, index: _nats(_logs(logits[:, 1:]), index).sum(1),),
        ),
        Mistake(
            "first word left out",
            "the first word is not charged. Its logits are logits[:, 0], before anything is read.",
            PUBLIC,
            (
                lambda logits, index: _nats(_logs(logits[:, 1:-1]), index[:, 1:]).sum(1),
                lambda logits, index: _nats(_logs(logits[:, :-1]), index)[:, 1:].sum(1),
            ),
        ),
        Mistake(
            "last word left out",
            "the last word is not charged. A sentence costs the nats of all its words.",
            NEAR,
            (lambda logits, index: _nats(_logs(logits[:, :-1]), index)[:, :-1].sum(1),),
        ),
        Mistake(
            "mean over words",
            "this is the mean over words. Their probabilities are multiplied, so that their nats are added.",
            PUBLIC,
            (lambda logits, index: _nats(_logs(logits[:, :-1]), index).mean(1),),
        ),
        Mistake(
            "one number for the batch",
            "this is one number. Each sentence has its own nats, -> (B,).",
            PUBLIC,
            (
                lambda logits, index: words.sentence_nats(logits, index).mean(),
                lambda logits, index: words.sentence_nats(logits, index).sum(),
                lambda logits, index: words.word_nats(logits, index).mean(),
            ),
        ),
        Mistake(
            "nats of each word",
            "these are the nats of each word. Add them up over the sentence, -> (B,).",
            NEAR,
            (lambda logits, index: words.word_nats(logits, index),),
        ),
        Mistake(
            "logits as they are",
            "logits are not yet log p: log_softmax over the words makes them so.",
            COURSE,
            (lambda logits, index: _nats(logits[:, :-1], index).sum(1),),
        ),
        Mistake(
            "log forgotten",
            "these are probabilities, added up. Take their logs first: log_softmax.",
            NEAR,
            (
                lambda logits, index: _nats(logits[:, :-1].softmax(-1), index).sum(1),
                lambda logits, index: -_nats(logits[:, :-1].softmax(-1), index).sum(1),
            ),
        ),
        Mistake(
            "softmax over places",
            "the softmax goes over the places of the sentence. What adds up to 1 are the K words at one "
            "place, the "
            "last dimension.",
            PUBLIC,
            (
                lambda logits, index: _nats(logits[:, :-1].log_softmax(1), index).sum(1),
                lambda logits, index: _nats(logits.log_softmax(1)[:, :-1], index).sum(1),
            ),
        ),
        Mistake(
            "softmax twice",
            "the softmax is applied twice. cross_entropy takes the logits as they are.",
            PUBLIC,
            (lambda logits, index: _nats(_logs(logits[:, :-1].softmax(-1)), index).sum(1),),
        ),
        Mistake(
            "the likeliest word",
            "this charges the likeliest word at each place. Charge the word that is there, index.",
            NEAR,
            (lambda logits, index: -_logs(logits[:, :-1]).amax(-1).sum(1),),
        ),
        Mistake(
            "probability of the sentence",
            "this is p of the sentence. Its nats are -log p.",
            NEAR,
            (lambda logits, index: torch.exp(-words.sentence_nats(logits, index)),),
        ),
        Mistake(
            "the writer's entropy",
            "this is the entropy of what the writer expects, whichever word is there. Charge the word "
            "that is "
            "there, index.",
            NEAR,
            (lambda logits, index: -(_logs(logits[:, :-1]) * logits[:, :-1].softmax(-1)).sum((1, 2)),),
        ),
    ),
    hints=(
        "logits has one row more than the sentence has words. Row m has read m words: which row is for "
        "the first?",
        "logits[:, :-1].log_softmax(-1) is log p of all K words at each of the M places.",
        "gather(2, index[..., None]) takes those of the words that are there. Add them up, with a minus.",
    ),
)
