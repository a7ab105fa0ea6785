"""Bounds and objectives: the bound against worlds whose log p(x) is known, gradients, memory."""

import math
import subprocess
import sys

import pytest
import torch
from torch.distributions import Bernoulli, Normal

from vae_lessons import likelihood
from vae_lessons.data import Batch, Split
from vae_lessons.data import digits as handwriting
from vae_lessons.evidence import LinearGaussian
from vae_lessons.gaussian import reparameterize
from vae_lessons.likelihood import (
    effective_samples,
    evaluate_importance,
    free_bits,
    importance,
    importance_bound,
    log_evidence_grid,
    log_joint_grid,
    log_mean_exp,
    log_weights,
    negative_elbo,
    nll_under,
    sticking_the_landing,
)
from vae_lessons.losses import Terms, free_bits_kl, gaussian_nll
from vae_lessons.model import VAE, Autoencoder

SMALL = {"latent": 3, "hidden": (16,)}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def bound_in(world, x, samples, wide=1.0, shift=0.0, seed=0):
    """The bound with a q(z|x) that is the posterior, but `wide` times as wide and moved by `shift`."""
    mu, covariance = world.posterior(x)
    log_var = (covariance.diagonal().log() + 2 * math.log(wide)).expand_as(mu)

    def nll(x, z):
        return gaussian_nll(x, world.decode(z), world.sigma_x)

    return importance_bound(nll, x, mu + shift, log_var, samples, seeded(seed)), mu + shift, log_var


def test_with_the_posterior_itself_one_sample_is_enough():
    world = LinearGaussian.random(3, 8)
    x = world.sample(50, seeded())
    for samples in (1, 7):
        bound, *_ = bound_in(world, x, samples)
        torch.testing.assert_close(bound, world.log_evidence(x), rtol=1e-9, atol=1e-9)


def test_it_lies_between_elbo_and_evidence_and_rises_with_samples():
    world = LinearGaussian.random(2, 6)
    x = world.sample(400, seeded())
    exact = world.log_evidence(x)
    means, wrong = [], {"wide": 1.6, "shift": 0.15}
    for samples in (1, 10, 100, 5_000):
        bound, mu, log_var = bound_in(world, x, samples, **wrong)
        gap = bound - exact
        error = gap.std() / math.sqrt(len(x))
        assert gap.mean() < 3 * error
        means.append(bound.mean())
    elbo = world.elbo(x, mu, torch.diag_embed(log_var.exp())).mean()
    one = bound_in(world, x.repeat(50, 1), 1, **wrong)[0].mean()
    assert one == pytest.approx(elbo.item(), abs=0.03)
    assert elbo + 0.1 < means[1] < means[2] + 0.01 < means[3] + 0.02
    assert means[3] == pytest.approx(exact.mean().item(), abs=0.003)


@pytest.mark.parametrize("rows", [1, 7, 64, 4096])
def test_it_is_the_log_of_the_mean_weight_however_it_is_streamed(rows, monkeypatch):
    monkeypatch.setattr(likelihood, "ROWS", rows)
    world, samples = LinearGaussian.random(1, 3), 400_000 if rows == 4096 else 3_000
    x = world.sample(1, seeded())
    bound, mu, log_var = bound_in(world, x, samples, wide=2.0)
    z = Normal(mu, (log_var / 2).exp()).sample((samples,)).squeeze(1)
    log_w = Normal(world.decode(z), world.sigma_x).log_prob(x).sum(1) + Normal(0, 1).log_prob(z).sum(1)
    log_w -= Normal(mu, (log_var / 2).exp()).log_prob(z).sum(1)
    w = (log_w - world.log_evidence(x)).exp()
    error = w.std().item() * math.sqrt(2 / samples)
    assert bound.exp().item() / log_w.exp().mean().item() == pytest.approx(1, abs=5 * error)


def test_weights_of_thousands_of_nats_neither_overflow_nor_vanish():
    x, mu = torch.zeros(2, 5), torch.zeros(2, 1)
    for nats in (-5_000.0, 5_000.0):
        bound = importance_bound(lambda x, z, n=nats: torch.full((len(x),), n), x, mu, mu, 1_000, seeded())
        torch.testing.assert_close(bound, torch.full((2,), -nats))


