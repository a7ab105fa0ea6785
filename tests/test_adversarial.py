"""Critic, losses, penalty and training against closed forms; sharpness, grey and the average of images."""

import math

import pytest
import torch
from torch import distributions as td
from torch import nn
from torch.nn import functional as F

from vae_lessons import measures
from vae_lessons.adversarial import Critic, fit_adversarial, gan_losses, gradient_penalty, standard_normal
from vae_lessons.data import Data, Split
from vae_lessons.ring import Copies, centres, fit_ring_gan, fit_ring_vae, modes_held, ring, share_on


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_the_losses_are_cross_entropies():
    real, fake = noise(5), noise(7, seed=1)
    bce, losses = F.binary_cross_entropy_with_logits, gan_losses(real, fake)
    wanted = bce(real, torch.ones(5)) + bce(fake, torch.zeros(7))
    assert torch.allclose(losses.critic, wanted)
    assert torch.allclose(losses.generator, bce(fake, torch.ones(7)))


def test_a_critic_that_cannot_tell_loses_two_log_two():
    losses = gan_losses(torch.zeros(3), torch.zeros(3))
    assert losses.critic.item() == pytest.approx(2 * math.log(2))
    assert losses.generator.item() == pytest.approx(math.log(2))


def test_the_generator_learns_most_where_the_critic_is_sure():
    """The non-saturating loss has slope -1 there, where log(1 - s) has slope 0."""
    fake = torch.tensor([-20.0], requires_grad=True)
    gan_losses(torch.zeros(1), fake).generator.backward()
    assert fake.grad.item() == pytest.approx(-1)


def test_the_penalty_of_a_linear_critic_is_its_squared_weight_and_reaches_it():
    weight = noise(12).requires_grad_()
    penalty = gradient_penalty(lambda x: x.flatten(1) @ weight, noise(5, 1, 3, 4, seed=1))
    assert torch.allclose(penalty, weight.square().sum())
    penalty.backward()
    assert torch.allclose(weight.grad, 2 * weight)


def test_the_penalty_is_the_mean_of_squared_slopes_by_finite_differences():
    critic, x = Critic((1, 2, 3), hidden=(8, 8), seed=0).double(), noise(3, 1, 2, 3).double()
    step, squares = 1e-6, 0
    with torch.no_grad():
        for i in range(6):
            away = torch.zeros(6, dtype=torch.float64)
            away[i] = step
            away = away.view(1, 2, 3)
            squares += ((critic(x + away) - critic(x - away)) / (2 * step)).square().mean()
    assert gradient_penalty(critic, x).item() == pytest.approx(squares.item(), rel=1e-5)


def line(n=2_000):
    """Numbers from N(3, 0.5^2), (n, 1), as data."""
    return Data(Split(3 + 0.5 * noise(n, 1)), Split(3 + 0.5 * noise(100, 1, seed=1)))


def tiny_generator():
    layer = nn.utils.skip_init(nn.Linear, 1, 1)
    nn.init.constant_(layer.weight, 0.1)
    nn.init.zeros_(layer.bias)
    return layer


def played(steps=10, **settings):
    generator = tiny_generator()
    critic = settings.pop("critic", None) or Critic((1,), hidden=(16, 16), seed=1)
    result = fit_adversarial(
        generator, line(), steps, standard_normal(1), 1.0, critic, progress=False, device="cpu", **settings
    )
    return generator, result


def test_a_generator_learns_where_the_data_are():
    generator, result = played(800, lr=1e-2, every=1, seed=0)
    assert generator.bias.item() == pytest.approx(3, abs=0.25)
    assert result.losses.shape == (800, 2)
    assert result.losses.isfinite().all()


