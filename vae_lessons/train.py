"""Model + data -> History: the loop that trains every model of the course, and its evaluation."""

import math
import time
from typing import NamedTuple

import torch

from vae_lessons.checkpoint import Training, resume
from vae_lessons.data.splits import checked_split
from vae_lessons.history import Diverged, History, Scores
from vae_lessons.likelihood import negative_elbo
from vae_lessons.losses import beta_schedule
from vae_lessons.runtime import progress_bar, resolve_device, resolve_seed
from vae_lessons.settings import positive_number, whole_number


def one_cycle(optimizer, steps):
    """A learning rate that rises to the optimizer's own for a tenth of the steps, then falls to 0.

    It starts at a fifth, goes in a straight line both ways, and changes after each step. (Smith & Topin 2018)
    """
    peaks = [group["lr"] for group in optimizer.param_groups]
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        peaks,
        pct_start=0.1,
        div_factor=5,
        anneal_strategy="linear",
        cycle_momentum=False,
        total_steps=max(steps, 11),  # it divides by zero where the rise is a single step
    )


def fit(
    model,
    data,
    epochs=15,
    beta=1.0,
    objective=negative_elbo,
    optimizer=None,
    batch=256,
    lr=4e-3,
    device="auto",
    seed=None,
    precision="float32",
    progress=True,
    watch=None,
    checkpoint=None,
):
    """Train a model by the mean of nll + beta * kl -> History. The model ends up on the device.

    `objective(model, batch, generator)` gives the two terms of each image, Terms of (B,): `negative_elbo`,
    for which any module with `terms(batch, generator)` will do, or another of `likelihood`, for example
    `free_bits(0.5)` or `importance(5)`. `beta` may be a function of the share of training that is over
    (`losses.beta_schedule`). `optimizer` None is Adam (Kingma & Ba 2015) with `lr`; one that is passed in has
    its own; either is the peak of a one-cycle schedule (Smith & Topin 2018). An untrained decoder first
    gets the mean image as its output bias (`model.start_at`).
    All data lies on the device and is shuffled by index; the last, smaller batch of an epoch counts too.
    `precision` "bfloat16" computes the layers in mixed precision. The same seed gives the same numbers on one
    machine, and the caller's random state is left as it was.

    Interrupting it (KeyboardInterrupt, the stop button) keeps what was learned and returns. `watch`, if
    given, is called with the history after each step, and may interrupt by raising it, too. `checkpoint`, if
    given, is a file, written after each epoch: however training ends, even by a kill, the same call goes on
    from the last whole epoch, and from PyTorch's random state at its end, to the numbers it would have had;
    it returns them at once if none is left to do. Raises ValueError or TypeError if a setting or the data is
    invalid or the file is of another training, OSError if it cannot be written, Diverged when the loss is no
    longer finite: the model then is as it was before that epoch.
    """
    epochs, batch, lr = _checked(model, data, epochs, batch, lr, precision)
    steps = epochs * math.ceil(len(data.train) / batch)
    betas = beta_schedule(beta, steps)
    device, seed = resolve_device(device), resolve_seed(seed)
    model.to(device)
    train, test = data.train.to(device), data.test.to(device)
    if hasattr(model, "start_at"):
        model.start_at(train.mean())
    generator = torch.Generator(device).manual_seed(seed)
    if optimizer is None:
        optimizer = torch.optim.Adam(model.parameters(), lr, betas=(0.9, 0.99), fused=True)
    schedule, history = one_cycle(optimizer, steps), History()
    settings = {"epochs": epochs, "batch": batch, "beta": betas, "objective": objective, "seed": seed}
    training = Training(model, optimizer, schedule, generator, history)
    save = resume(checkpoint, training, data, settings | {"precision": precision})
    before, betas = _copy(model), iter(betas[schedule.last_epoch :])
    start = time.perf_counter() - history.seconds
    with progress_bar(steps, progress, schedule.last_epoch) as bar:
        try:
            for _ in range(len(history), epochs):
                before, seen = _copy(model), []
                model.train()
                for index in torch.randperm(len(train), generator=generator, device=device).split(batch):
                    with _autocast(device, precision):
                        terms = objective(model, train.batch(index), generator)
                    loss = (terms.nll + next(betas) * terms.kl).mean()
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    seen.append(Step(terms.nll.detach(), terms.kl.detach(), schedule.get_last_lr()[0]))
                    schedule.step()
                    bar.update()
                    if watch:
                        watch(history)
                scores = evaluate(model, test, seed, precision=precision)
                _check_finite(seen, scores, model, before, history)
                history.train.append(Scores(*(_mean(step[i] for step in seen) for i in (0, 1))))
                history.test.append(scores)
                history.seconds = time.perf_counter() - start
                save()
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

    nll: torch.Tensor  # (B,), in nats
    kl: torch.Tensor  # (B,)
    rate: float  # the learning rate


