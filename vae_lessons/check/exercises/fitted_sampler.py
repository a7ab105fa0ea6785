"""The exercise on drawing from Gaussians fitted to clusters of codes, lesson 02, and how it goes wrong."""

import torch

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
)
from vae_lessons.check.engine.moments import fresh, mean_fact, pooled_facts, shape_fact
from vae_lessons.check.engine.shared_mistakes import same_noise
from vae_lessons.mixture import Mixture, mixture_of

DRAWS = 6000  # 12,000 numbers of noise
SIZES = (300, 500, 1200)  # codes in each cluster
PLACES = ((-9.0, -6.0), (11.0, -3.0), (1.0, 12.0))
FACTORS = (((1.6, 0.0), (1.0, 0.5)), ((0.6, 0.0), (-0.4, 0.9)), ((1.2, 0.0), (0.9, 1.5)))


def _codes(seed, latent=2):
    """Three clusters far apart, each with its weight and shape, in random order -> z (N, L), cluster (N,)."""
    parts = []
    for i, (size, place, factor) in enumerate(zip(SIZES, PLACES, FACTORS, strict=True)):
        z = noise(size, 2, seed=seed + i) @ torch.tensor(factor, dtype=torch.float64).T + torch.tensor(place)
        parts.append(torch.cat([z, noise(size, latent - 2, seed=seed + 9)], dim=1))
    order = torch.randperm(sum(SIZES), generator=torch.Generator().manual_seed(seed), device="cpu")
    cluster = torch.arange(3, device="cpu").repeat_interleave(torch.tensor(SIZES))
    z = placed(torch.cat(parts)[order])
    return z, cluster[order].to(z.device)


def _observe(call, seed):
    for n, latent in ((1, 2), (5, 3)):
        drawn = call.tensor(*_codes(seed, latent), n)
        yield Fact(f"the shape of {n} draws of {latent} numbers each, (n, L)", tuple(drawn.shape))
    z, cluster = _codes(seed)
    few = [call.tensor(z, cluster, 4).detach() for _ in range(2)]
    yield fresh("the draws of a second call with the same arguments", *few)
    drawn = call.tensor(z, cluster, DRAWS).detach().cpu().double()
    yield Fact(f"the shape of {DRAWS} draws, (n, L)", tuple(drawn.shape))
    if drawn.shape == (DRAWS, 2):
        yield from _facts(drawn, z.cpu().double(), cluster.cpu())


def _facts(drawn, z, cluster):
    old = torch.isin(drawn[:, 0].float(), z[:, 0].float()).float().mean().item()
    yield Fact("whether the draws are codes of z", "yes" if old > 0.5 else "no")
    different = len(drawn[:, 0].unique())
    if old > 0.5 or different <= DRAWS // 2:
        yield Fact(f"how many different ones there are among {DRAWS} draws", different)
        return
    _, mean, covariance = mixture_of(z, cluster)
    inside = [_noise(drawn, *of).norm(dim=1) < 5 for of in zip(mean, covariance, strict=True)]
    reached = torch.stack(inside).any(0).float().mean().item()
    yield Fact(
        "how many draws lie within 5 standard deviations of a cluster", "all" if reached > 0.99 else "some"
    )
    nearest = torch.cdist(drawn, mean).argmin(1)
    came = torch.nn.functional.one_hot(nearest, 3).double()
    yield Fact("from how many of the three clusters the draws come", int(came.any(0).sum()))
    if came.sum(0).amin() < 10:
        return
    yield mean_fact(f"the share of draws from each cluster, where those have {SIZES} codes", came)
    noises = []
    for k in range(3):
        away = drawn[nearest == k] - mean[k]
        yield mean_fact(f"the mean of the draws from cluster {k}, less the mean of its codes", away)
        products = away[:, :, None] * away[:, None, :]
        yield mean_fact(f"the covariance of the draws from cluster {k}", products)
        noises.append(_noise(drawn[nearest == k], mean[k], covariance[k]))
    eps = torch.cat(noises)
    yield from pooled_facts("eps, if the draws are mean + A eps", eps)
    yield shape_fact("E e^4 of the noise, 3 for a bell curve", eps)


def _noise(drawn, mean, covariance):
    """eps, if the draws are mean + A eps, (n, L), (L,), (L, L) -> (n, L)."""
    factor = torch.linalg.cholesky(covariance)
    return torch.linalg.solve_triangular(factor, (drawn - mean).T, upper=False).T


