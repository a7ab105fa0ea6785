"""The dial over two latent axes, played in a browser: numbers are the package's, pictures the model's."""

import math

import pytest
import torch

from vae_lessons import measures
from vae_lessons.data import Data, Split, load
from vae_lessons.explorers.axes import IMAGES, STEPS, _lost, axes
from vae_lessons.model import VAE
from vae_lessons.train import fit

LATENT = 5


@pytest.fixture(scope="module")
def data():
    return load("digits", train=600, test=450)


@pytest.fixture(scope="module")
def model(data):
    made = VAE(latent=LATENT, hidden=(32, 24))
    fit(made, data, epochs=6, batch=30, progress=False)
    return made.cpu()


def turned(seen, base):
    """The rotation that the page shows, (L, L)."""
    t, (i, j) = math.radians(seen["angle"]), (axis - 1 for axis in seen["pair"])
    R = base.clone()
    R[i] = math.cos(t) * base[i] + math.sin(t) * base[j]
    R[j] = math.cos(t) * base[j] - math.sin(t) * base[i]
    return R


def compare(seen, model, data, base, start):
    R = turned(seen, base)
    i, j = (axis - 1 for axis in seen["pair"])
    assert torch.allclose(torch.tensor(seen["z"]).float(), R[[i, j]], atol=1e-5)
    factors = torch.stack(data.test.factors, 1)
    z = model.code(data.test.x) @ R.T
    r2 = measures.best_axis(z, factors, z, factors)[[i, j]]
    assert torch.tensor(seen["r2"]).numpy() == pytest.approx(r2.numpy(), abs=1e-4)
    whole = measures.probe(z, factors, z, factors)
    assert seen["whole"] == pytest.approx(whole.tolist(), abs=1e-4)
    with torch.no_grad():
        mu, log_var = model.encode(data.test.x[:IMAGES])
    lost = (log_var - measures.rotated(mu, log_var, R).log_var).sum(1).mean().item() / 2
    assert seen["lost"] == pytest.approx(lost, abs=1e-4)
    here = model.code(start[None]) @ R.T
    for axis, pictures in zip((i, j), seen["pictures"], strict=True):
        along = here.repeat(len(STEPS), 1)
        along[:, axis] = STEPS
        exact = model.picture(along @ R).flatten(1)
        assert (torch.tensor(pictures) - exact).abs().max() < 0.05


def test_every_setting_shows_the_numbers_and_pictures_of_the_turned_axes(play, data, model):
    page = play(axes(model, data, pair=(1, 3)))
    zero, four = (data.test.x[data.test.y == digit][0] for digit in (0, 4))
    own = torch.eye(LATENT)
    compare(page.detail, model, data, own, zero)
    page.set("from a", 4)
    for angle in (-90, -31, 45, 90):
        compare(page.set("turn", angle), model, data, own, four)
    page.set("second axis", 5)
    compare(page.set("turn", 20), model, data, own, four)
    first = data.train.first(100)
    y = torch.stack([first.factors.slant, first.factors.thickness], 1)
    base = measures.turn_to(measures.ridge(model.code(first.x), y, penalty=10.0).slope.T)
    assert page.press("turn to the 100 labels")["angle"] == 0
    assert page.detail["taught"]
    assert page.detail["pair"] == [1, 2]
    compare(page.set("turn", -50), model, data, base, four)
    assert not page.press("turn to the 100 labels")["taught"]
    assert page.detail["pair"] == [1, 3]
    compare(page.detail, model, data, own, four)


def test_the_button_turns_to_the_directions_of_the_very_images_it_was_given(play, data, model):
    chosen = data.train.choose(60, seed=3)
    page = play(axes(model, data, labels=chosen))
    page.press("turn to the 60 labels")
    y = torch.stack([chosen.factors.slant, chosen.factors.thickness], 1)
    base = measures.turn_to(measures.ridge(model.code(chosen.x), y, penalty=10.0).slope.T)
    compare(page.detail, model, data, base, data.test.x[data.test.y == 0][0])
    assert "the directions of slant and thickness in 60 labelled images" in page.words


