"""Weights, bounds and objectives: how near to log p(x) a model is, and what else than its ELBO it may climb.

An objective is a function (model, batch, generator) -> Terms of (B,), in nats, which `train.fit` minimises:
the mean of nll + beta * kl.
"""

import math

import torch
from torch.nn.functional import softplus

from vae_lessons.data.splits import checked_split
from vae_lessons.gaussian import log_density, reparameterize
from vae_lessons.losses import Terms, free_bits_kl
from vae_lessons.observation import Bernoulli
from vae_lessons.runtime import progress_bar, resolve_seed
from vae_lessons.settings import number_at_least, positive_number, tensor, whole_number

ROWS = 4096  # decoded pictures in memory at once


def negative_elbo(model, batch, generator=None):
    """The model's own two terms, whose sum is the negative ELBO, Batch -> Terms of (B,), in nats."""
    return model.terms(batch, generator)


def free_bits(floor):
    """The objective whose KL is charged above `floor` nats a latent dimension only, number -> objective.

    kl = sum_j max(floor, mean over the batch of KL_j), the same for each image (`losses.free_bits_kl`)

    Raises ValueError if floor is not a number that is at least 0. (Kingma et al. 2016, section 2.4)
    """
    floor = number_at_least("floor", floor, 0)

    def objective(model, batch, generator=None):
        mu, log_var = model.encode(batch.x)
        z = reparameterize(mu, log_var, generator=generator)
        nll = model.likelihood.nll(batch.x, model.decode(z))
        return Terms(nll, free_bits_kl(mu.to(nll.dtype), log_var.to(nll.dtype), floor).expand_as(nll))

    return objective


def sticking_the_landing(model, batch, generator=None):
    """The negative ELBO as one term, whose gradient leaves the score of q out, Batch -> Terms of (B,).

    That score is 0 on average. Without it the gradient has no noise left once q is the posterior. kl is 0.
    (Roeder et al. 2017)
    """
    mu, log_var = model.encode(batch.x)
    z = reparameterize(mu, log_var, generator=generator)
    nll = -log_weights(nll_under(model), batch.x, z, mu.detach(), log_var.detach())
    return Terms(nll, torch.zeros_like(nll))


def importance(k):
    """The objective that climbs the importance-weighted bound of k samples, int -> objective.

    nll = -log 1/k sum_k w_k, kl = 0, with doubly reparameterized gradients: with w_k normalised over the
    samples, the decoder's is sum_k w_k d log w_k, and the encoder's sum_k w_k^2 d log w_k / dz dz.
    Raises ValueError if k is not a whole number, at least 1. (Burda et al. 2016; Tucker et al. 2019)
    """
    k = whole_number("k", k)

    def objective(model, batch, generator=None):
        x, *q = (part.repeat_interleave(k, 0) for part in (batch.x, *model.encode(batch.x)))
        z = reparameterize(*q, generator=generator)
        log_w = log_weights(nll_under(model), x, z, *(part.detach() for part in q)).view(-1, k)
        share = log_w.detach().softmax(1)
        z.register_hook(lambda gradient: gradient * share.view(-1, 1))
        climbed = (share * log_w).sum(1)  # its gradient is the bound's; its value is made so, too
        nll = -(climbed + (log_mean_exp(log_w) - climbed).detach())
        return Terms(nll, torch.zeros_like(nll))

    return objective


def log_mean_exp(log_w):
    """log of the mean of exp(log_w) over the last dimension, (B, K) -> (B,), without overflow."""
    return torch.logsumexp(log_w, -1) - math.log(log_w.shape[-1])


def effective_samples(log_w):
    """How many equal weights would say as much as these, (B, K) -> (B,), from 1 to K.

    effective = (sum_k w_k)^2 / sum_k w_k^2

    It knows only the draws that were made: a q that misses a part of the posterior altogether can have K.
    Raises ValueError unless log_w is (B, K). (Kong 1992)
    """
    if tensor("log_w", log_w).ndim != 2 or 0 in log_w.shape:
        raise ValueError(f"log_w must be (B, K), but it is {tuple(log_w.shape)}.")
    return 1 / log_w.softmax(1).square().sum(1)


