"""The exercise on the KL divergence, and how it goes wrong."""

import math

import torch
from torch.nn.functional import softplus

from vae_lessons import gaussian
from vae_lessons.check.engine import (
    NEAR,
    PUBLIC,
    Exercise,
    Mistake,
    Probe,
    Shown,
    no_answer,
    no_gradient,
    noise,
    numbers,
    pictures,
    placed,
)


def _probes(seed):
    yield Probe("the KL of N(0, 1) from itself, mu = [[0]], log_var = [[0]]", numbers(0, 0))
    yield Probe("the KL of N(1, 1), mu = [[1]], log_var = [[0]]", numbers(1, 0))
    yield Probe("the KL of N(0, 4), mu = [[0]], log_var = [[log 4]]", numbers(0, math.log(4)))
    yield Probe("the KL of N(-2, 1/4), mu = [[-2]], log_var = [[-log 4]]", numbers(-2, -math.log(4)))
    for title, images in (("one image", 1), ("five images", 5)):
        mu, log_var = (noise(images, 3, seed=2 * seed + i) for i in range(2))
        yield Probe(f"{title}, three latent dimensions each", (1.3 * mu, log_var - 0.5))


def _terms(mu, log_var):
    """The KL of each latent dimension, (B, L)."""
    return (mu**2 + log_var.exp() - 1 - log_var) / 2


def _swapped(mu, log_var):
    zero = torch.zeros_like(mu)
    return gaussian.kl_diagonal(zero, zero, mu, log_var)


def _show(call, seed):
    mu, log_var = (
        placed(torch.linspace(low, high, 25, dtype=torch.float64, device="cpu"))
        for low, high in ((-3, 3), (-3, 2))
    )
    plane = [t.reshape(-1, 1) for t in torch.meshgrid(mu, log_var, indexing="xy")]
    yours, target = call.tensor(*plane), gaussian.kl_standard_normal(*plane)
    if yours.shape != target.shape:
        raise no_answer("no surface")
    panels = {"the target": target.view(25, 25), "yours": yours.view(25, 25)}
    alt = "Two contour maps of the KL over mu and log_var, for one latent dimension: the target and yours."
    return Shown(lambda: pictures.surfaces(mu, log_var, panels, xlabel="mu", ylabel="log_var", alt=alt))


