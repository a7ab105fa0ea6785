"""The exercise on the encoder's two heads, and how it goes wrong."""

import re

import torch
from torch import nn

from vae_lessons import model
from vae_lessons.check.engine import (
    NEAR,
    PUBLIC,
    Call,
    Exercise,
    Fact,
    Mistake,
    no_answer,
    noise,
    placed,
    untouched,
)

HIDDEN, LATENT, ROWS = 16, 3, 300
TRUNK = 1e-4  # what rounding may do to a sum of HIDDEN terms
FIRST, SECOND = "mu|mean|loc", "var|sigma|std|scale"  # parts of attribute names by which heads are told apart


def _observe(call, seed):
    heads = _made(call, HIDDEN, LATENT)
    forward = Call(type(heads).forward)
    if untouched(forward.function):
        raise no_answer(
            "__init__ is written, but forward is not. It must return mu and log_var, (B, latent) each."
        )
    with torch.no_grad():
        for i, weight in enumerate(heads.parameters()):  # large enough to matter, as after training
            weight.copy_(placed(noise(*weight.shape, seed=seed + i)) * (1 if weight.ndim < 2 else 0.4))
    weight = next(heads.parameters(), torch.zeros(()))
    h = placed(noise(ROWS, HIDDEN, seed=seed + 50)).to(weight).requires_grad_()
    mu, log_var = forward.tensors(2, heads, h)
    yield Fact(f"mu for {ROWS} images and {LATENT} latent dimensions, its shape", tuple(mu.shape))
    yield Fact(f"log_var for {ROWS} images and {LATENT} latent dimensions, its shape", tuple(log_var.shape))
    if mu.shape != (ROWS, LATENT) or log_var.shape != (ROWS, LATENT):
        return
    again = forward.tensors(2, heads, h)
    steady = torch.equal(mu, again[0]) and torch.equal(log_var, again[1])
    yield Fact("the answer to the same h a second time", "the same" if steady else "another")
    yield from _training_facts(heads, mu, log_var)
    yield Fact("mu and log_var", "related" if _related(mu, log_var) else "two different answers")
    yield Fact("what mu can be", _range(forward, heads, h, 0))
    yield Fact("what log_var can be", _range(forward, heads, h, 1))
    yield Fact("which comes first", _order(forward, heads, h, mu, log_var))
    other = _made(call, 5, 2)
    shapes = [tuple(part.shape) for part in forward.tensors(2, other, placed(noise(1, 5)).to(weight))]
    yield Fact("the shapes of mu and log_var, one image, TwoHeads(hidden=5, latent=2)", shapes)


def _made(call, hidden, latent):
    """The learner's module."""
    heads = call(hidden, latent)
    if not isinstance(heads, nn.Module):
        raise no_answer("It must be a class that inherits from nn.Module, as in class TwoHeads(nn.Module).")
    return heads


def _training_facts(heads, mu, log_var):
    """Whether training changes the weights behind each answer, -> Facts."""
    for name, part in (("mu", mu), ("log_var", log_var)):
        found = [None]
        if part.requires_grad and any(True for _ in heads.parameters()):
            found = torch.autograd.grad(
                part.sum(), list(heads.parameters()), allow_unused=True, retain_graph=True
            )
        reached = any(gradient is not None and bool(gradient.any()) for gradient in found)
        answer = "yes" if reached else "no" if any(True for _ in heads.parameters()) else "no, it is empty"
        yield Fact(f"whether an optimizer of .parameters() can change {name}", answer)


def _related(mu, log_var):
    """Whether one answer is a monotone function of the other: then one head made both."""
    for column in range(LATENT):
        a, b = mu[:, column].detach(), log_var[:, column].detach()
        sorted_b = b[a.argsort()].diff()
        if (sorted_b >= -TRUNK).all() or (sorted_b <= TRUNK).all():
            return True
    return False


@torch.no_grad()
def _range(forward, heads, h, which):
    """The range of an answer in words, and the activation that it suggests."""
    out = forward.tensors(2, heads, h)[which]
    low, high = out.min().item(), out.max().item()
    if low == high:
        return "one number only"
    if low == 0:
        return "0 or more: a ReLU"
    if low > 0:
        return _positive(forward, heads, h, which, high)
    if low >= -1 and high <= 1:
        return "from -1 to 1: a tanh"
    if low > -0.35:
        return "hardly below 0: an activation such as SiLU or GELU"
    return "from -1 upwards: an ELU" if low >= -1 else "any number"


