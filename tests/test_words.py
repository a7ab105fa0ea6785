"""Sentences: nats against the world that wrote them, tables by counting, a writer that never looks ahead."""

import math

import pytest
import torch

from vae_lessons.model.words import Writer, fit_writer, sentence_nats, tables, word_nats


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def chain(n=4_000, words=4, size=5, seed=0):
    """Sentences of a Markov chain, and its entropy in nats a sentence."""
    first = torch.rand(size, generator=seeded(seed)).log().softmax(0)
    move = (3 * torch.randn(size, size, generator=seeded(seed + 1))).softmax(1)
    index = torch.multinomial(first, n, replacement=True, generator=seeded(seed + 2))[:, None]
    nats, p = torch.special.entr(first).sum(), first
    for _ in range(words - 1):
        index = torch.cat(
            [index, torch.multinomial(move[index[:, -1]], 1, generator=seeded(len(index[0])))], 1
        )
        nats, p = nats + p @ torch.special.entr(move).sum(1), p @ move
    return index, nats.item()


def test_the_nats_are_those_of_each_word_given_the_words_before_it():
    logits, index = torch.randn(3, 5, 6, generator=seeded()), torch.randint(6, (3, 4), generator=seeded())
    nats = sentence_nats(logits, index)
    for b in range(3):
        p = math.prod(logits[b, m].softmax(0)[index[b, m]].item() for m in range(4))
        assert nats[b].item() == pytest.approx(-math.log(p), rel=1e-4)
    torch.testing.assert_close(word_nats(logits, index).sum(1), nats)


def test_every_distribution_over_sentences_sums_to_one():
    every = torch.cartesian_prod(*[torch.arange(5)] * 4)
    for model in [*tables(chain(100)[0], 5).values(), Writer(4, 5, 8, seed=0)]:
        assert torch.exp(-model.nats(every).sum(1)).sum().item() == pytest.approx(1, rel=1e-4)


def test_tables_count():
    read = torch.tensor([[0, 1], [0, 2], [1, 2], [0, 1]])
    found = tables(read, 3)
    torch.testing.assert_close(found["places"].nats(read[:1]), -torch.tensor([[3.5 / 5.5, 2.5 / 5.5]]).log())
    torch.testing.assert_close(found["pairs"].nats(read[:1]), -torch.tensor([[3.5 / 5.5, 2.5 / 4.5]]).log())
    torch.testing.assert_close(found["uniform"].nats(read), torch.full((4, 2), math.log(3)))


def test_in_a_world_of_known_entropy_pairs_and_a_writer_reach_it_and_places_do_not():
    index, entropy = chain(8_000)
    read, held_out = index[:6_000], index[6_000:]
    found = {name: table.nats(held_out).sum(1).mean().item() for name, table in tables(read, 5).items()}
    writer = Writer(4, 5, 32, seed=0)
    means = fit_writer(writer, read, epochs=5, seed=0)
    assert means[-1] < means[0]
    assert writer.nats(held_out).sum(1).mean().item() == pytest.approx(entropy, abs=0.15)
    assert found["pairs"] == pytest.approx(entropy, abs=0.15)
    assert found["uniform"] > found["places"] > entropy + 0.3


def test_no_word_is_known_before_it_is_read():
    writer = Writer(4, 5, 8, seed=0)
    index = torch.randint(5, (6, 4), generator=seeded())
    for m in range(4):
        other = index.clone()
        other[:, m:] = (other[:, m:] + 1) % 5
        torch.testing.assert_close(writer(index)[:, : m + 1], writer(other)[:, : m + 1])
        torch.testing.assert_close(writer(index[:, :m]), writer(index)[:, : m + 1])


def test_what_is_written_has_the_shares_that_the_nats_say():
    read, _ = chain(500)
    for model in [*tables(read, 5).values(), Writer(4, 5, 8, seed=0)]:
        written = model.write(4_000, seeded())
        assert written.shape == (4_000, 4)
        assert torch.equal(written[:9], model.write(4_000, seeded())[:9])
        pair = torch.bincount(written[:, 0] * 5 + written[:, 1], minlength=25) / 4_000
        every = torch.cartesian_prod(*[torch.arange(5)] * 4)
        p = torch.exp(-model.nats(every).sum(1)).view(25, 25).sum(1)
        assert (pair - p).abs().max() < 0.03


def test_training_repeats_itself_and_leaves_the_callers_random_state():
    index, _ = chain(300)
    torch.manual_seed(5)
    wanted = torch.rand(1)
    torch.manual_seed(5)
    runs = [fit_writer(Writer(4, 5, 8, seed=1), index, epochs=2, seed=1) for _ in range(2)]
    assert runs[0] == runs[1]
    assert torch.equal(torch.rand(1), wanted)


@pytest.mark.parametrize(
    "make",
    [
        lambda: sentence_nats(torch.zeros(2, 4, 5), torch.zeros(2, 4, dtype=torch.int64)),
        lambda: sentence_nats(torch.zeros(2, 5), torch.zeros(2, 4, dtype=torch.int64)),
        lambda: Writer(words=0),
        lambda: fit_writer(Writer(4, 5, 8), torch.zeros(2, 4, dtype=torch.int64), epochs=0),
    ],
)
def test_bad_input_is_refused(make):
    with pytest.raises(ValueError, match="must be"):
        make()
