"""Model + images -> the importance-weighted bound of each, in nats: near log p(x) if K is large."""

import math

import torch

from vae_lessons.gaussian import log_density, reparameterize
from vae_lessons.losses import check_pixels, nll_of
from vae_lessons.runtime import progress_bar, resolve_seed
from vae_lessons.settings import tensor, whole_number

ROWS = 4096  # decoded pictures in memory at once


def importance_bound(nll, x, mu, log_var, samples=5_000, generator=None):
    """The bound from K = `samples` draws of q(z|x), (B, ...), (B, L), (B, L) -> (B,), in nats.

    bound = log 1/K sum_k w_k,  with the weights w_k of `log_weights`

    Its mean over draws is the ELBO at K = 1, grows with K and is at most log p(x). `nll` takes R images
    and their z, (R, ...), (R, L), and gives -log p(x|z), (R,). Samples are added up as they come, a few
    thousand pictures at a time. Raises ValueError on shapes or samples that cannot be. (Burda et al. 2016)
    """
    samples = whole_number("samples", samples)
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
def evaluate_importance(model, split, samples=5_000, seed=None, batch=64, progress=True):
    """The importance-weighted bound of each image of a Split, VAE, Split -> (N,) on the CPU, in nats.

    Their mean, with K = 5,000, is what the literature quotes as log p(x). Memory does not grow with
    `samples`. The same seed gives the same numbers. Raises ValueError or TypeError on a setting or
    data that cannot be, or a model without q(z|x). (Burda et al. 2016; Kingma & Welling 2014, appendix D)
    """
    _check(model, split)
    samples, batch = whole_number("samples", samples), whole_number("batch", batch)
    generator = torch.Generator(model.device).manual_seed(resolve_seed(seed))
    was_training, found = model.training, []
    model.eval()
    with progress_bar(math.ceil(len(split) / batch), progress) as bar:
        for start in range(0, len(split), batch):
            x = split.batch(slice(start, start + batch)).to(model.device)
            check_pixels(x, model.likelihood)
            bound = importance_bound(_nll_under(model), x, *model.encode(x), samples, generator)
            found.append(bound.cpu())
            bar.update()
    model.train(was_training)
    return torch.cat(found)


def _nll_under(model):
    return lambda x, z: nll_of(model, x, model.decode(z))


def _check(model, split):
    if not hasattr(model, "log_var_head"):
        raise TypeError(f"model must be a VAE, which has a q(z|x), not a {type(model).__name__}.")
    if not hasattr(split, "pixels"):
        raise TypeError(f"split must be a Split, such as data.test, not a {type(split).__name__}.")