kl_standard_normal = Exercise(
    reference=gaussian.kl_standard_normal,
    probes=_probes,
    gradients=("mu", "log_var"),
    show=_show,
    verified=("values and gradients agree on six inputs: one dimension and three, one image and five."),
    mistakes=(
        Mistake(
            "sign",
            "this is minus the KL. A KL is never below 0. In the form with a minus in front, the bracket is "
            "1 + log_var - mu^2 - exp(log_var).",
            PUBLIC,
            (lambda *a: -gaussian.kl_standard_normal(*a),),
        ),
        Mistake(
            "missing 1/2",
            "this is twice the KL: the factor 1/2 before the sum is missing. In a VAE this would be beta = "
            "2.",
            PUBLIC,
            (lambda *a: 2 * gaussian.kl_standard_normal(*a),),
        ),
        Mistake(
            "mean over latent dimensions",
            "this is the mean over the L latent dimensions. The KL of independent dimensions is a sum: sum "
            "over the last dimension.",
            "ARENA's VAE exercise, where it makes the implied beta depend on L",
            (lambda *a: _terms(*a).mean(-1),),
        ),
        Mistake(
            "mean over batch and latent dimensions",
            "this is the mean over images and latent dimensions. A reconstruction summed over pixels would "
            "then weigh L times too much. Sum over the last dimension, and keep one KL for each image.",
            PUBLIC,
            (lambda *a: _terms(*a).mean(),),
        ),
        Mistake(
            "sum over the batch",
            "the images are added up as well. Return one KL for each image, (B,): sum over the last "
            "dimension only.",
            "the sum in PyTorch's own VAE example, which divides by the size of the data afterwards",
            (lambda *a: _terms(*a).sum(), lambda *a: _terms(*a).sum(0)),
        ),
        Mistake(
            "mean over the batch",
            "this is the mean over the images. That belongs in the loss, at the end. Here, return one KL "
            "for each image, (B,).",
            PUBLIC,
            (lambda *a: _terms(*a).sum(-1).mean(), lambda *a: _terms(*a).mean(0)),
        ),
        Mistake(
            "not summed",
            "there is one value for each latent dimension, (B, L). Return one for each image, (B,): sum "
            "over the last dimension.",
            PUBLIC,
            (_terms, lambda *a: _terms(*a).sum(-1, keepdim=True)),
        ),
        Mistake(
            "log_var read as variance",
            "log_var is used as if it were the variance sigma^2. The variance is exp(log_var), and its log "
            "is log_var itself.",
            PUBLIC,
            (
                lambda mu, lv: (mu**2 + lv - 1 - lv.log()).sum(-1) / 2,
                lambda mu, lv: (mu**2 + lv - 1 - (lv.abs() + 1e-8).log()).sum(-1) / 2,
            ),
        ),
        Mistake(
            "log_var read as standard deviation",
            "log_var is used as if it were sigma. sigma = exp(log_var / 2), so sigma^2 = exp(log_var) and "
            "log sigma^2 = log_var.",
            PUBLIC,
            (
                lambda mu, lv: (mu**2 + lv**2 - 1 - (lv**2).log()).sum(-1) / 2,
                lambda mu, lv: (mu**2 + lv**2 - 1 - lv.log() * 2).sum(-1) / 2,
            ),
        ),
        Mistake(
            "log_var squared",
            "log_var is squared. It is log sigma^2 already: the KL has exp(log_var) and log_var, and "
            "squares only mu.",
            PUBLIC,
            (
                lambda mu, lv: (mu**2 + lv.exp() - 1 - lv**2).sum(-1) / 2,
                lambda mu, lv: (mu**2 + lv**2 - 1 - lv).sum(-1) / 2,
            ),
        ),
        Mistake(
            "softplus(log_var) as sigma",
            "softplus(log_var) is used as sigma, which is right if a network outputs something else. Here "
            "log_var is log sigma^2, so sigma^2 = exp(log_var).",
            PUBLIC,
            (
                lambda mu, lv: (mu**2 + softplus(lv) ** 2 - 1 - 2 * softplus(lv).log()).sum(-1) / 2,
                lambda mu, lv: (mu**2 + softplus(lv) ** 2 - 1 - lv).sum(-1) / 2,
            ),
        ),
        Mistake(
            "exp(2 log_var)",
            "exp(log_var) is squared, but it is sigma^2 already: log_var is log sigma^2, not log sigma.",
            PUBLIC,
            (
                lambda mu, lv: (mu**2 + (2 * lv).exp() - 1 - lv).sum(-1) / 2,
                lambda mu, lv: (mu**2 + (2 * lv).exp() - 1 - 2 * lv).sum(-1) / 2,
            ),
        ),
        Mistake(
            "sigma not squared",
            "exp(log_var / 2) is sigma, but the KL has sigma^2 = exp(log_var).",
            NEAR,
            (
                lambda mu, lv: (mu**2 + (lv / 2).exp() - 1 - lv).sum(-1) / 2,
                lambda mu, lv: (mu**2 + (lv / 2).exp() - 1 - lv / 2).sum(-1) / 2,
            ),
        ),
        Mistake(
            "mu not squared",
            "mu must be squared: a mean of -2 is as far from the prior as a mean of 2.",
            PUBLIC,
            (
                lambda mu, lv: (mu + lv.exp() - 1 - lv).sum(-1) / 2,
                lambda mu, lv: (mu.abs() + lv.exp() - 1 - lv).sum(-1) / 2,
            ),
        ),
        Mistake(
            "mu left out",
            "mu^2 is missing: a q(z|x) far from the prior would cost nothing.",
            NEAR,
            (
                lambda mu, lv: (lv.exp() - 1 - lv).sum(-1) / 2 + 0 * mu.sum(-1),
                lambda mu, lv: (lv.exp() - 1 - lv).sum(-1) / 2,
            ),
        ),
        Mistake(
            "-1 dropped",
            "the -1 is missing, once for each latent dimension. With it the KL of N(0, 1) from itself is 0.",
            PUBLIC,
            (
                lambda mu, lv: (mu**2 + lv.exp() - lv).sum(-1) / 2,
                lambda mu, lv: ((mu**2 + lv.exp() - lv).sum(-1) - 1) / 2,
            ),
        ),
        Mistake(
            "log_var left out",
            "-log_var is missing. It is what keeps q(z|x) from shrinking to a point.",
            NEAR,
            (lambda mu, lv: (mu**2 + lv.exp() - 1).sum(-1) / 2,),
        ),
        Mistake(
            "KL(p || q)",
            "this is KL(p || q), and the KL is not symmetric. Return KL(q || p), with q = N(mu, "
            "exp(log_var)) and p = N(0, I).",
            PUBLIC,
            (_swapped,),
        ),
        no_gradient(gaussian.kl_standard_normal),
    ),
    hints=(
        "One latent dimension costs 1/2 [ mu^2 + sigma^2 - 1 - log sigma^2 ].",
        "log_var is log sigma^2, so sigma^2 = exp(log_var). Add up the costs of the L dimensions.",
        "The KL of N(1, 1) from N(0, 1) is 1/2, and that of N(0, 1) from itself is 0. Each image has its "
        "own.",
    ),
)
