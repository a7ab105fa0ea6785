"""The exercise on sampling from a Gaussian with a full covariance, and how it goes wrong."""

import torch

from vae_lessons import gaussian
from vae_lessons.check.engine import (
    COURSE,
    NEAR,
    PUBLIC,
    Exercise,
    Fact,
    Mistake,
    Shown,
    noise,
    pictures,
    placed,
    same_noise,
)
from vae_lessons.check.engine.moments import (
    correlation,
    fresh,
    fully_correlated,
    mean_fact,
    pooled_facts,
    shape_fact,
)

DRAWS = 5000  # 15,000 numbers where there are three dimensions
LEANING = ((4.0, 1.8), (1.8, 1.0))  # two different variances, positively correlated
THREE = ((2.0, -0.9, 0.4), (-0.9, 1.0, 0.0), (0.4, 0.0, 0.5))


def _cloud(covariance, seed):
    covariance = torch.tensor(covariance, dtype=torch.float64, device="cpu")
    return placed(3 + noise(len(covariance), seed=seed)), placed(covariance)


def _observe(call, seed):
    for n, covariance in ((1, LEANING), (5, THREE)):
        x = call.tensor(n, *_cloud(covariance, seed))
        yield Fact(f"the shape of {n} draws of {len(covariance)} numbers each, (n, L)", tuple(x.shape))
    for covariance in (LEANING, THREE):
        mean, covariance = _cloud(covariance, seed)
        few = [call.tensor(4, mean, covariance).detach() for _ in range(2)]
        yield fresh("the z of a second call with the same arguments", *few)
        x = call.tensor(DRAWS, mean, covariance).detach().cpu().double()
        if x.shape != (DRAWS, len(mean)):
            yield Fact(f"the shape of {DRAWS} draws, (n, L)", tuple(x.shape))
            return
        yield from _moment_facts(x, mean.cpu().double(), covariance)


def _moment_facts(x, mean, covariance):
    rows = correlation(
        "the correlation of each draw with the next, which is 0", (x - mean)[1:], (x - mean)[:-1]
    )
    yield rows
    if fully_correlated(rows):
        yield Fact("independent noise for each draw", False)
        return
    yield mean_fact(f"the mean of {len(x)} draws of N(mean, covariance), less mean", x - mean)
    deviation = x - x.mean(0)
    products = deviation[:, :, None] * deviation[:, None, :]
    said = f"the covariance of {len(x)} draws, for covariance = {_rounded(covariance)}"
    yield mean_fact(said, products)
    a = torch.linalg.cholesky(covariance.cpu().double())
    eps = torch.linalg.solve_triangular(a, (x - mean).T, upper=False).T  # if x = mean + A eps
    yield from pooled_facts("eps, if the draws are mean + A eps", eps)
    yield shape_fact("the kurtosis of the noise, which is 3 for a Gaussian", eps)


def _rounded(covariance):
    return [[round(value, 2) for value in row] for row in covariance.tolist()]


def _show(call, seed):
    mean, covariance = _cloud(LEANING, seed)
    x = call.tensor(600, mean, covariance)
    a = torch.linalg.cholesky(covariance)
    alt = "Your draws over the target's ellipses at one, two and three standard deviations."
    return Shown(lambda: pictures.cloud(x, mean, a, alt=alt) if x.shape == (600, 2) else None)


def _stretched(stretch, noise_of=torch.randn):
    """A sampler that transforms its noise (n, L) in another way."""

    def sample_cloud(n, mean, covariance):
        return mean + stretch(noise_of(n, len(mean), device=mean.device, dtype=mean.dtype), covariance)

    return sample_cloud


def _factor(eps, covariance):
    return eps @ torch.linalg.cholesky(covariance).T


def _one_for_all_draws(n, mean, covariance):
    return gaussian.sample_cloud(1, mean, covariance).expand(n, -1)


def _one_number(n, mean, covariance):
    eps = torch.randn(n, 1, device=mean.device, dtype=mean.dtype).expand(n, len(mean))
    return mean + _factor(eps, covariance)


def _generator_inside(n, mean, covariance):
    return gaussian.sample_cloud(n, mean, covariance, torch.Generator(mean.device).manual_seed(0))


