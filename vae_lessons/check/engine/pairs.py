"""Two mistakes at once in a loss or a bound: one thing wrong in each of two places, nll, KL and beta."""

from itertools import combinations, product

import torch.nn.functional as F

from vae_lessons.check.engine.exercise import NEAR, Mistake
from vae_lessons.gaussian import kl_standard_normal
from vae_lessons.losses import bernoulli_nll


def kl_terms(mu, log_var):
    """The KL of each latent dimension, (B, L)."""
    return (mu**2 + log_var.exp() - 1 - log_var) / 2


def cross_entropy(x, logits):
    """The cross-entropy of each pixel, the shape of x."""
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none")


SQUARED = (
    lambda x, logits: ((x - logits.sigmoid()) ** 2).flatten(1).sum(1),
    lambda x, logits: ((x - logits) ** 2).flatten(1).sum(1),
    lambda x, logits: ((x - logits.sigmoid()) ** 2).flatten(1).sum(1) / 2,
    lambda x, logits: ((x - logits.sigmoid()) ** 2).mean(),
    lambda x, logits: ((x - logits) ** 2).mean(),
)
_NLLS = {
    "mean over pixels": (
        "the reconstruction is averaged over pixels",
        lambda x, logits: cross_entropy(x, logits).flatten(1).mean(1),
    ),
    "sign of the reconstruction": (
        "the reconstruction has the wrong sign",
        lambda x, logits: -bernoulli_nll(x, logits),
    ),
    "nll summed over the batch": (
        "the reconstruction is summed over the batch",
        lambda x, logits: bernoulli_nll(x, logits).sum(),
    ),
    "double sigmoid": ("the sigmoid is applied twice", lambda x, logits: bernoulli_nll(x, logits.sigmoid())),
    "x and logits swapped": (
        "x and logits are swapped",
        lambda x, logits: cross_entropy(logits, x).flatten(1).sum(1),
    ),
    "squared error": ("the reconstruction is a squared error", SQUARED[0]),
    "squared error of the logits": ("the reconstruction is a squared error of the logits", SQUARED[1]),
    "mean squared error": ("the reconstruction is a squared error, averaged over pixels", SQUARED[3]),
}
_KLS = {
    "KL averaged over latent dimensions": (
        "the KL is averaged over latent dimensions",
        lambda mu, lv: kl_terms(mu, lv).mean(1),
    ),
    "KL summed over the batch": ("the KL is summed over the batch", lambda mu, lv: kl_terms(mu, lv).sum()),
    "sign of the KL": ("the KL has the wrong sign", lambda mu, lv: -kl_standard_normal(mu, lv)),
    "KL without its 1/2": ("the KL lacks its 1/2", lambda mu, lv: 2 * kl_standard_normal(mu, lv)),
    "half the KL": ("the KL has its 1/2 twice", lambda mu, lv: kl_standard_normal(mu, lv) / 2),
    "-1 dropped": ("the KL lacks its -1", lambda mu, lv: (kl_terms(mu, lv) + 1 / 2).sum(1)),
    "log_var squared in the KL": (
        "log_var is squared in the KL",
        lambda mu, lv: (mu**2 + lv.exp() - 1 - lv**2).sum(1) / 2,
    ),
    "exp(2 log_var)": (
        "exp(log_var) is squared in the KL",
        lambda mu, lv: (mu**2 + (2 * lv).exp() - 1 - lv).sum(1) / 2,
    ),
    "mu not squared": (
        "mu is not squared in the KL",
        lambda mu, lv: (kl_terms(mu, lv) + (mu - mu**2) / 2).sum(1),
    ),
}
_BETAS = {"missing beta": ("beta is not used", lambda beta: 1.0)}
_RIGHT = bernoulli_nll, kl_standard_normal, lambda beta: beta


def _loss_of(nll, kl, weight):
    return lambda x, logits, mu, log_var, beta=1.0: (nll(x, logits) + weight(beta) * kl(mu, log_var)).mean()


def _bound_of(nll, kl, _):
    return lambda x, logits, mu, log_var: -nll(x, logits) - kl(mu, log_var)


def _pairs(made_of, places):
    """What goes wrong in one place with what goes wrong in another, -> Mistakes."""
    for i, j in combinations(range(len(places)), 2):
        for (first, (says, code)), (second, (too, other)) in product(places[i].items(), places[j].items()):
            codes = list(_RIGHT)
            codes[i], codes[j] = code, other
            both = f"two mistakes at once: {says}, and {too}."
            yield Mistake(f"{first}, and {second}", both, NEAR, (made_of(*codes),))


PAIRS = tuple(_pairs(_loss_of, (_NLLS, _KLS, _BETAS)))
PAIRS_OF_BOUND = tuple(_pairs(_bound_of, (_NLLS, _KLS)))
