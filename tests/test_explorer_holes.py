"""The hole finder, played in a browser: what it says of a place is what the package's completeness says."""

import pytest
import torch

from vae_lessons import measures
from vae_lessons.data import Data, Split
from vae_lessons.explorers.hole_finder import hole_finder
from vae_lessons.model import VAE, Autoencoder
from vae_lessons.train import fit

HIDDEN = (32, 24)


@pytest.fixture(scope="module")
def model(data):
    ae = Autoencoder(latent=2, hidden=HIDDEN)
    fit(ae, data, epochs=8, batch=30, progress=False)
    return ae


@pytest.fixture(scope="module")
def ruler(data, model):
    return measures.yardstick(model, data)


def click(page, x, y):
    """Click on the plane, at shares of its paper -> the new detail."""
    paper = page.page.locator(".vae-paper").first.bounding_box()
    page.page.mouse.click(paper["x"] + x * paper["width"], paper["y"] + y * paper["height"])
    return page.detail


def test_each_verdict_is_that_of_completeness_and_the_score_counts_them(play, data, model, ruler):
    explorer = hole_finder(model, data, ruler)
    page = play(explorer)
    verdicts = []
    for place in ((0.17, 0.03), (0.6, 0.45), (0.55, 0.4), (0.5, 0.6), (0.94, 0.86), (0.7, 0.2), (0.35, 0.7)):
        seen = click(page, *place)
        picture = model.picture(torch.tensor([seen["z"]]))
        verdicts.append(measures.completeness(picture, ruler) == 0)
        found = measures.nearest(picture.flatten(1), ruler.own)
        assert seen["hole"] == verdicts[-1]
        assert seen["distance"] ** 2 == pytest.approx(found.distance.item() ** 2, abs=1e-4)
        shown = explorer.data["own"][seen["index"]].flatten() / 255
        assert abs(shown - ruler.own[found.index[0]].numpy()).max() < 0.04
        assert page.words.startswith("A hole" if verdicts[-1] else "Not a hole")
    assert 0 < sum(verdicts) < len(verdicts)
    assert (seen["found"], seen["tries"]) == (sum(verdicts), len(verdicts))
    assert f"{sum(verdicts)} found in {len(verdicts)} tries" in page.words


def test_moving_decodes_and_asking_is_left_to_enter_the_button_and_letting_go(play, data, model, ruler):
    explorer = hole_finder(model, data, ruler)
    page = play(explorer, width=360)
    assert page.page.evaluate("document.documentElement.scrollWidth") == 360
    for key in ("ArrowLeft", "Shift+ArrowUp", "ArrowDown"):
        seen = page.key(key)
        exact = model.picture(torch.tensor([seen["z"]])).flatten()
        assert (torch.tensor(seen["picture"]) - exact).abs().max() < 0.05
        assert "hole" not in seen
        assert seen["tries"] == 0
    asked = page.key("Enter")
    assert asked["z"] == pytest.approx(seen["z"], abs=1e-6)  # an arrow key goes to where it was measured
    assert f"{int(asked['hole'])} found in 1 try." in page.words
    assert page.press("Ask here")["tries"] == 2
    handle = page.page.locator(".vae-handle").bounding_box()
    page.page.mouse.move(handle["x"] + 9, handle["y"] + 9)
    page.page.mouse.down()
    page.page.mouse.move(handle["x"] + 60, handle["y"] + 31, steps=3)
    moved = page.detail
    assert moved["tries"] == 2
    assert "hole" not in moved
    page.page.mouse.up()
    seen = page.detail
    assert seen["tries"] == 3
    left, right = explorer.data["box"][:2]
    assert seen["z"] == pytest.approx(moved["z"], abs=(right - left) / 199)  # half a square of the map


def test_all_holes_are_shaded_on_demand_and_are_the_share_that_completeness_refuses(play, data, model, ruler):
    explorer = hole_finder(model, data, ruler)
    page = play(explorer)
    asked = page.press("Ask here")
    before = page.pictures()
    shown = page.press("Show all holes")
    left, right, bottom, top = explorer.data["box"]
    at = (torch.arange(100) + 0.5) / 100
    places = torch.cartesian_prod(top - at * (top - bottom), left + at * (right - left)).flip(1)
    assert shown["share"] == pytest.approx(1 - measures.completeness(model.picture(places), ruler), abs=1e-3)
    assert f"{shown['share']:.0%}".replace("%", " %") in page.words
    assert page.pictures()[0] != before[0]
    assert shown["hole"] == asked["hole"]
    page.press("Show all holes")
    assert page.pictures() == before


def test_its_own_yardstick_and_pictures_in_colour(play, data):
    red = Data(*(Split(split.pixels * torch.tensor([1, 0, 0], dtype=torch.uint8).view(3, 1, 1), split.y)
                 for split in data[:2]))  # fmt: skip
    vae = VAE(latent=2, hidden=HIDDEN, shape=(3, 28, 28))
    fit(vae, red, epochs=1, batch=30, progress=False)
    seen = play(hole_finder(vae, red)).press("Ask here")
    exact = vae.picture(torch.tensor([seen["z"]])).flatten()
    assert (torch.tensor(seen["picture"]) - exact).abs().max() < 0.05


def test_a_plane_needs_two_numbers(data):
    with pytest.raises(ValueError, match=r"^A plane needs codes of 2 numbers, but latent is 3\.$"):
        hole_finder(VAE(latent=3, hidden=HIDDEN), data)
