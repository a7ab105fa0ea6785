"""How the encoder's two heads of lesson 06 go wrong: the catalogue of check.two_heads."""

import torch
from torch import nn

from vae_lessons import model
from vae_lessons.check.exercise import NEAR, PUBLIC, Mistake


def _heads(on_mu=None, on_log_var=None, both=None):
    """The right heads with something done to their answers, -> class."""

    class Wrong(model.TwoHeads):
        def forward(self, h):
            """What the learner's forward would give, (B, hidden) -> two of (B, latent)."""
            mu, log_var = super().forward(h)
            mu = on_mu(mu) if on_mu else mu
            log_var = on_log_var(log_var) if on_log_var else log_var
            return both(mu, log_var) if both else (mu, log_var)

    return Wrong


class _OneHead(nn.Module):
    def __init__(self, hidden, latent):
        super().__init__()
        self.head = nn.Linear(hidden, latent)

    def forward(self, h):
        """What the learner's forward would give, (B, hidden) -> two of (B, latent)."""
        return self.head(h), self.head(h)


class _Unregistered(nn.Module):
    def __init__(self, hidden, latent):
        super().__init__()
        self.heads = [nn.Linear(hidden, latent), nn.Linear(hidden, latent)]

    def forward(self, h):
        """What the learner's forward would give, (B, hidden) -> two of (B, latent)."""
        return self.heads[0](h), self.heads[1](h)


class _Fresh(nn.Module):
    def __init__(self, hidden, latent):
        super().__init__()
        self.latent = latent

    def forward(self, h):
        """What the learner's forward would give, (B, hidden) -> two of (B, latent)."""
        return tuple(nn.Linear(h.shape[1], self.latent).to(h)(h) for _ in range(2))


def _fixed(hidden, latent):
    """Heads whose sizes somebody wrote down, -> class."""

    class Fixed(_heads()):
        def __init__(self, *_):
            super().__init__(hidden, latent)

        forward = model.TwoHeads.forward

    return Fixed


class _OneNumber(_heads()):
    def __init__(self, hidden, latent):
        super().__init__(hidden, latent)
        self.log_var_head = nn.Linear(hidden, 1)

    forward = model.TwoHeads.forward


def _activated(name, function, reason):
    """Three mistakes: one function on mu, on log_var, on both."""
    for where, on_mu, on_log_var in (
        ("mu", function, None),
        ("log_var", None, function),
        ("both", function, function),
    ):
        on = "both heads" if where == "both" else where
        says = f"there is {name} on {on}. {reason} Both heads are plain linear layers."
        yield Mistake(f"{name.split()[-1]} on {on}", says, PUBLIC, (_heads(on_mu, on_log_var),))


_ACTIVATIONS = (
    ("a ReLU", torch.relu, "So mu could not be negative, nor any sigma below 1."),
    ("a tanh", torch.tanh, "So mu could not leave the prior's middle, nor sigma the range from 0.6 to 1.6."),
    ("a softplus", nn.functional.softplus, "So mu could not be negative, nor any sigma below 1."),
    ("a sigmoid", torch.sigmoid, "So mu would lie between 0 and 1, and sigma between 1 and 1.6."),
    (
        "a SiLU",
        nn.functional.silu,
        "The hidden layers have one; here mu must be free to be negative, and log_var too.",
    ),
    ("an ELU", nn.functional.elu, "So mu could not go below -1, nor any sigma below 0.6."),
)
MISTAKES = (
    *(mistake for kind in _ACTIVATIONS for mistake in _activated(*kind)),
    Mistake(
        "sigma for log_var", "the second answer is an exponential: that is sigma or sigma^2. log_var is "
        "the linear layer's own answer, any number; the exponential comes later.", PUBLIC,
        (_heads(on_log_var=torch.exp), _heads(on_mu=torch.exp, on_log_var=torch.exp)),
    ),
    Mistake(
        "one head for both",
        "mu and log_var come out of one head: each number of one settles that of the other. They need "
        "a linear layer each.", PUBLIC,
        (_OneHead, _heads(both=lambda mu, log_var: (mu, mu.exp())), _heads(both=lambda mu, log_var: (mu,
        torch.relu(mu)))),
    ),
    Mistake(
        "heads swapped", "by their names, log_var is returned first. The order is mu, log_var.", PUBLIC,
        (_heads(both=lambda mu, log_var: (log_var, mu)),),
    ),
    Mistake(
        "layers made in forward",
        "the layers are made anew at each call, so nothing is ever learned. Make them once, in "
        "__init__, and keep them as self.mu_head and self.log_var_head.", NEAR, (_Fresh,),
    ),
    Mistake(
        "a sample returned", "a draw comes out of it: the same h gives another answer each time. The "
        "heads give mu and log_var; the draw is the next step.", PUBLIC,
        (_heads(both=lambda mu, log_var: (mu + (log_var / 2).exp() * torch.randn_like(mu), log_var)),),
    ),
    Mistake(
        "layers not registered",
        "the layers are hidden from PyTorch, in a list or the like, so .parameters() has none and no "
        "optimizer would train them. Make each an attribute: self.mu_head = nn.Linear(...).",
        PUBLIC, (_Unregistered,),
    ),
    Mistake(
        "detached", "no gradient comes back through an answer, so training could not reach its head.", NEAR,
        (
            _heads(on_log_var=torch.detach), _heads(on_mu=torch.detach),
            _heads(on_mu=torch.detach, on_log_var=torch.detach),
        ),
    ),
    Mistake(
        "one log_var for all",
        "log_var has one number for each image. Each latent number needs its own, (B, L).", PUBLIC,
        (_OneNumber,),
    ),
    Mistake(
        "hard-coded sizes",
        "sizes are written into the layers. Take them from the arguments: nn.Linear(hidden, latent).",
        PUBLIC, (_fixed(256, 2), _fixed(256, 3), _fixed(400, 20), _fixed(512, 2), _fixed(16, 2)),
    ),
)  # fmt: skip
