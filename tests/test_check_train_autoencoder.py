"""Lesson 01's train_autoencoder: every known mistake is named, every correct style passes."""

import numpy as np
import pytest
import torch
from check_over_seeds import SEEDS, assert_refused_and_named, assert_right, codes
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from vae_lessons import check


class Both(nn.Module):
    """Two networks in one module, with more layers and a sigmoid at the end."""

    def __init__(self, pixels, latent):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(pixels, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, latent)
        )
        self.decoder = nn.Sequential(
            nn.Linear(latent, 32),
            nn.ReLU(),
            nn.Linear(32, 64),
            nn.ReLU(),
            nn.Linear(64, pixels),
            nn.Sigmoid(),
        )


def by_module(x, latent, epochs):
    model = Both(x.shape[1], latent)
    adam = torch.optim.Adam(model.parameters(), 2e-3)
    for _ in range(epochs):
        for index in torch.randperm(len(x)).split(64):
            loss = nn.functional.mse_loss(model.decoder(model.encoder(x[index])), x[index])
            model.zero_grad()
            loss.backward()
            adam.step()
    return model.encoder, model.decoder


def by_loader(x, latent, epochs):
    encoder = nn.Sequential(nn.Linear(x.shape[-1], 50), nn.Tanh(), nn.Linear(50, latent))
    decoder = nn.Sequential(nn.Linear(latent, 50), nn.Tanh(), nn.Linear(50, x.shape[-1]))
    optimizer = torch.optim.AdamW([{"params": encoder.parameters()}, {"params": decoder.parameters()}], 5e-3)
    loader = DataLoader(TensorDataset(x), batch_size=80, shuffle=True)
    for _ in range(epochs):
        for (rows,) in loader:
            optimizer.zero_grad()
            ((decoder(encoder(rows)) - rows) ** 2).sum().div(len(rows)).backward()
            optimizer.step()
    return encoder, decoder


def by_hand(x, latent, epochs):
    """Centred inside, momentum of its own, rows drawn with replacement, functions in place of modules."""
    mean = x.mean(0)
    net = nn.ModuleList(
        [nn.Linear(len(mean), 64), nn.Linear(64, latent), nn.Linear(latent, 64), nn.Linear(64, len(mean))]
    )
    weights = list(net.parameters())
    speed = [torch.zeros_like(weight) for weight in weights]

    def encode(x):
        return net[1](nn.functional.silu(net[0](x - mean)))

    def decode(z):
        return mean + net[3](nn.functional.silu(net[2](z)))

    for _ in range(epochs * len(x) // 50):
        rows = x[torch.randint(len(x), (50,))]
        loss = (rows - decode(encode(rows))).square().sum(1).mean()
        for weight, v, gradient in zip(weights, speed, torch.autograd.grad(loss, weights), strict=True):
            v.mul_(0.9).add_(gradient)
            weight.data -= 0.05 * v
    return encode, decode


STYLES = (by_module, by_loader, by_hand)


@pytest.fixture(autouse=True)
def as_a_learner_runs_it(monkeypatch):
    monkeypatch.delenv("VAE_LESSONS_STRICT", raising=False)


@pytest.mark.parametrize(("name", "mistake", "code"), codes(["train_autoencoder"]))
def test_every_known_mistake_is_refused_and_named(name, mistake, code):
    assert_refused_and_named(name, mistake, code)


def test_the_package_and_every_right_style_pass():
    assert_right("train_autoencoder", STYLES)


def test_float64_passes():
    torch.set_default_dtype(torch.float64)
    try:
        assert check.train_autoencoder.judge(by_loader).status == "right"
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda x, latent, epochs: print(end=""), "return encoder, decoder"),
        (lambda x, latent, epochs: nn.Linear(6, 1), "must return the two networks"),
        (lambda x, latent, epochs: (nn.Linear(6, latent), nn.Linear(latent, 6)), "straight lines only"),
        (lambda x, latent, epochs: np.linalg.svd(x) and x[3000], "IndexError"),
    ],
)
def test_other_answers_are_told_what_is_asked(answer, said):
    told = check.train_autoencoder.judge(answer)
    assert told.status == "wrong"
    assert said in told.message


def test_a_good_error_does_not_excuse_an_encoder_that_never_learned():
    """On a curve, a decoder can learn to read a random encoder, so that the error alone would not tell."""
    (mistake,) = [m for m in check.train_autoencoder.mistakes if m.name == "only the decoder is trained"]
    assert check.train_autoencoder.judge(mistake.codes[0], SEEDS[-1]).mistake == mistake.name


def test_nothing_is_left_on_the_networks_of_others():
    before = len(torch.nn.modules.module._global_forward_pre_hooks)
    check.train_autoencoder.judge(lambda x, latent, epochs: 1 / 0)
    assert len(torch.nn.modules.module._global_forward_pre_hooks) == before


def test_a_lesson_goes_on_with_a_right_answer_and_else_with_the_package_s_own():
    exercise = check.train_autoencoder
    assert exercise.working(by_module) is by_module
    assert exercise.working(...) is exercise.reference
    assert exercise.working(lambda x, latent, epochs: x) is exercise.reference
