"""The sweep over beta, played in a browser: it shows the codes, draws and pictures of the model chosen."""

import pytest
import torch

from vae_lessons.explorers.beta import beta
from vae_lessons.history import Scores
from vae_lessons.model import VAE
from vae_lessons.train import fit

HIDDEN = (32, 24)
POINTS = {0: Scores(100.0, 9.0), 1: Scores(110.0, 5.0), 784: Scores(180.0, 0.04)}


@pytest.fixture(scope="module")
def models(data):
    made = {value: VAE(latent=2, hidden=HIDDEN) for value in POINTS}
    for value, model in made.items():
        fit(model, data, epochs=4, batch=30, beta=value, progress=False)
    return made


def test_each_beta_shows_its_own_point_draws_and_picture_at_the_handle(play, data, models):
    page = play(beta(models, POINTS, data, limit=3))
    assert page.detail["beta"] == "1"
    z = torch.randn(30, 2, generator=torch.Generator().manual_seed(0))
    for i, (value, model) in enumerate(models.items()):
        page.set("β", i)
        seen = page.key("Shift+ArrowRight")
        exact = model.picture(torch.tensor([seen["z"]])).flatten()
        assert (torch.tensor(seen["picture"]) - exact).abs().max() < 0.05
        assert (torch.tensor(seen["pictures"]) - model.picture(z).flatten(1)).abs().max() < 0.05
        assert (seen["beta"], seen["kl"], seen["nll"]) == (f"{value:g}", POINTS[value].kl, POINTS[value].nll)
        outside = (model.code(data.test.x).abs() > 3).any(1).sum().item()
        assert seen["outside"] == outside
        assert page.words.startswith(
            f"β = {value}: KL {POINTS[value].kl:.1f}, nll {POINTS[value].nll:.1f} nats"
        )
        assert (f"{outside} of 100 codes lie outside" in page.words) == (outside > 0)


def test_the_handle_goes_where_the_pointer_is_and_only_its_picture_changes(play, data, models):
    page = play(beta(models, POINTS, data), width=360)
    assert page.page.evaluate("document.documentElement.scrollWidth") == 360
    page.page.wait_for_timeout(200)
    before = page.pictures()
    paper = page.page.locator(".vae-paper").first.bounding_box()
    page.page.mouse.click(paper["x"] + 0.8 * paper["width"], paper["y"] + 0.2 * paper["height"])
    assert min(page.detail["z"]) > 3
    changed = [new != old for new, old in zip(page.pictures(), before, strict=True)]
    assert changed == [False, True, False, False]
    page.set("β", 2)
    assert all(new != old for new, old in zip(page.pictures(), before, strict=True))


def test_pixels_that_stay_white_are_sent_without_weights_and_stay_white(data):
    model = VAE(latent=2, hidden=HIDDEN)
    fit(model, data, epochs=20, batch=30, progress=False)
    sent = beta({1: model}, {1: POINTS[1]}, data).data["sweep"][0]["decoder"]
    weight, bias = sent["layers"][-1]["weight"], sent["layers"][-1]["bias"]
    white = (weight == 0).all(1)
    assert white.sum() > 20
    pictures = model.picture(torch.randn(500, 2, generator=torch.Generator().manual_seed(1))).flatten(1)
    assert pictures[:, white].abs().max() < 0.01
    assert model.likelihood.mean(bias[white]).abs().max() < 1 / 255


def test_a_start_that_is_not_in_the_sweep_is_its_first(play, data, models):
    sweep = {value: models[value] for value in (0, 784)}
    page = play(beta(sweep, {value: POINTS[value] for value in sweep}, data, start=5))
    assert page.detail["beta"] == "0"


def test_what_does_not_fit_is_refused_in_a_sentence(data, models):
    with pytest.raises(ValueError, match=r"must have the same betas, not \[0\] and \[0, 1, 784\]\.$"):
        beta({0: models[0]}, POINTS, data)
    with pytest.raises(ValueError, match=r"^A plane needs codes of 2 numbers, but latent is 3\.$"):
        beta({0: VAE(latent=3, hidden=HIDDEN)}, {0: POINTS[0]}, data)
