"""Binarized images: black or white by the grey value's probability, drawn once, the same for a seed."""

import pytest
import torch

from vae_lessons.data import Split, binarized

GREY = Split(torch.tensor([[0, 51, 204, 255]] * 5_000, dtype=torch.uint8), torch.arange(5_000))


def test_a_pixel_is_on_as_often_as_its_grey_value_says():
    drawn = binarized(GREY)
    assert drawn.pixels.dtype == torch.uint8
    assert set(drawn.pixels.unique().tolist()) == {0, 255}
    assert drawn.x.mean(0).tolist() == pytest.approx([0, 0.2, 0.8, 1], abs=0.03)
    assert torch.equal(drawn.y, GREY.y)


def test_copies_are_draws_of_their_own_and_a_seed_gives_the_same():
    twice = binarized(GREY, copies=2, seed=1)
    first, second = twice.pixels[:5_000], twice.pixels[5_000:]
    assert torch.equal(first, binarized(GREY, seed=1).pixels)
    assert not torch.equal(first, second)
    assert torch.equal(twice.y[5_000:], GREY.y)
    assert not torch.equal(first, binarized(GREY, seed=2).pixels)


@pytest.mark.parametrize(
    ("split", "copies", "message"),
    [
        (GREY, 0, "copies must be a whole number"),
        (Split(torch.full((1, 2), 1.5)), 1, r"must lie in \[0, 1\]"),
    ],
)
def test_what_cannot_be_drawn_is_refused(split, copies, message):
    with pytest.raises(ValueError, match=message):
        binarized(split, copies)
