"""The exercise on the evidence lower bound, which is also put on the evidence meter."""

import torch

from vae_lessons import losses
from vae_lessons.check.engine import (
    COURSE,
    NEAR,
    PUBLIC,
    Exercise,
    Failed,
    Mistake,
    Probe,
    Shown,
    meter,
    no_gradient,
    noise,
    numbers,
    row,
)
from vae_lessons.check.engine.bernoulli import REFUSES_GREY, bernoulli_of, refuses_grey, saturated
from vae_lessons.check.engine.pairs import PAIRS_OF_BOUND
from vae_lessons.gaussian import kl_standard_normal


def _probes(seed):
    one = numbers(1, 0, 1, 0)
    yield Probe("x = [[1]], logits = [[0]], mu = [[1]], log_var = [[0]]", one, kinks=("logits",))
    for title, images, shape, latent in (
        ("one image of 4 pixels, two latent dimensions", 1, (4,), 2),
        ("five images of 4 pixels, three latent dimensions", 5, (4,), 3),
        ("three images (1, 4, 5), two latent dimensions", 3, (1, 4, 5), 2),
    ):
        x = (noise(images, *shape, seed=seed) * 2).sigmoid()
        x = torch.where(noise(images, *shape, seed=seed + 1) > 0, x.round(), x)  # black, white, and some grey
        mu, log_var = (noise(images, latent, seed=seed + i) for i in (3, 4))
        yield Probe(title, (x, 2 * noise(images, *shape, seed=seed + 2), 1.3 * mu, log_var - 0.5))


def _show(call, seed):
    try:
        return meter.read(call.tensor, seed)
    except (Failed, TypeError, ValueError) as error:
        said = error.args[0].sentence if isinstance(error, Failed) else error
        return Shown(says=f"The evidence meter cannot read it: {said}", fine=False)


def _remark(call, seed):
    return saturated(call, row(0.0), row(0.0))


def parts(x, logits, mu, log_var):
    """nll and kl of each image, two of (B,)."""
    return losses.bernoulli_nll(x, logits), kl_standard_normal(mu, log_var)


def weighed(nll_weight, kl_weight):
    """A bound with other weights: numbers, or functions (x, mu) -> number."""

    def elbo(x, logits, mu, log_var):
        nll, kl = parts(x, logits, mu, log_var)
        a, b = (w(x, mu) if callable(w) else w for w in (nll_weight, kl_weight))
        return -a * nll - b * kl

    return elbo


def _of_parts(combine):
    return lambda *given: combine(*parts(*given))


def _with_kl(kl):
    """A bound with another KL: kl(mu, log_var) -> (B,)."""
    return lambda x, logits, mu, log_var: -losses.bernoulli_nll(x, logits) - kl(mu, log_var)


def _squares(x, logits, mu, log_var):
    return -((x - logits.sigmoid()) ** 2).flatten(1).sum(1) - kl_standard_normal(mu, log_var)


def _double_sigmoid(x, logits, mu, log_var):
    return losses.elbo(x, logits.sigmoid(), mu, log_var)


def _log_mean_exp(nll, kl):
    return torch.logsumexp(-nll, 0) - torch.tensor(float(len(nll))).log() - kl


