"""The exercises on densities of Gaussians, lesson 03, and how they go wrong."""

import math

import torch
from torch.nn.functional import softplus

from vae_lessons import gaussian
from vae_lessons.check.engine import (
    COURSE,
    NEAR,
    PUBLIC,
    Exercise,
    Mistake,
    Probe,
    Shown,
    no_answer,
    noise,
    pictures,
    placed,
    tensor_facts,
)

LOG_2_PI = math.log(2 * math.pi)


def _one(*values):
    return tuple(torch.tensor([[float(value)]], dtype=torch.float64, device="cpu") for value in values)


def _probes(seed):
    yield Probe("x = [[0]], mu = [[0]], log_var = [[0]]", _one(0, 0, 0))
    yield Probe("x = [[1]], mu = [[0]], log_var = [[0]]", _one(1, 0, 0))
    yield Probe("x = [[1]], mu = [[3]], log_var = [[log 4]]", _one(1, 3, math.log(4)))
    yield Probe("x = [[0]], mu = [[0]], log_var = [[-6]], a narrow bell, higher than 1,", _one(0, 0, -6))
    for title, images in (("one image", 1), ("five images", 5)):
        x, mu, log_var = (noise(images, 3, seed=3 * seed + i) for i in range(3))
        yield Probe(f"{title}, three numbers each", (2 * x, mu, log_var - 0.5))


def _observe(call, seed):
    for probe in _probes(seed):
        yield from tensor_facts(call, probe, ("x", "mu", "log_var"), ("x", "mu", "log_var"))


def _terms(x, mu, log_var):
    """log N(x_j; mu_j, exp(log_var_j)) before the sum, (B, L)."""
    return -(LOG_2_PI + log_var + (x - mu) ** 2 / log_var.exp()) / 2


def _density_of(variance_of):
    """The log-density with another reading of log_var."""

    def log_density(x, mu, log_var):
        variance = variance_of(log_var)
        return -(LOG_2_PI + variance.log() + (x - mu) ** 2 / variance).sum(-1) / 2

    return log_density


def _show(call, seed):
    x = placed(torch.linspace(-3, 4, 71, dtype=torch.float64, device="cpu"))[:, None]
    mu, log_var = torch.full_like(x, 1.0), torch.full_like(x, -1.0)
    yours, target = call.tensor(x, mu, log_var), gaussian.log_density(x, mu, log_var)
    if yours.shape != target.shape:
        raise no_answer("no curve")
    alt = "Your log-density over x beside the target, of one number with mean 1 and variance exp(-1)."
    lines = {"mu = 1, log_var = -1": {"the target": target, "yours": yours}}
    return Shown(lambda: pictures.lines(x[:, 0], lines, xlabel="x", ylabel="log-density, nats", alt=alt))


