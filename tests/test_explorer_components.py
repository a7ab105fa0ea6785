"""The components explorer, played in a browser: what it rebuilds is what the PCA rebuilds."""

import pytest
import torch

from vae_lessons.data import Data, Split
from vae_lessons.explorers.components import components
from vae_lessons.pca import principal_components


@pytest.fixture(scope="module")
def pca(data):
    return principal_components(data.train.x)


def test_it_rebuilds_ten_images_from_the_first_components_and_says_what_they_keep(play, data, pca):
    page = play(components(pca, data))
    x = data.test.x[:10]
    assert page.detail["latent"] == 16
    for latent in (0, 1, 5, 40, 128):
        seen = page.set("L", latent)
        first = pca.first(latent)
        rebuilt = torch.tensor(seen["rebuilt"]).view(10, 1, 28, 28)
        assert (rebuilt - first.reconstruct(x)).abs().max() < 0.05
        assert seen["kept"] == pytest.approx(first.shares.sum().item(), abs=1e-4)
        assert page.words == f"L = {latent}: {first.shares.sum():.1%} of the variance kept.".replace(
            "%", " %"
        )


def test_its_pictures_and_its_bar_change_with_the_slider_and_fit_a_phone(play, data, pca):
    page = play(components(pca, data, latent=3), width=360)
    before = page.pictures()
    page.set("L", 100)
    assert all(new != old for new, old in zip(page.pictures(), before, strict=True))
    assert page.page.evaluate("document.documentElement.scrollWidth") == 360


def test_few_components_few_images_and_colours(play, data):
    red = data.train.pixels[:7] * torch.tensor([1, 0, 0], dtype=torch.uint8).view(3, 1, 1)
    few = Data(Split(red, data.train.y[:7]), Split(red[:3], data.train.y[:3]))
    pca = principal_components(few.train.x)
    seen = play(components(pca, few)).detail
    assert seen["latent"] == 7  # all there are
    rebuilt = torch.tensor(seen["rebuilt"]).view(3, 3, 28, 28)
    assert (rebuilt - few.test.x).abs().max() < 0.05


def test_what_does_not_fit_is_refused_in_a_sentence(data, pca):
    with pytest.raises(ValueError, match=r"^latent must be a whole number, at least 0, not -1\.$"):
        components(pca, data, latent=-1)
    with pytest.raises(ValueError, match=r"^x must be \(B, \*\(784,\)\), but it is \(10, 1, 28, 28\)\.$"):
        components(principal_components(data.train.x.flatten(1)), data)
