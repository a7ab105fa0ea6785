"""An encoder, a decoder and an optimizer under observation in training -> what was done to them, in words."""

import torch
from torch import nn

from vae_lessons.check.engine.observed_model import kind
from vae_lessons.check.engine.probes import noise, placed
from vae_lessons.gaussian import kl_standard_normal
from vae_lessons.losses import bernoulli_nll
from vae_lessons.model import TwoHeads

SHAPE, HIDDEN, LATENT = (1, 2, 3), 5, 3
PIXELS = 6
RATE = 0.05  # of the descent: each step is seen in the weights
EXACT = 2e-3  # how far two gradients may be apart, as a share of their length, and be the same


class Training:
    """A small encoder and decoder with an optimizer and a schedule, in a `with` block that sees each step.

    `steps` are the steps of the optimizer, a dict each: the images x shown to the encoder, mu and log_var,
    the z given to the decoder, and of what the gradient was, in words. `events` are "step" and "schedule",
    in the order in which they happened.
    """

    def __init__(self, seed):
        with torch.random.fork_rng(devices=[]):
            self.encoder = nn.Sequential(
                nn.Flatten(), nn.Linear(PIXELS, HIDDEN), nn.Tanh(), TwoHeads(HIDDEN, LATENT)
            )
            self.decoder = nn.Sequential(
                nn.Linear(LATENT, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, PIXELS), nn.Unflatten(1, SHAPE)
            )
        self.weights = [*self.encoder.parameters(), *self.decoder.parameters()]
        with torch.no_grad():
            for i, weight in enumerate(self.weights):  # unlike those of a network just made
                weight.data = placed(0.6 * noise(*weight.shape, seed=100 * seed + i))
        self.before = [weight.detach().clone() for weight in self.weights]
        self.optimizer = torch.optim.SGD(self.weights, RATE)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda step: 1.0)
        self.steps, self.events, self.looking = [], [], True
        self.shown, self.decoded, self.so_far = [], [], 0

    def __enter__(self):
        moves = self.schedule.step

        def counted(*args, **kwargs):
            self.events.append("schedule")
            return moves(*args, **kwargs)

        self.schedule.step = counted
        self.hooks = [
            self.encoder.register_forward_hook(self._encoded),
            self.decoder.register_forward_pre_hook(self._decoding),
            self.optimizer.register_step_pre_hook(self._stepping),
        ]
        return self

    def __exit__(self, *_):
        for hook in self.hooks:
            hook.remove()

    @property
    def changed(self):
        """Whether any weight is another than at the start."""
        return any(not torch.equal(*pair) for pair in zip(self.weights, self.before, strict=True))

    @property
    def without_steps(self):
        """What has happened all the same, where the optimizer made no step, in words."""
        if self.changed:
            return "and yet the weights have changed"
        computed = any(weight.grad is not None for weight in self.weights)
        return "though a gradient has been computed" if computed else "and no gradient has been computed"

    @property
    def x(self):
        """All images that the encoder was shown, in order, (N, *SHAPE)."""
        return torch.cat([step["x"] for step in self.steps])

    @property
    def eps(self):
        """The noise of each step that makes its z from its mu and sigma, a list of (B, L)."""
        return [(step["z"] - step["mu"]) / (step["log_var"] / 2).exp() for step in self.steps]

    def _encoded(self, _, args, q):
        if self.looking:
            self.shown.append((torch.is_grad_enabled(), args[0].detach().clone(), *(p.detach() for p in q)))

    def _decoding(self, _, args):
        if self.looking:
            self.decoded.append((torch.is_grad_enabled(), args[0].detach().clone()))

    def _stepping(self, *_):
        self.events.append("step")
        shown, decoded = (_learning(calls) for calls in (self.shown, self.decoded))
        self.shown, self.decoded = [], []
        none = torch.zeros(0, LATENT)
        x, mu, log_var = shown or (torch.zeros(0, *SHAPE), none, none)
        (z,) = decoded or (none,)
        step = {"x": x, "mu": mu, "log_var": log_var, "z": z}
        step["gradient"] = "unknown" if len(z) != len(x) or not len(x) else self._gradient(x, z)
        self.steps.append(step)

    def _gradient(self, x, z):
        """Of what the gradient of the weights is, in words, for these images and their z."""
        got = [torch.zeros_like(w) if w.grad is None else w.grad.detach().clone() for w in self.weights]
        if not any(bool(part.any()) for part in got):
            return "of nothing: there is none"
        own, cut = self._terms(x, z, False), self._terms(x, z, True)
        self.so_far = self.so_far + own
        got = _flat(got)
        for basis, words in (
            (own, ""),
            (cut, ", of which none reaches the encoder through z"),
            (self.so_far, ", added up over all batches so far"),
        ):
            if (parts := _parts(got, basis)) is not None:
                return f"of {_sum(*parts)}{words}"
        return "of something else"

    @torch.enable_grad()
    def _terms(self, x, z, cut):
        """The gradients of the mean nll and of the mean kl, (weights, 2), with z cut off or not."""
        self.looking = False
        mu, log_var = self.encoder(x)
        sigma = (log_var / 2).exp()
        z = z if cut else mu + sigma * ((z - mu) / sigma).detach()
        terms = bernoulli_nll(x, self.decoder(z)).mean(), kl_standard_normal(mu, log_var).mean()
        self.looking = True
        ask = dict(allow_unused=True, retain_graph=True, materialize_grads=True)
        return torch.stack([_flat(torch.autograd.grad(term, self.weights, **ask)) for term in terms], 1)


