"""Model + data -> History: the loop that trains every model of the course, and its evaluation."""

import math
import time
from typing import NamedTuple

import torch

from vae_lessons.gaussian import kl_standard_normal
from vae_lessons.history import Diverged, History, Scores
from vae_lessons.losses import beta_schedule, check_pixels, free_bits_kl, nll_of
from vae_lessons.runtime import progress_bar, resolve_device, resolve_seed


def terms(model, x, eps=None, generator=None):
    """The two terms of the negative ELBO from one sample z, (B, ...) -> nll (B,), kl (B,), in nats.

    An autoencoder, which has no q(z|x), has kl = 0.
    """
    return _terms(model, x, model(x, eps, generator))


def _terms(model, x, out):
    nll = nll_of(model, x, out.logits.float())
    no_kl = out.log_var is None
    return nll, torch.zeros_like(nll) if no_kl else kl_standard_normal(out.mu.float(), out.log_var.float())


def one_cycle(optimizer, peak, steps):
    """A learning rate that rises from a fifth of `peak` to it for a tenth of the steps, then falls to 0.

    Both ways in a straight line, changed after each step. (Smith & Topin 2018)
    """
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer, peak, pct_start=0.1, div_factor=5, anneal_strategy="linear", cycle_momentum=False,
        total_steps=max(steps, 11),  # it divides by zero where the rise is a single step
    )  # fmt: skip


def fit(
    model, data, epochs=15, beta=1.0, batch=256, lr=4e-3, device="auto", seed=None,
    precision="float32", progress=True, free_bits=0.0, watch=None,
):  # fmt: skip
    """Train a model by the mean of nll + beta * kl -> History. The model ends up on the device.

    `beta` may be a function of the share of training that is over (`losses.beta_schedule`: KL warm-up);
    `free_bits` nats of each latent dimension's KL are free of charge (`losses.free_bits_kl`).
    Adam (Kingma & Ba 2015) with a one-cycle learning rate (Smith & Topin 2018) whose peak is `lr`.
    An untrained model first gets the mean image as its output bias (`model.start_at`).
    All data lies on the device and is shuffled by index; the last, smaller batch of an epoch counts
    too. `precision` "bfloat16" computes the layers in mixed precision. The same seed gives the same
    numbers on one machine, and the caller's random state is left as it was.

    Interrupting it (KeyboardInterrupt, the stop button) keeps what was learned and returns. `watch`, if
    given, is called with the history after each step, and may interrupt by raising it, too. Raises
    ValueError or TypeError if a setting or the data is invalid, Diverged when the loss is no longer
    finite: the model then is as it was before that epoch.
    """
    _check_fit(model, data, epochs, free_bits, batch, lr, precision)
    steps = epochs * math.ceil(len(data.train) / batch)
    betas = iter(beta_schedule(beta, steps))
    device, seed = resolve_device(device), resolve_seed(seed)
    model.to(device)
    train, test = data.train.to(device), data.test.to(device)
    if not model.logits_head.bias.any():
        model.start_at(train.mean())
    generator = torch.Generator(device).manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr, betas=(0.9, 0.99), fused=True)
    schedule = one_cycle(optimizer, lr, steps)
    history, before, start = History(), _copy(model), time.perf_counter()
    with progress_bar(steps, progress) as bar:
        try:
            for _ in range(epochs):
                before, seen = _copy(model), []
                model.train()
                for index in torch.randperm(len(train), generator=generator, device=device).split(batch):
                    x = train.batch(index)
                    with _autocast(device, precision):
                        nll, kl, charged = _losses(model, x, generator, free_bits)
                    loss = nll + next(betas) * charged
                    seen.append(Step(nll.detach(), kl.detach(), len(x), schedule.get_last_lr()[0]))
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    schedule.step()
                    bar.update()
                    if watch:
                        watch(history)
                scores = evaluate(model, test, seed, precision=precision)
                _check_finite(seen, scores, model, before, history)
                history.train.append(_mean(seen))
                history.test.append(scores)
                bar.set_postfix_str(f"test elbo {scores.elbo:.1f}")
        except KeyboardInterrupt:
            _interrupted(history, model, before, epochs)
    model.eval()
    history.seconds = time.perf_counter() - start
    if progress:
        print(_summary(history, device))
    return history


class Step(NamedTuple):
    """What one training step saw; nll and kl stay on the device, so that no step waits for a GPU."""

    nll: torch.Tensor  # (), the mean over the batch, in nats
    kl: torch.Tensor  # ()
    images: int
    rate: float  # the learning rate


def _losses(model, x, generator, free_bits):
    """Means over a batch of nll, kl, and the kl that is charged for, (B, ...) -> three of ()."""
    out = model(x, generator=generator)
    nll, kl = (term.mean() for term in _terms(model, x, out))
    if free_bits and out.log_var is not None:
        return nll, kl, free_bits_kl(out.mu.float(), out.log_var.float(), free_bits)
    return nll, kl, kl


