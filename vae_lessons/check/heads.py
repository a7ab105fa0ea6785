"""The exercise on the encoder's two heads, lesson 06, and how it goes wrong."""

import re

import torch
from torch import nn

from vae_lessons import model
from vae_lessons.check.calling import Call, no_answer, untouched
from vae_lessons.check.exercise import Exercise
from vae_lessons.check.facts import Fact, noise, placed
from vae_lessons.check.wrong_heads import MISTAKES

HIDDEN, LATENT, ROWS = 16, 3, 300
TRUNK = 1e-4  # what rounding may do to a sum of HIDDEN terms
FIRST, SECOND = "mu|mean|loc", "var|sigma|std|scale"  # parts of names that tell which head is which


def _observe(call, seed):
    heads = _made(call, HIDDEN, LATENT)
    forward = Call(type(heads).forward)
    if untouched(forward.function):
        raise no_answer(
            "__init__ is written, forward is not: it must return mu and log_var, (B, latent) each."
        )
    with torch.no_grad():
        for i, weight in enumerate(heads.parameters()):  # as if trained, and with some spread
            weight.copy_(placed(noise(*weight.shape, seed=seed + i)) * (1 if weight.ndim < 2 else 0.4))
    weight = next(heads.parameters(), torch.zeros(()))
    h = placed(noise(ROWS, HIDDEN, seed=seed + 50)).to(weight).requires_grad_()
    mu, log_var = forward.tensors(2, heads, h)
    yield Fact(f"mu for {ROWS} images and {LATENT} latent numbers, its shape", tuple(mu.shape))
    yield Fact(f"log_var for {ROWS} images and {LATENT} latent numbers, its shape", tuple(log_var.shape))
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
    """Whether training would reach the weights behind each answer, -> Facts."""
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
    """Whether one answer follows from the other, number by number: then one head has made both."""
    for column in range(LATENT):
        a, b = mu[:, column].detach(), log_var[:, column].detach()
        sorted_b = b[a.argsort()].diff()
        if (sorted_b >= -TRUNK).all() or (sorted_b <= TRUNK).all():
            return True
    return False


@torch.no_grad()
def _range(forward, heads, h, which):
    """What numbers an answer can take, in words, as a name for what has been done to it."""
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
    """Which function made an answer positive, in words: the one whose inverse is a sum of parts."""
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
    """Whether the parameters' own names say that the two answers have changed places."""
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


two_heads = Exercise(
    name="two_heads",
    parameters=("hidden", "latent"),
    reference=model.TwoHeads,
    observe=_observe,
    verified="two heads with weights of their own, which training reaches; mu and log_var of shape (B, "
    "L), and either can be any number.",
    mistakes=MISTAKES,
    hints=(
        "Two layers in __init__, one call of each in forward.",
        "What values must mu be able to take, and what values the logarithm of a variance? Is there "
        "anything to squash?",
        "self.mu_head = nn.Linear(hidden, latent), self.log_var_head the same; forward returns "
        "self.mu_head(h), self.log_var_head(h).",
    ),
)
