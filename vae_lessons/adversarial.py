"""A generator against a critic: the loss that asks "does it look real?" in place of "is it this image?"."""

import math
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from vae_lessons.data.splits import checked_split
from vae_lessons.runtime import progress_bar, resolve_device, resolve_seed
from vae_lessons.settings import number_at_least, positive_number, tensor, whole_number


class Critic(nn.Module):
    """A network that says how real pictures look, (B, *shape) -> logits (B,): above 0 is "real".

    Linear layers with leaky ReLU (slope 0.2). `seed` None takes that of the lessons. (Radford et al. 2016)
    """

    def __init__(self, shape=(1, 28, 28), hidden=(128, 64), seed=None):
        super().__init__()
        sizes = [math.prod(shape), *(whole_number("hidden", size) for size in hidden)]
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(resolve_seed(seed))  # and not the GPU's
            layers = [nn.Flatten()]
            for i, o in pairwise(sizes):
                layers += [nn.Linear(i, o), nn.LeakyReLU(0.2)]
            self.layers = nn.Sequential(*layers, nn.Linear(sizes[-1], 1), nn.Flatten(0))

    def forward(self, x):
        """The logit of "real" for each picture, (B, *shape) -> (B,)."""
        return self.layers(x)


class Losses(NamedTuple):
    """What the two players minimise, each ()."""

    critic: Tensor
    generator: Tensor


def gan_losses(real, fake):
    """The losses of critic and generator from the critic's logits, (B,), (M,) -> Losses of (), in nats.

    critic    = mean over real of -log s(a) + mean over fake of -log(1 - s(a)),   s the sigmoid
    generator = mean over fake of -log s(a)

    The generator's is the non-saturating one. Its gradient reaches the generator through `fake`.
    Raises TypeError if they are no tensors. (Goodfellow et al. 2014)
    """
    tensor("real", real), tensor("fake", fake)
    return Losses(softplus(-real).mean() + softplus(fake).mean(), softplus(-fake).mean())


def gradient_penalty(critic, x):
    """The mean squared length of the critic's slope at images, module, (B, *shape) -> ().

    penalty = 1/B sum_i | d critic(x_i) / d x_i |^2

    at real images, without a factor of 1/2. It can be differentiated with respect to the critic's weights.
    Raises TypeError if x is no tensor. (Mescheder et al. 2018, "R1")
    """
    x = tensor("x", x).detach().requires_grad_()
    (slope,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return slope.square().flatten(1).sum(1).mean()


def standard_normal(*shape):
    """Codes from N(0, I) for `fit_adversarial`, sizes -> a function of (n, generator) -> (n, *shape)."""
    return lambda n, generator: torch.randn(n, *shape, generator=generator, device=generator.device)


class Played(NamedTuple):
    """What an adversarial training leaves beside the generator."""

    critic: nn.Module
    losses: Tensor  # (steps, 2): the critic's, without the penalty, and the generator's


def fit_adversarial(
    generator,
    data,
    steps,
    draw,
    penalty=10.0,
    critic=None,
    lr=2e-3,
    batch=128,
    every=4,
    falling=True,
    device="auto",
    seed=None,
    progress=True,
    watch=None,
):
    """Train a generator against a critic -> Played. The generator ends up on the device.

    `generator` is any module from codes to pictures, and `draw(n, generator)` gives n codes. In each step
    the critic, then the generator, takes one step of Adam (0.5, 0.9) down `gan_losses`; the learning rates
    fall in a straight line to 0, or stay as they are if `falling` is False. To every `every`-th loss of the
    critic, `every * penalty / 2 * gradient_penalty` is added, at real images. `critic` None is a `Critic`.
    `watch`, if given, is called with the number of finished steps, from 0 on. The same seed gives the same
    numbers on one machine, and the caller's random state is left as it was. KeyboardInterrupt keeps what was
    learned and returns. Raises ValueError or TypeError if a setting or the data is invalid,
    FloatingPointError when a loss is no longer finite.
    (Goodfellow et al. 2014; Mescheder et al. 2018; Karras et al. 2020, for `every`)
    """
    steps, batch, every = (
        whole_number(*named) for named in (("steps", steps), ("batch", batch), ("every", every))
    )
    penalty, lr = number_at_least("penalty", penalty), positive_number("lr", lr)
    device, seed = resolve_device(device), resolve_seed(seed)
    train = checked_split("data.train", data.train).to(device)
    critic = Critic(train.pixels.shape[1:], seed=seed) if critic is None else critic
    noise, losses = torch.Generator(device).manual_seed(seed), []
    players = [critic.to(device), generator.to(device)]
    adams = [torch.optim.Adam(player.parameters(), lr, betas=(0.5, 0.9), fused=True) for player in players]
    falls = [torch.optim.lr_scheduler.LinearLR(adam, 1.0, 0.0 if falling else 1.0, steps) for adam in adams]
    if watch:
        watch(0)
    with progress_bar(steps, progress) as bar:
        try:
            for step in range(steps):
                index = torch.randint(len(train), (batch,), generator=noise, device=device)
                real, fake = train.batch(index).x, generator(draw(batch, noise))
                loss = gan_losses(critic(real), critic(fake.detach())).critic
                lazy = every * penalty / 2 * gradient_penalty(critic, real) if step % every == 0 else 0.0
                _step(adams[0], loss + lazy)
                own = gan_losses(loss.detach(), critic(fake)).generator
                _step(adams[1], own)
                losses.append(torch.stack([loss.detach(), own.detach()]))
                for fall in falls:
                    fall.step()
                bar.update()
                if watch:
                    watch(step + 1)
        except KeyboardInterrupt:
            pass
    return Played(critic, _finite(losses))


def _step(adam, loss):
    adam.zero_grad()
    loss.backward()
    adam.step()


def _finite(losses):
    """All losses, (steps, 2), once they are finite."""
    losses = torch.stack(losses).cpu() if losses else torch.empty(0, 2)
    if not (good := losses.isfinite().all(1)).all():
        step = int((~good).nonzero()[0]) + 1
        raise FloatingPointError(f"A loss is no longer finite at step {step}; try a smaller lr.")
    return losses
