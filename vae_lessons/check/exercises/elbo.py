"""The exercise on the evidence lower bound, lesson 05, which the evidence meter judges too."""

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
    noise,
    row,
    tensor_facts,
)
from vae_lessons.check.engine.bernoulli import REFUSES_GREY, bernoulli_of, refuses_grey, saturated
from vae_lessons.check.engine.pairs import PAIRS_OF_BOUND
from vae_lessons.gaussian import kl_standard_normal

NAMES = ("x", "logits", "mu", "log_var")


def probes(seed):
    """Images, logits and clouds for a bound or a loss, the smallest first, -> Probes."""
    one = (([1.0],), ([0.0],), ([1.0],), ([0.0],))
    smallest = tuple(torch.tensor(value, dtype=torch.float64, device="cpu") for value in one)
    yield Probe("x = [[1]], logits = [[0]], mu = [[1]], log_var = [[0]]", smallest)
    for title, images, shape, latent in (
        ("one image of 4 pixels, two latent numbers", 1, (4,), 2),
        ("five images of 4 pixels, three latent numbers", 5, (4,), 3),
        ("three images (1, 4, 5), two latent numbers", 3, (1, 4, 5), 2),
    ):
        x = (noise(images, *shape, seed=seed) * 2).sigmoid()
        x = torch.where(noise(images, *shape, seed=seed + 1) > 0, x.round(), x)  # black, white, and some grey
        mu, log_var = (noise(images, latent, seed=seed + i) for i in (3, 4))
        yield Probe(title, (x, 2 * noise(images, *shape, seed=seed + 2), 1.3 * mu, log_var - 0.5))