def test_each_image_keeps_its_own_samples(monkeypatch):
    """A bound of image i that used image j's z would be far off."""
    monkeypatch.setattr(likelihood, "ROWS", 11)
    mu = torch.tensor([[0.0], [100.0], [-50.0]])
    x = mu.expand(3, 4)
    bound = importance_bound(
        lambda x, z: (x - z).abs().amax(1), x, mu, torch.full((3, 1), -9.0), 20, seeded()
    )
    prior = Normal(0, 1).log_prob(mu[:, 0])
    entropy = (1 + math.log(2 * math.pi) - 9) / 2
    torch.testing.assert_close(bound, prior + entropy, atol=2.0, rtol=0)


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_a_models_bound_is_made_of_its_own_likelihood(likelihood):
    model = VAE(**SMALL, likelihood=likelihood, **({} if likelihood == "bernoulli" else {"sigma": 0.7}))
    x = torch.rand(1, 1, 28, 28, generator=seeded())
    found = evaluate_importance(model, Split(x), samples=1, seed=3, progress=False)
    with torch.no_grad():
        mu, log_var = model.encode(x)
        z = mu + (log_var / 2).exp() * torch.randn(1, 3, generator=seeded(3))
        out = model.decode(z)
        decoder = (
            Bernoulli(logits=out, validate_args=False) if likelihood == "bernoulli" else Normal(out, 0.7)
        )
        wanted = decoder.log_prob(x).sum() + Normal(0, 1).log_prob(z).sum()
        wanted -= Normal(mu, (log_var / 2).exp()).log_prob(z).sum()
    assert found.item() == pytest.approx(wanted.item(), rel=1e-5)


def test_evaluation_is_seeded_and_changes_nothing():
    model, split = VAE(**SMALL), Split(torch.rand(10, 1, 28, 28, generator=seeded()))
    state, model = torch.get_rng_state(), model.train()
    a, b, c = (evaluate_importance(model, split, 20, seed, batch=4, progress=False) for seed in (0, 0, 1))
    assert a.shape == (10,)
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert not a.requires_grad
    assert model.training
    assert torch.equal(torch.get_rng_state(), state)


def test_a_wider_proposal_is_a_proposal_with_more_of_the_same_log_var():
    world = LinearGaussian.random(2, 6)
    x = world.sample(20, seeded())
    mu, covariance = world.posterior(x)
    log_var = covariance.diagonal().log().expand_as(mu)

    def nll(x, z):
        return gaussian_nll(x, world.decode(z), world.sigma_x)

    wide = importance_bound(nll, x, mu, log_var, 50, seeded(), widen=2.0)
    torch.testing.assert_close(wide, importance_bound(nll, x, mu, log_var + math.log(4), 50, seeded()))
    exact = world.log_evidence(x)
    many = importance_bound(nll, x, mu, log_var, 20_000, seeded(), widen=2.0)
    torch.testing.assert_close(many, exact, atol=0.1, rtol=0)
    with pytest.raises(ValueError, match="widen must be a positive number"):
        importance_bound(nll, x, mu, log_var, 1, widen=0)


def test_effective_samples_count_equal_weights_and_see_one_that_rules():
    log_w = torch.tensor([[0.0] * 4, [1000.0, 0, 0, 0], [5.0, 5, -1000, -1000]])
    torch.testing.assert_close(effective_samples(log_w), torch.tensor([4.0, 1.0, 2.0]))
    for bad in (torch.zeros(3), torch.zeros(3, 0)):
        with pytest.raises(ValueError, match=r"log_w must be \(B, K\)"):
            effective_samples(bad)


class Pixels(torch.nn.Module):
    """A decoder of three pixels, each a Gaussian bump or a slope over the plane of codes."""

    def forward(self, z):
        return torch.stack([3 * z[:, 0], 2 - z.square().sum(1), z[:, 1] - 1], 1)


