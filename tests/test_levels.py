"""Pixels of 256 levels: a tilted histogram is a distribution over images, and its bits are comparable."""

import math

import pytest
import torch
from torch.nn import functional as F

from vae_lessons.losses import bernoulli_nll, bits_per_dim, levels_nll
from vae_lessons.model import VAE
from vae_lessons.observation import Levels

LEVEL = torch.arange(256).double() / 255
SEEN = torch.randint(0, 256, (40, 1, 3, 3), generator=torch.Generator().manual_seed(0)).double() ** 2
SEEN = (SEEN / 255).round() / 255  # more dark levels than light ones


@pytest.mark.parametrize("logit", [-900.0, -20.0, -0.5, 0.0, 3.0, 40.0, 900.0])
def test_the_256_levels_of_a_pixel_sum_to_one(logit):
    log_h = Levels(SEEN).log_h.double()
    nll = levels_nll(LEVEL[:, None], torch.full((256, 1), logit).double(), log_h)
    assert torch.exp(-nll).sum() == pytest.approx(1, abs=1e-9)
    direct = torch.log_softmax(log_h + logit * LEVEL, 0)
    torch.testing.assert_close(-nll, direct, rtol=1e-6, atol=1e-6)


def test_with_only_black_and_white_it_is_the_bernoulli():
    log_h = torch.full((256,), -80.0).double()
    log_h[[0, 255]] = math.log(0.5)
    x, logits = (torch.arange(8).view(4, 2) % 3 == 0).double(), torch.linspace(-4, 4, 8).double().view(4, 2)
    torch.testing.assert_close(levels_nll(x, logits, log_h), bernoulli_nll(x, logits))


def test_gradients_are_those_of_the_direct_sum():
    log_h = Levels(SEEN).log_h.double()
    for scale in (1.0, 200.0):
        logits = (scale * torch.linspace(-1, 1, 18).double()).view(2, 9).requires_grad_()
        x = SEEN[:2].flatten(1)
        (fast,) = torch.autograd.grad(levels_nll(x, logits, log_h).sum(), logits)
        slow = torch.logsumexp(log_h + logits[..., None] * LEVEL, -1) - logits * x
        torch.testing.assert_close(fast, torch.autograd.grad(slow.sum(), logits)[0])


def test_the_mean_can_be_asked_for_and_draws_have_it():
    levels, wanted = Levels(SEEN), torch.tensor([[0.02, 0.3, 0.5, 0.97]])
    out = levels.output(wanted)
    torch.testing.assert_close(levels.mean(out), wanted, atol=1e-4, rtol=0)
    assert torch.equal(levels.output(torch.zeros(2)), levels.output(torch.full((2,), 1e-3)))
    drawn = levels.sample(out.expand(20_000, 4), torch.Generator().manual_seed(0))
    torch.testing.assert_close(drawn.mean(0), wanted[0], atol=0.01, rtol=0)
    levels.check(drawn)
    torch.testing.assert_close(
        levels.nll(drawn[:9], out.expand(9, 4)), levels_nll(drawn[:9], out.expand(9, 4), levels.log_h)
    )


def test_a_vae_takes_it_as_its_likelihood():
    model = VAE(latent=2, hidden=(8,), shape=(1, 3, 3), likelihood=Levels(SEEN))
    x = SEEN[:5].float()
    nll = model.likelihood.nll(x, model.decode(torch.zeros(5, 2)))
    nll.sum().backward()
    assert nll.shape == (5,)
    assert model.decoder.out.weight.grad.isfinite().all()
    assert model.picture(torch.zeros(1, 2)).aminmax().max <= 1


def test_what_is_no_level_is_refused_in_a_sentence():
    with pytest.raises(ValueError, match="256 levels"):
        Levels(torch.full((1, 4), 0.5))
    with pytest.raises(ValueError, match="256 levels"):
        levels_nll(torch.full((1, 4), 0.5), torch.zeros(1, 4), torch.zeros(256))
    with pytest.raises(ValueError, match="log_h must be"):
        levels_nll(torch.zeros(1, 4), torch.zeros(1, 4), torch.zeros(255))
    with pytest.raises(ValueError, match="one shape"):
        levels_nll(torch.zeros(1, 4), torch.zeros(1, 3), torch.zeros(256))


def test_bits_are_nats_over_log_two_and_dimensions():
    assert bits_per_dim(-784 * math.log(2), 784) == pytest.approx(1)
    assert bits_per_dim(-784 * math.log(256), 784) == pytest.approx(8)
    assert bits_per_dim(torch.zeros(3), 10, 256).tolist() == pytest.approx([8] * 3)  # the uniform density
    log_p = F.logsigmoid(torch.tensor(2.0)) * 5
    assert bits_per_dim(log_p, 5) == pytest.approx(-math.log2(torch.sigmoid(torch.tensor(2.0))))
    for bad in (0, 2.5, True):
        with pytest.raises(ValueError, match="dims must be"):
            bits_per_dim(0.0, bad)
        with pytest.raises(ValueError, match="levels must be"):
            bits_per_dim(0.0, 1, bad)
