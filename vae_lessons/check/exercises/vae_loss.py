"""The exercise on the VAE's loss, and how it goes wrong."""

import torch
import torch.nn.functional as F

from vae_lessons import losses
from vae_lessons.check.engine import (
    COURSE,
    NEAR,
    PUBLIC,
    Exercise,
    Fact,
    Mistake,
    Probe,
    noise,
    row,
    tensor_facts,
)
from vae_lessons.check.engine.bernoulli import saturated
from vae_lessons.check.engine.pairs import PAIRS, SQUARED, cross_entropy, kl_terms
from vae_lessons.gaussian import kl_standard_normal
from vae_lessons.losses import bernoulli_nll

NAMES = ("x", "logits", "mu", "log_var", "beta")


def _one(x, logits, mu, log_var, beta):
    return (*(torch.tensor([[float(v)]], dtype=torch.float64) for v in (x, logits, mu, log_var)), beta)


def _images(seed, batch, shape, latent, beta):
    """A batch of an unusual size: logits up to about 6, mu and log_var up to 3."""
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
        title = f"{batch} image{'s' * (batch > 1)} of shape {shape}, {latent} latent dimensions, beta = 0.5"
        probe = Probe(title, _images(seed, batch, shape, latent, 0.5))
        yield from tensor_facts(call, probe, NAMES, ("logits", "mu", "log_var"))
    *args, _ = probe.args
    default = call.tensor(
        *(value.to(torch.get_default_device(), torch.get_default_dtype()) for value in args)
    )
    value = default.detach().cpu().double()
    yield Fact("the same without beta, which is 1 then", value, 1e-4 * (1 + value.abs()))


def _remark(call, seed):
    return saturated(call, row(0.0), row(0.0), 1.0)


def _mixed(combine):
    """A loss of the right two terms, combined wrongly: combine(nll (B,), kl (B,), beta)."""
    return lambda x, logits, mu, log_var, beta=1.0: combine(
        bernoulli_nll(x, logits), kl_standard_normal(mu, log_var), beta
    )


def _with_nll(nll):
    """The right loss but for its reconstruction: nll(x, logits) -> (B,) or ()."""
    return lambda x, logits, mu, log_var, beta=1.0: (
        nll(x, logits) + beta * kl_standard_normal(mu, log_var)
    ).mean()


def _with_kl(kl):
    """The right loss but for its KL: kl(mu, log_var) -> (B,) or ()."""
    return lambda x, logits, mu, log_var, beta=1.0: (bernoulli_nll(x, logits) + beta * kl(mu, log_var)).mean()


def _means(x, logits, mu, log_var, beta=1.0):
    return cross_entropy(x, logits).mean() + beta * kl_terms(mu, log_var).mean()


def _summed_nll(x, logits, mu, log_var, beta=1.0):
    return bernoulli_nll(x, logits).sum() + beta * kl_standard_normal(mu, log_var).mean()


def _viewed(x, logits, mu, log_var, beta=1.0):
    nll = cross_entropy(x.view(-1, 784), logits.view(-1, 784)).sum(1)
    return (nll + beta * kl_standard_normal(mu, log_var)).mean()


_SUMMED = tuple(
    lambda x, logits, mu, log_var, beta=1.0, r=reading, b=weigh: (
        ((x - r(logits)) ** 2).sum() + b(beta) * kl_standard_normal(mu, log_var).sum()
    )
    for reading in (torch.sigmoid, lambda logits: logits)
    for weigh in (lambda beta: beta, lambda beta: 1)
)
_SMALL = tuple(
    lambda x, logits, mu, log_var, beta=1.0, s=square, w=weight, b=weigh: (
        s(x, logits) + w * b(beta) * kl_standard_normal(mu, log_var)
    ).mean()
    for square in (SQUARED[0], SQUARED[3], SQUARED[4])
    for weight in (0.00025, 0.0005, 0.001, 0.005, 0.01, 0.1)
    for weigh in (lambda beta: beta, lambda beta: 1)
)
_SHARES = (
    lambda n, k, b: (n + b * k / len(k)).mean(),
    lambda n, k, b: (n + b * k * len(k) / 60_000).mean(),
    lambda n, k, b: (n + b * k / 60_000).mean(),
    lambda n, k, b: (n + b * 0.00025 * k).mean(),
    lambda n, k, b: (n + b * k / 784).mean(),
)

