"""The conditional VAE against a world whose log p(x|y) is known, and against the networks it is made of."""

import math

import pytest
import torch
from torch import nn

from vae_lessons.data import Batch, Data, Split, load
from vae_lessons.evidence import LinearGaussian
from vae_lessons.likelihood import log_weights
from vae_lessons.losses import bernoulli_nll
from vae_lessons.model import VAE, ConditionalVAE, condition
from vae_lessons.model.mlp import Posterior
from vae_lessons.train import evaluate, fit

SHAPE = (1, 5, 4)


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def small(**settings):
    return ConditionalVAE(**{"latent": 3, "condition": 4, "hidden": (12, 9), "shape": SHAPE} | settings)


def batch(n=6):
    return Batch(noise(n, *SHAPE).sigmoid(), torch.arange(n) % 4)


def test_the_one_hot_row_of_the_class_stands_beside_the_input():
    h = noise(2, 3)
    wanted = torch.cat([h, torch.tensor([[0.0, 0, 1, 0], [1, 0, 0, 0]])], 1)
    assert torch.equal(condition(h, torch.tensor([2, 0]), 4), wanted)
    model, x = small(loudness=5.0), batch()
    flat = torch.cat([x.x.flatten(1), 5 * condition(x.x.flatten(1), x.y, 4)[:, -4:]], 1)
    assert torch.equal(model.encode(*x).mu, model.encoder.network(flat).mu)
    z = noise(6, 3, seed=1)
    row = torch.cat([z, 5 * nn.functional.one_hot(x.y, 4)], 1)
    assert torch.equal(model.decode(z, x.y), model.decoder.network(row))
    assert torch.allclose(model.picture(z, x.y), model.decode(z, x.y).sigmoid())


def test_its_terms_are_those_of_one_sample_of_q_given_x_and_y():
    model, x = small(), batch()
    nll, kl = model.terms(x, torch.Generator().manual_seed(3))
    mu, log_var = model.encode(*x)
    z = mu + (log_var / 2).exp() * noise(6, 3, seed=3)
    assert torch.allclose(nll, bernoulli_nll(x.x, model.decode(z, x.y)))
    q = torch.distributions.Normal(mu, (log_var / 2).exp())
    wanted = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1)
    assert torch.allclose(kl, wanted, atol=1e-5)


class World(nn.Module):
    """Two linear-Gaussian worlds that differ in b, as decoder, and their exact posteriors, as encoder."""

    def __init__(self, worlds, encodes):
        super().__init__()
        self.worlds, self.encodes = worlds, encodes
        self.unused = nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def forward(self, h, row):
        out = []
        for i, y in enumerate(row.argmax(1)):
            if self.encodes:
                mu, covariance = self.worlds[y].posterior(h[i : i + 1])
                out.append(torch.stack([mu, covariance.diagonal().log().expand_as(mu)]))
            else:
                out.append(self.worlds[y].decode(h[i : i + 1]))
        return Posterior(*torch.cat(out, 1)) if self.encodes else torch.cat(out)


def test_the_elbo_is_log_p_of_x_given_y_where_that_is_known_and_q_is_exact():
    """The mean of -nll - kl, and each log weight by itself, is log N(x; b_y, W W^T + sigma^2 I)."""
    world = LinearGaussian.random(latent=2, pixels=5, sigma_x=0.5)
    worlds = world, LinearGaussian(world.W, world.b + 3, 0.5)
    parts = {"encoder": World(worlds, True), "decoder": World(worlds, False)}
    model = small(condition=2, latent=2, shape=(5,), likelihood="gaussian", sigma=0.5, **parts)
    y = torch.tensor([0, 1, 1])
    x = torch.cat([worlds[c].sample(1, torch.Generator().manual_seed(7)) for c in y])
    exact = torch.cat([worlds[c].log_evidence(x[i : i + 1]) for i, c in enumerate(y)])
    out = model(x, y, generator=torch.Generator().manual_seed(0))
    log_w = log_weights(
        lambda x, z: model.likelihood.nll(x, model.decode(z, y)), x, out.z, out.mu, out.log_var
    )
    assert torch.allclose(log_w, exact)
    many = Batch(x.repeat_interleave(4000, 0), y.repeat_interleave(4000))
    with torch.no_grad():
        elbo = -torch.stack(model.terms(many, torch.Generator().manual_seed(1))).sum(0).view(3, 4000)
    error = 4 * elbo.std(1) / math.sqrt(4000)
    assert ((elbo.mean(1) - exact).abs() < error).all()


