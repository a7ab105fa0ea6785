"""The two models: shapes, seeds, noise, likelihoods, and files that are theirs or are refused."""

import math
import os
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from vae_lessons.gaussian import kl_standard_normal
from vae_lessons.losses import bernoulli_nll, nll_of
from vae_lessons.model import VAE, Autoencoder, load_model, mlp, save_model

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
    widths = [layer.out_features for layer in model.encoder if isinstance(layer, nn.Linear)]
    assert widths == list(hidden)
    widths = [layer.out_features for layer in model.decoder if isinstance(layer, nn.Linear)]
    assert widths == list(hidden)[::-1]


def test_the_default_is_what_the_lessons_say():
    model = VAE()
    assert model.settings == {
        "latent": 2, "hidden": (512, 512), "likelihood": "bernoulli", "sigma": 1.0,
        "shape": (1, 28, 28), "seed": 0,
    }  # fmt: skip


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
    assert model.mu_head.weight.data_ptr() != model.log_var_head.weight.data_ptr()
    with torch.no_grad():
        model.log_var_head.bias += 1
    assert torch.equal(model.encode(x).mu, mu)
    torch.testing.assert_close(model.encode(x).log_var, log_var + 1)
    heads = [*model.mu_head.parameters(), *model.log_var_head.parameters()]
    gradients = torch.autograd.grad(model.encode(x).mu.sum(), heads, allow_unused=True)
    assert [g is not None for g in gradients] == [True, True, False, False]


def test_the_gradient_reaches_every_weight():
    for kind in CLASSES:
        model = kind(**SMALL)
        out = model(images(), torch.ones(6, 3))
        nll_of(model, images(), out.logits).sum().backward()
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
        model.logits_head.weight *= 100  # so that a Gaussian's means leave [0, 1]
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
        model.logits_head.weight.zero_()
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
    assert model.sigma.item() == pytest.approx(sigma)
    assert "log_sigma" not in dict(model.named_parameters())
    mean = model(x, torch.zeros(6, 3)).logits
    expected = -torch.distributions.Normal(mean, float(sigma)).log_prob(x).flatten(1).sum(1)
    torch.testing.assert_close(nll_of(model, x, mean), expected)


def test_a_gaussian_has_sigma_one_unless_told():
    assert VAE(**SMALL, likelihood="gaussian").sigma.item() == 1


def test_a_learned_sigma_becomes_the_root_mean_square_error():
    model, x = VAE(**SMALL, likelihood="gaussian", sigma="learned"), images(200)
    assert model.sigma.item() == 1
    mean = model(x, torch.zeros(200, 3)).logits.detach()
    optimizer = torch.optim.Adam([model.log_sigma], lr=0.1)
    for _ in range(200):
        optimizer.zero_grad()
        nll_of(model, x, mean).mean().backward()
        assert model.log_sigma.grad is not None
        optimizer.step()
    assert model.sigma.item() == pytest.approx((x - mean).square().mean().sqrt().item(), rel=1e-4)


def test_a_learned_sigma_is_one_of_the_weights():
    model = VAE(**SMALL, likelihood="gaussian", sigma="learned")
    assert any(weights is model.log_sigma for weights in model.parameters())
    nll_of(model, images(), model(images()).logits).mean().backward()
    assert model.log_sigma.grad.abs() > 0


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_decoding_starts_at_the_mean_image(likelihood):
    model, mean = VAE(**SMALL, likelihood=likelihood), images(1)[0]
    with torch.no_grad():
        model.logits_head.weight.zero_()
    model.start_at(mean)
    pictures = model.picture(torch.randn(4, 3))
    torch.testing.assert_close(pictures, mean.expand(4, 1, 5, 4))


def test_decoding_starts_finite_at_pixels_that_are_always_black_or_white():
    model = VAE(**SMALL)
    mean = torch.zeros(1, 5, 4)
    mean[0, 2:] = 1
    model.start_at(mean)
    bias = model.logits_head.bias
    assert bias.isfinite().all()
    torch.testing.assert_close(bias.sigmoid().view(1, 5, 4), mean, atol=0.002, rtol=0)


@pytest.mark.parametrize("shape", [(20,), (1, 4, 5), ()])
def test_a_mean_image_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"mean must be \(1, 5, 4\)"):
        VAE(**SMALL).start_at(torch.zeros(shape))


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("value", [1e4, -1e4])
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


# ------------------------------------------------------------------------------------------- files

