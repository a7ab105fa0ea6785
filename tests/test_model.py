"""The two models: shapes, seeds, noise, likelihoods."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from vae_lessons.gaussian import kl_standard_normal
from vae_lessons.losses import bernoulli_nll
from vae_lessons.model import VAE, Autoencoder, mlp

CLASSES = [Autoencoder, VAE]
SMALL = {"latent": 3, "hidden": (16, 8), "shape": (1, 5, 4)}


@pytest.fixture(autouse=True)
def _lessons_seed(monkeypatch):
    """The seed of the lessons is 0, whatever the one who runs these tests has set."""
    monkeypatch.delenv("VAE_LESSONS_SEED", raising=False)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def images(n=6, shape=(1, 5, 4), seed=0):
    return torch.rand(n, *shape, generator=seeded(seed))


def zeroed(model):
    """The same model with all its weights at zero."""
    with torch.no_grad():
        for weights in model.parameters():
            weights.zero_()
    return model


def same_weights(a, b):
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize(
    ("batch", "latent", "hidden", "shape"),
    [(7, 2, (16,), (1, 28, 28)), (1, 20, (16, 8, 4), (3, 8, 6)), (7, 1, [1], [5])],
)
def test_shapes(kind, batch, latent, hidden, shape):
    model = kind(latent, hidden, shape=shape)
    x = images(batch, shape)
    out = model(x)
    assert out.logits.shape == x.shape
    assert out.mu.shape == out.z.shape == (batch, latent)
    assert out.log_var is None if kind is Autoencoder else out.log_var.shape == (batch, latent)
    assert model.code(x).shape == (batch, latent)
    assert model.picture(out.z).shape == model.reconstruct(x).shape == x.shape
    widths = [layer.out_features for layer in model.encoder.hidden if isinstance(layer, nn.Linear)]
    assert widths == list(hidden)
    widths = [layer.out_features for layer in model.decoder.hidden if isinstance(layer, nn.Linear)]
    assert widths == list(hidden)[::-1]


def test_the_default_is_what_the_lessons_say():
    model = VAE()
    assert model.settings == {
        "latent": 2,
        "hidden": (512, 512),
        "likelihood": "bernoulli",
        "sigma": 1.0,
        "shape": (1, 28, 28),
        "seed": 0,
    }


def test_layers_start_as_in_he_et_al():
    layers = mlp(1000, 500, 20)
    assert [type(layer) for layer in layers] == [nn.Linear, nn.SiLU, nn.Linear, nn.SiLU]
    for layer, inputs in ((layers[0], 1000), (layers[2], 500)):
        assert layer.weight.std().item() == pytest.approx(math.sqrt(2 / inputs), rel=0.05)
        assert layer.weight.mean().abs() < 0.01
        assert not layer.bias.any()


def test_an_autoencoder_is_its_decoder_after_its_encoder():
    model, x = Autoencoder(**SMALL), images()
    out = model(x)
    assert torch.equal(out.z, model.encode(x))
    assert torch.equal(out.mu, out.z)
    assert torch.equal(out.logits, model.decode(out.z))
    assert torch.equal(out.logits, model(x, eps=torch.ones(6, 3), generator=seeded()).logits)


def test_images_of_a_batch_do_not_see_each_other():
    model, x = VAE(**SMALL), images()
    eps = torch.randn(6, 3, generator=seeded())
    together = model(x, eps)
    for i in range(6):
        alone = model(x[i : i + 1], eps[i : i + 1])
        torch.testing.assert_close(alone.logits[0], together.logits[i])
        torch.testing.assert_close(alone.log_var[0], together.log_var[i])


def test_the_two_heads_are_separate():
    model, x = VAE(**SMALL), images()
    mu, log_var = model.encode(x)
    assert not torch.allclose(mu, log_var)
    heads = model.encoder.head
    assert heads.mu_head.weight.data_ptr() != heads.log_var_head.weight.data_ptr()
    with torch.no_grad():
        heads.log_var_head.bias += 1
    assert torch.equal(model.encode(x).mu, mu)
    torch.testing.assert_close(model.encode(x).log_var, log_var + 1)
    weights = [*heads.mu_head.parameters(), *heads.log_var_head.parameters()]
    gradients = torch.autograd.grad(model.encode(x).mu.sum(), weights, allow_unused=True)
    assert [g is not None for g in gradients] == [True, True, False, False]


def test_the_gradient_reaches_every_weight():
    for kind in CLASSES:
        model = kind(**SMALL)
        out = model(images(), torch.ones(6, 3))
        model.likelihood.nll(images(), out.logits).sum().backward()
        assert all(weights.grad.any() for weights in model.parameters())


def test_the_noise_is_given_or_drawn():
    model, x = VAE(**SMALL), images()
    mu, log_var = model.encode(x)
    eps = torch.randn(6, 3, generator=seeded(4))
    out = model(x, eps)
    torch.testing.assert_close(out.z, mu + (log_var / 2).exp() * eps)
    assert torch.equal(out.logits, model.decode(out.z))
    assert torch.equal(model(x, eps).logits, out.logits)
    assert torch.equal(model(x, generator=seeded(4)).z, out.z)
    assert not torch.equal(model(x).z, model(x).z)
    assert torch.equal(model(x, torch.zeros(6, 3)).z, model.code(x))


def test_a_generator_leaves_the_callers_random_state_alone():
    model, x = VAE(**SMALL), images()
    before = torch.get_rng_state()
    model(x, generator=seeded())
    model.sample(3, seeded())
    model.reconstruct(x)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("kind", CLASSES)
def test_the_same_seed_gives_the_same_weights(kind):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(123)
        first = kind(**SMALL, seed=5)
        torch.manual_seed(321)
        assert same_weights(kind(**SMALL, seed=5), first)
    assert not same_weights(kind(**SMALL, seed=6), first)


@pytest.mark.parametrize("kind", CLASSES)
def test_building_a_model_leaves_the_callers_random_state_alone(kind, monkeypatch):
    touched = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", touched.append)
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    kind(**SMALL)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)  # noqa: NPY002
    assert touched == []


def test_the_seed_of_the_lessons_is_the_default(monkeypatch):
    assert same_weights(VAE(**SMALL), VAE(**SMALL, seed=0))
    monkeypatch.setenv("VAE_LESSONS_SEED", "8")
    assert same_weights(VAE(**SMALL), VAE(**SMALL, seed=8))
    assert VAE(**SMALL).settings["seed"] == 8
    assert same_weights(VAE(**SMALL, seed=0), VAE(**SMALL, seed=0))
    assert not same_weights(VAE(**SMALL), VAE(**SMALL, seed=0))
    monkeypatch.setenv("VAE_LESSONS_SEED", "eight")
    with pytest.raises(ValueError, match="VAE_LESSONS_SEED"):
        VAE(**SMALL)


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_samples_are_decoded_draws_of_the_prior(likelihood):
    model = VAE(**SMALL, likelihood=likelihood)
    with torch.no_grad():
        model.decoder.out.weight *= 100  # so that a Gaussian's means leave [0, 1]
    x = model.sample(50, seeded(3))
    assert x.shape == (50, 1, 5, 4)
    if likelihood == "bernoulli":
        assert x.min() >= 0
        assert x.max() <= 1
    assert torch.equal(x, model.picture(torch.randn(50, 3, generator=seeded(3))))
    assert not torch.equal(x, model.sample(50, seeded(4)))
    assert not torch.equal(model.sample(5), model.sample(5))
    assert model.sample(1).shape == (1, 1, 5, 4)


def test_samples_follow_the_callers_seed_where_no_generator_is_given():
    model = VAE(**SMALL)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        first = model.sample(4)
        torch.manual_seed(1)
        assert torch.equal(model.sample(4), first)


def test_samples_of_a_model_in_float64_are_float64():
    assert VAE(**SMALL).double().sample(2).dtype == torch.float64


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_pictures_are_means_without_gradient(kind, likelihood):
    model = kind(**SMALL, likelihood=likelihood)
    z = 20 * torch.randn(6, 3, generator=seeded())
    z.requires_grad_()
    picture = model.picture(z)
    decoded = model.decode(z).detach()
    expected = 1 / (1 + (-decoded).exp()) if likelihood == "bernoulli" else decoded
    torch.testing.assert_close(picture, expected)
    assert not picture.requires_grad
    assert not model.code(images().requires_grad_()).requires_grad
    assert not model.reconstruct(images()).requires_grad
    assert torch.equal(model.reconstruct(images()), model.picture(model.code(images())))


def test_a_gaussian_decoder_draws_data_of_any_range():
    model, low_and_high = VAE(**SMALL, likelihood="gaussian"), torch.linspace(-9, 40, 20).view(1, 5, 4)
    with torch.no_grad():
        model.decoder.out.weight.zero_()
    model.start_at(low_and_high)
    for pictures in (model.picture(torch.zeros(2, 3)), model.reconstruct(images(2)), model.sample(2)):
        torch.testing.assert_close(pictures, low_and_high.expand(2, 1, 5, 4))


def test_a_reconstruction_is_that_of_the_mean():
    model, x = VAE(**SMALL), images()
    assert torch.equal(model.code(x), model.encode(x).mu)
    assert torch.equal(model.reconstruct(x), model.reconstruct(x))
    torch.testing.assert_close(model.reconstruct(x), model(x, torch.zeros(6, 3)).logits.sigmoid())


def test_the_all_zero_vae_costs_one_bit_a_pixel_and_its_code_is_zero():
    model, x = zeroed(VAE()), images(3, (1, 28, 28))
    out = model(x)
    nll = bernoulli_nll(x, out.logits)
    torch.testing.assert_close(nll, torch.full_like(nll, 784 * math.log(2)))
    assert (kl_standard_normal(out.mu, out.log_var) == 0).all()
    assert (model.code(x) == 0).all()
    assert (model.reconstruct(x) == 0.5).all()


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("sigma", [1, 0.1, 3.0, np.float64(0.25)])
def test_a_given_sigma_is_kept_and_not_learned(kind, sigma):
    model, x = kind(**SMALL, likelihood="gaussian", sigma=sigma), images()
    assert model.likelihood.sigma.item() == pytest.approx(sigma)
    assert "likelihood.log_sigma" not in dict(model.named_parameters())
    mean = model(x, torch.zeros(6, 3)).logits
    expected = -torch.distributions.Normal(mean, float(sigma)).log_prob(x).flatten(1).sum(1)
    torch.testing.assert_close(model.likelihood.nll(x, mean), expected)


def test_a_gaussian_has_sigma_one_unless_told():
    assert VAE(**SMALL, likelihood="gaussian").likelihood.sigma.item() == 1


def test_a_learned_sigma_becomes_the_root_mean_square_error():
    model, x = VAE(**SMALL, likelihood="gaussian", sigma="learned"), images(200)
    assert model.likelihood.sigma.item() == 1
    mean = model(x, torch.zeros(200, 3)).logits.detach()
    optimizer = torch.optim.Adam([model.likelihood.log_sigma], lr=0.1)
    for _ in range(200):
        optimizer.zero_grad()
        model.likelihood.nll(x, mean).mean().backward()
        assert model.likelihood.log_sigma.grad is not None
        optimizer.step()
    assert model.likelihood.sigma.item() == pytest.approx((x - mean).square().mean().sqrt().item(), rel=1e-4)


def test_a_learned_sigma_is_one_of_the_weights():
    model = VAE(**SMALL, likelihood="gaussian", sigma="learned")
    assert any(weights is model.likelihood.log_sigma for weights in model.parameters())
    model.likelihood.nll(images(), model(images()).logits).mean().backward()
    assert model.likelihood.log_sigma.grad.abs() > 0


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_decoding_starts_at_the_mean_image(likelihood):
    model, mean = VAE(**SMALL, likelihood=likelihood), images(1)[0]
    with torch.no_grad():
        model.decoder.out.weight.zero_()
    model.start_at(mean)
    pictures = model.picture(torch.randn(4, 3))
    torch.testing.assert_close(pictures, mean.expand(4, 1, 5, 4))


def test_decoding_starts_finite_at_pixels_that_are_always_black_or_white():
    model = VAE(**SMALL)
    mean = torch.zeros(1, 5, 4)
    mean[0, 2:] = 1
    model.start_at(mean)
    bias = model.decoder.out.bias
    assert bias.isfinite().all()
    torch.testing.assert_close(bias.sigmoid().view(1, 5, 4), mean, atol=0.002, rtol=0)


@pytest.mark.parametrize("shape", [(20,), (1, 4, 5), ()])
def test_a_mean_image_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"mean must be \(1, 5, 4\)"):
        VAE(**SMALL).start_at(torch.zeros(shape))


@pytest.mark.parametrize(
    ("kind", "value"),  # a VAE's exp(log_var) may overflow beyond; `fit` then says so, in test_train
    [(Autoencoder, 1e4), (Autoencoder, -1e4), (VAE, 1e2), (VAE, -1e2)],
)
def test_extreme_images_give_finite_output_and_gradients(kind, value):
    model = kind(likelihood="gaussian", hidden=(32,))
    x = torch.full((1, 1, 28, 28), value, requires_grad=True)
    logits = model(x, eps=torch.zeros(1, 2)).logits
    (gradient,) = torch.autograd.grad(logits.sum(), x)
    assert logits.isfinite().all()
    assert gradient.isfinite().all()


BAD_SETTINGS = {
    "no latent": ({"latent": 0}, "latent must be a whole number, at least 1, not 0"),
    "hidden as number": ({"hidden": 512}, "hidden must be a tuple"),
    "hidden as text": ({"hidden": "512"}, "hidden must be a tuple"),
    "no hidden": ({"hidden": ()}, "hidden must be a tuple"),
    "empty hidden": ({"hidden": (512, 0)}, "hidden must be a tuple"),
    "empty shape": ({"shape": (1, 0, 28)}, "shape must be a tuple"),
    "unknown likelihood": ({"likelihood": "poisson"}, "likelihood must be one of"),
    "likelihood missing": ({"likelihood": None}, "likelihood must be one of"),
    "sigma zero": ({"likelihood": "gaussian", "sigma": 0}, 'sigma must be a positive number or "learned"'),
    "sigma as text": ({"likelihood": "gaussian", "sigma": "0.1"}, "sigma must be a positive"),
    "sigma missing": ({"likelihood": "gaussian", "sigma": None}, "sigma must be a positive"),
    "sigma of a Bernoulli": ({"sigma": 0.5}, "Bernoulli.*no sigma"),
    "learned, of a Bernoulli": ({"sigma": "learned"}, "Bernoulli.*no sigma"),
    "seed negative": ({"seed": -1}, "seed"),
}


@pytest.mark.parametrize(("settings", "message"), BAD_SETTINGS.values(), ids=BAD_SETTINGS)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        VAE(**settings)


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("shape", [(1, 5, 4), (6, 20), (6, 1, 4, 5), ()])
def test_images_of_another_shape_are_refused(kind, shape):
    model = kind(**SMALL)
    for call in (model, model.encode, model.code, model.reconstruct):
        with pytest.raises(ValueError, match=r"x must be \(B, 1, 5, 4\)"):
            call(torch.zeros(shape))


@pytest.mark.parametrize("shape", [(3,), (6, 2), (2, 6, 3), ()])
def test_codes_of_another_shape_are_refused(shape):
    model = VAE(**SMALL)
    for call in (model.decode, model.picture):
        with pytest.raises(ValueError, match=r"z must be \(B, 3\)"):
            call(torch.zeros(shape))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float64])
def test_images_and_codes_of_another_type_are_refused(dtype):
    model, x, z = VAE(**SMALL), torch.zeros(6, 1, 5, 4).to(dtype), torch.zeros(6, 3).to(dtype)
    for call in (model, model.encode, model.code, model.reconstruct):
        with pytest.raises(TypeError, match=rf"x must be torch.float32, as the model's .* is {dtype}"):
            call(x)
    for call in (model.decode, model.picture):
        with pytest.raises(TypeError, match=rf"z must be torch.float32, as the model's .* is {dtype}"):
            call(z)


@pytest.mark.parametrize("kind", CLASSES)
def test_what_is_no_tensor_is_refused_with_how_to_write_it(kind):
    model, x, z = kind(**SMALL), images().numpy(), np.zeros((6, 3), np.float32)
    for call in (model, model.encode, model.code, model.reconstruct):
        with pytest.raises(
            TypeError, match=r"x must be a tensor, not a NumPy array; write torch.from_numpy\(x"
        ):
            call(x)
    for call in (model.decode, model.picture):
        with pytest.raises(
            TypeError, match=r"z must be a tensor, not a NumPy array; write torch.from_numpy\(z"
        ):
            call(z)
    with pytest.raises(TypeError, match=r"mean must be a tensor, not a NumPy array"):
        model.start_at(x[0])


def test_under_autocast_codes_of_its_types_are_decoded():
    for model in (Autoencoder(**SMALL), VAE(**SMALL)):
        with torch.autocast("cpu", torch.bfloat16):
            assert model(images()).logits.isfinite().all()
            assert model.decode(torch.zeros(2, 3, dtype=torch.bfloat16)).isfinite().all()


@pytest.mark.parametrize("shape", [(1, 3), (6, 4)])
def test_noise_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match="eps"):
        VAE(**SMALL)(images(), torch.zeros(shape))


# ------------------------------------------------------------------------------------------- a GPU

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="There is no CUDA GPU here.")


@needs_cuda
def test_codes_and_pictures_come_back_to_where_the_images_are():
    model, x = VAE(**SMALL), images()
    code, picture = model.code(x), model.reconstruct(x)
    model.to("cuda")
    for device in ("cpu", "cuda"):
        there = x.to(device)
        assert model.code(there).device.type == device
        torch.testing.assert_close(model.code(there).cpu(), code, rtol=1e-3, atol=1e-3)
        assert model.reconstruct(there).device.type == model.picture(code.to(device)).device.type == device
        torch.testing.assert_close(model.reconstruct(there).cpu(), picture, rtol=1e-3, atol=1e-3)


@needs_cuda
def test_on_a_gpu_noise_and_samples_come_from_the_generator():
    model, x = VAE(**SMALL).to("cuda"), images().to("cuda")
    on_gpu = [model(x, generator=torch.Generator("cuda").manual_seed(1)).z for _ in range(2)]
    assert torch.equal(*on_gpu)
    assert model.sample(3).device.type == "cuda"
    assert model.sample(3, torch.Generator("cuda").manual_seed(1)).device.type == "cuda"
    assert torch.equal(model.sample(3, seeded()), model.sample(3, seeded()))


@needs_cuda
def test_building_a_model_leaves_the_random_state_of_a_gpu_alone():
    before = torch.cuda.get_rng_state()
    VAE(**SMALL, seed=3)
    assert torch.equal(torch.cuda.get_rng_state(), before)


def test_a_morph_goes_straight_from_code_to_code():
    for kind in CLASSES:
        model, (first, second) = kind(**SMALL), images()[:2]
        pictures = model.morph(first, second, 5)
        start, end = model.code(torch.stack([first, second]))
        torch.testing.assert_close(pictures[1:2], model.picture((0.75 * start + 0.25 * end)[None]))
        torch.testing.assert_close(pictures[[0, -1]], model.reconstruct(torch.stack([first, second])))
        assert not pictures.requires_grad
        with pytest.raises(ValueError, match="steps must be a whole number, at least 2"):
            model.morph(first, second, 1)