MISTAKES = (
    Mistake(
        "sign",
        "this is the ELBO, which training should raise. A loss is lowered: it is nll + beta * kl, the "
        "ELBO's negative.",
        PUBLIC,
        (_mixed(lambda n, k, b: -(n + b * k).mean()),),
    ),
    Mistake(
        "KL subtracted",
        "the KL is subtracted, which rewards leaving the prior. The loss is the ELBO's negative, so here "
        "the KL is added.",
        PUBLIC,
        (_mixed(lambda n, k, b: (n - b * k).mean()),),
    ),
    Mistake(
        "nll subtracted",
        "the reconstruction has the wrong sign: this is log p(x|z), and the loss needs nll = -log p(x|z).",
        PUBLIC,
        (_mixed(lambda n, k, b: (b * k - n).mean()),),
    ),
    Mistake(
        "beta on the reconstruction",
        "beta multiplies the reconstruction. It must multiply the KL.",
        PUBLIC,
        (_mixed(lambda n, k, b: (b * n + k).mean()),),
    ),
    Mistake(
        "beta on both terms",
        "beta multiplies both terms, which only scales the loss. It multiplies the KL, and nothing else.",
        NEAR,
        (_mixed(lambda n, k, b: b * (n + k).mean()),),
    ),
    Mistake(
        "beta and its complement",
        "beta multiplies the KL, but the reconstruction has a weight too, 1 - beta. It must have none.",
        COURSE,
        (_mixed(lambda n, k, b: ((1 - b) * n + b * k).mean()),),
    ),
    Mistake(
        "missing beta",
        "beta is not used. It multiplies the KL.",
        PUBLIC,
        (_mixed(lambda n, k, b: (n + k).mean()),),
    ),
    Mistake(
        "missing KL",
        "there is no KL: this is the loss of an autoencoder.",
        NEAR,
        (_mixed(lambda n, k, b: n.mean()),),
    ),
    Mistake(
        "missing nll",
        "there is no reconstruction. This loss is lowest if the codes carry no information.",
        NEAR,
        (_mixed(lambda n, k, b: b * k.mean()),),
    ),
    Mistake(
        "KL weighted by batch or data",
        "the KL is divided by the size of the batch, of the data or of the image. The reconstruction is "
        "that of one image, so the KL must be too: any such factor is a hidden beta.",
        "PyTorch-VAE, whose kld_weight is batch size over data size",
        tuple(map(_mixed, _SHARES)),
    ),
    Mistake(
        "KL averaged over latent dimensions",
        "the reconstruction is summed over pixels, but the KL is averaged over latent dimensions. That is a "
        "hidden beta of 1/L. Sum over both; average over images only.",
        "ARENA, where the implied beta depends on L",
        (_with_kl(lambda mu, lv: kl_terms(mu, lv).mean(1)),),
    ),
    Mistake(
        "KL summed over the batch",
        "the KL is summed over the batch, but the reconstruction is that of one image. That is a hidden "
        "beta of B: the code collapses.",
        PUBLIC,
        (_with_kl(lambda mu, lv: kl_standard_normal(mu, lv).sum()),),
    ),
    Mistake(
        "nll summed over the batch",
        "the reconstruction is summed over the batch, but the KL is averaged over it. That is a hidden beta "
        "of 1/B.",
        PUBLIC,
        (_summed_nll,),
    ),
    Mistake(
        "sum over the batch",
        "this is the sum over images. The loss is their mean, or the step would depend on the size of the "
        "batch.",
        "pytorch/examples, which divides by the size of the data afterwards",
        (_mixed(lambda n, k, b: (n + b * k).sum()),),
    ),
    Mistake(
        "no mean over the batch",
        "there is one value for each image, (B,). The loss is one number, their mean, ().",
        NEAR,
        (_mixed(lambda n, k, b: n + b * k),),
    ),
    Mistake(
        "mean over all",
        "both terms are means, over D pixels and over L latent dimensions. That is a hidden beta of D/L. "
        "Sum over pixels and latent dimensions; average over images only.",
        PUBLIC,
        (_means,),
    ),
    Mistake(
        "mean over pixels",
        "the reconstruction is averaged over pixels, but the KL is summed: a hidden beta of D, 784 for our "
        'images, and the code collapses. Use reduction="sum", or "none" and .flatten(1).sum(1).',
        PUBLIC,
        (_with_nll(lambda x, logits: cross_entropy(x, logits).flatten(1).mean(1)),),
    ),
    Mistake(
        "double sigmoid",
        "the logits go through a sigmoid, and then through a loss that applies another. "
        "binary_cross_entropy_with_logits takes the logits as they are.",
        PUBLIC,
        (_with_nll(lambda x, logits: bernoulli_nll(x, logits.sigmoid())),),
    ),
    Mistake(
        "logits taken for probabilities",
        "F.binary_cross_entropy expects probabilities, but these are logits. Use "
        "F.binary_cross_entropy_with_logits.",
        PUBLIC,
        (
            _with_nll(
                lambda x, logits: F.binary_cross_entropy(logits, x, reduction="none").flatten(1).sum(1)
            ),
            _with_nll(lambda x, logits: cross_entropy(x, logits.clamp(0, 1)).flatten(1).sum(1)),
        ),
    ),
    Mistake(
        "x and logits swapped",
        "x and the logits are swapped: in F.binary_cross_entropy_with_logits the logits come first.",
        PUBLIC,
        (_with_nll(lambda x, logits: cross_entropy(logits, x).flatten(1).sum(1)),),
    ),
    Mistake(
        "squared error",
        "the reconstruction is a squared error, which belongs to a Gaussian decoder. This decoder outputs "
        "logits of Bernoulli pixels, whose nll is the cross-entropy.",
        PUBLIC,
        tuple(map(_with_nll, SQUARED)),
    ),
    Mistake(
        "squared error, everything summed",
        "the reconstruction is a squared error, and the images are added up. Use the cross-entropy, summed "
        "over pixels, and average over images.",
        PUBLIC,
        _SUMMED,
    ),
    Mistake(
        "squared error, and a small weight on the KL",
        "the reconstruction is a squared error, and the KL has a small fixed weight, which is a hidden "
        "beta. Use the cross-entropy, with beta as the only weight.",
        PUBLIC,
        _SMALL,
    ),
    Mistake(
        "divided by the number of pixels",
        "this is the right loss divided by the number of pixels, in nats per pixel. Return nats per image.",
        PUBLIC,
        (lambda x, *given: losses.vae_loss(x, *given) / x[0].numel(),),
    ),
    Mistake(
        "KL without its 1/2",
        "the KL is twice too large: the factor 1/2 is missing. That is a hidden beta of 2.",
        PUBLIC,
        (_with_kl(lambda mu, lv: 2 * kl_standard_normal(mu, lv)),),
    ),
    Mistake(
        "log_var read as standard deviation",
        "log_var enters the KL as if it were sigma. The KL has exp(log_var), which is sigma^2, and log_var "
        "itself.",
        PUBLIC,
        (_with_kl(lambda mu, lv: (mu**2 + lv**2 - 1 - (lv**2).log()).sum(1) / 2),),
    ),
    Mistake(
        "exp(2 log_var)",
        "exp(log_var) is squared in the KL, but it is sigma^2 already.",
        PUBLIC,
        (
            _with_kl(lambda mu, lv: (mu**2 + (2 * lv).exp() - 1 - lv).sum(1) / 2),
            _with_kl(lambda mu, lv: (mu**2 + (2 * lv).exp() - 1 - 2 * lv).sum(1) / 2),
        ),
    ),
    Mistake(
        "log_var squared in the KL",
        "log_var is squared in the KL. It is log sigma^2 already: the KL has exp(log_var) and log_var, and "
        "squares only mu.",
        PUBLIC,
        (
            _with_kl(lambda mu, lv: (mu**2 + lv.exp() - 1 - lv**2).sum(1) / 2),
            _with_kl(lambda mu, lv: (mu**2 + lv**2 - 1 - lv).sum(1) / 2),
        ),
    ),
    Mistake(
        "mu not squared",
        "mu is not squared in the KL.",
        PUBLIC,
        (_with_kl(lambda mu, lv: (mu + lv.exp() - 1 - lv).sum(1) / 2),),
    ),
    Mistake(
        "-1 dropped",
        "the KL lacks its -1, once for each latent dimension.",
        PUBLIC,
        (_with_kl(lambda mu, lv: (mu**2 + lv.exp() - lv).sum(1) / 2),),
    ),
    Mistake(
        "hard-coded sizes",
        "a size is hard-coded, 784 pixels or the size of a batch. Take sizes from the tensors, or use "
        ".flatten(1) and .mean().",
        PUBLIC,
        (
            _viewed,
            _mixed(lambda n, k, b: (n + b * k).sum() / 128),
            _mixed(lambda n, k, b: (n + b * k).sum() / 64),
            _with_nll(lambda x, logits: cross_entropy(x, logits).mean() * 784),
        ),
    ),
)

vae_loss = Exercise(
    name="vae_loss",
    parameters=NAMES,
    reference=losses.vae_loss,
    observe=_observe,
    remark=_remark,
    verified="nll summed over pixels, kl over latent dimensions, beta on the kl, the mean over images, and "
    "the gradients. This check cannot see which z the logits come from. If z = mu is decoded in "
    "place of a draw, the same loss is no longer a bound; check.reparameterize and the clinic "
    "detect that.",
    mistakes=MISTAKES,
    pairs=PAIRS,
    hints=(
        "Two terms of one image each, (B,): nll is the cross-entropy summed over the pixels, kl is summed "
        "over latent dimensions. Which functions that you wrote before return them?",
        'F.binary_cross_entropy_with_logits(logits, x, reduction="none") has the shape of x; '
        ".flatten(1).sum(1) leaves one number an image.",
        "Add beta times the kl to the nll, and take the mean over images last.",
    ),
)