STORED = [
    (Autoencoder, {}),
    (VAE, {}),
    (VAE, {"hidden": [7, 5], "seed": 9}),
    (VAE, {"latent": np.int64(3), "hidden": [np.int32(7)], "seed": np.int64(9)}),
    (VAE, {"likelihood": "gaussian", "sigma": np.float32(0.1)}),
    (VAE, {"likelihood": "gaussian", "sigma": "learned"}),
]


@pytest.mark.parametrize(("kind", "settings"), STORED)
def test_a_model_comes_back_bit_for_bit(kind, settings, tmp_path):
    model = kind(**SMALL | settings)
    with torch.no_grad():
        for weights in model.parameters():
            weights.copy_(torch.randn(weights.shape, generator=seeded(7)))  # as if trained
    before = torch.get_rng_state()
    save_model(model, tmp_path / "new" / "model.pt")
    again = load_model(str(tmp_path / "new" / "model.pt"), device="cpu")
    assert torch.equal(torch.get_rng_state(), before)
    assert type(again) is kind
    assert again.settings == model.settings
    assert same_weights(again, model)
    assert torch.equal(again.sigma, model.sigma)
    names = [name for name, _ in model.named_parameters()]
    assert [name for name, weights in again.named_parameters() if weights.requires_grad] == names
    eps = torch.ones(6, 3)
    assert torch.equal(again(images(), eps).logits, model(images(), eps).logits)


def test_a_model_takes_the_place_of_an_older_one(tmp_path):
    path = tmp_path / "model.pt"
    save_model(VAE(**SMALL, seed=1), path)
    save_model(VAE(**SMALL, seed=2), path)
    assert same_weights(load_model(path, "cpu"), VAE(**SMALL, seed=2))
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "model.pt"
    save_model(VAE(**SMALL, seed=1), path)

    def disk_full(content, file):
        file.write(b"half of it")
        raise OSError("No space left on device")

    monkeypatch.setattr(torch, "save", disk_full)
    with pytest.raises(OSError, match="No space"):
        save_model(VAE(**SMALL, seed=2), path)
    monkeypatch.undo()
    assert same_weights(load_model(path, "cpu"), VAE(**SMALL, seed=1))
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError, match="file"):
        save_model(VAE(**SMALL), tmp_path / "file" / "model.pt")


class Deeper(VAE):
    """A learner's own model: one more layer, and how wide it is."""

    def __init__(self, width=4, **settings):
        super().__init__(**settings)
        self.settings["width"] = width
        self.wide = nn.Sequential(nn.Linear(self.latent, width), nn.ReLU(), nn.Linear(width, self.latent))

    def decode(self, z):
        return super().decode(z + self.wide(z))


class Forgetful(VAE):
    """One that does not keep what it was built with."""

    def __init__(self, scale=1.0, **settings):
        super().__init__(**settings)
        self.scale = scale


class Fixed(VAE):
    """One that takes no settings."""

    def __init__(self):
        super().__init__(**SMALL)


def test_a_class_made_from_a_vae_comes_back_where_the_class_is_given(tmp_path):
    model, path = Deeper(width=5, **SMALL), tmp_path / "model.pt"
    before = torch.get_rng_state()
    save_model(model, path)
    again = load_model(path, "cpu", kind=Deeper)
    assert torch.equal(torch.get_rng_state(), before)
    assert type(again) is Deeper
    assert same_weights(again, model)
    assert torch.equal(again.picture(torch.ones(2, 3)), model.picture(torch.ones(2, 3)))
    with pytest.raises(ValueError, match=r"holds a Deeper; pass its class, load_model\(path, kind=Deeper\)"):
        load_model(path, "cpu")
    for other in (VAE, Fixed):
        with pytest.raises(ValueError, match=f"holds a Deeper, not a {other.__name__}"):
            load_model(path, "cpu", kind=other)
    for other in ("Deeper", nn.Linear):
        with pytest.raises(TypeError, match="kind must be a class made from an Autoencoder or a VAE"):
            load_model(path, "cpu", kind=other)


def test_a_class_of_the_same_name_as_ours_is_not_taken_for_ours(tmp_path):
    theirs = type("VAE", (Deeper,), {})
    save_model(theirs(**SMALL), tmp_path / "theirs.pt")
    with pytest.raises(ValueError, match="holds a VAE; pass its class"):
        load_model(tmp_path / "theirs.pt", "cpu")
    save_model(VAE(**SMALL), tmp_path / "ours.pt")
    with pytest.raises(ValueError, match="holds a VAE, not a VAE; pass the class that was saved"):
        load_model(tmp_path / "ours.pt", "cpu", kind=theirs)


