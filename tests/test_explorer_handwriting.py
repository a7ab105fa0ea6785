"""The pad to write on: what the page encodes and copies is what torch does; what is written is centred."""

import numpy as np
import pytest
import torch

from vae_lessons.data import Data, Split
from vae_lessons.explorers.handwriting import handwriting
from vae_lessons.model import VAE, Autoencoder
from vae_lessons.train import fit

HIDDEN = (32, 24)


@pytest.fixture(scope="module")
def models(data):
    ae, vae = Autoencoder(latent=2, hidden=HIDDEN), VAE(latent=2, hidden=HIDDEN)
    for model in (ae, vae):
        fit(model, data, epochs=3, batch=30, progress=False)
    return ae, vae


def write(page, places):
    """Draw a line on the pad through places given as shares of its side."""
    pad = page.page.locator(".vae-paper").first.bounding_box()
    places = [(pad["x"] + x * pad["width"], pad["y"] + y * pad["width"]) for x, y in places]
    page.page.mouse.move(*places[0])
    page.page.mouse.down()
    for place in places:
        page.page.mouse.move(*place, steps=4)
    page.page.mouse.up()


def test_a_test_image_gets_the_codes_and_copies_that_torch_gives(play, data, models):
    page = play(handwriting(list(models), data))
    for i in (0, 7):
        seen = page.set("or take test image", i)
        x = data.test.x[i][None]
        for model, found in zip(models, seen["models"], strict=True):
            assert found["mu"] == pytest.approx(model.code(x)[0].tolist(), abs=0.05)
            copy = torch.tensor(found["pictures"][0]).view(1, 1, 28, 28)
            assert (copy - model.picture(torch.tensor([found["mu"]]))).abs().max() < 0.05
        assert seen["models"][0]["sigma"] is None
        log_var = models[1].encode(x).log_var[0]
        assert seen["models"][1]["sigma"] == pytest.approx((log_var / 2).exp().tolist(), rel=0.05)
        assert f"Test image {i}" in page.words


def test_what_is_written_is_scaled_and_centred_as_the_data_are(play, data, models):
    page = play(handwriting(models[1], data))
    write(page, [(0.1, 0.1), (0.25, 0.3), (0.1, 0.4)])  # small, in a corner
    x = np.reshape(page.detail["x"], (28, 28))
    rows, columns = np.nonzero(x > 0.3)
    assert 18 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 21
    middle = [(x.sum(axis) * (np.arange(28) + 0.5)).sum() / x.sum() for axis in (1, 0)]
    assert middle == pytest.approx([14, 14], abs=0.6)
    assert "Your digit" in page.words
    page.press("Clear")
    assert "empty" in page.words


def test_colour_and_long_images_are_refused_in_a_sentence(data, models):
    pixels = torch.zeros(4, 3, 8, 8, dtype=torch.uint8)
    colour = Data(Split(pixels), Split(pixels))
    with pytest.raises(ValueError, match="Handwriting is grey, on a square"):
        handwriting(VAE(latent=2, hidden=HIDDEN, shape=(3, 8, 8)), colour)