def test_the_same_seed_gives_the_same_generator_and_the_random_state_stays():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first, again, other = (played(seed=seed)[0].bias.item() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert first == again != other


def test_watch_sees_every_step_and_an_interruption_keeps_what_was_learned():
    seen = []

    def watch(step):
        seen.append(step)
        if step == 4:
            raise KeyboardInterrupt

    generator, result = played(watch=watch)
    assert seen == [0, 1, 2, 3, 4]
    assert len(result.losses) == 4
    assert generator.bias.item() != 0


def test_only_the_generator_that_is_passed_in_is_trained():
    """A decoder in a Sequential is shared with its model, whose encoder stays as it was."""
    generator = tiny_generator()
    shared = nn.Sequential(generator, nn.Tanh())
    fit_adversarial(shared, line(), 3, standard_normal(1), progress=False, device="cpu")
    assert generator.bias.item() != 0


def test_a_loss_that_is_not_finite_and_bad_settings_are_one_sentence():
    class Broken(nn.Linear):
        def forward(self, x):
            return super().forward(x)[:, 0] * math.nan

    with pytest.raises(FloatingPointError, match=r"^A loss is no longer finite at step 1;"):
        played(critic=Broken(1, 1))
    with pytest.raises(ValueError, match=r"^steps must be a whole number"):
        played(0)
    with pytest.raises(ValueError, match=r"^lr must be a positive number"):
        played(lr=0)
    with pytest.raises(TypeError, match=r"^real must be a tensor"):
        gan_losses([1.0], torch.zeros(1))
    with pytest.raises(TypeError, match=r"^x must be a tensor"):
        gradient_penalty(Critic(), None)


def test_copies_are_as_many_networks_that_do_not_see_each_other():
    net, x = Copies(3, 2, 5, 4), noise(7, 3, 2)
    y = net(x)
    assert y.shape == (7, 3, 4)
    moved = x.clone()
    moved[:, 1] += 1
    same = (net(moved) == y).all(-1).all(0)
    assert same.tolist() == [True, False, True]
    first, second = net.weights
    h = (x[:, 2] @ first[2] + net.biases[0][2]).relu() @ second[2] + net.biases[1][2]
    assert torch.allclose(y[:, 2], h, atol=1e-6)


def test_the_ring_holds_all_of_its_own_modes():
    points = ring(4_000, copies=2, seed=0).train.x
    assert modes_held(points).tolist() == [8, 8]
    assert torch.allclose(share_on(points), torch.tensor(0.989).double(), atol=0.01)  # 1 - exp(-9/2)
    half = centres()[:4].repeat(50, 1)[:, None]
    assert modes_held(half).tolist() == [4]
    assert share_on(half + 1).item() == 0
    with pytest.raises(ValueError, match=r"^points must be \(N, C, 2\)"):
        modes_held(torch.zeros(3, 2))


def test_the_ring_can_be_learned():
    data = ring(1_280, copies=2, seed=0)
    assert share_on(fit_ring_vae(data, steps=300, seed=0).sample(500, 0)).min() > 0.15
    assert share_on(fit_ring_gan(data, steps=300, lr=3e-3, penalty=1.0, seed=0)(500, 0)).min() > 0.1


def test_sharpness_counts_squared_steps_per_ink():
    x = torch.zeros(3, 1, 5, 5)
    x[0, 0, 2, 2] = 1.0  # four steps of 1, ink 1
    x[1, 0, 2, 2] = 0.5  # four steps of 1/4, ink 1/2
    assert measures.sharpness(x).tolist() == [4.0, 2.0, 0.0]
    blurred = F.avg_pool2d(x[:1], 3, 1, 1)
    assert measures.sharpness(blurred) < 1
    with pytest.raises(ValueError, match=r"^x must be \(B, C, H, W\)"):
        measures.sharpness(x[0])


def test_grey_is_the_share_of_ink_that_is_neither_light_nor_dark():
    x = torch.tensor(
        [[0.0, 0.05, 0.5, 0.95], [1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], [0.2, 0.4, 0.6, 1.0]]
    )
    assert measures.grey(x).tolist() == [0.5, 0.0, 0.0, 0.75]


def test_the_average_weighs_images_by_their_q_and_has_the_least_squared_error():
    x, z, mu, log_var = noise(6, 3), noise(4, 2, seed=1), noise(6, 2, seed=2), noise(6, 2, seed=3)
    q = td.Independent(td.Normal(mu, (log_var / 2).exp()), 1).log_prob(z[:, None]).softmax(1)
    average = measures.consistent_average(x, z, mu, log_var)
    assert torch.allclose(average, q @ x, atol=1e-5)

    def error(pictures):
        return (q[..., None] * (pictures[:, None] - x).square()).sum()

    assert all(error(average) < error(average + 0.1 * noise(4, 3, seed=seed)) for seed in range(3))


def test_how_many_images_share_a_code_goes_from_one_to_all():
    mu = torch.tensor([[0.0], [100.0], [200.0]])
    narrow, wide = torch.zeros(3, 1), torch.full((3, 1), 30.0)
    assert measures.images_averaged(mu, mu, narrow).tolist() == pytest.approx([1, 1, 1])
    assert measures.images_averaged(mu, mu, wide).tolist() == pytest.approx([3, 3, 3], abs=1e-3)