def test_the_curve_of_the_still_is_that_of_the_page(play, data, model):
    page = play(axes(model, data, pair=(2, 4)))
    with torch.no_grad():
        mu, log_var = model.encode(data.test.x[:IMAGES])
    for angle in (-60, 10, 45):
        lost = _lost(mu, log_var, [1, 3], torch.tensor(float(angle)))
        assert page.set("turn", angle)["lost"] == pytest.approx(lost, abs=1e-4)


def test_no_two_names_of_classes_overlap(play, data, model):
    page = play(axes(model, data))
    places = torch.tensor([place for _, *place in page.detail["classes"]])
    apart = torch.cdist(places, places) + 1e3 * torch.eye(len(places))
    assert [name for name, *_ in page.detail["classes"]] == [str(digit) for digit in range(10)]
    assert apart.min() > 13


def test_a_turn_of_the_models_own_axes_loses_nothing_at_0_and_90_and_something_between(play, data, model):
    page = play(axes(model, data))
    lost = {angle: page.set("turn", angle)["lost"] for angle in (0, 45, 90)}
    assert abs(lost[0]) < 1e-4
    assert abs(lost[90]) < 1e-4
    assert lost[45] > 1e-3
    assert "p(x) is the same" in page.words


def test_it_starts_with_the_best_axes_for_slant_and_thickness(play, data, model):
    page = play(axes(model, data))
    factors, z = torch.stack(data.test.factors, 1), model.code(data.test.x)
    r2 = measures.best_axis(z, factors, z, factors)
    slant, thickness = (axis - 1 for axis in page.detail["pair"])
    assert slant == r2[:, 0].argmax()
    others = [axis for axis in range(LATENT) if axis != slant]
    assert thickness == others[int(r2[others, 3].argmax())]


def test_the_dial_turns_by_pointer_and_by_key_and_the_slider_follows(play, data, model):
    page = play(axes(model, data), width=360)
    assert page.page.evaluate("document.documentElement.scrollWidth") == 360
    paper = page.page.locator(".vae-paper").first.bounding_box()
    middle = page.page.locator(".vae-handle").bounding_box()["y"] + 9
    page.page.mouse.click(paper["x"] + 0.5 * paper["width"] + 60, middle - 40)
    angle = page.detail["angle"]
    assert 15 < angle < 60
    assert float(page.page.get_by_label("turn", exact=True).input_value()) == pytest.approx(angle, abs=0.51)
    assert page.key("Shift+ArrowUp")["angle"] > angle
    assert -90 <= page.key("Shift+ArrowLeft")["angle"] <= 90


def test_an_axis_is_never_turned_with_itself(play, data, model):
    page = play(axes(model, data, pair=(2, 3)))
    assert page.set("first axis", 3)["pair"] == [3, 4]
    assert page.set("second axis", 3)["pair"] == [4, 3]
    page.set("first axis", 1)
    assert page.set("second axis", 99)["pair"] == [1, LATENT]


def test_what_does_not_fit_is_refused_in_a_sentence(data, model):
    bare = Data(*(Split(split.pixels, split.y) for split in (data.train, data.test)))
    with pytest.raises(ValueError, match=r"^This explorer needs data whose factors are known"):
        axes(model, bare)
    with pytest.raises(ValueError, match=r"^This explorer needs data whose factors are known"):
        axes(model, data, labels=bare.train)
    with pytest.raises(ValueError, match=r"^Two axes are turned, but latent is 1\.$"):
        axes(VAE(latent=1, hidden=(8,)), data)
    with pytest.raises(ValueError, match=r"^pair must be a whole number from 1 to 5, not 6\.$"):
        axes(model, data, pair=(1, 6))
    with pytest.raises(ValueError, match=r"^pair must be two different axes, but both are 2\.$"):
        axes(model, data, pair=(2, 2))
