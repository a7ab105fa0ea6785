"""The exercise on the reconstruction under a Bernoulli decoder, and how it goes wrong."""

import torch
from torch.nn import functional as F

from vae_lessons import losses
from vae_lessons.check.engine import (
    BATCHES,
    NEAR,
    PUBLIC,
    Exercise,
    Mistake,
    Probe,
    batch_title,
    curve_of,
    no_gradient,
    noise,
    numbers,
    row,
)
from vae_lessons.check.engine.bernoulli import REFUSES_GREY, bernoulli_of, refuses_grey, saturated


def _probes(seed):
    # A right loss may be written with max(logits, 0), which has a kink at 0.
    yield Probe("x = [[1]], logits = [[0]]", numbers(1, 0), kinks=("logits",))
    yield Probe("x = [[0]], logits = [[2]]", numbers(0, 2))
    yield Probe("x = [[1]], logits = [[-3]]", numbers(1, -3))
    for images, shape in BATCHES:
        x = (2 * noise(images, *shape, seed=seed)).sigmoid()
        x = torch.where(noise(images, *shape, seed=seed + 1) > 0, x.round(), x)  # black, white and some grey
        yield Probe(batch_title(images, shape), (x, 2 * noise(images, *shape, seed=seed + 2)))


def _remark(call, seed):
    return saturated(call)


def _summed(terms):
    return lambda x, logits: terms(x, logits).flatten(1).sum(1)


def _cross_entropy(x, logits):
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none")


bernoulli_nll = Exercise(
    reference=losses.bernoulli_nll,
    probes=_probes,
    gradients=("logits",),
    remark=_remark,
    show=curve_of(
        losses.bernoulli_nll,
        over=(-6, 6),
        arguments=lambda t: (row(1), t),
        title="one pixel, x = 1",
        xlabel="logit",
        ylabel="nll, nats",
        alt="Your nll beside the target, of one pixel that is 1, against its logit.",
    ),
    verified="values and gradients agree on six inputs, black, white and grey, as rows and as (B, 1, H, W).",
    mistakes=(
        Mistake(
            "mean over pixels",
            "this averages over pixels. log p(x|z) is a sum over independent pixels; with the mean, the KL "
            "would have too much weight.",
            "reduction='mean', as in fastai's 29_vae",
            (lambda x, logits: _cross_entropy(x, logits).flatten(1).mean(1),),
        ),
        Mistake(
            "mean over pixels and batch",
            "this is the mean over pixels and images, the default of F.binary_cross_entropy_with_logits. "
            "Return one sum for each image: use reduction='none', then sum over pixels.",
            PUBLIC,
            (lambda x, logits: _cross_entropy(x, logits).mean(),),
        ),
        Mistake(
            "summed over the batch",
            "the images are added up or averaged as well. Return one number for each image, (B,).",
            "reduction='sum', as in PyTorch's own VAE example",
            (
                lambda x, logits: _cross_entropy(x, logits).sum(),
                lambda x, logits: losses.bernoulli_nll(x, logits).mean(),
            ),
        ),
        Mistake(
            "not summed",
            "there is one value for each pixel. Sum over all dimensions but the first: .flatten(1).sum(1).",
            PUBLIC,
            (_cross_entropy,),
        ),
        Mistake(
            "summed over one dimension",
            "only one dimension is summed. Images are (B, 1, H, W): sum over all dimensions but the first, "
            ".flatten(1).sum(1).",
            PUBLIC,
            (
                lambda x, logits: _cross_entropy(x, logits).sum(1),
                lambda x, logits: _cross_entropy(x, logits).sum(-1),
            ),
        ),
        Mistake(
            "double sigmoid",
            "the sigmoid is applied twice: the function for logits was given probabilities. Give it the "
            "logits as they are.",
            PUBLIC,
            (_summed(lambda x, logits: _cross_entropy(x, logits.sigmoid())),),
        ),
        Mistake(
            "logits taken for probabilities",
            "the logits are used as probabilities, but they may be any number. Use the version with logits, "
            "or apply the sigmoid first.",
            PUBLIC,
            (
                lambda x, logits: F.binary_cross_entropy(logits, x, reduction="none").flatten(1).sum(1),
                _summed(lambda x, logits: -(x * logits.log() + (1 - x) * (1 - logits).log())),
                _summed(lambda x, logits: F.binary_cross_entropy(logits.clamp(0, 1), x, reduction="none")),
            ),
        ),
        Mistake(
            "arguments in the wrong order",
            "x and the logits are swapped in the cross-entropy: PyTorch expects the prediction first, then "
            "the target.",
            PUBLIC,
            (
                _summed(lambda x, logits: _cross_entropy(logits, x)),
                _summed(lambda x, logits: F.binary_cross_entropy(x, logits.sigmoid(), reduction="none")),
                _summed(lambda x, logits: -((s := logits.sigmoid()) * x.log() + (1 - s) * (1 - x).log())),
            ),
        ),
        Mistake(
            "log-likelihood, not its negative",
            "this is log p(x|z). Return its negative, the nll, which is never below 0 here.",
            PUBLIC,
            (lambda x, logits: -losses.bernoulli_nll(x, logits),),
        ),
        Mistake(
            "squared error",
            "this is a squared error. -log p(x|z) under a Bernoulli decoder is the cross-entropy.",
            PUBLIC,
            (
                _summed(lambda x, logits: (x - logits.sigmoid()) ** 2),
                _summed(lambda x, logits: (x - logits.sigmoid()) ** 2 / 2),
                _summed(lambda x, logits: (x - logits) ** 2),
                _summed(lambda x, logits: (x - logits.tanh()) ** 2),
                lambda x, logits: ((x - logits.sigmoid()) ** 2).sum(),
                lambda x, logits: ((x - logits) ** 2).sum(),
            ),
        ),
        Mistake(
            "Bernoulli refuses grey pixels",
            REFUSES_GREY,
            PUBLIC,
            (
                _summed(lambda x, logits: bernoulli_of(x, logits=logits)),
                _summed(lambda x, logits: bernoulli_of(x, probs=logits.sigmoid())),
            ),
            refuses_grey,
        ),
        Mistake(
            "white pixels left out",
            "only x log s is counted. A pixel that is 0 counts as well: (1 - x) log(1 - s).",
            NEAR,
            (_summed(lambda x, logits: -x * F.logsigmoid(logits)),),
        ),
        Mistake(
            "sign of the second term",
            "the two terms are subtracted. Both are added, and the minus stands before the sum.",
            NEAR,
            (_summed(lambda x, logits: -x * F.logsigmoid(logits) + (1 - x) * F.logsigmoid(-logits)),),
        ),
        no_gradient(losses.bernoulli_nll),
    ),
    hints=(
        "One pixel costs -log s where it is 1 and -log(1 - s) where it is 0, s = sigmoid(logits).",
        "F.binary_cross_entropy_with_logits(logits, x, reduction='none') gives that for each pixel.",
        "Sum over all dimensions but the first: .flatten(1).sum(1).",
    ),
)