def importance_bound(nll, x, mu, log_var, samples=5_000, generator=None, widen=1.0):
    """The bound from K = `samples` draws of q(z|x), (B, ...), (B, L), (B, L) -> (B,), in nats.

    bound = log 1/K sum_k w_k,  with the weights w_k of `log_weights`

    Its mean over draws is the ELBO at K = 1, grows with K and is at most log p(x). `nll` takes R images
    and their z, (R, ...), (R, L), and gives -log p(x|z), (R,). The draws come from a q whose standard
    deviations are `widen` times as large, which is as valid a proposal. Samples are added up as they come, a
    few thousand pictures at a time. Raises ValueError if shapes, samples or widen are invalid.
    (Burda et al. 2016)
    """
    samples = whole_number("samples", samples)
    log_var = log_var + 2 * math.log(positive_number("widen", widen))
    if tensor("mu", mu).ndim != 2 or len(mu) != len(x):
        raise ValueError(f"mu must be ({len(x)}, L), as x has {len(x)} images, but it is {tuple(mu.shape)}.")
    at_once = max(1, ROWS // len(x))
    total = mu.new_full((len(x),), -math.inf)
    for done in range(0, samples, at_once):
        k = min(at_once, samples - done)
        rows, *q = (part.repeat_interleave(k, 0) for part in (x, mu, log_var))
        log_w = log_weights(nll, rows, reparameterize(*q, generator=generator), *q)
        total = torch.logaddexp(total, log_w.view(len(x), k).logsumexp(1))
    return total - math.log(samples)


def log_weights(nll, x, z, mu, log_var):
    """log w of samples z ~ q(z|x), (R, ...), (R, L) x 3 -> (R,), in nats; their mean is the ELBO.

    log w = log p(x|z) + log N(z; 0, I) - log N(z; mu, exp(log_var))

    `nll` is that of `importance_bound`. Raises ValueError if the shapes differ. (Burda et al. 2016)
    """
    zero = torch.zeros_like(z)
    return log_density(z, zero, zero) - log_density(z, mu, log_var) - nll(x, z)


@torch.no_grad()
def evaluate_importance(model, split, samples=5_000, seed=None, batch=64, progress=True, widen=1.0):
    """The importance-weighted bound of each image of a Split, VAE, Split -> (N,) on the CPU, in nats.

    Their mean, with K = 5,000, is what the literature quotes as log p(x). Memory does not grow with
    `samples`; `widen` is that of `importance_bound`. The same seed gives the same numbers. Raises ValueError
    or TypeError if a setting or the data is invalid, or the model has no q(z|x).
    (Burda et al. 2016; Kingma & Welling 2014, appendix D)
    """
    samples, batch = whole_number("samples", samples), whole_number("batch", batch)
    checked_split("split", split)
    if not isinstance(model.encode(split.batch(slice(1)).x.to(model.device)), tuple):
        raise TypeError(f"model must be a VAE, which has a q(z|x), not a {type(model).__name__}.")
    generator = torch.Generator(model.device).manual_seed(resolve_seed(seed))
    was_training, found = model.training, []
    model.eval()
    with progress_bar(math.ceil(len(split) / batch), progress) as bar:
        for start in range(0, len(split), batch):
            x = split.batch(slice(start, start + batch)).x.to(model.device)
            model.likelihood.check(x)
            bound = importance_bound(nll_under(model), x, *model.encode(x), samples, generator, widen)
            found.append(bound.cpu())
            bar.update()
    model.train(was_training)
    return torch.cat(found)


def log_evidence_grid(model, x, limit=6.0, points=301):
    """log p(x) of images under a model with two latent numbers, VAE, (B, *shape) -> (B,), in nats.

    p(x) = integral of p(x|z) p(z) dz, by a sum over the grid of `log_joint_grid` times the area of its cells

    Raises as that does.
    """
    log_joint = log_joint_grid(model, x, limit, points)
    return log_joint.flatten(1).logsumexp(1) + 2 * math.log(2 * limit / (points - 1))


@torch.no_grad()
def log_joint_grid(model, x, limit=6.0, points=301):
    """log p(x, z) on a grid of z, VAE with L = 2, (B, *shape) -> (B, points, points), in nats.

    Entry [b, i, j] is that of z = (grid[j], grid[i]), and grid runs from -limit to limit. The nll of a
    Bernoulli decoder is linear in x, log p(x|z) = x . logits - sum softplus(logits), so that all images
    together are one product of matrices. Raises ValueError unless the model has two latent numbers and a
    Bernoulli likelihood, or if x, limit or points are invalid.
    """
    limit, points = positive_number("limit", limit), whole_number("points", points, 2)
    if model.latent != 2 or not isinstance(model.likelihood, Bernoulli):
        kind = f"{model.latent} and {type(model.likelihood).__name__}"
        raise ValueError(f"model must have 2 latent numbers and a Bernoulli likelihood, not {kind}.")
    if tensor("x", x).shape[1:] != model.shape:
        wanted = ", ".join(["B", *map(str, model.shape)])
        raise ValueError(f"x must be ({wanted}), but it is {tuple(x.shape)}.")
    model.likelihood.check(x)
    line = torch.linspace(-limit, limit, points, dtype=x.dtype)
    grid = torch.cartesian_prod(line, line).flip(1).to(x.device)
    rows, zero = x.flatten(1), torch.zeros_like(grid)
    joint = log_density(grid, zero, zero).repeat(len(x), 1)
    for z, part in zip(grid.split(ROWS), joint.split(ROWS, dim=1), strict=True):
        logits = model.decode(z.to(model.device)).to(x.device).flatten(1)
        part += rows @ logits.T - softplus(logits).sum(1)
    return joint.view(len(x), points, points)


def class_posterior(log_p, prior):
    """The probability of each class by Bayes' rule, (B, C), (C,) -> (B, C); each row sums to 1.

    p(y|x) = p(x|y) p(y) / sum_c p(x|c) p(c),  log_p[b, y] = log p(x_b|y),  prior[y] = p(y)

    Computed from logs, since p(x|y) itself is 0 in floating point. (Bayes 1763)
    """
    return torch.softmax(log_p + prior.log(), dim=1)


def nll_under(model):
    """-log p(x|z) under a model as a function of images and codes, -> (x (R, ...), z (R, L)) -> (R,)."""
    return lambda x, z: model.likelihood.nll(x, model.decode(z))
