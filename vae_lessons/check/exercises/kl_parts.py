"""The exercise on the three parts of the KL, lesson 12, and how it goes wrong."""

import math

import torch

from vae_lessons import measures
from vae_lessons.check.engine import COURSE, NEAR, PUBLIC, Exercise, Fact, Mistake, no_answer, noise, placed
from vae_lessons.gaussian import kl_standard_normal


def _clouds(seed):
    """z, mu and log_var, (N, L) each: clouds that are all the same, that lean, and that are narrow."""
    for asked, images, latent, spread, low in (
        ("two images, one dimension", 2, 1, 1.0, -1.0),
        ("six images, three dimensions, clouds that overlap", 6, 3, 0.7, -1.5),
        ("nine images, two dimensions, narrow clouds on a line", 9, 2, 1.2, -5.0),
    ):
        mu, eps = noise(2, images, latent, seed=seed + images)
        mu = spread * mu + 0.3 + mu.roll(1, 1) * (latent == 2)
        log_var = low + 0.5 * noise(images, latent, seed=seed + 70 + images)
        yield asked, mu + torch.exp(log_var / 2) * eps, mu, log_var


def _observe(call, seed):
    for asked, *given in _clouds(seed):
        answer = call(*map(placed, given))
        if isinstance(answer, torch.Tensor) and answer.ndim == 1:
            answer = tuple(answer)
        if not isinstance(answer, (tuple, list)) or len(answer) != 3:
            raise no_answer("It must return three numbers: mi, tc and dimension, in this order.")
        try:
            value = torch.tensor([float(part) for part in answer], dtype=torch.float64, device="cpu")
        except (TypeError, ValueError, RuntimeError):
            raise no_answer("It must return three numbers, but one of them is something else.") from None
        yield Fact(f"mi, tc and dimension of {asked}", value, 1e-3 * (1 + value.abs().nan_to_num(0, 0, 0)))


def _pairs(z, mu, log_var):
    """log q(z_ij | x_n), (N, N, L): draw i, image n, dimension j."""
    apart = (z[:, None] - mu) ** 2 * torch.exp(-log_var)
    return -(math.log(2 * math.pi) + log_var + apart) / 2


def _terms(z, mu, log_var):
    """log q(z|x), log q(z), sum_j log q(z_j) and log p(z) of each draw."""
    pairs, log_n = _pairs(z, mu, log_var), math.log(len(mu))
    own = pairs.sum(2).diagonal()
    joint = pairs.sum(2).logsumexp(1) - log_n
    product = (pairs.logsumexp(1) - log_n).sum(1)
    return own, joint, product, -(math.log(2 * math.pi) + z**2).sum(1) / 2


def _parts(own, joint, product, prior):
    return (own - joint).mean(), (joint - product).mean(), (product - prior).mean()


def _with(change):
    """A code with one change of the four terms: (pairs, own, joint, product, prior) -> the four."""

    def changed(z, mu, log_var):
        return _parts(*change(_pairs(z, mu, log_var), *_terms(z, mu, log_var)))

    return changed


def _reordered(*order):
    def reordered(z, mu, log_var):
        parts = _parts(*_terms(z, mu, log_var))
        return tuple(parts[i] for i in order)

    return reordered


def _summed(z, mu, log_var):
    return tuple(len(z) * part for part in _parts(*_terms(z, mu, log_var)))


def _whole_kl(z, mu, log_var):
    mi, tc, _ = _parts(*_terms(z, mu, log_var))
    return mi, tc, kl_standard_normal(mu, log_var).mean()


def _log(pairs):
    return math.log(len(pairs))