def _remark(call, seed):
    z, cluster = _codes(seed)
    drawn = call.tensor(z, cluster, 600).cpu().double()
    nearest = torch.cdist(drawn, mixture_of(z.cpu().double(), cluster.cpu()).mean).argmin(1)
    if (nearest[1:] == nearest[:-1]).float().mean() < 0.9:
        return ""
    return "They come sorted by cluster: shuffle them, or the first of them are all of one kind."


def _show(call, seed):
    z, cluster = _codes(seed)
    drawn, target = call.tensor(z, cluster, 400), mixture_of(z, cluster).sample(400)
    alt = "Draws of the target, from three clusters of different weights and shapes; yours lie over them."
    groups = {"the target": target, "yours": drawn}
    return Shown(lambda: pictures.scatter(groups, alt=alt) if drawn.shape == (400, 2) else None)


def _reference(z, cluster, n):
    """The package's answer: a Mixture of the clusters, and its draws."""
    return mixture_of(z, cluster).sample(n)


def _changed(change):
    """Draws from another mixture: change(Mixture, z, cluster) -> Mixture."""
    return lambda z, cluster, n: change(mixture_of(z, cluster), z, cluster).sample(n)


def _stretched(stretch, noise_of=torch.randn):
    """Right but for how the noise is stretched: stretch(covariance (n, L, L), eps (n, L)) -> (n, L)."""

    def code(z, cluster, n):
        weight, mean, covariance = mixture_of(z, cluster)
        k = torch.multinomial(weight, n, replacement=True)
        return mean[k] + stretch(covariance[k], noise_of(n, z.shape[1], dtype=z.dtype, device=z.device))

    return code


def _times(matrices, eps):
    return (matrices @ eps[..., None])[..., 0]


def _right(covariance, eps):
    return _times(torch.linalg.cholesky(covariance), eps)


def _pooled(mixture, z, cluster):
    shared = (mixture.weight[:, None, None] * mixture.covariance).sum(0)
    return mixture._replace(covariance=shared.expand_as(mixture.covariance))


def _average(mixture, z, cluster):
    return mixture._replace(covariance=mixture.covariance.mean(0).expand_as(mixture.covariance))


def _total(mixture, z, cluster):
    return mixture._replace(covariance=z.T.cov().expand_as(mixture.covariance))


def _first(mixture, z, cluster):
    return mixture._replace(covariance=mixture.covariance[:1].expand_as(mixture.covariance))


def _one_for_all(z, cluster, n):
    mixture = mixture_of(z, cluster)
    k = torch.multinomial(mixture.weight, 1)
    return Mixture(torch.ones_like(mixture.weight[k]), mixture.mean[k], mixture.covariance[k]).sample(n)


def _largest(z, cluster, n):
    return _reference(z[cluster == 2], cluster[cluster == 2] * 0, n)


def _only_means(z, cluster, n):
    mixture = mixture_of(z, cluster)
    return mixture.mean[torch.multinomial(mixture.weight, n, replacement=True)]


def _weighted_sum(z, cluster, n):
    weight = mixture_of(z, cluster).weight
    draws = [_reference(z[cluster == k], cluster[cluster == k] * 0, n) for k in range(len(weight))]
    return sum(w * d for w, d in zip(weight, draws, strict=True))


