"""The exercise on the reconstruction under a Bernoulli decoder, lesson 05, and how it goes wrong."""

from itertools import product

import torch
from torch.nn import functional as F

from vae_lessons import losses
from vae_lessons.check.calling import Failure
from vae_lessons.check.exercise import NEAR, PUBLIC, Exercise, Mistake, Shown
from vae_lessons.check.facts import Probe, gradient, noise, placed, tensor_facts
from vae_lessons.check.squares import SIZES, curve, named, row


def _observe(call, seed):
    probes = [
        Probe("x = [[1]], logits = [[0]]", (row(1.0), row(0.0))),
        Probe("x = [[0]], logits = [[2]]", (row(0.0), row(2.0))),
        Probe("x = [[1]], logits = [[-3]]", (row(1.0), row(-3.0))),
    ]
    for images, shape in SIZES:
        x = (2 * noise(images, *shape, seed=seed)).sigmoid()
        x = torch.where(noise(images, *shape, seed=seed + 1) > 0, x.round(), x)  # black, white, and some grey
        probes.append(Probe(named(images, shape), (x, 2 * noise(images, *shape, seed=seed + 2))))
    for probe in probes:  # at 0 a right loss may have a kink, max(logits, 0), so no gradient is asked there
        yield from tensor_facts(call, probe, ("x", "logits"), ("logits",) if probe.args[1].any() else ())


def _show(call, seed):
    logits = placed(torch.linspace(-6, 6, 61, dtype=torch.float64, device="cpu"))[:, None]
    x = torch.ones_like(logits)
    target, yours = losses.bernoulli_nll(x, logits), call.tensor(x, logits)
    alt = "Your nll beside the target, of one pixel that is 1, against its logit."
    return Shown(curve(logits[:, 0], target, yours, "one pixel, x = 1", "logit", alt))


def saturated(call, *clouds):
    """What becomes of the loss of one pixel where the decoder is sure, -> a sentence, or "" if all is well.

    A sigmoid in float32 is 1 from a logit of 17 on: who takes a logarithm by hand takes that of 0.
    """
    for logit, pixel in product((20, -20, 30, -30, 100, -100), (0, 1)):
        x, logits = (placed(row(float(value))) for value in (pixel, logit))
        logits.requires_grad_()
        where = f"at a logit of {logit}, for a pixel that is {pixel},"
        loss = call.tensor(x, logits, *clouds).sum().abs()
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


def _remark(call, seed):
    return saturated(call)


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


def _summed(terms):
    return lambda x, logits: terms(x, logits).flatten(1).sum(1)


def _cross_entropy(x, logits):
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none")