elbo = Exercise(
    reference=losses.elbo,
    probes=_probes,
    gradients=("logits", "mu", "log_var"),
    pairs=PAIRS_OF_BOUND,
    remark=_remark,
    show=_show,
    verified="values and gradients agree on four inputs.",
    mistakes=(
        Mistake(
            "sign",
            "this is the loss, nll + kl, which is minus the ELBO. elbo = -nll - kl.",
            PUBLIC,
            (weighed(-1, -1),),
        ),
        Mistake(
            "KL added",
            "the KL is added. It must be subtracted: elbo = log p(x|z) - KL.",
            PUBLIC,
            (weighed(1, -1),),
        ),
        Mistake(
            "nll added",
            "the reconstruction has the wrong sign: log p(x|z) is minus nll. elbo = -nll - kl.",
            PUBLIC,
            (weighed(-1, 1),),
        ),
        Mistake(
            "KL left out",
            "there is no KL, only log p(x|z). That is an autoencoder's objective, and not a bound.",
            COURSE,
            (weighed(1, 0), lambda x, logits, mu, lv: -losses.bernoulli_nll(x, logits)),
        ),
        Mistake(
            "reconstruction left out",
            "there is no reconstruction: only the KL. elbo = -nll - kl.",
            NEAR,
            (weighed(0, 1), lambda x, logits, mu, lv: -kl_standard_normal(mu, lv)),
        ),
        Mistake(
            "half the KL",
            "the KL counts half. Its closed form already has the factor 1/2.",
            PUBLIC,
            (weighed(1, 0.5),),
        ),
        Mistake(
            "twice the KL",
            "the KL counts twice: its factor 1/2 is missing. This is still a bound, but a loose one.",
            PUBLIC,
            (weighed(1, 2),),
        ),
        Mistake(
            "mean over latent dimensions",
            "the KL is averaged over the latent dimensions. It is a sum: sum over the last dimension.",
            "ARENA's VAE exercise, where it makes the implied beta depend on L",
            (weighed(1, lambda x, mu: 1 / mu.shape[1]),),
        ),
        Mistake(
            "mean over pixels",
            "the reconstruction is averaged over D pixels, so the KL has D times too much weight. log "
            "p(x|z) is a sum.",
            "reduction='mean', as in fastai's 29_vae and ARENA's VAE exercise",
            (weighed(lambda x, mu: 1 / x[0].numel(), 1),),
        ),
        Mistake(
            "mean over pixels and latent dimensions",
            "both terms are averaged, over pixels and over latent dimensions. Both must be sums.",
            PUBLIC,
            (weighed(lambda x, mu: 1 / x[0].numel(), lambda x, mu: 1 / mu.shape[1]),),
        ),
        Mistake(
            "beta on the wrong term",
            "the reconstruction is weighted. In the ELBO neither term is; later, beta multiplies the KL and "
            "nothing else.",
            PUBLIC,
            tuple(weighed(weight, 1) for weight in (0.1, 0.25, 0.5, 2, 4, 10, 100)),
        ),
        Mistake(
            "KL weighted by a beta",
            "the KL is weighted by a beta. The ELBO has none: only beta = 1 gives this bound on log p(x).",
            PUBLIC,
            tuple(weighed(1, weight) for weight in (1e-3, 0.01, 0.1, 0.25, 4, 5, 10, 100)),
        ),
        Mistake(
            "KL weighted by the batch",
            "the KL is weighted by the size of the batch or of the data. Like the reconstruction, it is "
            "that of one image: its weight is 1.",
            "PyTorch-VAE's kld_weight, batch size over size of the data",
            (
                weighed(1, lambda x, mu: 1 / len(x)),
                weighed(1, lambda x, mu: len(x)),
                *(weighed(1, lambda x, mu, n=n: len(x) / n) for n in (18_000, 20_000, 50_000, 60_000)),
            ),
        ),
        Mistake(
            "expectation of exp, not of log",
            "densities are averaged, and the log is taken afterwards. The ELBO averages log p(x|z); the log "
            "of the mean is larger.",
            COURSE,
            (
                _of_parts(_log_mean_exp),
                _of_parts(lambda nll, kl: (-nll).exp() - kl),
                _of_parts(lambda nll, kl: (-nll - kl).exp()),
            ),
        ),
        Mistake(
            "double sigmoid",
            "the sigmoid is applied twice: the function for logits was given probabilities. Give it the "
            "logits as they are.",
            PUBLIC,
            (_double_sigmoid,),
        ),
        Mistake(
            "Bernoulli refuses grey pixels",
            REFUSES_GREY,
            PUBLIC,
            (
                lambda x, logits, mu, lv: (
                    -bernoulli_of(x, logits=logits).flatten(1).sum(1) - kl_standard_normal(mu, lv)
                ),
            ),
            refuses_grey,
        ),
        Mistake(
            "divided by the number of pixels",
            "this is the right bound divided by the number of pixels, in nats per pixel. Return nats per "
            "image.",
            PUBLIC,
            (weighed(lambda x, mu: 1 / x[0].numel(), lambda x, mu: 1 / x[0].numel()),),
        ),
        Mistake(
            "log_var squared in the KL",
            "log_var is squared in the KL. It is log sigma^2 already: the KL has exp(log_var) and log_var, "
            "and squares only mu.",
            PUBLIC,
            (
                _with_kl(lambda mu, lv: (mu**2 + lv.exp() - 1 - lv**2).sum(1) / 2),
                _with_kl(lambda mu, lv: (mu**2 + lv**2 - 1 - lv).sum(1) / 2),
            ),
        ),
        Mistake(
            "squared error",
            "this has the squared error in place of log p(x|z). For a Bernoulli decoder log p(x|z) is minus "
            "the cross-entropy, summed over pixels.",
            PUBLIC,
            (_squares, lambda *given: _squares(*given).sum(), lambda *given: _squares(*given).mean()),
        ),
        Mistake(
            "sum over the batch",
            "the images are added up or averaged. Return one bound for each image, (B,); the loss averages "
            "them at the end.",
            PUBLIC,
            (
                _of_parts(lambda nll, kl: (-nll - kl).sum()),
                _of_parts(lambda nll, kl: (-nll - kl).mean()),
                _of_parts(lambda nll, kl: (nll + kl).mean()),
                _of_parts(lambda nll, kl: (nll + kl).sum()),
            ),
        ),
        Mistake(
            "KL summed over the batch",
            "each image has the KL of all images, because the KL is summed over the batch too. Sum over the "
            "last dimension only.",
            PUBLIC,
            (_of_parts(lambda nll, kl: -nll - kl.sum()), _of_parts(lambda nll, kl: -nll - kl.mean())),
        ),
        Mistake(
            "reconstruction summed over the batch",
            "each image has the reconstruction of all images, because it is summed over the batch too. Sum "
            "over pixels only.",
            PUBLIC,
            (_of_parts(lambda nll, kl: -nll.sum() - kl), _of_parts(lambda nll, kl: -nll.mean() - kl)),
        ),
        no_gradient(
            losses.elbo,
            lambda x, logits, mu, lv: losses.elbo(x, logits, mu.detach(), lv.detach()),
            lambda x, logits, mu, lv: losses.elbo(x, logits.detach(), mu, lv),
        ),
    ),
    hints=(
        "Two terms for each image: log p(x|z), which is minus the Bernoulli nll, and minus the KL.",
        "F.binary_cross_entropy_with_logits(logits, x, reduction='none') gives nll of each pixel. Sum over "
        "all but the first dimension.",
        "kl = 1/2 sum_j [ mu_j^2 + exp(log_var_j) - 1 - log_var_j ]. Then elbo = -nll - kl, (B,).",
    ),
)