sample_cloud = Exercise(
    name="sample_cloud",
    parameters=("n", "mean", "covariance"),
    reference=gaussian.sample_cloud,
    observe=_observe,
    show=_show,
    verified=(
        "mean, covariance and kurtosis of 5,000 draws in two and in three dimensions, and fresh noise for "
        "each draw and call."
    ),
    mistakes=(
        Mistake(
            "covariance used as its factor",
            "the noise is multiplied by the covariance C itself, so that the draws have covariance C C^T. "
            "Multiply it by A with A A^T = C: torch.linalg.cholesky.",
            COURSE,
            (_stretched(lambda eps, c: eps @ c),),
        ),
        Mistake(
            "factor on the wrong side",
            "eps @ A has the covariance A^T A. With one draw in each row, eps @ A.T has the covariance A "
            "A^T.",
            PUBLIC,
            (_stretched(lambda eps, c: eps @ torch.linalg.cholesky(c)),),
        ),
        Mistake(
            "only the diagonal",
            "only the variances are used, and the covariances off the diagonal are lost. Multiply by the "
            "Cholesky factor.",
            COURSE,
            (_stretched(lambda eps, c: eps * c.diagonal().sqrt()),),
        ),
        Mistake(
            "diagonal taken for isotropic",
            "one sigma is used for all dimensions, as in an isotropic Gaussian. Multiply by the Cholesky "
            "factor of the whole covariance.",
            COURSE,
            (
                _stretched(lambda eps, c: eps * c.diagonal().mean().sqrt()),
                _stretched(lambda eps, c: eps * c.diagonal()[0].sqrt()),
            ),
        ),
        Mistake(
            "variance used as standard deviation",
            "the noise is multiplied by the variances on the diagonal. Standard deviations are their square "
            "roots, and the covariances are missing: multiply by the Cholesky factor.",
            PUBLIC,
            (_stretched(lambda eps, c: eps * c.diagonal()),),
        ),
        Mistake(
            "root of each entry",
            "the square root of each entry of the covariance is taken. Use a matrix A with A A^T = "
            "covariance, which torch.linalg.cholesky returns.",
            NEAR,
            (
                _stretched(lambda eps, c: eps @ c.abs().sqrt()),
                _stretched(lambda eps, c: eps @ (c.sign() * c.abs().sqrt())),
                _stretched(lambda eps, c: eps @ c.sqrt()),
            ),
        ),
        Mistake(
            "not stretched",
            "this is mean + eps, with covariance I. Multiply the noise by the Cholesky factor first.",
            NEAR,
            (_stretched(lambda eps, c: eps),),
        ),
        Mistake(
            "mean left out",
            "the draws have mean 0. Add the mean.",
            NEAR,
            (lambda n, mean, covariance: gaussian.sample_cloud(n, torch.zeros_like(mean), covariance),),
        ),
        Mistake(
            "uniform noise",
            "the noise is uniform, from torch.rand. Draw it from a Gaussian: torch.randn, with an n.",
            PUBLIC,
            (
                _stretched(_factor, torch.rand),
                _stretched(_factor, lambda *shape, **options: 2 * torch.rand(*shape, **options) - 1),
                _stretched(_factor, lambda *shape, **other: 12**0.5 * (torch.rand(*shape, **other) - 0.5)),
            ),
        ),
        Mistake(
            "one eps for all draws",
            "all n draws are the same. Draw eps as (n, L).",
            PUBLIC,
            (_one_for_all_draws,),
        ),
        Mistake(
            "one eps for all dimensions",
            "all dimensions of a draw share one number of noise, so that the draws lie on a line. Draw eps "
            "as (n, L).",
            PUBLIC,
            (_one_number,),
        ),
        same_noise(gaussian.sample_cloud, _generator_inside),
        Mistake(
            "draws in columns",
            "there is one draw in each column, (L, n). Put one in each row, (n, L): eps @ A.T, or transpose "
            "at the end.",
            NEAR,
            (lambda *a: gaussian.sample_cloud(*a).T,),
        ),
    ),
    hints=(
        "First draw the noise: eps (n, L) from N(0, I).",
        "A = torch.linalg.cholesky(covariance) has A A^T = covariance. Then A eps has this covariance.",
        "With one draw in each row, A eps is written eps @ A.T. Then add the mean.",
    ),
)
