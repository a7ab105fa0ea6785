"""Explorers of a plane of codes, played in a browser: what they draw is what torch computes."""

import pytest
import torch

from vae_lessons.data import Data, Split
from vae_lessons.data.digits import draw
from vae_lessons.explorers.latent import latent
from vae_lessons.explorers.page import real_images
from vae_lessons.measures.pictures import nearest
from vae_lessons.model import VAE, Autoencoder
from vae_lessons.train import fit

HIDDEN = (32, 24)


@pytest.fixture(scope="module")
def data():
    pixels, y, _ = draw(400)
    pixels, y = torch.as_tensor(pixels).view(-1, 1, 28, 28), torch.as_tensor(y)
    return Data(Split(pixels[:300], y[:300]), Split(pixels[300:], y[300:]))


@pytest.fixture(scope="module")
def models(data):
    ae, vae = Autoencoder(latent=2, hidden=HIDDEN), VAE(latent=2, hidden=HIDDEN, likelihood="gaussian")
    for model in (ae, vae):
        fit(model, data, epochs=3, batch=30, progress=False)
    return ae, vae


def test_the_latent_explorer_decodes_at_the_handle_and_finds_the_nearest_image(play, data, models):
    page = play(latent(list(models), data))
    images, y = real_images(data)
    for key in ("ArrowLeft", "ArrowUp", "Shift+ArrowDown"):
        for model, plane in zip(models, page.key(key)["planes"], strict=True):
            drawn = torch.tensor(plane["picture"]).view(1, 1, 28, 28)
            exact = model.picture(torch.tensor([plane["z"]]))
            assert (drawn - exact).abs().max() < 0.05
            found = nearest(drawn, images)
            assert plane["index"] == found.index
            assert plane["distance"] == pytest.approx(found.distance.item(), abs=0.02)
            assert f"a {y[plane['index']]}" in page.words