def with_change(change):
    model = VAE(**SMALL)
    change(model)
    return model


CHANGED = {
    "an activation": (
        with_change(lambda m: m.set_submodule("encoder.1", nn.ReLU())),
        r"encoder.1 of this VAE is ReLU\(\), but would be SiLU\(\) after loading",
    ),
    "a layer put in": (
        with_change(lambda m: m.decoder.insert(2, nn.Dropout(0.5))),
        r"decoder.2 .* is Dropout",
    ),
    "a layer added": (with_change(lambda m: m.add_module("more", nn.Tanh())), "more of .* would be missing"),
    "a layer taken away": (with_change(lambda m: m.encoder.__delitem__(3)), "encoder.3 of .* is missing"),
    "the width of a layer": (
        with_change(lambda m: m.set_submodule("mu_head", nn.Linear(8, 3, bias=False))),
        "mu_head of .*bias=False.*bias=True",
    ),
    "the likelihood": (with_change(lambda m: setattr(m, "likelihood", "gaussian")), "likelihood of this VAE"),
    "what is learned": (
        with_change(
            lambda m: (delattr(m, "log_sigma"), setattr(m, "log_sigma", nn.Parameter(torch.ones(()))))
        ),
        "log_sigma of this VAE is weights",
    ),
    "a setting forgotten": (Forgetful(2.0, **SMALL), r"lack scale, .* self.settings\['scale'\] = scale"),
    "no settings taken": (Fixed(), "A Fixed cannot be built from its settings"),
    "a setting with code": (
        with_change(lambda m: m.settings.update(shape=torch.ones(2))),
        r"settings\['shape'\] .* holds no code",
    ),
}


@pytest.mark.parametrize(("model", "message"), CHANGED.values(), ids=CHANGED)
def test_a_model_that_its_settings_do_not_build_is_refused(model, message, tmp_path):
    with pytest.raises(ValueError, match=message) as caught:
        save_model(model, tmp_path / "new" / "model.pt")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_model_in_float64_comes_back_bit_for_bit(tmp_path):
    model = VAE(**SMALL).double()
    with torch.no_grad():
        model.logits_head.bias.fill_(1 / 3)
    save_model(model, tmp_path / "model.pt")
    again = load_model(tmp_path / "model.pt", "cpu")
    assert again.logits_head.bias.dtype == torch.float64
    assert same_weights(again, model)


@pytest.mark.parametrize("model", [nn.Linear(2, 2), VAE, None, VAE(**SMALL).state_dict()])
def test_what_is_no_model_is_not_saved(model, tmp_path):
    with pytest.raises(TypeError, match="Only an Autoencoder or a VAE is saved"):
        save_model(model, tmp_path / "model.pt")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def saved(tmp_path):
    """The bytes of a saved model, and a path for what becomes of them."""
    save_model(VAE(**SMALL), tmp_path / "good.pt")
    return (tmp_path / "good.pt").read_bytes(), tmp_path / "bad.pt"


def assert_refused(path, message="not a model saved by vae_lessons"):
    with pytest.raises(ValueError, match=message) as caught:
        load_model(path, "cpu")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kept", [0, 100, 0.5, -1])
def test_a_file_that_is_cut_off_is_refused(saved, kept):
    content, path = saved
    path.write_bytes(content[: int(kept * len(content)) if isinstance(kept, float) else kept])
    assert_refused(path)


def test_a_file_with_one_bit_wrong_is_refused_or_harmless(saved):
    content, path = saved
    good, refused = VAE(**SMALL), 0
    places = torch.randint(len(content), (100,), generator=seeded()).tolist()
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= 16
        path.write_bytes(damaged)
        try:
            again = load_model(path, "cpu")
            assert same_weights(again, good)
        except ValueError:
            refused += 1
    assert refused > 20  # the others fell into the padding between the weights


BYTES = {
    "text": b"This is a letter.\n" * 50,
    "zeros": bytes(1000),
    "noise": bytes(torch.randint(256, (5000,), generator=seeded()).tolist()),
    "zip without content": b"PK\x05\x06" + bytes(18),
    "pickle": pickle.dumps({"format": "vae_lessons model", "version": 1}),
}


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("content", BYTES.values(), ids=BYTES)
def test_a_file_of_something_else_is_refused(content, tmp_path):
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    assert_refused(path)


