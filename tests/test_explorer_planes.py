"""Explorers of a plane of codes, played in a browser: what they draw is what torch computes."""

import json

import pytest
import torch
from torch import nn

from vae_lessons.explorers.latent import latent
from vae_lessons.explorers.page import HERE, decoder, encoder, packed, real_images
from vae_lessons.measures.pictures import nearest
from vae_lessons.model import VAE, Autoencoder
from vae_lessons.train import fit

HIDDEN = (32, 24)


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


RUN = """async ([layers, inputs]) => {
    KIT
    const network = new Network(await unpack(layers));
    return inputs.map((input) => [...network.run(input)]);
}"""


def run(page, layers, inputs):
    """What the page computes for each input, (B, I) -> (B, O)."""
    kit = (HERE / "kit.js").read_text()
    sent = json.loads(json.dumps(layers, default=packed))
    return torch.tensor(page.evaluate(RUN.replace("KIT", kit), [sent, inputs.tolist()]))


def readers_own():
    class Encoder(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(784, 9), nn.Tanh())
            self.mu, self.log_var = nn.Linear(9, 2), nn.Linear(9, 2)

        def forward(self, x):
            h = self.body(x.flatten(1))
            return self.mu(h), self.log_var(h)

    decoder = nn.Sequential(nn.Linear(2, 7), nn.ReLU(), nn.Linear(7, 784), nn.Unflatten(1, (1, 28, 28)))
    return VAE(latent=2, encoder=Encoder(), decoder=decoder)


KINDS = {
    "autoencoder": lambda: Autoencoder(latent=2, hidden=HIDDEN),
    "vae": lambda: VAE(latent=2, hidden=HIDDEN),
    "gaussian": lambda: VAE(latent=2, hidden=HIDDEN, likelihood="gaussian", sigma="learned"),
    "deep": lambda: VAE(latent=2, hidden=(16, 12, 8)),
    "the reader's own": readers_own,
}


@pytest.mark.parametrize("kind", KINDS)
def test_networks_in_the_page_are_those_of_torch(new_page, data, kind):
    model, page = KINDS[kind](), new_page()
    images, _ = real_images(data, 5)
    z = 2 * torch.randn(20, 2, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        code = model.encode(images)
        code = torch.cat(tuple(code), 1) if isinstance(code, tuple) else code
        out = model.decode(z).flatten(1)
    box = [-9, 9, -9, 9]
    for precision, within in (("float32", 1e-4), ("int8", 0.2)):
        there = run(page, decoder(model, box, precision)["layers"], z)
        assert (there - out).abs().max() < within
        there = run(page, encoder(model, images, precision), images.flatten(1))
        assert (there - code).abs().max() < within
    page.close()


def test_a_network_that_the_page_cannot_run_is_refused_in_a_sentence(data):
    decoder = nn.Sequential(nn.Linear(2, 784), nn.Unflatten(1, (1, 28, 28)), nn.Conv2d(1, 1, 3, padding=1))
    with pytest.raises(ValueError, match="An explorer runs linear layers"):
        latent(VAE(latent=2, hidden=HIDDEN, decoder=decoder), data)


def test_a_plane_needs_two_numbers(data):
    with pytest.raises(ValueError, match="codes of 2 numbers, but latent is 3"):
        latent(VAE(latent=3, hidden=HIDDEN), data)


def test_the_walk_goes_from_one_image_to_the_other(play, data, models):
    page = play(latent(models[0], data, walk=(3, 9)))
    codes = models[0].code(real_images(data)[0])
    (start,) = page.set("walk", 0)["planes"]
    (end,) = page.set("walk", 1)["planes"]
    assert start["z"] == pytest.approx(codes[3].tolist(), abs=1e-4)
    assert end["z"] == pytest.approx(codes[9].tolist(), abs=1e-4)
    (other,) = page.set("to image", 5)["planes"]
    assert other["z"] == pytest.approx(codes[5].tolist(), abs=1e-4)


def test_one_limit_is_the_scale_of_all_planes(data, models):
    sent = latent(list(models), data, limit=3).data["models"]
    assert [model["box"] for model in sent] == [[-3, 3, -3, 3]] * 2


def test_dragging_moves_the_handle_to_the_pointer(play, data, models):
    page = play(latent(models[0], data))
    plane = page.page.locator(".vae-paper").first.bounding_box()
    page.page.mouse.move(plane["x"] + 0.5 * plane["width"], plane["y"] + 0.5 * plane["height"])
    page.page.mouse.down()
    (first,) = page.detail["planes"]
    page.page.mouse.move(plane["x"] + 0.7 * plane["width"], plane["y"] + 0.3 * plane["height"])
    (second,) = page.detail["planes"]
    page.page.mouse.up()
    assert second["z"][0] > first["z"][0]
    assert second["z"][1] > first["z"][1]


def test_where_it_cannot_start_the_still_picture_stands(new_page, data, models):
    page = new_page()
    page.add_init_script("delete window.DecompressionStream")  # as in an old browser
    page.goto("about:blank")
    with page.expect_console_message(lambda said: "could not start" in said.text):
        page.set_content(latent(models[0], data).html())
    assert page.locator("img").get_attribute("alt").startswith("Explorer: Autoencoder")
    assert page.locator(".vae-page").count() == 0
    page.close()
