"""The exercise on the nearest word and its gradient, lesson 14, and how it goes wrong."""

import torch

from vae_lessons.check.engine import NEAR, PUBLIC, Exercise, Fact, Mistake, gradient, noise, placed
from vae_lessons.model import vq

SIZES = ((1, 1, 2, 3), (4, 3, 2, 7), (2, 5, 4, 6))  # B, M, D, K


def _observe(call, seed):
    one = (
        torch.tensor([[[0.9, 0.2]]], dtype=torch.float64),
        torch.tensor([[0.0, 0.0], [1.0, 0.0], [4.0, 4.0]]),
    )
    yield from _facts(call, "h = (0.9, 0.2) and the words (0, 0), (1, 0), (4, 4)", *one)
    for i, (b, m, d, k) in enumerate(SIZES):
        h, book = noise(b, m, d, seed=9 * seed + 2 * i), 1.5 * noise(k, d, seed=9 * seed + 2 * i + 1)
        yield from _facts(call, f"h {(b, m, d)} and a book {(k, d)}", h, book)


def _facts(call, title, h, book):
    h, book = (placed(value.double()).clone().requires_grad_() for value in (h, book))
    z, index = call.tensors(2, h, book)
    yield Fact(f"the index, {title}", index.detach().cpu().double())
    value = z.detach().cpu().double()
    yield Fact(f"z, {title}", value, 1e-4 * (1 + value.abs()))
    weights = torch.arange(1.0, z.numel() + 1, device=z.device).view(z.shape)
    found = gradient((z * weights).sum(), [h, book])
    for name, slope, leaf in zip(("h", "the book"), found, (h, book), strict=True):
        slope = (
            torch.zeros_like(leaf) if slope is None else slope
        )  # none and zero move a weight equally little
        slope = slope.cpu().double()
        yield Fact(
            f"the gradient of sum_i i z_i that reaches {name}, {title}", slope, 1e-4 * (1 + slope.abs())
        )


def _distance(h, book):
    return (h[:, :, None] - book).square().sum(-1)


def _straight(h, book, index):
    return h + (book[index] - h).detach(), index


def _by(distance):
    """The right answer, but for the distance: distance(h, book) -> (B, M, K)."""
    return lambda h, book: _straight(h, book, distance(h, book).argmin(-1))


def _with(z):
    """The right index, but another z: z(h, e) of the words e that were chosen."""

    def code(h, book):
        index = _distance(h, book).argmin(-1)
        return z(h, book[index]), index

    return code


def _cosine(h, book):
    return -torch.nn.functional.normalize(h, dim=-1) @ torch.nn.functional.normalize(book, dim=-1).T


def _viewed(h):
    b, m, d = h.shape
    return h.transpose(1, 2).reshape(b, m, d)


def _one_for_all(h, book):
    return _distance(h, book).sum(1, keepdim=True).expand(-1, h.shape[1], -1)