bernoulli_nll = Exercise(
    name="bernoulli_nll",
    parameters=("x", "logits"),
    reference=losses.bernoulli_nll,
    observe=_observe,
    remark=_remark,
    show=_show,
    verified="values and gradients agree on six inputs, black, white and grey, as rows and as (B, 1, H, W).",
    mistakes=(
        Mistake("mean over pixels",
            "this averages over pixels. log p(x|z) of independent pixels adds up: the sum is asked, or the "
            "KL will weigh too much.",
            "reduction='mean', as in fastai's 29_vae",
            (lambda x, logits: _cross_entropy(x, logits).flatten(1).mean(1),),
        ),
        Mistake("mean over pixels and batch",
            "this is the mean over pixels and images, the default of F.binary_cross_entropy_with_logits. "
            "Asked is one sum for each image: reduction='none', then sum over pixels.",
            PUBLIC, (lambda x, logits: _cross_entropy(x, logits).mean(),),
        ),
        Mistake("summed over the batch",
            "the images are added up or averaged as well. One number for each image is asked, (B,).",
            "reduction='sum', as in PyTorch's own VAE example",
            (lambda x, logits: _cross_entropy(x, logits).sum(),
             lambda x, logits: losses.bernoulli_nll(x, logits).mean()),
        ),
        Mistake("not summed",
            "there is one value for each pixel. Sum over all dimensions but the first: .flatten(1).sum(1).",
            PUBLIC, (_cross_entropy,),
        ),
        Mistake("summed over one dimension",
            "only one dimension is summed. Images are (B, 1, H, W): sum over all dimensions but the first, "
            ".flatten(1).sum(1).",
            PUBLIC,
            (lambda x, logits: _cross_entropy(x, logits).sum(1),
             lambda x, logits: _cross_entropy(x, logits).sum(-1)),
        ),
        Mistake("double sigmoid",
            "the sigmoid is applied twice: the function for logits was given probabilities. Give it the "
            "logits as they are.",
            PUBLIC, (_summed(lambda x, logits: _cross_entropy(x, logits.sigmoid())),),
        ),
        Mistake("logits taken for probabilities",
            "the logits are used as probabilities, but they may be any number. Use the version with "
            "logits, or apply the sigmoid first.",
            PUBLIC, (
                lambda x, logits: F.binary_cross_entropy(logits, x, reduction="none").flatten(1).sum(1),
                _summed(lambda x, logits: -(x * logits.log() + (1 - x) * (1 - logits).log())),
                _summed(lambda x, logits: F.binary_cross_entropy(logits.clamp(0, 1), x, reduction="none")),
            ),
        ),
        Mistake("arguments in the wrong order",
            "x and the logits are swapped in the cross-entropy: PyTorch asks for the prediction first, "
            "then the target.",
            PUBLIC, (
                _summed(lambda x, logits: _cross_entropy(logits, x)),
                _summed(lambda x, logits: F.binary_cross_entropy(x, logits.sigmoid(), reduction="none")),
                _summed(lambda x, logits: -((s := logits.sigmoid()) * x.log() + (1 - s) * (1 - x).log())),
            ),
        ),
        Mistake("log-likelihood, not its negative",
            "this is log p(x|z). Its negative is asked, the nll: small is good, and never below 0 here.",
            PUBLIC, (lambda x, logits: -losses.bernoulli_nll(x, logits),),
        ),
        Mistake("squared error",
            "this is a squared error. Asked is -log p(x|z) under a Bernoulli decoder: the cross-entropy.",
            PUBLIC, (
                _summed(lambda x, logits: (x - logits.sigmoid()) ** 2),
                _summed(lambda x, logits: (x - logits.sigmoid()) ** 2 / 2),
                _summed(lambda x, logits: (x - logits) ** 2),
                _summed(lambda x, logits: (x - logits.tanh()) ** 2),
                lambda x, logits: ((x - logits.sigmoid()) ** 2).sum(),
                lambda x, logits: ((x - logits) ** 2).sum(),
            ),
        ),
        Mistake("Bernoulli refuses grey pixels", REFUSES_GREY, PUBLIC, (
                _summed(lambda x, logits: bernoulli_of(x, logits=logits)),
                _summed(lambda x, logits: bernoulli_of(x, probs=logits.sigmoid())),
            ),
            refuses_grey,
        ),
        Mistake("white pixels left out",
            "only x log s is counted. A pixel that is 0 counts as well: (1 - x) log(1 - s).",
            NEAR, (_summed(lambda x, logits: -x * F.logsigmoid(logits)),),
        ),
        Mistake("sign of the second term",
            "the two terms are subtracted. Both are added, and the minus stands before the sum.",
            NEAR, (_summed(lambda x, logits: -x * F.logsigmoid(logits) + (1 - x) * F.logsigmoid(-logits)),),
        ),
        Mistake("no gradient",
            "the values are right, but no gradient reaches the logits. .item(), .detach() or "
            "torch.tensor(...) cuts it off.",
            NEAR, (lambda x, logits: losses.bernoulli_nll(x, logits).detach(),),
        ),
    ),
    hints=(
        "One pixel costs -log s where it is 1 and -log(1 - s) where it is 0, s = sigmoid(logits).",
        "F.binary_cross_entropy_with_logits(logits, x, reduction='none') gives that for each pixel.",
        "Sum over all dimensions but the first: .flatten(1).sum(1).",
    ),
)  # fmt: skip
