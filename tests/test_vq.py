"""Codebooks: the nearest word by comparison, what each gradient reaches, how a book learns, true bounds."""

import math

import pytest
import torch
from torch import nn

from vae_lessons import data as datasets
from vae_lessons import measures
from vae_lessons.data import Batch, Data, Split
from vae_lessons.model import WordVAE, load_model, save_model
from vae_lessons.model.vq import grid, perplexity, quantise, vq_loss
from vae_lessons.train import evaluate, fit

SMALL = {"words": 3, "size": 5, "width": 2, "hidden": (16,), "shape": (1, 5, 4), "seed": 0}


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def small_data(n=400):
    pixels = torch.rand(n, 1, 5, 4, generator=torch.Generator().manual_seed(1))
    return Data(Split(pixels[:-100]), Split(pixels[-100:]))


@pytest.mark.parametrize(("b", "m", "d", "k"), [(1, 1, 1, 2), (4, 3, 2, 7), (5, 8, 8, 64)])
def test_each_vector_becomes_the_nearest_word(b, m, d, k):
    h, book = normal(b, m, d), normal(k, d, seed=1)
    z, index = quantise(h, book)
    assert torch.equal(index, torch.cdist(h.reshape(-1, d), book).argmin(1).view(b, m))
    torch.testing.assert_close(z, book[index])


def test_the_gradient_passes_straight_through_and_none_reaches_the_book():
    h, book, slope = normal(4, 3, 2).requires_grad_(), normal(7, 2, seed=1).requires_grad_(), normal(4, 3, 2)
    z, _ = quantise(h, book)
    (z * slope).sum().backward()
    assert torch.equal(h.grad, slope)
    assert book.grad is None


def test_the_loss_and_its_two_gradients_are_those_of_the_formula():
    h, e = normal(4, 3, 2).requires_grad_(), normal(4, 3, 2, seed=1).requires_grad_()
    loss = vq_loss(h, e, 0.3)
    torch.testing.assert_close(loss, 1.3 * (h - e).square().sum((1, 2)))
    loss.sum().backward()
    torch.testing.assert_close(e.grad, 2 * (e - h).detach())
    torch.testing.assert_close(h.grad, 0.3 * 2 * (h - e).detach())


@pytest.mark.parametrize(("index", "right"), [([0, 0, 0], 1), ([0, 1, 2, 3], 4), ([0, 0, 0, 1], 1.7547654)])
def test_perplexity_of_known_shares(index, right):
    assert perplexity(torch.tensor(index), 6) == pytest.approx(right)


def test_a_grid_holds_every_combination_once():
    assert grid((2,)).tolist() == [[-1.0], [1.0]]
    book = grid((4, 3))
    assert book.shape == (12, 2) == book.unique(dim=0).shape
    assert book[:, 1].unique().tolist() == [-1, 0, 1]


def test_a_fixed_grid_rounds_each_number_to_the_nearest_level():
    model = WordVAE(words=3, levels=(4, 3), hidden=(16,), shape=(1, 5, 4), seed=0)
    h = model.vectors(10 * normal(50, 1, 5, 4))
    assert h.abs().max() <= 1
    steps = torch.tensor([3.0, 2.0])
    torch.testing.assert_close(quantise(h, model.book)[0], 2 * ((h + 1) / 2 * steps).round() / steps - 1)
    assert "book" not in dict(model.named_parameters())


@pytest.mark.parametrize("how", [{}, {"update": "ema"}, {"levels": (2, 3)}])
def test_every_book_trains_by_fit_and_is_saved(how, tmp_path):
    model, data = WordVAE(**SMALL | how), small_data()
    history = fit(model, data, epochs=3, batch=50, progress=False, seed=0)
    assert history.test[-1].nll < history.test[0].nll
    x = data.test.x
    index = model.index(x)
    assert index.shape == (100, 3)
    assert index.dtype == torch.int64
    assert index.max() < model.size
    assert torch.equal(model.reconstruct(x), model.picture(index))
    torch.testing.assert_close(model.likelihood.mean(model(x).logits), model.picture(index))
    assert torch.equal(measures.own_pictures(model, x), model.picture(index))
    save_model(model, tmp_path / "words.pt")
    again = load_model(tmp_path / "words.pt", "cpu")
    assert torch.equal(again.index(x), index)