FOREIGN = {
    "tensor": torch.zeros(3),
    "dict": {"a": 1},
    "state_dict": VAE(**SMALL).state_dict(),
    "whole model": VAE(**SMALL),
    "another format": {"format": "their model", "version": 1},
    "no version": {"format": "vae_lessons model"},
}


@pytest.mark.filterwarnings("ignore:Using a non-tuple sequence")
@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
def test_what_others_saved_with_torch_is_refused(content, tmp_path):
    torch.save(content, tmp_path / "model.pt")
    assert_refused(tmp_path / "model.pt")


def content_of(model, **changed):
    """What save_model writes of a model, with some of it changed."""
    return {
        "format": "vae_lessons model", "version": 1, "kind": type(model).__name__,
        "settings": model.settings, "state": model.state_dict(), **changed,
    }  # fmt: skip


def test_what_save_model_writes_is_known_to_these_tests(tmp_path):
    torch.save(content_of(VAE(**SMALL)), tmp_path / "model.pt")
    assert same_weights(load_model(tmp_path / "model.pt", "cpu"), VAE(**SMALL))


def test_a_file_of_a_later_version_is_refused(tmp_path):
    torch.save(content_of(VAE(**SMALL), version=2), tmp_path / "model.pt")
    assert_refused(tmp_path / "model.pt", "version 2.*upgrade")


STATE = VAE(**SMALL).state_dict()
UNFIT = {
    "other latent": {"settings": VAE(**SMALL).settings | {"latent": 4}},
    "other hidden": {"settings": VAE(**SMALL).settings | {"hidden": (16, 9)}},
    "unknown setting": {"settings": VAE(**SMALL).settings | {"depth": 3}},
    "impossible setting": {"settings": VAE(**SMALL).settings | {"latent": 0}},
    "no settings": {"settings": None},
    "other kind": {"kind": "Autoencoder"},
    "unknown kind": {"kind": "Linear"},
    "a weight missing": {"state": dict(list(STATE.items())[1:])},
    "a weight too many": {"state": STATE | {"more": torch.zeros(1)}},
    "no weights": {"state": None},
}


@pytest.mark.parametrize("changed", UNFIT.values(), ids=UNFIT)
def test_weights_that_do_not_fit_are_refused(changed, tmp_path):
    torch.save(content_of(VAE(**SMALL), **changed), tmp_path / "model.pt")
    assert_refused(tmp_path / "model.pt", "weights do not fit its settings")


class Intruder:
    """A pickle that makes a folder when it is read by something that runs code."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return os.mkdir, (self.mark,)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("place", ["alone", "settings", "state", "raw pickle"])
def test_code_in_a_file_is_not_run(place, tmp_path):
    path, mark = tmp_path / "model.pt", tmp_path / "mark"
    intruder = Intruder(mark)
    pickle.loads(pickle.dumps(intruder))
    assert mark.is_dir()  # this is what it would do
    mark.rmdir()
    if place == "raw pickle":
        path.write_bytes(pickle.dumps(intruder))
    else:
        content = {"settings": intruder} if place == "settings" else {"state": {"x": intruder}}
        torch.save(intruder if place == "alone" else content_of(VAE(**SMALL), **content), path)
    assert_refused(path)
    assert not mark.exists()


def test_a_missing_file_is_told(tmp_path):
    for path in (tmp_path / "none.pt", tmp_path):
        with pytest.raises(FileNotFoundError, match=r"There is no file .*test_a_missing_file"):
            load_model(path)


def test_a_model_is_loaded_onto_the_device(tmp_path, monkeypatch):
    path = tmp_path / "model.pt"
    save_model(VAE(**SMALL), path)
    assert load_model(path, device="cpu").device.type == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ValueError, match="cuda"):
        load_model(path, device="cuda")


needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="There is no CUDA GPU here.")


@needs_cuda
def test_on_a_gpu_a_model_is_saved_and_loaded_as_well(tmp_path):
    model = VAE(**SMALL).to("cuda")
    save_model(model, tmp_path / "model.pt")
    assert model.device.type == "cuda"
    again = load_model(tmp_path / "model.pt")
    assert again.device.type == "cuda"
    assert same_weights(again, model)
    assert same_weights(load_model(tmp_path / "model.pt", "cpu"), model.cpu())


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
