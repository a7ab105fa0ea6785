"""The exercise on the log density of a mixture of Gaussians, lesson 15, and how it goes wrong."""

import math

import torch

from vae_lessons import mixture
from vae_lessons.check.engine import COURSE, NEAR, PUBLIC, Exercise, Mistake, Probe, noise


def _factors(components, latent, seed):
    """Cholesky factors with positive diagonals, (K, L, L)."""
    full = 0.6 * noise(components, latent, latent, seed=seed)
    return full.tril(-1) + (noise(components, latent, seed=seed + 1) / 2).exp().diag_embed()


def _probes(seed):
    for title, codes, components, latent, far in (
        ("one code in one dimension, two components", 1, 2, 1, 1.0),
        ("four codes in two dimensions, three components", 4, 3, 2, 1.0),
        ("five codes in four dimensions, two components", 5, 2, 4, 1.0),
        ("three codes far from two components", 3, 2, 2, 60.0),
    ):
        z, mean = far * noise(codes, latent, seed=seed), noise(components, latent, seed=seed + 1)
        z = z + far * (far > 1)
        log_weight = noise(components, seed=seed + 2).log_softmax(0)
        yield Probe(title, (z, log_weight, mean, _factors(components, latent, seed + 3)))


def _parts(z, mean, a):
    """Squared lengths (N, K), log det of a (K,), and the constant."""
    eps = torch.linalg.solve_triangular(a, z.T - mean[..., None], upper=False)
    return (
        eps.square().sum(1).T,
        a.diagonal(dim1=1, dim2=2).log().sum(1),
        z.shape[1] / 2 * math.log(2 * math.pi),
    )


def _with(joint=None, over=lambda joint: torch.logsumexp(joint, 1)):
    """A log density with another joint(squares, log_det, constant, log_weight), or another sum over k."""

    def density(z, log_weight, mean, a):
        squares, log_det, constant = _parts(z, mean, a)
        if joint is None:
            return over(log_weight - squares / 2 - log_det - constant)
        return over(joint(squares, log_det, constant, log_weight))

    return density


def _as_covariance(z, log_weight, mean, a):
    away = z[:, None] - mean
    squares = torch.einsum("nki,kij,nkj->nk", away, torch.linalg.inv(a), away)
    log_det = a.diagonal(dim1=1, dim2=2).log().sum(1)
    log_p = -squares / 2 - log_det / 2 - z.shape[1] / 2 * math.log(2 * math.pi)
    return torch.logsumexp(log_weight + log_p, 1)


def _transposed(z, log_weight, mean, a):
    squares = torch.linalg.solve_triangular(a.mT, z.T - mean[..., None], upper=True).square().sum(1).T
    _, log_det, constant = _parts(z, mean, a)
    return torch.logsumexp(log_weight - squares / 2 - log_det - constant, 1)


def _multiplied(z, log_weight, mean, a):
    squares = (a @ (z.T - mean[..., None])).square().sum(1).T
    _, log_det, constant = _parts(z, mean, a)
    return torch.logsumexp(log_weight - squares / 2 - log_det - constant, 1)


def _diagonal_only(z, log_weight, mean, a):
    wide = a.diagonal(dim1=1, dim2=2)
    squares = ((z[:, None] - mean) / wide).square().sum(2)
    return torch.logsumexp(log_weight - squares / 2 - wide.log().sum(1) - _parts(z, mean, a)[2], 1)


