"""Lesson 17's exercises and the clinic's chart: every known mistake is named, right answers pass."""

import pytest
import torch
from check_over_seeds import SEEDS, assert_refused_and_named, assert_right, codes
from torch.nn import functional as F

from vae_lessons import check
from vae_lessons.check import clinic
from vae_lessons.check.exercises.train_pictures import probe
from vae_lessons.data import Batch
from vae_lessons.model import Autoencoder, ConvolutionalVAE
from vae_lessons.plots import Picture
from vae_lessons.train import fit


def by_reshaping(pixels, size):
    height, width, _ = pixels.shape
    side, step = min(height, width), min(height, width) // size
    top, left = (height - side) // 2, (width - side) // 2
    square = pixels[top : top + side, left : left + side] / 255
    return square.reshape(size, step, size, step, 3).mean((1, 3)).movedim(-1, 0)


def in_a_loop(pixels, size):
    height, width = pixels.shape[:2]
    side = min(height, width)
    step, top, left = side // size, (height - side) // 2, (width - side) // 2
    image = torch.zeros(3, size, size)
    for c in range(3):
        for i in range(size):
            for j in range(size):
                part = pixels[top + i * step :, left + j * step :, c][:step, :step]
                image[c, i, j] = part.double().mean() / 255
    return image


def by_interpolation(pixels, size):
    side = min(pixels.shape[:2])
    top, left = ((n - side) // 2 for n in pixels.shape[:2])
    x = pixels.permute(2, 0, 1)[None, :, top : top + side, left : left + side].to(torch.float64)
    return F.interpolate(x, (size, size), mode="area")[0].div(255)


def by_hand(data):
    x = data.train.x
    model = ConvolutionalVAE(4, (16, 32), sigma=0.2, shape=x[0].shape, seed=0)
    model.start_at(x.mean(0))
    adam = torch.optim.Adam(model.parameters(), 2e-3)
    for _ in range(60):
        for index in torch.randperm(len(x)).split(25):
            terms = model.terms(Batch(x[index]))
            adam.zero_grad()
            (terms.nll + terms.kl).mean().backward()
            adam.step()
    return model


def with_beta(data):
    model = ConvolutionalVAE(5, (16, 32), shape=data.train.pixels.shape[1:])
    fit(model, data, epochs=60, batch=25, beta=lambda t: 8 * min(1, 2 * t), progress=False)
    return model


def wider(data):
    channels, height, width = data.train.x[0].shape
    model = ConvolutionalVAE(5, (24, 48), sigma=0.2, shape=(channels, height, width))
    fit(model, data, 40, batch=20, progress=False)
    return model


@pytest.mark.parametrize(("name", "mistake", "code"), codes(["prepared"]))
def test_every_known_mistake_of_prepared_is_refused_and_named(name, mistake, code):
    assert_refused_and_named(name, mistake, code)


def test_every_correct_style_of_prepared_is_right():
    assert_right("prepared", (by_reshaping, in_a_loop, by_interpolation))


@pytest.mark.parametrize("answer", ["text", None, torch.zeros(2, 2), ("a", "b")])
@pytest.mark.parametrize("name", ["prepared", "train_pictures"])
def test_senseless_answers_get_a_calm_verdict(name, answer):
    assert getattr(check, name).judge(lambda first, *others: answer).status == "wrong"


@pytest.mark.parametrize(("name", "mistake", "code"), codes(["train_pictures"]))
def test_a_model_that_was_trained_wrongly_is_named_by_the_clinic(name, mistake, code):
    verdict = check.train_pictures.judge(code)
    assert (verdict.status, verdict.mistake) == ("wrong", mistake.name)
    assert mistake.says in verdict.message


@pytest.mark.slow
@pytest.mark.parametrize(("name", "mistake", "code"), codes(["train_pictures"]))
def test_so_it_is_for_ten_seeds(name, mistake, code):
    assert_refused_and_named(name, mistake, code)


@pytest.mark.parametrize("train", [check.train_pictures.reference, by_hand, with_beta, wider])
@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in SEEDS if n)])
def test_a_model_that_was_trained_well_is_discharged(train, seed):
    verdict = check.train_pictures.judge(train, seed)
    assert verdict.status == "right", verdict.message


def test_an_untouched_stub_is_told_so_and_the_lesson_goes_on():
    def train_pictures(data): ...

    assert check.train_pictures.judge(train_pictures).status == "untouched"
    assert check.train_pictures.working(train_pictures) is check.train_pictures.reference


def test_what_is_no_function_and_what_fails_get_one_sentence():
    assert "function itself" in check.train_pictures.judge(3).message
    assert "ZeroDivisionError" in check.train_pictures.judge(lambda data: 1 / 0).message


def test_every_sign_of_the_chart_has_a_patient_and_the_chart_is_drawn_from_the_same_table():
    signs = {step.name for step in clinic.STEPS if step.sign}
    assert signs <= {mistake.name for mistake in check.train_pictures.mistakes}
    picture = clinic.flow_chart()
    assert isinstance(picture, Picture)
    assert f"{len(clinic.STEPS)} questions" in picture.caption
    found = clinic.flow_chart(clinic.flow.Visit("collapse", {}))
    assert "collapse" in found.caption
    assert found.png != picture.png


def test_a_visit_leaves_the_model_and_the_random_state_as_they_were():
    data = probe(0)
    model = ConvolutionalVAE(shape=(3, 16, 16)).train()
    model.start_at(data.train.mean())
    before, weights = torch.get_rng_state(), [w.clone() for w in model.parameters()]
    visit = clinic.visit(model, data)
    assert visit.name == "collapse"
    assert "It means" in repr(visit)
    assert model.training
    assert torch.equal(torch.get_rng_state(), before)
    assert all(map(torch.equal, weights, model.parameters()))


def test_an_autoencoder_is_sent_away():
    with pytest.raises(TypeError, match="must be a VAE"):
        clinic.visit(Autoencoder(shape=(3, 16, 16)), probe(0))


def test_shares_that_are_explained_are_one_minus_the_errors_over_those_of_the_mean_image():
    data, model = probe(0), ConvolutionalVAE(shape=(3, 16, 16))
    model.start_at(data.train.mean())
    x, mean = data.test.x, data.train.mean()
    error = ((model.reconstruct(x) - x) ** 2).sum() / ((x - mean) ** 2).sum()
    assert clinic.visit(model, data).numbers["test"] == pytest.approx(1 - error.item(), abs=1e-5)
