"""Lesson 02's fitted_sampler and two_sample_accuracy: mistakes are named, right answers pass."""

import pytest
import torch
from check_over_seeds import SEEDS, assert_refused_and_named, assert_right, codes
from torch import distributions as td

from vae_lessons import check, measures
from vae_lessons.mixture import mixture_of

NAMES = ("fitted_sampler", "two_sample_accuracy")


def loop(z, cluster, n):
    share = torch.bincount(cluster) / len(z)
    draws = []
    for _ in range(n):
        codes = z[cluster == torch.multinomial(share, 1)]
        factor = torch.linalg.cholesky(codes.T.cov())
        draws.append(codes.mean(0) + factor @ torch.randn(z.shape[1]))
    return torch.stack(draws)


def distribution(z, cluster, n):
    groups = [z[cluster == k] for k in cluster.unique()]
    components = td.MultivariateNormal(
        torch.stack([g.mean(0) for g in groups]), torch.stack([g.T.cov() for g in groups])
    )
    share = td.Categorical(torch.tensor([float(len(g)) for g in groups]))
    return td.MixtureSameFamily(share, components).sample((n,))


def of_a_random_code(z, cluster, n):
    """The cluster of a code drawn at random has the right weight without any being computed."""
    k = cluster[torch.randint(len(z), (n,))]
    out = torch.empty(n, z.shape[1])
    for i in range(int(cluster.max()) + 1):
        values, vectors = torch.linalg.eigh(z[cluster == i].T.cov(correction=0))
        count = int((k == i).sum())
        eps = torch.randn(count, z.shape[1]) * values.sqrt()
        out[k == i] = z[cluster == i].mean(0) + eps @ vectors.T
    return out


def in_order(z, cluster, n):
    share = [(cluster == k).float().mean() for k in range(3)]
    counts = torch.multinomial(torch.stack(share[: int(cluster.max()) + 1]), n, replacement=True).bincount()
    parts = [
        td.MultivariateNormal(z[cluster == k].mean(0), z[cluster == k].T.cov()).sample((int(count),))
        for k, count in enumerate(counts)
    ]
    return torch.cat(parts)


def with_numpy_like_steps(pictures, own, train):
    data = [(p.flatten(), 1.0) for p in pictures] + [(p.flatten(), 0.0) for p in own]
    order = torch.randperm(len(data)).tolist()
    third = len(data) // 3
    held_out, learned = order[:third], order[third:]
    guess = train(torch.stack([data[i][0] for i in learned]), torch.tensor([data[i][1] for i in learned]))
    right = sum(guess(data[i][0][None]).item() == data[i][1] for i in held_out)
    return right / third


def halves_of_each_set(pictures, own, train):
    x, y = (lambda part: torch.cat([part(own), part(pictures)]).flatten(1)), torch.tensor([0.0, 1.0])
    y = y.repeat_interleave(len(own) // 2)
    guess = train(x(lambda s: s[: len(s) // 2]), y)
    return (guess(x(lambda s: s[len(s) // 2 :])) == y).double().mean()


def three_folds(pictures, own, train):
    x = torch.cat([pictures, own]).flatten(1)
    y = torch.cat([torch.zeros(len(pictures)), torch.ones(len(own))])
    folds, right = torch.randperm(len(x)).chunk(3), []
    for i in range(3):
        rest = torch.cat([fold for j, fold in enumerate(folds) if j != i])
        right.append(train(x[rest], y[rest])(x[folds[i]]) == y[folds[i]])
    return torch.cat(right).float().mean().item()


STYLES = {
    "fitted_sampler": (loop, distribution, of_a_random_code, in_order),
    "two_sample_accuracy": (with_numpy_like_steps, halves_of_each_set, three_folds),
}


@pytest.mark.parametrize(("name", "mistake", "code"), codes(NAMES))
def test_every_mistake_is_refused_and_named(name, mistake, code):
    assert_refused_and_named(name, mistake, code)


@pytest.mark.parametrize("name", NAMES)
def test_right_answers_pass_in_every_style(name):
    assert_right(name, STYLES[name])


@pytest.mark.parametrize("name", NAMES)
def test_right_answers_pass_in_double_precision(name):
    torch.set_default_dtype(torch.float64)
    try:
        for function in STYLES[name]:
            assert getattr(check, name).judge(function, 0).status == "right"
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("name", NAMES)
def test_names_and_sentences_are_distinct(name):
    mistakes = getattr(check, name).mistakes
    assert len({m.name for m in mistakes}) == len({m.says for m in mistakes}) == len(mistakes)


def altered(scale=1.0, shift=1.0, weight=1.0):
    def sampler(z, cluster, n):
        mixture = mixture_of(z, cluster)
        share = mixture.weight.clone()
        share[2] *= weight
        changed = mixture._replace(
            weight=share, mean=shift * mixture.mean, covariance=scale**2 * mixture.covariance
        )
        return changed.sample(n)

    return sampler


@pytest.mark.parametrize("by", [0.9, 1.1])
@pytest.mark.parametrize("what", ["scale", "shift"])
def test_a_sampler_that_is_off_by_a_tenth_is_refused(what, by):
    for seed in SEEDS:
        assert check.fitted_sampler.judge(altered(**{what: by}), seed).status == "wrong"


def test_a_weight_that_is_off_by_a_third_is_refused():
    for seed in SEEDS:
        assert check.fitted_sampler.judge(altered(weight=2 / 3), seed).status == "wrong"


def test_draws_sorted_by_cluster_are_right_with_a_remark():
    assert "sorted by cluster" in check.fitted_sampler.judge(in_order).message
    assert "sorted by cluster" not in check.fitted_sampler.judge(distribution).message


def test_a_classifier_that_learns_by_heart_gives_a_half_for_sets_that_are_alike():
    """What holding a third out is for: on its own training pictures it is always right."""

    def by_heart(x, y):
        return lambda rows: y[torch.cdist(rows, x).argmin(1)]

    x = torch.randn(2, 400, 30, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    assert measures.two_sample_accuracy(*x, by_heart) == pytest.approx(0.5, abs=0.12)
    assert measures.two_sample_accuracy(x[0] + 3, x[1], by_heart) > 0.95