fitted_sampler = Exercise(
    name="fitted_sampler",
    parameters=("z", "cluster", "n"),
    reference=_reference,
    solutions=(mixture_of, Mixture.sample),
    observe=_observe,
    remark=_remark,
    show=_show,
    verified=(
        "6,000 draws had the clusters' shares, and in each cluster its mean, its covariance and a bell's "
        "shape, with fresh noise at each call."
    ),
    mistakes=(
        Mistake(
            "equal weights",
            "every cluster is drawn from equally often. A cluster's weight is its share of the codes: "
            "torch.multinomial with those weights.",
            PUBLIC,
            (_changed(lambda m, z, c: m._replace(weight=torch.ones_like(m.weight) / len(m.weight))),),
        ),
        Mistake(
            "one shared covariance",
            "all components have one and the same covariance. Each cluster has its own: that of its codes "
            "alone.",
            PUBLIC,
            (_changed(_pooled), _changed(_total), _changed(_average), _changed(_first)),
        ),
        Mistake(
            "one Gaussian for all codes",
            "this is one Gaussian with the mean and covariance of all codes. First choose a cluster for each "
            "draw, then draw from the Gaussian of that cluster.",
            COURSE,
            (lambda z, cluster, n: _reference(z, cluster * 0, n),),
        ),
        Mistake(
            "N(0, I)",
            "the draws come from N(0, I), wherever the codes lie. Move and stretch them by the mean and the "
            "covariance of a cluster.",
            PUBLIC,
            (lambda z, cluster, n: torch.randn(n, z.shape[1], dtype=z.dtype, device=z.device),),
        ),
        Mistake(
            "weighted sum of the components",
            "each draw is a sum over all components, so it lies between the clusters. In a mixture the "
            "densities are added, not the draws: each draw comes from one component.",
            COURSE,
            (
                _weighted_sum,
                _changed(
                    lambda m, z, c: Mixture(
                        torch.ones_like(m.weight[:1]),
                        (m.weight @ m.mean)[None],
                        torch.einsum("k,kij->ij", m.weight, m.covariance)[None],
                    )
                ),
            ),
        ),
        Mistake(
            "one component for all draws",
            "all draws come from one cluster. Choose one for each draw: "
            "torch.multinomial(weight, n, replacement=True).",
            PUBLIC,
            (_one_for_all, _largest),
        ),
        Mistake(
            "one draw a cluster",
            "there are only as many different draws as clusters: the means alone, or one eps for all. Add to "
            "each draw noise of its own, eps (n, L), stretched by the cluster's covariance.",
            NEAR,
            (_only_means, _stretched(_right, lambda n, latent, **kind: torch.randn(1, latent, **kind))),
        ),
        Mistake(
            "codes drawn again",
            "every draw is one of the codes in z, and decodes to a picture that the model has already. Draw "
            "from the Gaussian of a cluster.",
            COURSE,
            (lambda z, cluster, n: z[torch.randint(len(z), (n,))],),
        ),
        Mistake(
            "covariance used as its factor",
            "the noise is stretched by the covariance itself, so the draws have the covariance times its "
            "transpose. Stretch by A with A A^T = covariance: torch.linalg.cholesky.",
            COURSE,
            (_stretched(_times),),
        ),
        Mistake(
            "factor on the wrong side",
            "eps @ A gives the covariance A^T A. With a draw in each row it must be eps @ A.T, so that it "
            "is A A^T.",
            PUBLIC,
            (_stretched(lambda c, eps: _times(torch.linalg.cholesky(c).mT, eps)),),
        ),
        Mistake(
            "only the diagonal",
            "each number has its own spread, but the clusters do not lean: the covariances off the diagonal "
            "are lost. Stretch by the Cholesky factor.",
            PUBLIC,
            (_stretched(lambda c, eps: c.diagonal(dim1=1, dim2=2).sqrt() * eps),),
        ),
        Mistake(
            "variance used as standard deviation",
            "the noise is multiplied by variances. A standard deviation is the root of a variance; and the "
            "clusters must lean.",
            PUBLIC,
            (_stretched(lambda c, eps: c.diagonal(dim1=1, dim2=2) * eps),),
        ),
        Mistake(
            "not stretched",
            "this is mean + eps, a ball of width 1 at each mean. Stretch the noise by the Cholesky factor of "
            "the cluster's covariance.",
            NEAR,
            (_stretched(lambda c, eps: eps),),
        ),
        Mistake(
            "mean left out",
            "all clusters lie around 0. Add the mean of the cluster.",
            NEAR,
            (_changed(lambda m, z, c: m._replace(mean=0 * m.mean)),),
        ),
        Mistake(
            "uniform noise",
            "the noise is uniform, as torch.rand gives it. A Gaussian is asked: torch.randn, with an n.",
            PUBLIC,
            (
                _stretched(_right, torch.rand),
                _stretched(_right, lambda *shape, **options: 12**0.5 * (torch.rand(*shape, **options) - 0.5)),
            ),
        ),
        same_noise(_reference),
        Mistake(
            "draws in columns",
            "there is a draw in each column, (L, n). Put one in each row, (n, L).",
            NEAR,
            (lambda *a: _reference(*a).T,),
        ),
    ),
    hints=(
        "For each cluster three things: its share of the codes, the mean of its codes, their covariance. "
        "z[cluster == k] are its codes.",
        "Choose a cluster for each draw by weight: k = torch.multinomial(weight, n, replacement=True).",
        "A draw from cluster k is mean_k + A_k eps with eps from N(0, I) and A_k = "
        "torch.linalg.cholesky(covariance_k). A loop over the n draws is fine.",
    ),
)