def _positive(forward, heads, h, which, high):
    """Which function made an answer positive, in words: the one whose inverse is affine in h."""
    if high <= 1:
        return "from 0 to 1: a sigmoid"
    inverses = {"exp": torch.log, "softplus": lambda out: torch.log(torch.expm1(out))}
    a, b = h[: ROWS // 2], h[ROWS // 2 :]
    for name, inverse in inverses.items():
        parts = [
            inverse(forward.tensors(2, heads, rows)[which]) for rows in (a + b, torch.zeros_like(a), a, b)
        ]
        if (parts[0] + parts[1] - parts[2] - parts[3]).abs().median() < 1e-2:
            return f"positive only: {name}"
    return "positive only"


def _order(forward, heads, h, mu, log_var):
    """Whether the names of the parameters say that the two answers are swapped."""
    names = [name for name, _ in heads.named_parameters()]
    first = [name for name in names if re.search(FIRST, name) and not re.search(SECOND, name)]
    second = [name for name in names if re.search(SECOND, name) and not re.search(FIRST, name)]
    if not first or not second:
        return "mu"
    with torch.no_grad():
        for name, weight in heads.named_parameters():
            if name in first:
                weight.mul_(0.5)
        moved = [
            not torch.equal(*pair) for pair in zip(forward.tensors(2, heads, h), (mu, log_var), strict=True)
        ]
    return "log_var" if moved == [False, True] else "mu"


def _heads(on_mu=None, on_log_var=None, both=None):
    """The right heads with their answers transformed, -> class."""

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
    """Heads with hard-coded sizes, -> class."""

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
    ("a ReLU", torch.relu, "Then mu could not be negative, nor any sigma below 1."),
    ("a tanh", torch.tanh, "Then mu would lie between -1 and 1, and sigma between 0.6 and 1.6."),
    ("a softplus", nn.functional.softplus, "Then mu could not be negative, nor any sigma below 1."),
    ("a sigmoid", torch.sigmoid, "Then mu would lie between 0 and 1, and sigma between 1 and 1.6."),
    (
        "a SiLU",
        nn.functional.silu,
        "The hidden layers have one, but mu and log_var must be able to be negative.",
    ),
    ("an ELU", nn.functional.elu, "Then mu could not go below -1, nor any sigma below 0.6."),
)
MISTAKES = (
    *(mistake for kind in _ACTIVATIONS for mistake in _activated(*kind)),
    Mistake(
        "sigma for log_var",
        "the second answer is an exponential, which is sigma or sigma^2. Return log_var, the output of the "
        "linear layer, which can be any number.",
        PUBLIC,
        (_heads(on_log_var=torch.exp), _heads(on_mu=torch.exp, on_log_var=torch.exp)),
    ),
    Mistake(
        "one head for both",
        "mu and log_var come from one head, so that one determines the other. Each needs a linear layer of "
        "its own.",
        PUBLIC,
        (
            _OneHead,
            _heads(both=lambda mu, log_var: (mu, mu.exp())),
            _heads(both=lambda mu, log_var: (mu, torch.relu(mu))),
        ),
    ),
    Mistake(
        "heads swapped",
        "judging by their names, log_var is returned first. Return mu, log_var.",
        PUBLIC,
        (_heads(both=lambda mu, log_var: (log_var, mu)),),
    ),
    Mistake(
        "layers made in forward",
        "the layers are created at each call, so that nothing is learned. Create them once, in __init__, as "
        "self.mu_head and self.log_var_head.",
        NEAR,
        (_Fresh,),
    ),
    Mistake(
        "a sample returned",
        "a sample is returned: the same h gives another answer each time. Return mu and log_var; sampling "
        "is the next step.",
        PUBLIC,
        (_heads(both=lambda mu, log_var: (mu + (log_var / 2).exp() * torch.randn_like(mu), log_var)),),
    ),
    Mistake(
        "layers not registered",
        "the layers are not registered with PyTorch, so that .parameters() is empty and no optimizer trains "
        "them. Make each an attribute, not part of a list: self.mu_head = nn.Linear(...).",
        PUBLIC,
        (_Unregistered,),
    ),
    Mistake(
        "detached",
        "an answer is detached, so that training cannot change its head.",
        NEAR,
        (
            _heads(on_log_var=torch.detach),
            _heads(on_mu=torch.detach),
            _heads(on_mu=torch.detach, on_log_var=torch.detach),
        ),
    ),
    Mistake(
        "one log_var for all",
        "log_var has one number for each image. Each latent dimension needs its own, (B, L).",
        PUBLIC,
        (_OneNumber,),
    ),
    Mistake(
        "hard-coded sizes",
        "the sizes of the layers are hard-coded. Take them from the arguments: nn.Linear(hidden, latent).",
        PUBLIC,
        (_fixed(256, 2), _fixed(256, 3), _fixed(400, 20), _fixed(512, 2), _fixed(16, 2)),
    ),
)

two_heads = Exercise(
    name="two_heads",
    parameters=("hidden", "latent"),
    reference=model.TwoHeads,
    observe=_observe,
    verified="two heads with separate weights, which training can change; mu and log_var have shape (B, L), "
    "and either can be any number.",
    mistakes=MISTAKES,
    hints=(
        "Two layers in __init__, one call of each in forward.",
        "What values can mu take, and what values can the logarithm of a variance take? Is an activation "
        "needed?",
        "self.mu_head = nn.Linear(hidden, latent), and the same for self.log_var_head; forward returns "
        "self.mu_head(h), self.log_var_head(h).",
    ),
)
