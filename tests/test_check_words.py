"""Lesson 14's exercises: mistakes are named, those that lower the loss, too; right answers pass."""

import pytest
import torch
from check_over_seeds import assert_refused_and_named, assert_right, codes
from torch.nn import functional as F

from vae_lessons import check
from vae_lessons.check.engine import language
from vae_lessons.check.engine.calling import Call

NAMES = ("quantise", "vq_loss", "sentence_nats")


def words_by_cdist(h, book):
    index = torch.stack([torch.cdist(rows, book).argmin(1) for rows in h])
    e = F.embedding(index, book)
    return h + (e - h).detach(), index


def words_in_a_loop(h, book):
    rows = [[min(range(len(book)), key=lambda k: (v - book[k]).pow(2).sum().item()) for v in s] for s in h]
    index = torch.tensor(rows)
    return book[index].detach() + h - h.detach(), index


class Through(torch.autograd.Function):
    @staticmethod
    def forward(_, h, e):
        return e.clone()

    @staticmethod
    def backward(_, slope):
        return slope, None


def words_by_a_function(h, book):
    flat = h.reshape(-1, h.shape[-1])
    d = flat.pow(2).sum(1, keepdim=True) - 2 * flat @ book.t() + book.pow(2).sum(1)
    index = d.argmin(1).view(h.shape[:-1])
    one_hot = F.one_hot(index, len(book)).to(book.dtype)
    return Through.apply(h, one_hot @ book), index


def loss_by_mse(h, e, beta=0.25):
    book = F.mse_loss(e, h.detach(), reduction="none").sum((1, 2))
    return book + beta * F.mse_loss(h, e.detach(), reduction="none").sum((1, 2))


def loss_in_a_loop(h, e, beta=0.25):
    rows = [
        (a.detach() - b).pow(2).sum() + beta * (a - b.detach()).pow(2).sum()
        for a, b in zip(h, e, strict=True)
    ]
    return torch.stack(rows)


def loss_by_norms(h, e, beta=0.25):
    flat_h, flat_e = h.flatten(1), e.flatten(1)
    first = torch.einsum("bi,bi->b", flat_h.detach() - flat_e, flat_h.detach() - flat_e)
    return first + torch.einsum("bi,bi->b", flat_h - flat_e.detach(), flat_h - flat_e.detach()) * beta


def nats_by_cross_entropy(logits, index):
    return F.cross_entropy(logits[:, :-1].transpose(1, 2), index, reduction="none").sum(1)


def nats_by_distributions(logits, index):
    return -torch.distributions.Categorical(logits=logits[:, : index.shape[1]]).log_prob(index).sum(-1)


def nats_in_a_loop(logits, index):
    total = 0
    for m in range(index.shape[1]):
        row = logits[:, m]
        total = total + torch.logsumexp(row, 1) - row[torch.arange(len(row)), index[:, m]]
    return total


RIGHT = {
    "quantise": (words_by_cdist, words_in_a_loop, words_by_a_function),
    "vq_loss": (loss_by_mse, loss_in_a_loop, loss_by_norms),
    "sentence_nats": (nats_by_cross_entropy, nats_by_distributions, nats_in_a_loop),
}


@pytest.mark.parametrize(("name", "mistake", "code"), codes(NAMES))
def test_every_known_mistake_is_refused_and_named(name, mistake, code):
    assert_refused_and_named(name, mistake, code)


@pytest.mark.parametrize("name", NAMES)
def test_every_correct_style_is_right(name):
    assert_right(name, RIGHT[name])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("answer", ["text", None, torch.zeros(2, 2), ("a", "b")])
def test_senseless_answers_get_a_calm_verdict(name, answer):
    assert getattr(check, name).judge(lambda first, *others: answer).status == "wrong"


@pytest.mark.parametrize("seed", range(3))
def test_the_language_meter_shows_that_a_writer_which_sees_its_own_word_claims_the_impossible(seed):
    index, entropy = language.world(seed)
    right = language.claimed(Call(nats_by_cross_entropy), index)
    leaking = language.claimed(
        Call(lambda logits, index: nats_by_cross_entropy(logits.roll(-1, 1), index)), index
    )
    assert right == pytest.approx(entropy, abs=0.1)
    assert leaking < 0.1
    assert (
        "less than any writer can need"
        in language.read(Call(lambda a, i: nats_by_cross_entropy(a.roll(-1, 1), i)), seed).says
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_right_answer_is_told_that_the_gap_closes(dtype):
    torch.set_default_dtype(dtype)
    try:
        verdict = check.sentence_nats.judge(nats_by_cross_entropy)
    finally:
        torch.set_default_dtype(torch.float32)
    assert verdict.status == "right"
    assert "the gap closes" in verdict.message