def test_fit_trains_it_and_it_draws_what_it_is_told():
    data = load("digits", train=2_000, test=300)
    two = [Split(s.pixels[s.y < 2], s.y[s.y < 2]) for s in (data.train, data.test)]
    model = ConditionalVAE(latent=2, condition=2, hidden=(64,))
    history = fit(model, Data(*two), epochs=12, batch=32, progress=False, device="cpu")
    assert evaluate(model, two[1]) == history.test[-1]
    plain = fit(VAE(latent=2, hidden=(64,)), Data(*two), epochs=12, batch=32, progress=False, device="cpu")
    assert history.test[-1].elbo > plain.test[-1].elbo
    means = torch.stack([two[0].x[two[0].y == c].mean(0) for c in (0, 1)]).flatten(1)
    y = torch.arange(40) % 2
    generator = torch.Generator().manual_seed(0)
    for pictures in (model.sample(y, generator), model.transfer(two[1].x[:40], two[1].y[:40], y)):
        assert pictures.shape == (40, 1, 28, 28)
        assert torch.equal(torch.cdist(pictures.flatten(1), means).argmin(1), y)


def test_pictures_come_without_gradient_and_the_seed_decides_them():
    model, (x, y) = small(), batch()
    for pictures in (model.reconstruct(x, y), model.sample(y), model.transfer(x, y, y.flip(0))):
        assert pictures.shape == (6, *SHAPE)
        assert not pictures.requires_grad
    draws = [model.sample(y, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert torch.equal(model.transfer(x, y, y), model.reconstruct(x, y))
    assert torch.equal(model.transfer(x, y, y.flip(0)), model.picture(model.code(x, y), y.flip(0)))
    line = model.morph(x[0], x[1], torch.tensor(2), steps=5)
    ends = model.reconstruct(x[:2], torch.tensor([2, 2]))
    assert torch.allclose(line[[0, -1]], ends, atol=1e-6)


def test_any_numbers_may_be_the_condition():
    model, (x, y) = small(loudness=2.0), batch()
    rows = nn.functional.one_hot(y, 4).float()
    assert torch.equal(model.decode(model.code(x, y), y), model.decode(model.code(x, rows), rows))
    mixed = model.picture(noise(6, 3), 0.5 * rows + 0.5 * rows.flip(0))
    assert mixed.shape == (6, *SHAPE)


def test_it_computes_in_float64_and_in_mixed_precision():
    model, (x, y) = small().double(), batch()
    assert model.terms(Batch(x.double(), y)).nll.dtype == torch.float64
    data = Data(Split(x, y), Split(x, y))
    history = fit(small(), data, epochs=1, precision="bfloat16", progress=False, device="cpu")
    assert math.isfinite(history.test[-1].elbo)


REFUSED = [
    (lambda m, x, y: m.encode(x, None), "needs the classes y"),
    (lambda m, x, y: m.encode(x, y[:3]), r"y must be int64 \(6,\)"),
    (lambda m, x, y: m.decode(noise(6, 3), y + 1), "Classes must be from 0 to 3, but y has 1 to 4"),
    (lambda m, x, y: m.decode(noise(6, 3), y - 1), "Classes must be from 0 to 3, but y has -1 to 2"),
    (lambda m, x, y: m.picture(noise(6, 3), y.int()), r"but it is torch.int32 of shape \(6,\)"),
    (lambda m, x, y: m.picture(noise(6, 3), noise(6, 5)), r"y must be \(6, 4\) if it is floating point"),
    (lambda m, x, y: m.decode(noise(6, 2), y), r"z must be \(B, 3\)"),
    (lambda m, x, y: m.encode(x[:, :, 1:], y), r"x must be \(B, 1, 5, 4\)"),
    (lambda m, x, y: m.terms(Batch(x)), "needs the classes y"),
    (lambda m, x, y: small(condition=0), "condition must be a whole number, at least 1, not 0"),
    (lambda m, x, y: small(loudness=0), "loudness must be a positive number, not 0"),
]


@pytest.mark.parametrize(("call", "said"), REFUSED)
def test_bad_input_is_one_sentence(call, said):
    with pytest.raises(ValueError, match=said):
        call(small(), *batch())