def _mean(parts):
    """The mean over images of (B,) tensors, -> float."""
    return torch.cat(list(parts)).mean().item()


def _autocast(device, precision):
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def _check_finite(seen, scores, model, before, history):
    """Raise Diverged, and undo the epoch, if the loss at one of its steps or after it is not finite."""
    totals = torch.stack([(step.nll + step.kl).mean() for step in seen])
    bad = (~totals.isfinite()).nonzero()
    if len(bad) == 0 and math.isfinite(scores.elbo):
        return
    model.load_state_dict(before)
    good = bad[0].item() if len(bad) else len(seen)  # steps whose loss was finite
    step, epoch = min(good, len(seen) - 1), len(history) + 1
    last, hint = "no step before it was finite", "try a smaller lr"
    if good > 0:
        nll, kl = seen[good - 1].nll.mean(), seen[good - 1].kl.mean()
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
    better nll that belongs to no bound. Raises ValueError or TypeError if a setting or the data is invalid.
    """
    _check_split("split", split, model)
    batch = whole_number("batch", batch)
    _check_precision(precision)
    device = next(model.parameters()).device
    generator = torch.Generator(device).manual_seed(resolve_seed(seed))
    was_training = model.training
    model.eval()
    found = []
    for start in range(0, len(split), batch):
        part = split.batch(slice(start, start + batch)).to(device)
        if hasattr(model, "likelihood"):
            model.likelihood.check(part.x)
        with _autocast(device, precision):
            found.append(torch.stack(model.terms(part, generator)).double())
    model.train(was_training)
    return Scores(*torch.cat(found, 1).mean(1).tolist())


def _summary(history, device):
    end = f", test {history.test[-1]}" if history.test else ""
    done = history.stopped or f"{len(history)} epochs"
    return f"{done} in {history.seconds:.1f} s on {device.type}{end}"


def _checked(model, data, epochs, batch, lr, precision):
    """The settings as plain numbers, once they and the data are valid."""
    if not all(hasattr(getattr(data, part, None), "pixels") for part in ("train", "test")):
        raise TypeError(f"data must be what load() returns, not a {type(data).__name__}.")
    for name in ("train", "test"):
        split = getattr(data, name)
        _check_split(f"data.{name}", split, model)
        if hasattr(model, "likelihood") and split.pixels.is_floating_point():
            model.likelihood.check(split.pixels)
    _check_precision(precision)
    return whole_number("epochs", epochs), whole_number("batch", batch), positive_number("lr", lr)


def _check_split(name, split, model):
    shape, wanted = tuple(checked_split(name, split).pixels.shape[1:]), getattr(model, "shape", None)
    if wanted and shape != wanted:
        raise ValueError(f"The model takes images of shape {wanted}, {name} has {shape}.")


def _check_precision(precision):
    if precision not in ("float32", "bfloat16"):
        raise ValueError(f'precision must be "float32" or "bfloat16", not {precision!r}.')
