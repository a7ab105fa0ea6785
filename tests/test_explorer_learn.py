"""The VAE that learns in the page: its slopes are torch's, its losses fall, and it stops when asked."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from vae_lessons.explorers.learn import learn
from vae_lessons.gaussian import kl_standard_normal, reparameterize
from vae_lessons.losses import bernoulli_nll

HERE = Path(learn.__code__.co_filename).parent
SLOPES = """([x, eps, sizes]) => {
    KIT
    const zeros = (net) => Object.fromEntries(Object.entries(net).map(([name, { weight, bias }]) => [name,
        { weight: new Float32Array(weight.length), bias: new Float32Array(bias.length) }]));
    const net = initial(sizes, 3), slopes = zeros(net);
    for (const { bias } of Object.values(net)) bias.forEach((_, i) => { bias[i] = 0.1 * Math.sin(i); });
    const found = terms(net, Float32Array.from(x), Float32Array.from(eps), slopes);
    return JSON.stringify({ net, slopes, ...found }, (_, v) => (ArrayBuffer.isView(v) ? [...v] : v));
}"""


def test_the_losses_and_their_slopes_are_those_of_torch(new_page):
    kit = "\n".join((HERE / f"{name}.js").read_text() for name in ("kit", "learn"))
    generator = torch.Generator().manual_seed(0)
    x, eps = torch.rand(1, 20, generator=generator), torch.randn(1, 2, generator=generator)
    page = new_page()
    sizes = {"pixels": 20, "hidden": 7, "latent": 2}
    found = json.loads(page.evaluate(SLOPES.replace("KIT", kit), [x[0].tolist(), eps[0].tolist(), sizes]))
    page.close()
    net = {
        name: [
            nn.Parameter(torch.tensor(part["weight"]).view(len(part["bias"]), -1)),
            nn.Parameter(torch.tensor(part["bias"])),
        ]
        for name, part in found["net"].items()
    }
    linear = nn.functional.linear
    mu, log_var = linear(linear(x, *net["enter"]).relu(), *net["heads"]).chunk(2, 1)
    z = reparameterize(mu, log_var, eps)
    nll = bernoulli_nll(x, linear(linear(z, *net["leave"]).relu(), *net["draw"])).sum()
    kl = kl_standard_normal(mu, log_var).sum()
    assert found["nll"] == pytest.approx(nll.item(), abs=1e-4)
    assert found["kl"] == pytest.approx(kl.item(), abs=1e-4)
    (nll + kl).backward()
    for name, (weight, bias) in net.items():
        for part, value in (("weight", weight), ("bias", bias)):
            here = torch.tensor(found["slopes"][name][part], dtype=torch.float).view_as(value)
            assert torch.allclose(here, value.grad, atol=1e-4), (name, part)


def test_it_learns_in_the_page_and_stops_when_asked(play, data):
    page = play(learn(data, steps=100_000))
    untrained = page.detail
    assert untrained["step"] == 0
    assert "ntrained" in page.words
    page.page.get_by_role("button", name="Train a VAE here").click()
    page.page.wait_for_function("window.seen.at(-1).step > 60", timeout=60_000)
    page.page.get_by_role("button", name="Stop").click()
    page.page.wait_for_selector("button:text-is('Stop')[disabled]", timeout=20_000)
    first, last = page.page.evaluate("[window.seen[1].nll, window.seen.at(-1).nll]")
    assert last < first
    assert page.detail["codes"] != untrained["codes"]
    page.page.get_by_role("button", name="Start again").click()
    page.page.wait_for_function("window.seen.at(-1).step === 0", timeout=20_000)
    assert page.detail["codes"] == pytest.approx(untrained["codes"])


def test_steps_must_be_a_whole_number(data):
    with pytest.raises(ValueError, match="steps must be a whole number"):
        learn(data, steps=0)