def test_the_grid_integrates_to_one_over_all_images_and_agrees_with_many_draws_of_the_prior():
    model = VAE(latent=2, shape=(3,), encoder=torch.nn.Identity(), decoder=Pixels())
    model.register_parameter("anchor", torch.nn.Parameter(torch.zeros(())))  # it has a device and a type
    x = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 3)
    found = log_evidence_grid(model, x)
    assert found.exp().sum() == pytest.approx(1, abs=1e-4)
    torch.testing.assert_close(log_evidence_grid(model, x, 6, 601), found, atol=1e-3, rtol=0)
    z = torch.randn(200_000, 2, generator=seeded())
    drawn = Bernoulli(logits=Pixels()(z)).log_prob(x[5].expand(len(z), 3)).sum(1)
    assert log_mean_exp(drawn) == pytest.approx(found[5].item(), abs=0.02)
    joint = log_joint_grid(model, x, 2.0, 5)
    assert joint.shape == (8, 5, 5)
    z = torch.tensor([[2.0, -1.0]])  # column 4, row 1
    wanted = Bernoulli(logits=Pixels()(z)).log_prob(x).sum(1) + Normal(0, 1).log_prob(z).sum(1)
    torch.testing.assert_close(joint[:, 1, 4], wanted)


@pytest.mark.parametrize(
    ("model", "given", "words"),
    [
        ({"latent": 3}, {}, "2 latent numbers"),
        ({"likelihood": "gaussian"}, {}, "a Bernoulli likelihood"),
        ({}, {"limit": -1}, "limit must be"),
        ({}, {"points": 1}, "points must be"),
    ],
)
def test_what_has_no_grid_is_refused(model, given, words):
    with pytest.raises(ValueError, match=r"x must be \(B, 1, 28, 28\)"):
        log_evidence_grid(VAE(latent=2, hidden=(4,)), torch.zeros(1, 784))
    with pytest.raises(ValueError, match=words):
        log_evidence_grid(VAE(**({"latent": 2, "hidden": (4,)} | model)), torch.zeros(1, 1, 28, 28), **given)


