"""The exercise on the best diagonal q for a leaning posterior, lesson 07, and how it goes wrong."""

import torch

from vae_lessons import evidence
from vae_lessons.check.engine import COURSE, NEAR, Exercise, Mistake, Probe, noise, tensor_facts


def _probes(seed):
    leaning = torch.tensor([[1.0, 0.6], [0.6, 1.0]], dtype=torch.float64, device="cpu")
    yield Probe("a posterior with covariance [[1, 0.6], [0.6, 1]]", (leaning,))
    straight = torch.diag(torch.tensor([0.25, 4.0], dtype=torch.float64, device="cpu"))
    yield Probe("a posterior that is diagonal, [[0.25, 0], [0, 4]]", (straight,))
    for latent in (2, 4):
        a = noise(latent, latent, seed=2 * seed + latent)
        covariance = a @ a.T / latent + 0.3 * torch.eye(latent, dtype=torch.float64, device="cpu")
        yield Probe(f"a posterior of {latent} latent numbers", (covariance,))


def _observe(call, seed):
    for probe in _probes(seed):
        yield from tensor_facts(call, probe, ("covariance",))


def _precisions(covariance):
    return torch.linalg.inv(covariance).diagonal()


best_diagonal = Exercise(
    name="best_diagonal",
    parameters=("covariance",),
    reference=evidence.best_diagonal,
    observe=_observe,
    verified="the variances agree on four posteriors, of two numbers and of four.",
    mistakes=(
        Mistake(
            "the posterior's own variances",
            "these are the posterior's own variances. They minimise KL(posterior || q), the mode-covering "
            "direction. The ELBO minimises KL(q || posterior), and its best q is narrower.",
            COURSE,
            (lambda c: c.diagonal(),),
        ),
        Mistake(
            "precisions, not variances",
            "this is the diagonal of the inverse, 1 over the variance. The slope of (v P - log v) / 2 is 0 "
            "at v = 1 / P.",
            NEAR,
            (_precisions,),
        ),
        Mistake(
            "inverse of the diagonal",
            "this is 1 over the diagonal of the covariance. Invert the whole matrix first, and then take the "
            "diagonal.",
            NEAR,
            (lambda c: 1 / c.diagonal(), lambda c: (1 / c).diagonal()),
        ),
        Mistake(
            "standard deviations",
            "these are the standard deviations. The variances are asked: no square root.",
            NEAR,
            (lambda c: _precisions(c).rsqrt(), lambda c: c.diagonal().sqrt()),
        ),
        Mistake(
            "log variances",
            "these are the logarithms of the variances. The variances are asked.",
            NEAR,
            (lambda c: -_precisions(c).log(),),
        ),
        Mistake(
            "isotropic",
            "all variances are the same: that is the best isotropic q. A diagonal one has a variance for "
            "each latent number.",
            COURSE,
            (
                lambda c: (len(c) / _precisions(c).sum()).expand(len(c)),
                lambda c: c.diagonal().mean().expand(len(c)),
                lambda c: (1 / _precisions(c)).mean().expand(len(c)),
            ),
        ),
        Mistake(
            "eigenvalues",
            "these are the variances along the posterior's own axes, which lean. A diagonal q has its axes "
            "along z_1, z_2, ...",
            COURSE,
            (lambda c: torch.linalg.eigvalsh(c), lambda c: torch.linalg.eigvalsh(c).flip(0)),
        ),
        Mistake(
            "the Cholesky factor's diagonal",
            "this is the diagonal of the Cholesky factor, or its square. Its j-th number knows only the "
            "latent numbers before it; 1 / P_jj is the variance of z_j once all others are known.",
            NEAR,
            (
                lambda c: torch.linalg.cholesky(c).diagonal(),
                lambda c: torch.linalg.cholesky(c).diagonal() ** 2,
            ),
        ),
        Mistake(
            "a matrix",
            "this is the whole matrix. The variances are asked, (L,): its diagonal.",
            NEAR,
            (lambda c: (1 / _precisions(c)).diag(), lambda c: torch.linalg.inv(c)),
        ),
    ),
    hints=(
        "With P the inverse of the covariance, KL(q || posterior) depends on the variances v through "
        "1/2 sum_j [ v_j P_jj - log v_j ].",
        "Take the derivative with respect to v_j and set it to 0.",
        "torch.linalg.inv(covariance).diagonal() gives the P_jj.",
    ),
)
