"""The convolutional VAE: its layers against sums written out, any size, the contract, files, gradients."""

import math

import pytest
import torch
from torch.nn import functional as F

from vae_lessons.data import Batch, Data, Split
from vae_lessons.gaussian import kl_standard_normal
from vae_lessons.losses import bernoulli_nll, gaussian_nll
from vae_lessons.model import ConvolutionalVAE, load_model, save_model
from vae_lessons.observation import Levels
from vae_lessons.train import fit


def images(n, *shape, seed=0):
    return torch.rand(n, *shape, generator=torch.Generator().manual_seed(seed))


def small(**settings):
    return ConvolutionalVAE(**{"latent": 3, "channels": (4, 6), "shape": (3, 10, 7), "seed": 0} | settings)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32), (3, 10, 7), (1, 1, 1), (3, 5, 64)])
@pytest.mark.parametrize("channels", [(4,), (4, 6, 8)])
def test_any_size_goes_in_and_comes_out(shape, channels):
    model, x = small(shape=shape, channels=channels), images(2, *shape)
    mu, log_var = model.encode(x)
    assert mu.shape == log_var.shape == (2, 3)
    assert model.decode(mu).shape == model.reconstruct(x).shape == x.shape
    assert model.sample(5, torch.Generator().manual_seed(0)).shape == (5, *shape)


def test_the_encoder_is_the_sum_over_a_window_of_three_by_three_at_every_second_pixel():
    model, x = small(channels=(4,)), images(2, 3, 10, 7)
    layer, padded = model.encoder.hidden[0], F.pad(x, (1, 1, 1, 1)).double()
    h = torch.zeros(2, 4, 5, 4, dtype=torch.float64)
    for i in range(5):
        for j in range(4):
            window = padded[:, :, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3]
            h[..., i, j] = torch.einsum("bcij,ocij->bo", window, layer.weight.double()) + layer.bias
    flat = (h * h.sigmoid()).flatten(1).float()
    mu, log_var = model.encode(x)
    torch.testing.assert_close(mu, model.encoder.head.mu_head(flat), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(log_var, model.encoder.head.log_var_head(flat), atol=1e-5, rtol=1e-4)


def test_a_code_moves_to_the_same_picture_elsewhere_when_its_channels_move():
    """The decoder's layers treat all places alike: a step of two after one doubling, away from the border."""
    step = small(channels=(4, 6)).decoder.steps[0]
    h = images(1, 6, 8, 8)
    moved = step(h.roll(1, -1))[..., 4:-4]
    torch.testing.assert_close(moved, step(h).roll(2, -1)[..., 4:-4])


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli", "levels"])
def test_terms_are_those_of_the_package_and_gradients_reach_every_weight(likelihood):
    x = (255 * images(4, 3, 10, 7)).round() / 255
    model = small(likelihood=Levels(x) if likelihood == "levels" else likelihood)
    terms = model.terms(Batch(x), torch.Generator().manual_seed(1))
    out = model(x, generator=torch.Generator().manual_seed(1))
    nll = {
        "gaussian": lambda: gaussian_nll(x, out.logits, 0.1),
        "bernoulli": lambda: bernoulli_nll(x, out.logits),
        "levels": lambda: model.likelihood.nll(x, out.logits),
    }[likelihood]()
    torch.testing.assert_close(terms.nll, nll)
    torch.testing.assert_close(terms.kl, kl_standard_normal(out.mu, out.log_var))
    (terms.nll + terms.kl).sum().backward()
    assert all(weight.grad.abs().sum() > 0 for weight in model.parameters())


def test_it_starts_at_the_mean_image_and_learns():
    x = images(64, 3, 10, 7).square()
    model = small()
    model.start_at(x.mean(0))
    torch.testing.assert_close(model.picture(torch.zeros(1, 3))[0], x.mean(0), atol=0.5, rtol=0)
    assert torch.equal(model.decoder.bias, x.mean(0))
    model.start_at(torch.zeros(3, 10, 7))
    assert torch.equal(model.decoder.bias, x.mean(0))  # it is not untrained any more
    history = fit(model, Data(Split(x), Split(x[:16])), epochs=4, batch=16, device="cpu", progress=False)
    assert history.test[-1].elbo > history.test[0].elbo


@pytest.mark.parametrize("settings", [{}, {"sigma": 0.2}, {"likelihood": "bernoulli"}, {"channels": [5]}])
def test_a_file_of_it_gives_the_same_pictures(settings, tmp_path):
    model = small(**settings)
    save_model(model, tmp_path / "model.pt")
    again = load_model(tmp_path / "model.pt", device="cpu")
    assert type(again) is ConvolutionalVAE
    assert again.settings == model.settings
    draws = [m.sample(3, torch.Generator().manual_seed(0)) for m in (model, again)]
    assert torch.equal(*draws)


def test_a_file_with_levels_is_loaded_into_a_model_like_it(tmp_path):
    x = (255 * images(4, 3, 10, 7)).round() / 255
    save_model(small(likelihood=Levels(x)), tmp_path / "model.pt")
    with pytest.raises(ValueError, match="into="):
        load_model(tmp_path / "model.pt")
    again = load_model(tmp_path / "model.pt", "cpu", into=small(likelihood=Levels(1 - x), seed=1))
    assert torch.equal(again.likelihood.log_h, Levels(x).log_h)


def test_sigma_is_learned_from_a_tenth_unless_it_is_given():
    assert small().likelihood.sigma.item() == pytest.approx(0.1)
    assert small().likelihood.log_sigma.requires_grad
    assert small(sigma=0.3).likelihood.sigma.item() == pytest.approx(0.3)
    assert not small(sigma=0.3).likelihood.log_sigma.requires_grad


def test_the_seed_decides_the_weights_and_the_callers_random_state_stays():
    before = torch.get_rng_state()
    a, b, c = small(), small(), small(seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    x = images(2, 3, 10, 7)
    assert torch.equal(a.encode(x).mu, b.encode(x).mu)
    assert not torch.equal(a.encode(x).mu, c.encode(x).mu)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"shape": (28, 28)}, "shape must be"),
        ({"shape": 28}, "shape must be"),
        ({"channels": ()}, "channels must be"),
        ({"channels": (0,)}, "channels must be"),
        ({"latent": 0}, "latent must be"),
        ({"likelihood": "normal"}, "likelihood must be"),
        ({"sigma": -1.0}, "sigma must be"),
        ({"likelihood": "bernoulli", "sigma": 0.1}, "no sigma"),
        ({"seed": -1}, "seed must be"),
    ],
)
def test_invalid_settings_are_refused_in_one_sentence(settings, said):
    with pytest.raises(ValueError, match=said):
        small(**settings)


def test_the_likelihood_is_normalised_over_pixels():
    """exp(-nll) of a Gaussian integrates to 1 over each pixel: one pixel, by quadrature."""
    model = small(shape=(1, 1, 1), channels=(4,), sigma=0.2)
    out = model.decode(torch.zeros(1, 3))
    x = torch.linspace(-3, 3, 6001)[:, None, None, None]
    density = torch.exp(-model.likelihood.nll(x, out.expand(len(x), 1, 1, 1)))
    assert math.isclose(density.sum().item() * 0.001, 1, rel_tol=1e-3)