def _learning(calls):
    """What the calls with a gradient saw, in one piece; of all calls, where none has a gradient."""
    chosen = [parts for learning, *parts in calls if learning] or [parts for _, *parts in calls]
    return [torch.cat(part) for part in zip(*chosen, strict=True)]


def _flat(parts):
    return torch.cat([part.flatten() for part in parts]).double().cpu()


def _parts(got, basis):
    """How much of each column makes up a vector, or None where no such sum does."""
    if not torch.stack([got, *basis.T]).isfinite().all():
        return None
    parts = torch.linalg.lstsq(basis, got[:, None], driver="gelsd").solution[:, 0]  # the columns may be zero
    if (basis @ parts - got).norm() > EXACT * got.norm():
        return None
    return [0.0 if abs(part) < EXACT else part for part in parts.tolist()]


def _sum(a, b):
    """a * nll + b * kl in a few characters."""
    terms = [f"{'' if f'{v:.3g}' == '1' else f'{v:.3g} '}{name}" for v, name in ((a, "nll"), (b, "kl")) if v]
    return " + ".join(terms).replace("+ -", "- ") or "nothing"


def noise_in_words(training):
    """What the decoder is given, in words."""
    if any(len(step["z"]) != len(step["x"]) for step in training.steps):
        return "not one z for each image that the encoder saw"
    mu, log_var, z = (torch.cat([step[name] for step in training.steps]) for name in ("mu", "log_var", "z"))
    if torch.allclose(z, mu, atol=1e-6):
        return "mu, without noise"
    scales = {"sigma": (log_var / 2).exp(), "sigma^2": log_var.exp(), "log_var": log_var, "": torch.ones(())}
    found = {name: kind(((z - mu) / scale).double()) for name, scale in scales.items()}
    fits = [name for name, what in found.items() if what == "drawn from N(0, I)"]
    if not fits:
        return f"mu + sigma * eps, with eps {found['sigma']}"
    return f"mu + {fits[0]} * eps, eps from N(0, I)" if fits[0] else "mu + eps, eps from N(0, I)"


def order_in_words(training, x):
    """Which of the images (N, *SHAPE) the encoder saw in what order, -> list of places, or words."""
    same = (training.x.flatten(1)[:, None] == x.flatten(1)).all(2)
    if not bool(same.any(1).all()):
        return "other images than those of x"
    return same.int().argmax(1).tolist()
