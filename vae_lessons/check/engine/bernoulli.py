"""What can go wrong with -log p(x|z) under a Bernoulli decoder: sure logits, and grey pixels."""

from itertools import product

import torch
from torch.nn import functional as F

from vae_lessons.check.engine.calling import Failure
from vae_lessons.check.engine.facts import gradient
from vae_lessons.check.engine.probes import placed, row


def saturated(call, *clouds):
    """What becomes of the loss of one pixel where the decoder is sure, -> a sentence, or "" if all is well.

    A sigmoid in float32 is 1 from a logit of 17 on: who takes a logarithm by hand takes that of 0.
    """
    for logit, pixel in product((20, -20, 30, -30, 100, -100), (0, 1)):
        x, logits = (placed(row(value)) for value in (pixel, logit))
        logits.requires_grad_()
        where = f"at a logit of {logit}, for a pixel that is {pixel},"
        loss = call.tensor(x, logits, *map(placed, clouds)).sum().abs()
        (slope,) = gradient(loss, [logits])
        nll, pull = F.softplus(logits.detach()) - x * logits.detach(), logits.detach().sigmoid() - x
        if not torch.allclose(loss.detach().to(nll), nll.sum(), 0.01, 1e-4):
            return _fragile(f"{where} yours gives {loss:.4g} where {nll.item():.4g} is right")
        if not torch.allclose(slope, pull, 0.01, 1e-4):
            return _fragile(
                f"{where} the gradient of yours is {slope.item():.4g} where {pull.item():.4g} is right"
            )
    return ""


def _fragile(said):
    return (
        f"One remark: {said}, because a sigmoid is rounded to 0 or 1 there, or an exponential too large. "
        "F.binary_cross_entropy_with_logits, F.logsigmoid and F.softplus take logits as they are: use one."
    )


def refuses_grey(facts):
    """What gives PyTorch's Bernoulli away: its log_prob refuses pixels that are neither 0 nor 1."""
    end = facts[-1].value
    return (
        isinstance(end, Failure)
        and end.kind.startswith("ValueError: Expected value")
        and "Boolean()" in end.kind
    )


REFUSES_GREY = (
    "the idea is right, but torch.distributions refuses a Bernoulli pixel that is neither 0 nor 1, and some "
    "are grey: write Bernoulli(logits=logits, validate_args=False) or use F.binary_cross_entropy_with_logits."
)


def bernoulli_of(x, **given):
    """Minus PyTorch's own log-probability of pixels, which must be 0 or 1, -> the shape of x."""
    return -torch.distributions.Bernoulli(**given, validate_args=True).log_prob(x)
