"""The exercise on the best diagonal q after a rotation of latent space, lesson 12, and how it goes wrong."""

import torch

from vae_lessons import measures
from vae_lessons.check.engine import COURSE, NEAR, PUBLIC, Exercise, Fact, Mistake, noise, placed


def _turns(seed):
    """mu (B, L), log_var (B, L) and a rotation R, which is no small one and not symmetric."""
    angle = torch.tensor(0.6, dtype=torch.float64, device="cpu")
    cos, sin = angle.cos(), angle.sin()
    flat = torch.stack([torch.stack([cos, -sin]), torch.stack([sin, cos])])
    mu = torch.tensor([[1.0, 2.0]], dtype=torch.float64, device="cpu")
    yield "a plane turned by 0.6", mu, torch.tensor([[-2.0, 1.0]], dtype=torch.float64, device="cpu"), flat
    for images, latent in ((4, 3), (3, 6)):
        R = torch.linalg.qr(noise(latent, latent, seed=seed + latent))[0]
        R = R * R.diagonal().sign()[:, None]
        given = noise(images, latent, seed=seed + 20), noise(images, latent, seed=seed + 40) - 1
        yield f"{images} images in {latent} dimensions", *given, R


def _observe(call, seed):
    for asked, mu, log_var, R in _turns(seed):
        answer = call.tensors(2, placed(mu), placed(log_var), placed(R))
        for name, value in zip(("mu", "log_var"), answer, strict=True):
            value = value.detach().cpu().double()
            yield Fact(f"{name} after {asked}", value, 1e-4 * (1 + value.abs().nan_to_num(0, 0, 0)))


def _precise(log_var, R):
    """The right log_var."""
    return -torch.log(torch.exp(-log_var) @ (R**2).T)


rotated = Exercise(
    reference=measures.rotated,
    observe=_observe,
    verified="means and log variances agree, in 2, 3 and 6 dimensions.",
    mistakes=(
        Mistake(
            "log_var turned as a vector",
            "this multiplies log_var by R as if it were a point. A covariance turns on both sides: "
            "R diag(sigma^2) R^T.",
            PUBLIC,
            (
                lambda mu, log_var, R: (mu @ R.T, log_var @ R.T),
                lambda mu, log_var, R: (mu @ R.T, (log_var.exp() @ R.T).log()),
                lambda mu, log_var, R: (mu @ R.T, (log_var.exp() @ R.T).abs().log()),
                lambda mu, log_var, R: (mu @ R.T, 2 * ((log_var / 2).exp() @ R.T).log()),
                lambda mu, log_var, R: (mu @ R.T, 2 * ((log_var / 2).exp() @ R.T).abs().log()),
            ),
        ),
        Mistake(
            "the turned q's own variances",
            "these are the variances of the turned q, the diagonal of R S R^T. They minimise KL(turned q || "
            "q'). "
            "The ELBO asks for KL(q' || turned q), whose best variances are 1 / diag(R S^-1 R^T), as lesson "
            "07 "
            "found.",
            COURSE,
            (lambda mu, log_var, R: (mu @ R.T, (log_var.exp() @ (R**2).T).log()),),
        ),
        Mistake(
            "R on one side only",
            "R stands on one side of the covariance only. The covariance of R z is R S R^T.",
            PUBLIC,
            (
                lambda mu, log_var, R: (mu @ R.T, (log_var.exp() * R.diagonal()).log()),
                lambda mu, log_var, R: (mu @ R.T, -((-log_var).exp() * R.diagonal()).log()),
            ),
        ),
        Mistake(
            "log_var not turned",
            "log_var is still that of the old axes. The new axes lie across the old ones, so their "
            "variances are "
            "mixtures.",
            NEAR,
            (lambda mu, log_var, R: (mu @ R.T, log_var),),
        ),
        Mistake(
            "mu not turned",
            "mu is still that of the old axes. Turning space moves the mean to R mu.",
            NEAR,
            (lambda mu, log_var, R: (mu, _precise(log_var, R)),),
        ),
        Mistake(
            "turned backwards",
            "this turns by R^T, the opposite way. For rows, R z is z @ R.T.",
            PUBLIC,
            (
                lambda mu, log_var, R: (mu @ R, _precise(log_var, R)),
                lambda mu, log_var, R: (mu @ R, _precise(log_var, R.T)),
                lambda mu, log_var, R: (mu @ R.T, _precise(log_var, R.T)),
            ),
        ),
        Mistake(
            "precisions, not variances",
            "log_var is minus what it should be: this is the log of diag(R S^-1 R^T), the precisions. The "
            "variances are 1 over them.",
            NEAR,
            (lambda mu, log_var, R: (mu @ R.T, -_precise(log_var, R)),),
        ),
        Mistake(
            "variances, not their logarithms",
            "the variances are right, but log_var is asked: take the logarithm.",
            PUBLIC,
            (
                lambda mu, log_var, R: (mu @ R.T, _precise(log_var, R).exp()),
                lambda mu, log_var, R: (mu @ R.T, (_precise(log_var, R) / 2).exp()),
            ),
        ),
        Mistake(
            "log sigma, not log sigma^2",
            "this is log sigma. log_var is log sigma^2, twice as much.",
            NEAR,
            (lambda mu, log_var, R: (mu @ R.T, _precise(log_var, R) / 2),),
        ),
    ),
    hints=(
        "The mean turns as every point does: for rows, R mu is mu @ R.T.",
        "The turned q has the covariance R S R^T with S = diag(sigma^2). Its inverse is R S^-1 R^T, as R^-1 "
        "= R^T.",
        "Entry j of the inverse's diagonal is the sum over k of R_jk^2 / sigma_k^2: torch.exp(-log_var) @ "
        "(R**2).T. "
        "The best variances are 1 over that.",
    ),
)
