"""What a function does, as a list of facts: two functions count as the same if their facts agree."""

import math
from typing import NamedTuple

import torch

from vae_lessons.check.engine.calling import Failed, Failure, no_answer
from vae_lessons.check.engine.probes import placed


class Fact(NamedTuple):
    """One observation of a function: what was asked, the value that it gave, and a tolerance."""

    asked: str  # follows "Not yet:" unchanged, since it may begin with a formula
    value: object  # Tensor, None (no gradient), or anything that == compares
    tolerance: object = 0.0  # Tensor or number: how far apart two values may be and count as equal


def tensor_facts(call, probe, names, gradients=()):
    """The answer to a probe and its gradients, -> Facts.

    `names` are those of the parameters, `gradients` those that a gradient must reach. What is differentiated
    is sum_i w_i answer_i, w = 1, 2, ..., so that swapped numbers are detected.
    """
    gradients = [name for name in gradients if name not in probe.kinks]
    args = [_leaf(value, name in gradients) for name, value in zip(names, probe.args, strict=True)]
    answer = call.tensor(*args)
    yield Fact(probe.title, *_close(answer))
    weights = torch.arange(1.0, answer.numel() + 1, device=answer.device).view(answer.shape)
    given = dict(zip(names, args, strict=True))
    found = gradient((answer * weights).sum(), [given[name] for name in gradients]) if gradients else []
    for name, value in zip(gradients, found, strict=True):
        asked = f"the gradient that reaches {name}, {probe.title}"
        yield Fact(asked, *((None,) if value is None else _close(value)))


def gradient(total, leaves):
    """d total / d leaf for each of the leaves, a list with None for a leaf that no gradient reaches.

    Raises Failed with the learner's own error if the backward pass fails.
    """
    if not total.requires_grad:
        return [None] * len(leaves)
    try:
        return list(torch.autograd.grad(total, leaves, allow_unused=True, retain_graph=True))
    except RuntimeError as error:
        raise no_answer(f"It returns a value, but backward() fails: {_why(error)}") from None


def _why(error):
    if "inplace" in str(error):
        return "a number that the gradient needs was changed in place. Write y = y * y, not y *= y."
    return str(error)[:300]


def whole(facts):
    """All facts, -> Facts. If an answer is missing or unreadable, the last one is a Failure."""
    try:
        yield from facts
    except Failed as failed:
        yield Fact("an answer", failed.args[0])
    except Exception as error:  # a sparse tensor, one without data, a class of their own
        yield Fact("an answer", no_answer(f"Its answer cannot be read: {error}").args[0])


def agree(one, other):
    """Whether two facts agree: the shapes are equal, and the numbers within the larger tolerance."""
    a, b = one.value, other.value
    if isinstance(a, Failure) and isinstance(b, Failure):
        return a.kind == b.kind
    if not (isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor)):
        return type(a) is type(b) and a == b
    if a.shape != b.shape:
        return False
    slack = torch.maximum(torch.as_tensor(one.tolerance), torch.as_tensor(other.tolerance)).double()
    same = (a == b) | (a.isnan() & b.isnan()) | ((a - b).abs() <= slack)
    return bool(same.all())


def compared(known, facts):
    """Compare facts with others, an iterator, -> whether all agree, those up to the first that differs."""
    found = []
    for fact in whole(facts):
        found.append(fact)
        if len(found) > len(known) or not agree(known[len(found) - 1], fact):
            return False, found
    return len(found) == len(known), found


def first_difference(facts, wanted):
    """The first fact that differs, as a sentence: what was asked, what was expected and what came."""
    for got, want in zip(facts, wanted, strict=False):
        if not agree(got, want):
            return _told(got, want)
    return "It stopped before all inputs were tried."


def shown(value):
    """A value in a few characters: small tensors as numbers, others by their shape."""
    if value is None:
        return "no gradient"
    if not isinstance(value, torch.Tensor):
        return str(value)
    if value.numel() > 12:
        return f"a tensor of shape {tuple(value.shape)}"
    return _numbers(value.tolist())


def _told(got, want):
    if isinstance(got.value, Failure):
        return got.value.sentence
    if want.value is not None and got.value is None:
        return f"{want.asked}: there is none. Something such as .detach() or .item() cuts it off."
    a, b = got.value, want.value
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        if a.shape != b.shape:
            return f"{want.asked}: expected shape {tuple(b.shape)}, yours has shape {tuple(a.shape)}."
        if a.numel() > 12:
            place = int((a - b).abs().nan_to_num(math.inf).argmax())
            at = tuple(int(i) for i in torch.unravel_index(torch.tensor(place), a.shape))
            a, b = a.flatten()[place], b.flatten()[place]
            where = f"[{', '.join(map(str, at))}]"
            return f"{want.asked}: at {where} expected {shown(b)}, yours gave {shown(a)}."
    return f"{want.asked}: expected {shown(b)}, yours gave {shown(a)}."


def _leaf(value, wants_gradient):
    value = placed(value)
    return value.clone().requires_grad_(wants_gradient) if isinstance(value, torch.Tensor) else value


def _close(value):
    """A deterministic answer on the CPU in float64, and the tolerance for rounding in float32."""
    value = value.detach().cpu().double()
    return value, 1e-4 * (1 + value.abs().nan_to_num(0, 0, 0))


def _numbers(value):
    if isinstance(value, list):
        return f"[{', '.join(map(_numbers, value))}]"
    return f"{value:.4g}"
