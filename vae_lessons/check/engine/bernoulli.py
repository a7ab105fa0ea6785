"""What can go wrong with -log p(x|z) under a Bernoulli decoder: extreme logits, and grey pixels."""

from itertools import product

import torch
from torch.nn import functional as F

from vae_lessons.check.engine.calling import Failure
from vae_lessons.check.engine.facts import gradient
from vae_lessons.check.engine.probes import placed, row


def saturated(call, *clouds):
    """Test the loss of one pixel at extreme logits, -> a sentence on where it fails, or "".

    In float32 the sigmoid of 17 is 1, so that log(1 - sigmoid(logits)), written by hand, is log(0).
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
        f"One remark: {said}, because the sigmoid is rounded to 0 or 1, or an exponential overflows. "
        "Use F.binary_cross_entropy_with_logits, F.logsigmoid or F.softplus, which take logits."
    )


def refuses_grey(facts):
    """Whether PyTorch's Bernoulli was used: its log_prob refuses pixels that are neither 0 nor 1."""
    end = facts[-1].value
    return (
        isinstance(end, Failure)
        and end.kind.startswith("ValueError: Expected value")
        and "Boolean()" in end.kind
    )


REFUSES_GREY = (
    "this is right for pixels that are 0 or 1, but some are grey, and torch.distributions.Bernoulli refuses "
    "them. Write Bernoulli(logits=logits, validate_args=False), or use F.binary_cross_entropy_with_logits."
)


def bernoulli_of(x, **given):
    """Minus PyTorch's own log-probability of pixels, which must be 0 or 1, -> the shape of x."""
    return -torch.distributions.Bernoulli(**given, validate_args=True).log_prob(x)
