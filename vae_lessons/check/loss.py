"""The exercise on the VAE's loss, lesson 06, and how it goes wrong."""

import torch

from vae_lessons import losses
from vae_lessons.check.exercise import Exercise
from vae_lessons.check.facts import Fact, Probe, noise, tensor_facts
from vae_lessons.check.losses import no_clouds
from vae_lessons.check.reconstruction import saturated
from vae_lessons.check.wrong_losses import MISTAKES
from vae_lessons.check.wrong_pairs import PAIRS

NAMES = ("x", "logits", "mu", "log_var", "beta")


def _one(x, logits, mu, log_var, beta):
    return (*(torch.tensor([[float(v)]], dtype=torch.float64) for v in (x, logits, mu, log_var)), beta)


def _images(seed, batch, shape, latent, beta):
    """A batch of a size that nobody wrote into their code: logits up to about 6, mu and log_var to 3."""
    x = (noise(batch, *shape, seed=4 * seed) > 0).double()
    logits, mu, log_var = (
        scale * noise(batch, *size, seed=4 * seed + i)
        for i, (scale, size) in enumerate(((2, shape), (1.3, (latent,)), (1, (latent,))), 1)
    )
    return x, logits, mu, log_var, beta


def _observe(call, seed):
    yield from tensor_facts(
        call, Probe("one pixel x = 1, logits = 0, and q = N(0, 1)", _one(1, 0, 0, 0, 1)), NAMES
    )
    yield from tensor_facts(call, Probe("the same with mu = 2, so kl = 2", _one(1, 0, 2, 0, 1)), NAMES)
    yield from tensor_facts(call, Probe("the same with beta = 3", _one(1, 0, 2, 0, 3)), NAMES)
    for batch, shape, latent in ((1, (6,), 3), (5, (1, 4, 3), 2)):
        title = f"{batch} image{'s' * (batch > 1)} of shape {shape}, {latent} latent numbers, beta = 0.5"
        probe = Probe(title, _images(seed, batch, shape, latent, 0.5))
        yield from tensor_facts(call, probe, NAMES, ("logits", "mu", "log_var"))
    *args, _ = probe.args
    default = call.tensor(
        *(value.to(torch.get_default_device(), torch.get_default_dtype()) for value in args)
    )
    value = default.detach().cpu().double()
    yield Fact("the same without beta, which is 1 then", value, 1e-4 * (1 + value.abs()))


def _remark(call, seed):
    return saturated(call, *no_clouds(), 1.0)


vae_loss = Exercise(
    name="vae_loss",
    parameters=NAMES,
    reference=losses.vae_loss,
    observe=_observe,
    remark=_remark,
    verified="nll summed over pixels, kl over latent numbers, beta on the kl, the mean over images, and "
    "the gradients. What this check cannot see is which z the logits came from: decode z = mu in place "
    "of a draw, and the same loss is no bound any more. check.reparameterize sees that, and so does "
    "the clinic.",
    mistakes=MISTAKES,
    pairs=PAIRS,
    hints=(
        "Two terms of one image each, (B,): nll is the cross-entropy summed over the pixels, kl is "
        "summed over latent numbers. Which functions of lessons 03 and 05 give them?",
        'F.binary_cross_entropy_with_logits(logits, x, reduction="none") has the shape of x; '
        ".flatten(1).sum(1) leaves one number an image.",
        "Add beta times the kl to the nll, and take the mean over images last.",
    ),
)