def test_an_evaluated_model_charges_the_sentence_and_not_the_loss_of_the_book():
    model, data = WordVAE(**SMALL), small_data()
    assert evaluate(model, data.test).kl == pytest.approx(3 * math.log(5))
    model.train()
    batch = data.test.batch(slice(0, 20))
    h = model.vectors(batch.x)
    terms = model.terms(batch)
    torch.testing.assert_close(terms.kl, vq_loss(h, model.book[quantise(h, model.book)[1]], 0.25))


def test_what_is_charged_makes_a_true_bound():
    """log p(x) = log sum over all sentences of K^-M p(x|sentence), enumerated, is above the bound."""
    model = WordVAE(**SMALL)
    x = torch.rand(6, 1, 5, 4, generator=torch.Generator().manual_seed(3))
    model.eval()
    terms = model.terms(Batch(x))
    every = torch.cartesian_prod(*[torch.arange(5)] * 3)
    logits = model.decode(model.book[every].flatten(1))
    joint = torch.stack([-model.likelihood.nll(image.expand(125, 1, 5, 4), logits) for image in x])
    log_px = joint.logsumexp(1) - 3 * math.log(5)
    assert (-(terms.nll + terms.kl) <= log_px + 1e-5).all()


def test_a_moving_average_starts_at_vectors_and_follows_those_that_chose_each_word():
    model = WordVAE(**SMALL | {"update": "ema", "decay": 0.9}).train()
    batch = Batch(torch.rand(40, 1, 5, 4))
    h = model.vectors(batch.x).detach().flatten(0, 1)
    model.terms(batch, torch.Generator().manual_seed(2))
    rows = torch.randint(120, (5,), generator=torch.Generator().manual_seed(2))
    start = h[rows]
    index = torch.cdist(h, start).argmin(1)
    for k in range(5):
        chose = h[index == k]
        count, total = 0.9 + 0.1 * len(chose), 0.9 * start[k] + 0.1 * chose.sum(0)
        torch.testing.assert_close(model.book[k], total / count, atol=1e-5, rtol=1e-4)
    before = model.book.clone()
    model.eval().terms(batch)
    assert torch.equal(model.book, before)
    assert not isinstance(model.book, nn.Parameter)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: quantise(normal(2, 3), normal(4, 3)), "h and book must be"),
        (lambda: quantise(normal(2, 3, 4), normal(4, 3)), "h and book must be"),
        (lambda: vq_loss(normal(2, 3), normal(3, 2)), "h and e must have one shape"),
        (lambda: perplexity(torch.tensor([0, 5]), 5), "words from 0 to 4"),
        (lambda: perplexity(torch.tensor([0.0]), 5), "int64"),
        (lambda: grid((4, 1)), "levels must be a whole number, at least 2"),
        (lambda: grid(4), "levels must be a tuple"),
        (lambda: WordVAE(update="both"), "update must be"),
        (lambda: WordVAE(commitment=-1), "commitment must be"),
        (lambda: WordVAE(**SMALL).picture(torch.zeros(2, 4, dtype=torch.int64)), r"index must be \(B, 3\)"),
        (lambda: WordVAE(**SMALL).picture(torch.full((2, 3), 5)), "words from 0 to 4"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(make, says):
    with pytest.raises(ValueError, match=says):
        make()


def test_handwriting_survives_being_put_into_words():
    data = datasets.load("digits", train=2_000, test=500)
    model = WordVAE(words=8, levels=(4, 4), hidden=(64,), seed=0)
    history = fit(model, data, epochs=3, batch=100, progress=False, seed=0)
    assert history.test[-1].nll < history.test[0].nll - 10
    assert perplexity(model.index(data.test.x), 16) > 8
