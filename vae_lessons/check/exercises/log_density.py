"""The exercise on the log-density of a Gaussian, and how it goes wrong."""

import math

from torch.nn.functional import softplus

from vae_lessons import gaussian
from vae_lessons.check.engine import (
    COURSE,
    NEAR,
    PUBLIC,
    Exercise,
    Mistake,
    Probe,
    curve_of,
    no_gradient,
    noise,
    numbers,
    row,
)

LOG_2_PI = math.log(2 * math.pi)


def _probes(seed):
    yield Probe("x = [[0]], mu = [[0]], log_var = [[0]]", numbers(0, 0, 0))
    yield Probe("x = [[1]], mu = [[0]], log_var = [[0]]", numbers(1, 0, 0))
    yield Probe("x = [[1]], mu = [[3]], log_var = [[log 4]]", numbers(1, 3, math.log(4)))
    yield Probe(
        "x = [[0]], mu = [[0]], log_var = [[-6]], a density above 1,",
        numbers(0, 0, -6),
    )
    for title, images in (("one image", 1), ("five images", 5)):
        x, mu, log_var = (noise(images, 3, seed=3 * seed + i) for i in range(3))
        yield Probe(f"{title}, three numbers each", (2 * x, mu, log_var - 0.5))


def _terms(x, mu, log_var):
    """log N(x_j; mu_j, exp(log_var_j)) before the sum, (B, L)."""
    return -(LOG_2_PI + log_var + (x - mu) ** 2 / log_var.exp()) / 2


def _density_of(variance_of):
    """The log-density with another reading of log_var."""

    def log_density(x, mu, log_var):
        variance = variance_of(log_var)
        return -(LOG_2_PI + variance.log() + (x - mu) ** 2 / variance).sum(-1) / 2

    return log_density


log_density = Exercise(
    reference=gaussian.log_density,
    probes=_probes,
    gradients=("x", "mu", "log_var"),
    show=curve_of(
        gaussian.log_density,
        over=(-3, 4),
        arguments=lambda t: (t, row(1), row(-1)),
        title="mu = 1, log_var = -1",
        xlabel="x",
        ylabel="log-density, nats",
        alt="Your log-density over x beside the target, of one number with mean 1 and variance exp(-1).",
    ),
    verified="the log-density and its gradients agree on six inputs, one with a density above 1.",
    mistakes=(
        Mistake(
            "sign",
            "this is minus the log-density, which is -1/2 [ log 2 pi + log_var + ... ].",
            NEAR,
            (lambda *a: -gaussian.log_density(*a),),
        ),
        Mistake(
            "density, not its log",
            "this is the density itself. Return its log: the product over dimensions becomes a sum.",
            COURSE,
            (lambda *a: gaussian.log_density(*a).exp(),),
        ),
        Mistake(
            "2 pi left out",
            "the constant -1/2 log 2 pi is missing, once for each dimension. It changes log p(x), not the "
            "gradients.",
            PUBLIC,
            (lambda x, mu, lv: -(lv + (x - mu) ** 2 / lv.exp()).sum(-1) / 2,),
        ),
        Mistake(
            "2 pi counted once",
            "-1/2 log 2 pi is counted once. Each of the L dimensions has one: -L/2 log 2 pi in all.",
            NEAR,
            (lambda x, mu, lv: -(LOG_2_PI + (lv + (x - mu) ** 2 / lv.exp()).sum(-1)) / 2,),
        ),
        Mistake(
            "log_var left out",
            "-1/2 log_var is missing. Without it a wide Gaussian would be as high as a narrow one, and its "
            "integral not 1.",
            PUBLIC,
            (lambda x, mu, lv: -(LOG_2_PI + (x - mu) ** 2 / lv.exp()).sum(-1) / 2,),
        ),
        Mistake(
            "missing 1/2",
            "this is twice the log-density: there is a factor 1/2 before the bracket.",
            NEAR,
            (lambda *a: 2 * gaussian.log_density(*a),),
        ),
        Mistake(
            "log_var read as variance",
            "log_var is used as if it were the variance. The variance is exp(log_var).",
            PUBLIC,
            (_density_of(lambda lv: lv),),
        ),
        Mistake(
            "log_var read as standard deviation",
            "log_var is used as if it were sigma. sigma = exp(log_var / 2), and the variance is "
            "exp(log_var).",
            PUBLIC,
            (_density_of(lambda lv: lv**2),),
        ),
        Mistake(
            "exp(log_var) read as standard deviation",
            "exp(log_var) is the variance, but it is used as sigma, as in Normal(mu, log_var.exp()). sigma "
            "= exp(log_var / 2).",
            PUBLIC,
            (_density_of(lambda lv: (2 * lv).exp()),),
        ),
        Mistake(
            "softplus(log_var) as sigma",
            "softplus(log_var) is used as sigma. Here log_var is log sigma^2: sigma = exp(log_var / 2).",
            PUBLIC,
            (_density_of(lambda lv: softplus(lv) ** 2),),
        ),
        Mistake(
            "square left out",
            "the deviation x - mu must be squared before it is divided by the variance.",
            NEAR,
            (
                lambda x, mu, lv: -(LOG_2_PI + lv + (x - mu) / lv.exp()).sum(-1) / 2,
                lambda x, mu, lv: -(LOG_2_PI + lv + (x - mu).abs() / lv.exp()).sum(-1) / 2,
            ),
        ),
        Mistake(
            "diagonal taken for isotropic",
            "one variance is used for every dimension, as in an isotropic Gaussian. A diagonal one has a "
            "variance for each.",
            COURSE,
            (
                _density_of(lambda lv: lv.exp().mean(-1, keepdim=True).expand_as(lv)),
                _density_of(lambda lv: lv.mean(-1, keepdim=True).exp().expand_as(lv)),
                _density_of(lambda lv: lv[..., :1].exp().expand_as(lv)),
            ),
        ),
        Mistake(
            '"log p(x) <= 0"',
            "a log-density above 0 was cut off. A density is not a probability: that of a narrow Gaussian "
            "exceeds 1, and its log is positive.",
            COURSE,
            (
                lambda *a: gaussian.log_density(*a).clamp(max=0),
                lambda *a: -gaussian.log_density(*a).abs(),
                lambda *a: _terms(*a).clamp(max=0).sum(-1),
            ),
        ),
        Mistake(
            "mean over numbers",
            "the dimensions of one image are averaged. Independent log-densities add up: sum over the last "
            "dimension.",
            PUBLIC,
            (lambda *a: _terms(*a).mean(-1),),
        ),
        Mistake(
            "not summed",
            "there is one value for each dimension, (B, L). Return one for each image, (B,): sum over the "
            "last dimension.",
            PUBLIC,
            (_terms,),
        ),
        Mistake(
            "one number for the whole batch",
            "the images are added or averaged as well. Return one value for each image, (B,): sum over the "
            "last dimension only.",
            PUBLIC,
            (lambda *a: _terms(*a).sum(), lambda *a: _terms(*a).mean(), lambda *a: _terms(*a).sum(-1).mean()),
        ),
        no_gradient(gaussian.log_density),
    ),
    hints=(
        "Begin with one dimension: log N = -1/2 [ log 2 pi + log_var + (x - mu)^2 / exp(log_var) ].",
        "The dimensions are independent, so their log-densities add up: .sum(-1).",
        "At x = mu and log_var = 0 one dimension must give -0.919, which is -1/2 log 2 pi.",
    ),
)