mixture_log_density = Exercise(
    reference=mixture.mixture_log_density,
    probes=_probes,
    gradients=("z",),
    solutions=(mixture.mixture_log_density, mixture.log_joint),
    verified="values and slopes agree on four inputs, far from all components as well.",
    mistakes=(
        Mistake(
            "weights forgotten",
            "log_weight is not used, or used alike for all: each component's density counts by its weight, "
            "so log_weight is added to its log.",
            COURSE,
            (
                _with(lambda s, d, c, w: -s / 2 - d - c),
                _with(lambda s, d, c, w: -s / 2 - d - c - math.log(len(w))),
                _with(lambda s, d, c, w: -s / 2 - d - c + 0 * w),
            ),
        ),
        Mistake(
            "the weight, not its log",
            "the weight itself is added. A product of densities is a sum of logs: add log_weight as it is.",
            NEAR,
            (
                _with(lambda s, d, c, w: w.exp() - s / 2 - d - c),
                _with(lambda s, d, c, w: w.exp() * (-s / 2 - d - c)),
            ),
        ),
        Mistake(
            "sum of logs",
            "the logs of the components are added. That is the log of their product; the mixture is a sum of "
            "densities: logsumexp over the components.",
            PUBLIC,
            (_with(over=lambda joint: joint.sum(1)),),
        ),
        Mistake(
            "mean for logsumexp",
            "the logs of the components are averaged. The mixture is a weighted sum of densities: logsumexp "
            "over the components.",
            PUBLIC,
            (
                _with(over=lambda joint: joint.mean(1)),
                lambda z, w, mean, a: (
                    w.exp() * (-_parts(z, mean, a)[0] / 2 - _parts(z, mean, a)[1] - _parts(z, mean, a)[2])
                ).sum(1),
            ),
        ),
        Mistake(
            "divided by K",
            "log K is subtracted. The weights sum to 1 already.",
            NEAR,
            (_with(over=lambda joint: torch.logsumexp(joint, 1) - math.log(joint.shape[1])),),
        ),
        Mistake(
            "largest component only",
            "only the largest component counts. Near the border between two, both do: logsumexp.",
            NEAR,
            (_with(over=lambda joint: joint.amax(1)),),
        ),
        Mistake(
            "one number for all codes",
            "this is one number. Each code has its own density: logsumexp over the components only, -> (N,).",
            PUBLIC,
            (
                _with(over=lambda joint: torch.logsumexp(joint, 1).mean()),
                _with(over=lambda joint: torch.logsumexp(joint, 1).sum()),
                _with(over=lambda joint: torch.logsumexp(joint.flatten(), 0)),
            ),
        ),
        Mistake(
            "summed over codes",
            "the logsumexp runs over the codes, so that each component gets a number. Let it run over the "
            "components, -> (N,).",
            NEAR,
            (_with(over=lambda joint: torch.logsumexp(joint, 0)),),
        ),
        Mistake(
            "exp before log",
            "far from all components every density is 0 in floating point, and the log of 0 is -inf. "
            "torch.logsumexp does not leave the logs.",
            PUBLIC,
            (_with(over=lambda joint: joint.exp().sum(1).log()),),
        ),
        Mistake(
            "log det doubled",
            "log det of a counts twice. a is the root of the covariance, so that half of the covariance's "
            "log det is that of a.",
            PUBLIC,
            (_with(lambda s, d, c, w: w - s / 2 - 2 * d - c),),
        ),
        Mistake(
            "log det halved",
            "log det of a counts half. The half belongs to the covariance, whose log det is twice that of a.",
            PUBLIC,
            (_with(lambda s, d, c, w: w - s / 2 - d / 2 - c),),
        ),
        Mistake(
            "log det left out",
            "log det of a is missing: a wide Gaussian is thinner everywhere.",
            COURSE,
            (_with(lambda s, d, c, w: w - s / 2 - c), _with(lambda s, d, c, w: w - s / 2 - c + 0 * d)),
        ),
        Mistake(
            "sign of log det",
            "log det of a is added. A wider Gaussian is thinner: subtract it.",
            NEAR,
            (_with(lambda s, d, c, w: w - s / 2 + d - c),),
        ),
        Mistake(
            "constant left out",
            "the constant L/2 log(2 pi) is missing.",
            COURSE,
            (_with(lambda s, d, c, w: w - s / 2 - d),),
        ),
        Mistake(
            "constant of one dimension",
            "the constant is that of one dimension. It is log(2 pi) / 2 for each of the L numbers.",
            NEAR,
            (_with(lambda s, d, c, w: w - s / 2 - d - math.log(2 * math.pi) / 2),),
        ),
        Mistake(
            "a taken for the covariance",
            "a is used as if it were the covariance. The covariance is a a^T.",
            NEAR,
            (_as_covariance,),
        ),
        Mistake(
            "only the diagonal of a",
            "only the diagonal of a is used, so the components do not lean.",
            NEAR,
            (_diagonal_only,),
        ),
        Mistake(
            "a transposed",
            "eps is found with a^T. z = mean + a eps, so that a eps = z - mean.",
            NEAR,
            (_transposed,),
        ),
        Mistake(
            "multiplied by a",
            "z - mean is multiplied by a. To find eps, solve a eps = z - mean.",
            NEAR,
            (_multiplied,),
        ),
        Mistake(
            "half of the squares missing",
            "the squares of eps count in full. A Gaussian has exp(-eps^2 / 2).",
            PUBLIC,
            (_with(lambda s, d, c, w: w - s - d - c),),
        ),
    ),
    hints=(
        "First the log density of every code under every component, (N, K). Then one torch.logsumexp over "
        "the components.",
        "z = mean_k + a_k eps gives log N = -|eps|^2 / 2 - log det a_k - L/2 log(2 pi), and log det a_k is "
        "the sum of the logs of its diagonal.",
        "eps = torch.linalg.solve_triangular(a, z.T - mean[..., None], upper=False) is (K, L, N).",
    ),
)