quantise = Exercise(
    reference=vq.quantise,
    observe=_observe,
    verified="the words, their values and what each gradient reaches agree for books of 3 to 7 words.",
    mistakes=(
        Mistake(
            "no straight-through",
            "z is the word itself, so no gradient reaches h, and the encoder learns nothing. Give z the "
            "value of "
            "the word and the gradient of h: h + (e - h).detach().",
            PUBLIC,
            (_with(lambda h, e: e), _with(lambda h, e: e.detach())),
        ),
        Mistake(
            "straight-through reversed",
            "this is e + (h - e).detach(), whose value is h: nothing is put into words. The value has to "
            "be that "
            "of the word, the gradient that of h: h + (e - h).detach().",
            PUBLIC,
            (_with(lambda h, e: e + (h - e).detach()),),
        ),
        Mistake(
            "h unchanged",
            "z is h itself. The decoder has to see the word, not the vector.",
            NEAR,
            (_with(lambda h, e: h), _with(lambda h, e: h + (e - e).detach())),
        ),
        Mistake(
            "the book gets the gradient, too",
            "the value is right, but the gradient reaches both h and the book. With straight-through it "
            "reaches h "
            "only; the book learns from vq_loss.",
            PUBLIC,
            (_with(lambda h, e: h + e - h.detach()),),
        ),
        Mistake(
            "argmax",
            "this chooses the word that is farthest away. Take argmin of the distance.",
            PUBLIC,
            (
                _by(lambda h, book: -_distance(h, book)),
                lambda h, book: _straight(h, book, torch.cdist(h, book).max(-1).indices),
            ),
        ),
        Mistake(
            "|e|^2 dropped",
            "this chooses the word with the largest inner product, which prefers long words. "
            "|h - e|^2 = |h|^2 - 2 h.e + |e|^2, and |e|^2 differs from word to word.",
            PUBLIC,
            (
                _by(lambda h, book: -h @ book.T),
                _by(lambda h, book: h.square().sum(-1, keepdim=True) - 2 * h @ book.T),
            ),
        ),
        Mistake(
            "2 forgotten",
            "the inner product counts twice: |h - e|^2 = |h|^2 - 2 h.e + |e|^2.",
            NEAR,
            (_by(lambda h, book: book.square().sum(-1) - h @ book.T),),
        ),
        Mistake(
            "cosine",
            "this compares directions only. The nearest word has the smallest |h - e|^2.",
            PUBLIC,
            (_by(_cosine),),
        ),
        Mistake(
            "absolute differences",
            "this adds absolute differences. The distance is Euclidean: the sum of their squares.",
            NEAR,
            (_by(lambda h, book: (h[:, :, None] - book).abs().sum(-1)),),
        ),
        Mistake(
            "vectors mixed up",
            "view or reshape was used where the dimensions are in another order, so that the numbers of "
            "several "
            "vectors are mixed. The D numbers of one vector are the last dimension of h.",
            PUBLIC,
            (
                lambda h, book: _straight(h, book, _distance(_viewed(h), book).argmin(-1)),
                lambda h, book: _straight(
                    h,
                    book,
                    torch.cdist(h.permute(1, 0, 2).reshape(-1, h.shape[2]), book).argmin(1).view(h.shape[:2]),
                ),
                lambda h, book: _straight(
                    h, book, torch.cdist(h.reshape(-1, book.shape[1]), book).argmin(1).view(h.shape[1::-1]).T
                ),
            ),
        ),
        Mistake(
            "one word for the whole sentence",
            "all vectors of an image get one word. Compare each of the M vectors with the book by itself.",
            NEAR,
            (_by(_one_for_all),),
        ),
        Mistake(
            "index flattened",
            "the index is one long row. Each image has its own sentence: give it the shape (B, M).",
            PUBLIC,
            (
                lambda h, book: (vq.quantise(h, book)[0], vq.quantise(h, book)[1].flatten()),
                lambda h, book: (vq.quantise(h, book)[0], vq.quantise(h, book)[1].view(-1, 1)),
            ),
        ),
        Mistake(
            "order",
            "return z first, and then the index.",
            NEAR,
            (lambda h, book: vq.quantise(h, book)[::-1],),
        ),
        Mistake(
            "a mixture of words",
            "z is a mixture of all words. It has to be one of them, the nearest.",
            PUBLIC,
            (
                lambda h, book: (
                    (-_distance(h, book)).softmax(-1) @ book,
                    _distance(h, book).argmin(-1),
                ),
                lambda h, book: (
                    h + ((-_distance(h, book)).softmax(-1) @ book - h).detach(),
                    _distance(h, book).argmin(-1),
                ),
            ),
        ),
    ),
    hints=(
        "h[:, :, None] - book has the shape (B, M, K, D): each vector less each word.",
        "The index is where the sum of squares over the last dimension is smallest: .argmin(-1). The "
        "words are "
        "book[index].",
        "z = h + (book[index] - h).detach() has the value of the word, and its gradient is that of h.",
    ),
)
