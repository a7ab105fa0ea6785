"""Several models + data -> a History each: a sweep trained as one batched model."""

import copy
import math
import time

import torch
from torch import nn

from vae_lessons.history import Diverged, History, Scores
from vae_lessons.losses import beta_schedule
from vae_lessons.runtime import progress_bar, resolve_device, resolve_seed
from vae_lessons.train import _check_fit, _copy, _terms, evaluate, one_cycle


def fit_many(
    models, data, epochs=15, betas=1.0, batch=256, lr=4e-3, device="auto", seeds=None, progress=True
):
    """Train M models at once -> list of M Histories, those of `fit` one by one within float error.

    For a sweep of beta or of seeds: a list of M of each, or one for all. The weights of a layer are
    stacked, (M, in, out), and multiplied as one batch of matrices, which saves what small models spend
    on starting operations and waiting for threads. Each model keeps its own noise, order of images and
    beta (a number or a function, as in `fit`); the models must be alike but for their seed. `seconds`
    of a History is the time for all. Raises as `fit` does, and ValueError if the models differ or the
    lists are not M long. Diverged, with the history of that one, leaves all as before the epoch.
    """
    models = _check_models(models)
    betas, seeds = _one_each("betas", betas, len(models)), _one_each("seeds", seeds, len(models))
    _check_fit(models[0], data, epochs, 0.0, batch, lr, "float32")
    steps, seeds = epochs * math.ceil(len(data.train) / batch), [resolve_seed(seed) for seed in seeds]
    prices = [beta_schedule(beta, steps) for beta in betas]
    device, start = resolve_device(device), time.perf_counter()
    prices = iter(torch.tensor(prices, dtype=torch.float32, device=device).T)  # one (M,) for each step
    train, test = data.train.to(device), data.test.to(device)
    for model in models:
        if not model.to(device).logits_head.bias.any():
            model.start_at(train.mean())
    stacked, histories = _stack(models), [History() for _ in models]
    generators = [torch.Generator(device).manual_seed(seed) for seed in seeds]
    optimizer = torch.optim.Adam(stacked.parameters(), lr, betas=(0.9, 0.99), fused=True)
    schedule = one_cycle(optimizer, lr, steps)
    with progress_bar(steps, progress) as bar:
        try:
            for _ in range(epochs):
                scores = _epoch(stacked, train, batch, prices, optimizer, schedule, generators, bar)
                before = [_copy(model) for model in models]
                _unstack(stacked, models)
                tests = [evaluate(m, test, seed) for m, seed in zip(models, seeds, strict=True)]
                _check_finite(scores, tests, models, before, histories)
                for history, score, tested in zip(histories, scores, tests, strict=True):
                    history.train.append(score)
                    history.test.append(tested)
        except KeyboardInterrupt:
            _interrupted(histories, stacked, models, epochs)
    for model, history in zip(models, histories, strict=True):
        model.eval()
        history.seconds = time.perf_counter() - start
    return histories


class _Stacked(nn.Module):
    """M linear layers as one, (M * B, in) -> (M * B, out); weights are (M, in, out)."""

    def __init__(self, layers):
        super().__init__()
        # as they multiply, so that their gradients need no copy to be stored: a tenth of the step
        self.weight = nn.Parameter(torch.stack([layer.weight.detach().T for layer in layers]))
        self.bias = nn.Parameter(torch.stack([layer.bias.detach() for layer in layers]))

    def forward(self, x):
        """Each model's rows times its weights, (M * B, in) -> (M * B, out)."""
        x = x.unflatten(0, (len(self.weight), -1))
        return torch.baddbmm(self.bias[:, None], x, self.weight).flatten(0, 1)


def _stack(models):
    """One model that takes the M models' images end to end, (M * B, ...), and knows no others."""
    stacked = copy.deepcopy(models[0])
    for name, layer in list(stacked.named_modules()):
        if isinstance(layer, nn.Linear):
            stacked.set_submodule(name, _Stacked([model.get_submodule(name) for model in models]))
    return stacked


@torch.no_grad()
def _unstack(stacked, models):
    """Put the weights back to where they came from."""
    for name, layer in stacked.named_modules():
        if isinstance(layer, _Stacked):
            for model, weight, bias in zip(models, layer.weight, layer.bias, strict=True):
                model.get_submodule(name).weight.copy_(weight.T)
                model.get_submodule(name).bias.copy_(bias)


def _epoch(stacked, train, batch, prices, optimizer, schedule, generators, bar):
    """The loop of `fit`, its batches the M models' one after the other -> Scores of each."""
    m, device = len(generators), train.pixels.device
    orders = torch.stack([torch.randperm(len(train), generator=g, device=device) for g in generators])
    seen = torch.zeros(2, m, device=device)
    stacked.train()
    for index in orders.split(batch, dim=1):
        x, size = train.batch(index.flatten()), (index.shape[1], stacked.latent)
        eps = None
        if hasattr(stacked, "log_var_head"):
            eps = torch.cat([torch.randn(size, generator=g, device=device) for g in generators])
        terms = torch.stack(_terms(stacked, x, stacked(x, eps)))
        nll, kl = terms.unflatten(1, (m, -1)).mean(2)
        optimizer.zero_grad()
        (nll + next(prices) * kl).sum().backward()
        optimizer.step()
        schedule.step()
        seen += torch.stack((nll, kl)).detach() * (index.shape[1] / len(train))
        bar.update()
    return [Scores(*values) for values in seen.T.tolist()]


def _check_finite(scores, tests, models, before, histories):
    for i, (score, tested) in enumerate(zip(scores, tests, strict=True)):
        if not math.isfinite(score.elbo + tested.elbo):
            for model, weights in zip(models, before, strict=True):
                model.load_state_dict(weights)
            epoch = len(histories[i]) + 1
            histories[i].stopped = f"diverged in epoch {epoch}"
            raise Diverged(
                f"The loss of model {i + 1} of {len(models)} is no longer finite in epoch {epoch}. "
                "All models are as they were when that epoch began; try a smaller lr.",
                histories[i],
            )


def _interrupted(histories, stacked, models, epochs):
    """Keep what was learned, unless a model had already diverged, and finished epochs only."""
    if all(weights.isfinite().all() for weights in stacked.parameters()):
        _unstack(stacked, models)
    finished = min(len(history.test) for history in histories)
    for history in histories:
        del history.train[finished:], history.test[finished:]
        history.stopped = f"interrupted after {finished} of {epochs} epochs"


def _check_models(models):
    """The models as a list, once they are alike."""
    models = list(models)
    if not models:
        raise ValueError("models must be at least one model, not none.")
    kinds = [(type(model), {**model.settings, "seed": None}) for model in models]
    if any(kind != kinds[0] for kind in kinds) or len(set(map(id, models))) < len(models):
        raise ValueError("models must be different objects with the same settings, but for the seed.")
    if models[0].settings["sigma"] == "learned":
        raise ValueError('models with sigma="learned" must be trained by fit, one by one.')
    return models


def _one_each(name, value, m):
    """A list of one setting a model, from such a list or from one setting for all."""
    values = list(value) if isinstance(value, (list, tuple, range)) else [value] * m
    if len(values) != m:
        raise ValueError(f"{name} must be one for all or one for each of the {m} models, not {len(values)}.")
    return values