kl_parts = Exercise(
    reference=measures.kl_parts,
    observe=_observe,
    verified="the three parts agree for clouds that overlap, and for narrow ones along a line.",
    mistakes=(
        Mistake(
            "-log N forgotten",
            "a mixture is a mean of N densities, and logsumexp is the log of their sum: subtract log N. For "
            "the product of marginals that is log N for each of the L dimensions. Without it the total "
            "correlation can come out negative, which no KL can.",
            PUBLIC,
            (
                _with(lambda p, own, q, r, prior: (own, q + _log(p), r + p.shape[2] * _log(p), prior)),
                _with(lambda p, own, q, r, prior: (own, q, r + p.shape[2] * _log(p), prior)),
                _with(lambda p, own, q, r, prior: (own, q + _log(p), r, prior)),
            ),
        ),
        Mistake(
            "log N once for all dimensions",
            "each marginal q(z_j) is a mean over N images, so log N is subtracted once for each dimension, "
            "before "
            "the sum over j.",
            NEAR,
            (_with(lambda p, own, q, r, prior: (own, q, r + (p.shape[2] - 1) * _log(p), prior)),),
        ),
        Mistake(
            "dimensions summed before images",
            "here the dimensions are put together before the images are averaged, so the product of "
            "marginals "
            "is q(z) itself and the total correlation 0. For sum_j log q(z_j), first logsumexp over images, "
            "then sum over j.",
            PUBLIC,
            (
                _with(lambda p, own, q, r, prior: (own, q, q, prior)),
                _with(
                    lambda p, own, q, r, prior: (
                        own,
                        p.logsumexp(2).logsumexp(1) - _log(p),
                        r,
                        prior,
                    )
                ),
                _with(
                    lambda p, own, q, r, prior: (
                        own,
                        q,
                        p.logsumexp(2).logsumexp(1) - _log(p),
                        prior,
                    )
                ),
                _with(lambda p, own, q, r, prior: (own, q, p.logsumexp(2).sum(1) - _log(p), prior)),
                _with(
                    lambda p, own, q, r, prior: (
                        own,
                        q,
                        (p.logsumexp(2) - math.log(p.shape[2])).sum(1),
                        prior,
                    )
                ),
            ),
        ),
        Mistake(
            "marginals over the wrong axis",
            "this averages over the draws z_i. q(z_ij) is a mean over the images: keep the draw, run "
            "through all mu and log_var.",
            PUBLIC,
            (
                _with(lambda p, own, q, r, prior: (own, q, (p.logsumexp(0) - _log(p)).sum(1), prior)),
                _with(
                    lambda p, own, q, r, prior: (
                        own,
                        p.sum(2).logsumexp(0) - _log(p),
                        (p.logsumexp(0) - _log(p)).sum(1),
                        prior,
                    )
                ),
                _with(lambda p, own, q, r, prior: (own, p.sum(2).logsumexp(0) - _log(p), r, prior)),
            ),
        ),
        Mistake(
            "mean of logs",
            "this averages log q(z_i|x_n) over images. A mixture is a mean of densities: logsumexp, minus "
            "log N.",
            COURSE,
            (
                _with(lambda p, own, q, r, prior: (own, p.sum(2).mean(1), r, prior)),
                _with(lambda p, own, q, r, prior: (own, q, p.mean(1).sum(1), prior)),
            ),
        ),
        Mistake(
            "its own cloud for the marginals",
            "the marginals here are those of the draw's own cloud, q(z_j|x). q(z_j) is the mean over all "
            "images.",
            NEAR,
            (_with(lambda p, own, q, r, prior: (own, q, own, prior)),),
        ),
        Mistake(
            "another order",
            "the three numbers are right, but stand in another order. Return mi, tc, dimension.",
            NEAR,
            (_reordered(1, 0, 2), _reordered(0, 2, 1), _reordered(2, 1, 0), _reordered(1, 2, 0)),
        ),
        Mistake(
            "sums over draws",
            "these are sums over the draws. Each part is a mean, in nats an image.",
            PUBLIC,
            (_summed,),
        ),
        Mistake(
            "the whole KL for the last part",
            "the last number is the whole KL. The dimension-wise part is what is left of it after mi and "
            "tc: the "
            "mean of sum_j log q(z_j) - log p(z_j).",
            NEAR,
            (_whole_kl,),
        ),
        Mistake(
            "prior without its constant",
            "log p(z_j) is -(log 2 pi + z_j^2) / 2. The log 2 pi is missing, so it does not cancel that of "
            "q(z_j).",
            NEAR,
            (
                _with(
                    lambda p, own, q, r, prior: (
                        own,
                        q,
                        r,
                        prior + p.shape[2] * math.log(2 * math.pi) / 2,
                    )
                ),
            ),
        ),
        Mistake(
            "tc with the wrong sign",
            "the total correlation is log q(z) minus the sum of log q(z_j), so that it is a KL and not "
            "negative.",
            NEAR,
            (
                lambda z, mu, log_var: tuple(
                    sign * part
                    for sign, part in zip((1, -1, 1), _parts(*_terms(z, mu, log_var)), strict=True)
                ),
            ),
        ),
    ),
    hints=(
        "All is in one array of log q(z_ij | x_n), (N, N, L): draw i, image n, dimension j. z[:, None] - mu "
        "has that "
        "shape.",
        "log q(z_i): sum over j, then logsumexp over n, minus log N. sum_j log q(z_ij): logsumexp over n, "
        "minus "
        "log N, then sum over j.",
        "mi is the mean of log q(z_i|x_i) - log q(z_i), and log q(z_i|x_i) stands on the diagonal of draw "
        "and image.",
    ),
)
