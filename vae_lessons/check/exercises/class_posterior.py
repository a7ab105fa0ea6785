"""The exercise on classifying by Bayes' rule, lesson 13, and how it goes wrong."""

import torch

from vae_lessons import likelihood
from vae_lessons.check.engine import COURSE, NEAR, PUBLIC, Exercise, Mistake, Probe, noise, row


def _prior(*weights):
    prior = row(*weights)[0]
    return prior / prior.sum()


def _probes(seed):
    yield Probe("log_p = [[-1, -2, -1.5]], prior = [1/2, 1/4, 1/4]", (row(-1, -2, -1.5), _prior(2, 1, 1)))
    yield Probe("three images, two classes", (noise(3, 2, seed=seed), _prior(0.3, 0.7)))
    weights = noise(6, seed=seed + 20).exp().tolist()
    yield Probe("five images, six classes", (2 * noise(5, 6, seed=seed + 1), _prior(*weights)))
    yield Probe("four images, four equal classes", (noise(4, 4, seed=seed + 2) - 3, _prior(1, 1, 1, 1)))
    yield Probe("log_p = [[-1000, -1001]], as for large images,", (row(-1000, -1001), _prior(1, 3)))


def _ratio(p, dim=1):
    return p / p.sum(dim, keepdim=True)


class_posterior = Exercise(
    reference=likelihood.class_posterior,
    probes=_probes,
    verified="it agrees with Bayes' rule, also where exp(log_p) is 0 in floating point.",
    mistakes=(
        Mistake(
            "exp before normalising",
            "exp(-1000) is 0 in floating point, so this divides 0 by 0. Stay with logs: softmax of log_p + "
            "log prior first subtracts the largest of each row.",
            PUBLIC,
            (
                lambda log_p, prior: _ratio(log_p.exp() * prior),
                lambda log_p, prior: _ratio((log_p + prior.log()).exp()),
                lambda log_p, prior: (
                    (log_p.exp() * prior + 1e-12) / (log_p.exp() * prior + 1e-12).sum(1)[:, None]
                ),
            ),
        ),
        Mistake(
            "over the batch",
            "this is normalised over the images. For each image, the probabilities of its classes must sum "
            "to 1: dim=1.",
            PUBLIC,
            (
                lambda log_p, prior: torch.softmax(log_p + prior.log(), 0),
                lambda log_p, prior: torch.softmax((log_p + prior.log()).flatten(), 0).view_as(log_p),
            ),
        ),
        Mistake(
            "of the nll",
            "the sign is wrong: the class under which the image is least probable gets the largest "
            "probability. log_p is a log-probability, not a loss.",
            PUBLIC,
            (
                lambda log_p, prior: torch.softmax(-log_p + prior.log(), 1),
                lambda log_p, prior: torch.softmax(-log_p - prior.log(), 1),
                lambda log_p, prior: torch.softmax(-log_p, 1),
            ),
        ),
        Mistake(
            "prior for its log",
            "the prior itself is added to a log, or multiplied with it. A product of probabilities is a sum "
            "of logs: add prior.log().",
            COURSE,
            (
                lambda log_p, prior: torch.softmax(log_p + prior, 1),
                lambda log_p, prior: torch.softmax(log_p * prior, 1),
            ),
        ),
        Mistake(
            "prior left out",
            "the prior is left out. It does not matter if all classes are equally frequent, but here they "
            "are not.",
            COURSE,
            (lambda log_p, prior: torch.softmax(log_p, 1),),
        ),
        Mistake(
            "prior after normalising",
            "the prior multiplies what is already normalised, so the rows no longer sum to 1. Put it in "
            "before you normalise.",
            NEAR,
            (lambda log_p, prior: torch.softmax(log_p, 1) * prior,),
        ),
        Mistake(
            "prior twice",
            "the prior counts twice. It belongs in once, beside log p(x|y).",
            NEAR,
            (
                lambda log_p, prior: torch.softmax(log_p + 2 * prior.log(), 1),
                lambda log_p, prior: torch.softmax(log_p + prior.log(), 1) * prior,
            ),
        ),
        Mistake(
            "not normalised",
            "these are p(x|y) p(y), or their logs. Divide by their sum over the classes, so that each row "
            "sums to 1.",
            PUBLIC,
            (
                lambda log_p, prior: log_p.exp() * prior,
                lambda log_p, prior: log_p + prior.log(),
            ),
        ),
        Mistake(
            "log-probabilities",
            "these are the logs of the right probabilities. Return the probabilities.",
            PUBLIC,
            (lambda log_p, prior: torch.log_softmax(log_p + prior.log(), 1),),
        ),
        Mistake(
            "logs divided by their sum",
            "this divides logs by their sum. The probabilities are to be divided by their sum, not their "
            "logs.",
            NEAR,
            (
                lambda log_p, prior: _ratio(log_p + prior.log()),
                lambda log_p, prior: _ratio(log_p) * prior,
                lambda log_p, prior: _ratio(log_p * prior),
            ),
        ),
        Mistake(
            "the likeliest class only",
            "this names the likeliest class. Return the probability of each class, (B, C).",
            COURSE,
            (
                lambda log_p, prior: (log_p + prior.log()).argmax(1),
                lambda log_p, prior: torch.softmax(log_p + prior.log(), 1).amax(1),
            ),
        ),
    ),
    hints=(
        "Bayes' rule has a product, p(x|y) p(y), divided by the sum of such products over the classes.",
        "The log of the product is log_p + prior.log(), and the sum runs along dim=1.",
        "torch.softmax(a, dim=1) is exp(a) divided by its sum, computed so that large numbers do no harm.",
    ),
)
