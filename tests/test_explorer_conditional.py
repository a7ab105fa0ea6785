"""The plane of a conditional VAE, played in a browser: pictures are the model's, for every class."""

import pytest
import torch
from torch.nn.functional import one_hot

from vae_lessons import measures
from vae_lessons.data import Data, Split
from vae_lessons.explorers.conditional import conditional
from vae_lessons.model import VAE, ConditionalVAE
from vae_lessons.train import fit

HIDDEN = (32, 24)


def rows(y, slants):
    return torch.cat([one_hot(y, 10), slants[:, None]], 1).float()


@pytest.fixture(scope="module")
def told(data):
    """The digits with eleven numbers as their condition."""
    return Data(*(Split(s.pixels, rows(s.y, 4 * measures.slant(s.x))) for s in (data.train, data.test)))


@pytest.fixture(scope="module")
def model(told):
    made = ConditionalVAE(latent=2, condition=11, loudness=2.0, hidden=HIDDEN)
    fit(made, told, epochs=4, batch=30, progress=False)
    return made.cpu()


def compare(seen, model, classes, loose=0.05):
    z = torch.tensor([seen["z"]], dtype=torch.float32).expand(classes, -1)
    asked = torch.tensor([seen["asked"]], dtype=torch.float32).expand(classes, -1)
    exact = model.picture(z, torch.cat([torch.eye(classes), asked], 1)).flatten(1)
    assert (torch.tensor(seen["pictures"]) - exact).abs().max() < loose


def test_it_draws_every_class_at_the_handle_with_the_numbers_of_the_sliders(play, told, model):
    page = play(conditional(model, told, names=["slant"]))
    compare(page.detail, model, 10)
    for key in ("ArrowLeft", "Shift+ArrowUp"):
        compare(page.key(key), model, 10)
    for value in (-2, 0.5, 2):
        seen = page.set("slant", value)
        assert seen["asked"] == [value]
        compare(seen, model, 10)
    assert "slant 2.0" in page.words


def test_an_image_puts_the_handle_to_its_code_and_the_slider_to_its_number(play, told, model):
    page = play(conditional(model, told, names=["slant"]))
    codes = model.code(told.test.x, told.test.y)
    for image in (0, 7, 99):
        seen = page.set("handwriting of test image", image)
        assert seen["z"] == pytest.approx(codes[image].tolist(), abs=1e-5)
        number = told.test.y[image, 10].clamp(-2, 2).item()
        assert seen["asked"] == pytest.approx([number], abs=1e-5)
        compare(seen, model, 10)


def test_classes_alone_need_no_slider_and_the_page_fits_a_phone(play, data):
    model = ConditionalVAE(latent=2, hidden=HIDDEN)
    fit(model, data, epochs=2, batch=30, progress=False)
    page = play(conditional(model.cpu(), data), width=360)
    assert page.page.evaluate("document.documentElement.scrollWidth") == 360
    compare(page.detail, model, 10)
    paper = page.page.locator(".vae-paper").first.bounding_box()
    page.page.mouse.click(paper["x"] + 0.7 * paper["width"], paper["y"] + 0.3 * paper["height"])
    assert page.detail["z"][0] > 0.5
    assert page.detail["z"][1] > 0.5
    compare(page.detail, model, 10)


def test_what_does_not_fit_is_refused_in_a_sentence(data, told, model):
    with pytest.raises(ValueError, match=r"^A plane needs codes of 2 numbers, but latent is 3\.$"):
        conditional(ConditionalVAE(latent=3, hidden=(8,)), data)
    with pytest.raises(ValueError, match=r"^model must be a ConditionalVAE"):
        conditional(VAE(latent=2, hidden=(8,)), data)
    with pytest.raises(ValueError, match=r"^names must be the last columns"):
        conditional(ConditionalVAE(latent=2, hidden=(8,)), data, names=["slant"])
    with pytest.raises(ValueError, match=r"^names must be the last columns"):
        conditional(model, told, names=list("abcdefghijk"))
