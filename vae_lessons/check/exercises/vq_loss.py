"""The exercise on the VQ-VAE's second term, lesson 14, and how it goes wrong: it is judged by gradients."""

import torch

from vae_lessons.check.engine import (
    COURSE,
    NEAR,
    PUBLIC,
    Exercise,
    Fact,
    Mistake,
    Probe,
    noise,
    placed,
    tensor_facts,
)
from vae_lessons.model import vq

NAMES = ("h", "e", "beta")


def _observe(call, seed):
    one = torch.tensor([[[2.0]]], dtype=torch.float64), torch.tensor([[[1.0]]], dtype=torch.float64)
    yield from tensor_facts(call, Probe("h = 2, e = 1, beta = 0.5", (*one, 0.5)), NAMES, ("h", "e"))
    for i, (shape, beta) in enumerate((((1, 3, 2), 0.25), ((4, 2, 3), 0.7))):
        h, e = noise(*shape, seed=4 * seed + 2 * i), noise(*shape, seed=4 * seed + 2 * i + 1)
        yield from tensor_facts(
            call, Probe(f"h and e {shape}, beta = {beta}", (h, e, beta)), NAMES, ("h", "e")
        )
    value = call.tensor(placed(h), placed(e)).detach().cpu().double()
    yield Fact("the same without beta, which is 0.25 then", value, 1e-4 * (1 + value.abs()))


def _square(difference):
    return difference.square().flatten(1).sum(1)


def _book(h, e):
    return _square(h.detach() - e)


def _commitment(h, e):
    return _square(h - e.detach())


def _after(h, e, beta=0.25):
    z = h + (e - h).detach()
    return _square(h.detach() - z) + beta * _square(h - z.detach())


def _reduced(reduce):
    """The right two terms, with another way to add up the squares."""
    return lambda h, e, beta=0.25: reduce((h.detach() - e) ** 2) + beta * reduce((h - e.detach()) ** 2)


vq_loss = Exercise(
    reference=vq.vq_loss,
    observe=_observe,
    verified="its values and what each gradient reaches agree with the package's on every input.",
    mistakes=(
        Mistake(
            "after straight-through",
            "the value is right, but no gradient reaches e, and h gets that of both parts: this is what "
            "happens "
            "when e is z, after the straight-through estimator. Use the words e themselves.",
            PUBLIC,
            (_after,),
        ),
        Mistake(
            "beta on the wrong term",
            "beta stands before the codebook loss here. It belongs to the commitment loss, the part that "
            "moves h. "
            "(The training curve would not tell: only the gradients do.)",
            PUBLIC,
            (
                lambda h, e, beta=0.25: beta * _book(h, e) + _commitment(h, e),
                lambda h, e, beta=0.25: _commitment(h, e) + beta * _book(h, e),
            ),
        ),
        Mistake(
            "no detach",
            "the value is right, but each part moves both h and e. Detach h in the first and e in the "
            "second. "
            "(The training curve would not tell: only the gradients do.)",
            PUBLIC,
            (
                lambda h, e, beta=0.25: (1 + beta) * _square(h - e),
                lambda h, e, beta=0.25: _square(h - e) + beta * _square(e - h),
            ),
        ),
        Mistake(
            "one detach forgotten",
            "the value is right, but one of the two parts moves both h and e. Each part needs its own "
            "detach: h in "
            "the first, e in the second.",
            NEAR,
            (
                lambda h, e, beta=0.25: _square(h - e) + beta * _commitment(h, e),
                lambda h, e, beta=0.25: _book(h, e) + beta * _square(h - e),
            ),
        ),
        Mistake(
            "the same detach twice",
            "both parts detach the same side, so that the other never moves. Detach h in the first part "
            "and e in "
            "the second.",
            NEAR,
            (
                lambda h, e, beta=0.25: (1 + beta) * _commitment(h, e),
                lambda h, e, beta=0.25: (1 + beta) * _book(h, e),
            ),
        ),
        Mistake(
            "codebook loss missing",
            "this is the commitment loss alone, so the book never learns. Add |sg(h) - e|^2.",
            COURSE,
            (lambda h, e, beta=0.25: beta * _commitment(h, e),),
        ),
        Mistake(
            "commitment loss missing",
            "this is the codebook loss alone, so the encoder may run away from the book. Add beta |h - "
            "sg(e)|^2.",
            COURSE,
            (lambda h, e, beta=0.25: _book(h, e), lambda h, e, beta=0.25: _book(h, e) + 0 * h.sum()),
        ),
        Mistake(
            "beta not used",
            "beta is not used. It is the weight of the commitment loss.",
            NEAR,
            (
                lambda h, e, beta=0.25: _book(h, e) + _commitment(h, e),
                lambda h, e, beta=0.25: _book(h, e) + 0.25 * _commitment(h, e),
            ),
        ),
        Mistake(
            "beta on both terms",
            "beta multiplies the codebook loss, too. It is the weight of the commitment loss only.",
            NEAR,
            (lambda h, e, beta=0.25: beta * (_book(h, e) + _commitment(h, e)),),
        ),
        Mistake(
            "means instead of sums",
            "this is averaged over the numbers of a sentence. The reconstruction is a sum over pixels, "
            "so this has "
            "to be a sum as well, or the book hardly learns.",
            PUBLIC,
            (
                _reduced(lambda s: s.flatten(1).mean(1)),
                _reduced(lambda s: s.mean()),
                _reduced(lambda s: s.sum(2).mean(1)),
                _reduced(lambda s: s.mean(2).sum(1)),
            ),
        ),
        Mistake(
            "one number for the batch",
            "this is one number. Each image has its own loss: sum over words and numbers only, -> (B,).",
            PUBLIC,
            (
                _reduced(lambda s: s.sum()),
                _reduced(lambda s: s.flatten(1).sum(1).mean()),
            ),
        ),
        Mistake(
            "one number for each word",
            "this is one number for each word. Add them up over the sentence, -> (B,).",
            NEAR,
            (_reduced(lambda s: s.sum(2)),),
        ),
        Mistake(
            "not squared",
            "these are distances. The loss is their squares.",
            NEAR,
            (
                lambda h, e, beta=0.25: (
                    (h.detach() - e).norm(dim=2).sum(1) + beta * (h - e.detach()).norm(dim=2).sum(1)
                ),
                lambda h, e, beta=0.25: (
                    (h.detach() - e).flatten(1).norm(dim=1) + beta * (h - e.detach()).flatten(1).norm(dim=1)
                ),
                _reduced(lambda s: s.sqrt().flatten(1).sum(1)),
            ),
        ),
        Mistake(
            "both sides detached",
            "nothing here has a gradient. In each part, one side only is detached.",
            NEAR,
            (lambda h, e, beta=0.25: (1 + beta) * _square((h - e).detach()),),
        ),
    ),
    hints=(
        "The first part pulls e to h and must not move h: write h.detach() in it.",
        "The second part pulls h to e and must not move e. beta is its weight.",
        "(h.detach() - e).square().flatten(1).sum(1) is the first part, one number for each image.",
    ),
)