def _autocast(device, precision):
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def _mean(seen):
    """The mean over images of what an epoch's steps saw, -> Scores."""
    sizes = torch.tensor([float(step.images) for step in seen], device=seen[0].nll.device)
    nll, kl = (torch.stack(values) for values in list(zip(*seen, strict=True))[:2])
    return Scores((nll @ sizes / sizes.sum()).item(), (kl @ sizes / sizes.sum()).item())


def _check_finite(seen, scores, model, before, history):
    """Raise Diverged, and undo the epoch, if the loss at one of its steps or after it is not finite."""
    totals = torch.stack([step.nll + step.kl for step in seen])
    bad = (~totals.isfinite()).nonzero()
    if len(bad) == 0 and math.isfinite(scores.elbo):
        return
    model.load_state_dict(before)
    good = bad[0].item() if len(bad) else len(seen)  # steps whose loss was finite
    step, epoch = min(good, len(seen) - 1), len(history) + 1
    last, hint = "no step before it was finite", "try a smaller lr"
    if good > 0:
        nll, kl = seen[good - 1].nll.item(), seen[good - 1].kl.item()
        last = f"the last finite values were nll {nll:.4g}, kl {kl:.4g}"
    elif history.train:
        last = f"the epoch before it had {history.train[-1]}"
    else:
        hint = "try images of a smaller scale"
    history.stopped = f"diverged in epoch {epoch}"
    raise Diverged(
        f"The loss is no longer finite {'at' if len(bad) else 'after'} step {step + 1} of epoch {epoch}, "
        f"where the learning rate was {seen[step].rate:.2g}; {last}. The model is as it was when that "
        f"epoch began; {hint}.",
        history,
    )


def _interrupted(history, model, before, epochs):
    """Say so in the history, keep finished epochs only, and undo one that had already diverged."""
    del history.train[len(history.test) :]
    history.stopped = f"interrupted after {len(history)} of {epochs} epochs"
    if not all(weights.isfinite().all() for weights in model.parameters()):
        model.load_state_dict(before)


def _copy(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


@torch.no_grad()
def evaluate(model, split, seed=None, batch=1000, precision="float32"):
    """nll, kl and elbo of a trained model on a Split -> Scores, in nats per image.

    Each image gets one sample z ~ q(z|x), seeded, as in training: the mean of q(z|x) would give a
    better nll that belongs to no bound. Raises ValueError or TypeError on a setting or data that
    cannot be.
    """
    _check_evaluate(split, batch, precision)
    generator = torch.Generator(model.device).manual_seed(resolve_seed(seed))
    was_training = model.training
    model.eval()
    total = torch.zeros(2, dtype=torch.float64)
    for start in range(0, len(split), batch):
        x = split.batch(slice(start, start + batch)).to(model.device)
        check_pixels(x, model.likelihood)
        with _autocast(model.device, precision):
            nll, kl = terms(model, x, generator=generator)
        total += torch.stack([nll.sum(), kl.sum()]).double().cpu()
    model.train(was_training)
    return Scores(*(total / len(split)).tolist())


def _summary(history, device):
    end = f", test {history.test[-1]}" if history.test else ""
    done = history.stopped or f"{len(history)} epochs"
    return f"{done} in {history.seconds:.1f} s on {device.type}{end}"


def _check_fit(model, data, epochs, free_bits, batch, lr, precision):
    if type(epochs) is not int or epochs < 1:
        raise ValueError(f"epochs must be a whole number, at least 1, not {epochs!r}.")
    if not (isinstance(free_bits, (int, float)) and 0 <= free_bits < math.inf):
        raise ValueError(f"free_bits must be a number of nats, 0 or more, not {free_bits!r}.")
    if not (isinstance(lr, (int, float)) and 0 < lr < math.inf):
        raise ValueError(f"lr must be a positive number, not {lr!r}.")
    if not all(hasattr(getattr(data, part, None), "pixels") for part in ("train", "test")):
        raise TypeError(f"data must be what load() returns, not a {type(data).__name__}.")
    for split in (data.train, data.test):
        _check_evaluate(split, batch, precision)
        if tuple(split.pixels.shape[1:]) != model.shape:
            raise ValueError(
                f"The model takes images of shape {model.shape}, the data has "
                f"{tuple(split.pixels.shape[1:])}."
            )
        if split.pixels.is_floating_point():
            check_pixels(split.pixels, model.likelihood)


def _check_evaluate(split, batch, precision):
    if not hasattr(split, "pixels"):
        raise TypeError(f"split must be a Split, such as data.test, not a {type(split).__name__}.")
    if type(batch) is not int or batch < 1:
        raise ValueError(f"batch must be a whole number, at least 1, not {batch!r}.")
    if precision not in ("float32", "bfloat16"):
        raise ValueError(f'precision must be "float32" or "bfloat16", not {precision!r}.')