PEAK = """
import sys, torch
from vae_lessons import likelihood
from vae_lessons.data import digits as handwriting
from vae_lessons.data import Batch, Split
from vae_lessons.likelihood import evaluate_importance
from vae_lessons.model import VAE
model, images, samples = VAE(latent=20, hidden=(400,)), int(sys.argv[1]), int(sys.argv[2])
pixels = torch.randint(0, 256, (images, 1, 28, 28), dtype=torch.uint8)
evaluate_importance(model, Split(pixels), samples, progress=False)
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(int(status["VmHWM"].split()[0]) / 1024)  # ru_maxrss would count the process that started this one
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Elsewhere the peak is told in other ways.")
def test_it_takes_less_than_a_gigabyte_whatever_the_samples():
    """The pictures of 400 samples of 64 images at once are 80 MB, and their nll takes several of those."""
    few, many = (
        float(
            subprocess.run(
                [sys.executable, "-c", PEAK, images, samples], capture_output=True, text=True, check=True
            ).stdout
        )
        for images, samples in (("64", "64"), ("64", "400"))
    )
    assert few < 1000
    assert many < 1.15 * few  # megabytes: what runs on is memory that the samples share


SPLIT = Split(torch.rand(3, 1, 28, 28))
X, MU = torch.zeros(3, 2), torch.zeros(3, 1)


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (
            lambda: evaluate_importance(Autoencoder(**SMALL), SPLIT),
            TypeError,
            "must be a VAE.*not a Autoencoder",
        ),
        (
            lambda: evaluate_importance(VAE(**SMALL), SPLIT.x),
            TypeError,
            "split must be a Split.*not a Tensor",
        ),
        (lambda: evaluate_importance(VAE(**SMALL), SPLIT, samples=0), ValueError, "samples must be a whole"),
        (lambda: evaluate_importance(VAE(**SMALL), SPLIT, batch=0), ValueError, "batch must be a whole"),
        (lambda: evaluate_importance(VAE(**SMALL), SPLIT, seed=-1), ValueError, "seed must be"),
        (lambda: evaluate_importance(VAE(**SMALL), Split(2 * SPLIT.x)), ValueError, r"\[0, 1\]"),
        (lambda: importance_bound(None, X, MU, MU, True), ValueError, "samples must be a whole number"),
        (lambda: importance_bound(None, X, MU[:2], MU[:2]), ValueError, r"mu must be \(3, L\)"),
        (lambda: importance_bound(None, X, MU, MU[:, :0]), ValueError, "one shape"),
    ],
)
def test_what_cannot_be_is_refused(call, error, said):
    with pytest.raises(error, match=said):
        call()


# -------------------------------------------------------------------------------------- objectives


@pytest.fixture(scope="module")
def batch():
    return Batch((handwriting.draw(20)[0] > 127).float())


def gradients(objective, model, batch, generator):
    loss = sum(objective(model, batch, generator)).mean()
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(model.parameters()))])


def plain_importance(model, batch, generator):
    """The negative of the bound of four samples, differentiated as it stands."""
    q = [part.repeat_interleave(4, 0) for part in model.encode(batch.x)]
    z = reparameterize(*q, generator=generator)
    log_w = log_weights(nll_under(model), batch.x.repeat_interleave(4, 0), z, *q).view(-1, 4)
    return Terms(-log_mean_exp(log_w), torch.zeros(len(batch.x)))


@pytest.mark.parametrize(
    ("ours", "plain"), [(sticking_the_landing, negative_elbo), (importance(4), plain_importance)]
)
def test_an_objective_of_less_variance_has_the_same_value_and_mean_gradient(ours, plain, batch):
    model = VAE(latent=50, hidden=(16,))
    (a, ea), (b, eb) = (mean_gradient(objective, model, batch) for objective in (ours, plain))
    off = (a - b) / (ea**2 + eb**2).sqrt().clamp(min=1e-6)
    assert off.abs().mean() < 1  # 0.8 for noise alone, in standard errors
    assert off.abs().max() < 6
    assert (a - b).norm() < 0.2 * b.norm()
    values = [sum(objective(model, batch, seeded(5))).mean().item() for objective in (ours, plain)]
    assert values[0] == pytest.approx(values[1], rel=0.02)  # the KL of one is a sample, of the other exact


def mean_gradient(objective, model, batch, times=400):
    """The mean gradient over many draws of the noise, and its standard error, of each weight."""
    generator = seeded(1)
    drawn = torch.stack([gradients(objective, model, batch, generator) for _ in range(times)])
    return drawn.mean(0), drawn.std(0) / times**0.5


def test_importance_of_four_samples_is_the_bound_of_four_samples(batch):
    model = VAE(latent=3, hidden=(16,))
    torch.testing.assert_close(
        importance(4)(model, batch, seeded(2)).nll, plain_importance(model, batch, seeded(2)).nll
    )


def test_a_single_importance_sample_is_sticking_the_landing(batch):
    model = VAE(latent=3, hidden=(16,))
    one, two = (gradients(f, model, batch, seeded(3)) for f in (sticking_the_landing, importance(1)))
    torch.testing.assert_close(one, two)


def test_free_bits_charge_the_kl_above_the_floor_only(batch):
    model = VAE(latent=3, hidden=(16,))
    plain = negative_elbo(model, batch, seeded(4))
    for floor in (0.0, 0.1, 50.0):
        terms = free_bits(floor)(model, batch, seeded(4))
        torch.testing.assert_close(terms.nll, plain.nll)
        charged = free_bits_kl(*model.encode(batch.x), floor)
        torch.testing.assert_close(terms.kl, charged.expand(20))
    assert free_bits(0.0)(model, batch).kl.mean().item() == pytest.approx(plain.kl.mean().item(), rel=1e-5)
    gradient = torch.autograd.grad(free_bits(50.0)(model, batch).kl.mean(), model.encoder.head.parameters())
    assert not any(part.any() for part in gradient)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: importance(0), "k must be a whole number, at least 1, not 0"),
        (lambda: importance(2.5), "k must be a whole number"),
        (lambda: free_bits(-1), "floor must be a number, 0 or more, not -1"),
    ],
)
def test_objectives_with_an_invalid_setting_are_refused_at_once(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_log_of_the_mean_does_not_overflow():
    log_w = torch.tensor([[1e4, 1e4], [-1e4, -1e4]])
    torch.testing.assert_close(log_mean_exp(log_w), torch.tensor([1e4, -1e4]))