def _observe(call, seed):
    for probe in probes(
        seed
    ):  # at 0 a right loss may have a kink, max(logits, 0), so no gradient is asked there
        reached = NAMES[1:] if probe.args[1].any() else NAMES[2:]
        yield from tensor_facts(call, probe, NAMES, reached)


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
    """A bound with other weights: numbers, or functions of (x, mu) that give one."""

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
    name="elbo",
    parameters=NAMES,
    reference=losses.elbo,
    observe=_observe,
    pairs=PAIRS_OF_BOUND,
    remark=_remark,
    show=_show,
    verified="values and gradients agree on four inputs.",
    mistakes=(
        Mistake("sign",
            "this is the loss, nll + kl, which is minus the ELBO. elbo = -nll - kl.",
            PUBLIC, (weighed(-1, -1),),
        ),
        Mistake("KL added",
            "the KL is added. It is the price of q(z|x) and is subtracted: elbo = log p(x|z) - KL.",
            PUBLIC, (weighed(1, -1),),
        ),
        Mistake("nll added",
            "the reconstruction has the wrong sign: log p(x|z) is minus nll. elbo = -nll - kl.",
            PUBLIC, (weighed(-1, 1),),
        ),
        Mistake("KL left out",
            "there is no KL: only log p(x|z). That is an autoencoder's loss, and no bound.",
            COURSE, (weighed(1, 0), lambda x, logits, mu, lv: -losses.bernoulli_nll(x, logits)),
        ),
        Mistake("reconstruction left out",
            "there is no reconstruction: only the KL. elbo = -nll - kl.",
            NEAR, (weighed(0, 1), lambda x, logits, mu, lv: -kl_standard_normal(mu, lv)),
        ),
        Mistake("half the KL",
            "the KL counts half. The 1/2 is in its closed form already, once.",
            PUBLIC, (weighed(1, 0.5),),
        ),
        Mistake("twice the KL",
            "the KL counts twice: its factor 1/2 is missing. This is still a bound, but a poor one.",
            PUBLIC, (weighed(1, 2),),
        ),
        Mistake("mean over latent numbers",
            "the KL is averaged over the latent numbers. It adds up: sum over the last dimension.",
            "ARENA's VAE exercise, where it makes the implied beta depend on L",
            (weighed(1, lambda x, mu: 1 / mu.shape[1]),),
        ),
        Mistake("mean over pixels",
            "the reconstruction is averaged over pixels, so the KL weighs as many times too much as there "
            "are pixels. log p(x|z) is a sum.",
            "reduction='mean', as in fastai's 29_vae and ARENA's VAE exercise",
            (weighed(lambda x, mu: 1 / x[0].numel(), 1),),
        ),
        Mistake("mean over pixels and latent numbers",
            "both terms are averaged, over pixels and over latent numbers. Both are sums: nats add up.",
            PUBLIC, (weighed(lambda x, mu: 1 / x[0].numel(), lambda x, mu: 1 / mu.shape[1]),),
        ),
        Mistake("beta on the wrong term",
            "the reconstruction is weighed, not the KL. In the ELBO neither is; later beta multiplies the "
            "KL and nothing else.",
            PUBLIC, tuple(weighed(weight, 1) for weight in (0.1, 0.25, 0.5, 2, 4, 10, 100)),
        ),
        Mistake("KL weighted by a beta",
            "the KL is weighed by a beta. The ELBO has none; beta = 1 alone gives a bound that can be read "
            "as log p(x).",
            PUBLIC, tuple(weighed(1, weight) for weight in (1e-3, 0.01, 0.1, 0.25, 4, 5, 10, 100)),
        ),
        Mistake("KL weighted by the batch",
            "the KL is weighed by the size of the batch or of the data. It belongs to an image, as the "
            "reconstruction does: weight 1.",
            "PyTorch-VAE's kld_weight, batch size over size of the data", (
                weighed(1, lambda x, mu: 1 / len(x)),
                weighed(1, lambda x, mu: len(x)),
                *(weighed(1, lambda x, mu, n=n: len(x) / n) for n in (18_000, 20_000, 50_000, 60_000)),
            ),
        ),
        Mistake("expectation of exp, not of log",
            "densities are averaged and the log taken afterwards. The ELBO averages log p(x|z); the log of "
            "a mean is another, larger number.",
            COURSE,
            (_of_parts(_log_mean_exp), _of_parts(lambda nll, kl: (-nll).exp() - kl),
             _of_parts(lambda nll, kl: (-nll - kl).exp())),
        ),
        Mistake("double sigmoid",
            "the sigmoid is applied twice: the function for logits was given probabilities. Give it the "
            "logits as they are.",
            PUBLIC, (_double_sigmoid,),
        ),
        Mistake("Bernoulli refuses grey pixels", REFUSES_GREY, PUBLIC, (
                lambda x, logits, mu, lv: (
                    -bernoulli_of(x, logits=logits).flatten(1).sum(1) - kl_standard_normal(mu, lv)
                ),
            ),
            refuses_grey,
        ),
        Mistake("divided by the number of pixels",
            "this is the right bound divided by the number of pixels: nats a pixel. The two terms weigh as "
            "they should, but asked are nats an image: divide nothing.",
            PUBLIC,
            (weighed(lambda x, mu: 1 / x[0].numel(), lambda x, mu: 1 / x[0].numel()),),
        ),
        Mistake("log_var squared in the KL",
            "log_var is squared in the KL. It is log sigma^2 already: the KL has exp(log_var) and log_var, "
            "and squares only mu.",
            PUBLIC,
            (_with_kl(lambda mu, lv: (mu**2 + lv.exp() - 1 - lv**2).sum(1) / 2),
             _with_kl(lambda mu, lv: (mu**2 + lv**2 - 1 - lv).sum(1) / 2)),
        ),
        Mistake("squared error",
            "this has the squared error in place of log p(x|z). The decoder is Bernoulli: the "
            "reconstruction is minus the cross-entropy, summed over pixels.",
            PUBLIC, (_squares, lambda *given: _squares(*given).sum(), lambda *given: _squares(*given).mean()),
        ),
        Mistake("sum over the batch",
            "the images are added up or averaged. The bound is one number for each image, (B,); the loss "
            "averages them, last.",
            PUBLIC, (
                _of_parts(lambda nll, kl: (-nll - kl).sum()),
                _of_parts(lambda nll, kl: (-nll - kl).mean()),
                _of_parts(lambda nll, kl: (nll + kl).mean()),
                _of_parts(lambda nll, kl: (nll + kl).sum()),
            ),
        ),
        Mistake("KL summed over the batch",
            "the KL of all images is charged to each of them: it was summed over the batch too. Sum over "
            "the last dimension only.",
            PUBLIC, (_of_parts(lambda nll, kl: -nll - kl.sum()), _of_parts(lambda nll, kl: -nll - kl.mean())),
        ),
        Mistake("reconstruction summed over the batch",
            "the reconstruction of all images is charged to each of them: it was summed over the batch "
            "too. Sum over pixels only.",
            PUBLIC, (_of_parts(lambda nll, kl: -nll.sum() - kl), _of_parts(lambda nll, kl: -nll.mean() - kl)),
        ),
        Mistake("no gradient",
            "the values are right, but no gradient reaches the logits, mu or log_var. .item(), .detach(), "
            "torch.tensor(...) or no_grad cuts it off.",
            NEAR, (
                lambda *given: losses.elbo(*given).detach(),
                lambda x, logits, mu, lv: losses.elbo(x, logits, mu.detach(), lv.detach()),
                lambda x, logits, mu, lv: losses.elbo(x, logits.detach(), mu, lv),
            ),
        ),
    ),
    hints=(
        "Two terms for each image: log p(x|z), which is minus the Bernoulli nll, and minus the KL.",
        "F.binary_cross_entropy_with_logits(logits, x, reduction='none') gives nll of each pixel. Sum over "
        "all but the first dimension.",
        "kl = 1/2 sum_j [ mu_j^2 + exp(log_var_j) - 1 - log_var_j ]. Then elbo = -nll - kl, (B,).",
    ),
)  # fmt: skip