log_density = Exercise(
    name="log_density",
    parameters=("x", "mu", "log_var"),
    reference=gaussian.log_density,
    observe=_observe,
    show=_show,
    verified="the log-density and its gradients were compared on six inputs, one of them higher than 1.",
    mistakes=(
        Mistake("sign",
            "this is minus the log-density. log N = -1/2 [ log 2 pi + log_var + ... ]: all of it counts "
            "down.",
            NEAR, (lambda *a: -gaussian.log_density(*a),),
        ),
        Mistake("density, not its log",
            "this is the density itself. Return its log: a product over numbers becomes a sum.",
            COURSE, (lambda *a: gaussian.log_density(*a).exp(),),
        ),
        Mistake("2 pi left out",
            "the constant -1/2 log 2 pi is missing, once for each number. Gradients do not mind, log p(x) "
            "does.",
            PUBLIC, (lambda x, mu, lv: -(lv + (x - mu) ** 2 / lv.exp()).sum(-1) / 2,),
        ),
        Mistake("2 pi counted once",
            "-1/2 log 2 pi is there once, but it belongs to each of the L numbers: L/2 log 2 pi in all.",
            NEAR, (lambda x, mu, lv: -(LOG_2_PI + (lv + (x - mu) ** 2 / lv.exp()).sum(-1)) / 2,),
        ),
        Mistake("log_var left out",
            "-1/2 log_var is missing. Without it a wide bell would be as high as a narrow one, and its "
            "area not 1.",
            PUBLIC, (lambda x, mu, lv: -(LOG_2_PI + (x - mu) ** 2 / lv.exp()).sum(-1) / 2,),
        ),
        Mistake("missing 1/2",
            "everything is twice too large: log N has a factor 1/2 before the bracket.",
            NEAR, (lambda *a: 2 * gaussian.log_density(*a),),
        ),
        Mistake("log_var read as variance",
            "log_var is used as if it were the variance. The variance is exp(log_var).",
            PUBLIC, (_density_of(lambda lv: lv),),
        ),
        Mistake("log_var read as standard deviation",
            "log_var is used as if it were sigma. sigma = exp(log_var / 2), and the variance is "
            "exp(log_var).",
            PUBLIC, (_density_of(lambda lv: lv**2),),
        ),
        Mistake("exp(log_var) read as standard deviation",
            "exp(log_var) is the variance, but it is used as sigma, as in Normal(mu, log_var.exp()). sigma "
            "= exp(log_var / 2).",
            PUBLIC, (_density_of(lambda lv: (2 * lv).exp()),),
        ),
        Mistake("softplus(log_var) as sigma",
            "softplus(log_var) is taken for sigma. Here log_var is log sigma^2: sigma = exp(log_var / 2).",
            PUBLIC, (_density_of(lambda lv: softplus(lv) ** 2),),
        ),
        Mistake("square left out",
            "the deviation x - mu must be squared before it is divided by the variance.",
            NEAR, (
                lambda x, mu, lv: -(LOG_2_PI + lv + (x - mu) / lv.exp()).sum(-1) / 2,
                lambda x, mu, lv: -(LOG_2_PI + lv + (x - mu).abs() / lv.exp()).sum(-1) / 2,
            ),
        ),
        Mistake("diagonal taken for isotropic",
            "one variance, the mean of all, serves every number: an isotropic cloud. A diagonal one has a "
            "variance for each.",
            COURSE, (
                _density_of(lambda lv: lv.exp().mean(-1, keepdim=True).expand_as(lv)),
                _density_of(lambda lv: lv.mean(-1, keepdim=True).exp().expand_as(lv)),
                _density_of(lambda lv: lv[..., :1].exp().expand_as(lv)),
            ),
        ),
        Mistake('"log p(x) <= 0"',
            "a log-density above 0 was cut off. A density is not a probability: a narrow bell is higher "
            "than 1, and its log positive.",
            COURSE, (
                lambda *a: gaussian.log_density(*a).clamp(max=0),
                lambda *a: -gaussian.log_density(*a).abs(),
                lambda *a: _terms(*a).clamp(max=0).sum(-1),
            ),
        ),
        Mistake("mean over numbers",
            "the numbers of one image are averaged. Independent log-densities add up: sum over the last "
            "dimension.",
            PUBLIC, (lambda *a: _terms(*a).mean(-1),),
        ),
        Mistake("not summed",
            "there is one value for each number, (B, L). One for each image is asked, (B,): sum over the "
            "last dimension.",
            PUBLIC, (_terms,),
        ),
        Mistake("one number for the whole batch",
            "the images are added or averaged as well. One value for each image is asked, (B,): sum over "
            "the last dimension only.",
            PUBLIC,
            (lambda *a: _terms(*a).sum(), lambda *a: _terms(*a).mean(), lambda *a: _terms(*a).sum(-1).mean()),
        ),
        Mistake("no gradient",
            "the values are right, but no gradient comes back. .item(), .detach(), torch.tensor(...) or "
            "no_grad cuts it off.",
            NEAR, (lambda *a: gaussian.log_density(*a).detach(),),
        ),
    ),
    hints=(
        "Begin with one number: log N = -1/2 [ log 2 pi + log_var + (x - mu)^2 / exp(log_var) ].",
        "The numbers of one image are independent, so their log-densities add up: .sum(-1).",
        "At x = mu and log_var = 0 one number must give -0.919, which is -1/2 log 2 pi.",
    ),
)  # fmt: skip
