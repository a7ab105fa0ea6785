"""Model + data -> History: the loop that trains every model of the course, and its evaluation."""

import math
import time
from functools import partial
from itertools import islice

import torch

from vae_lessons.gaussian import kl_standard_normal
from vae_lessons.history import Diverged, History, Scores
from vae_lessons.losses import beta_schedule, check_pixels, free_bits_kl, nll_of
from vae_lessons.replay import Replay, Seen
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
    precision="float32", progress=True, free_bits=0.0, watch=None, graph=False,
):  # fmt: skip
    """Train a model by the mean of nll + beta * kl -> History. The model ends up on the device.

    `beta` may be a function of the share of training that is over (`losses.beta_schedule`: KL warm-up);
    `free_bits` nats of each latent dimension's KL are free of charge (`losses.free_bits_kl`).
    Adam (Kingma & Ba 2015) with a one-cycle learning rate (Smith & Topin 2018) whose peak is `lr`.
    An untrained model first gets the mean image as its output bias (`model.start_at`).
    All data lies on the device and is shuffled by index; the last, smaller batch of an epoch counts
    too. `precision` "bfloat16" computes the layers in mixed precision. `graph` records the step as a
    CUDA graph and replays it, which spares a small model on a GPU the launching of its kernels. The same
    seed gives the same numbers on one machine, and the caller's random state is left as it was.

    Interrupting it (KeyboardInterrupt, the stop button) keeps what was learned and returns. `watch`, if
    given, is called with the history after each step, and may interrupt by raising it, too. Raises
    ValueError or TypeError on a setting or data that cannot be, Diverged when the loss is no longer
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
    losses = _in(precision, device, partial(_losses, model, generator=generator, free_bits=free_bits))
    rates = iter(_rates(lr, steps))
    if graph:
        run = Replay(model, train, losses, batch, lr, generator, rates).epoch
    else:
        adam = torch.optim.Adam(model.parameters(), lr, betas=(0.9, 0.99), fused=True)
        run = partial(_epoch, model, train, losses, adam, rates)
    history, before, start = History(), _copy(model), time.perf_counter()
    with progress_bar(steps, progress) as bar:

        def each():
            bar.update()
            if watch:
                watch(history)

        try:
            for _ in range(epochs):
                before = _copy(model)
                order = torch.randperm(len(train), generator=generator, device=device).split(batch)
                seen = run(order, betas, each)
                scores = evaluate(model, test, seed, precision=precision)
                _check_finite(seen, scores, model, before, history)
                sizes = seen.nll.new_tensor([len(index) for index in order]) / len(train)
                history.train.append(Scores((seen.nll @ sizes).item(), (seen.kl @ sizes).item()))
                history.test.append(scores)
                bar.set_postfix_str(f"test elbo {scores.elbo:.1f}")
        except KeyboardInterrupt:
            _interrupted(history, model, before, epochs)
    model.eval()
    history.seconds = time.perf_counter() - start
    if progress:
        print(_summary(history, device))
    return history


def _rates(lr, steps):
    """The learning rate of each step, worked out beforehand so that no step has to."""
    nobody = torch.optim.SGD([torch.zeros(1)], lr)
    schedule, rates = one_cycle(nobody, lr, steps), []
    nobody.step()  # a schedule warns where no step comes before its own
    for _ in range(steps):
        rates.append(schedule.get_last_lr()[0])
        schedule.step()
    return rates


def _losses(model, x, generator, free_bits):
    """Means over a batch of nll, kl, and the kl that is charged for, (B, ...) -> three of ()."""
    out = model(x, generator=generator)
    nll, kl = (term.mean() for term in _terms(model, x, out))
    if free_bits and out.log_var is not None:
        return nll, kl, free_bits_kl(out.mu.float(), out.log_var.float(), free_bits)
    return nll, kl, kl


def _epoch(model, train, losses, adam, rates, order, betas, each):
    """The training loop itself; nothing in it waits for a GPU."""
    model.train()
    (group,) = adam.param_groups
    rates = list(islice(rates, len(order)))
    nlls, kls = [], []
    for index, rate in zip(order, rates, strict=True):
        nll, kl, charged = losses(x=train.batch(index))
        for weights in group["params"]:
            weights.grad = None  # as zero_grad does, with no record for a profiler: 0.1 ms of 5 on a CPU
        (nll + next(betas) * charged).backward()
        group["lr"] = rate
        adam.step()
        nlls.append(nll.detach())
        kls.append(kl.detach())
        each()
    return Seen(torch.stack(nlls), torch.stack(kls), rates)


def _check_finite(seen, scores, model, before, history):
    """Raise Diverged, and undo the epoch, if the loss at one of its steps or after it is not finite."""
    bad = (~(seen.nll + seen.kl).isfinite()).nonzero()
    if len(bad) == 0 and math.isfinite(scores.elbo):
        return
    model.load_state_dict(before)
    good = bad[0].item() if len(bad) else len(seen.rates)  # steps whose loss was finite
    step, epoch = min(good, len(seen.rates) - 1), len(history) + 1
    last, hint = "no step before it was finite", "try a smaller lr"
    if good > 0:
        values = Scores(seen.nll[good - 1].item(), seen.kl[good - 1].item())
        last = f"the last finite values were nll {values.nll:.4g}, kl {values.kl:.4g}"
    elif history.train:
        last = f"the epoch before it had {history.train[-1]}"
    else:
        hint = "try images of a smaller scale"
    history.stopped = f"diverged in epoch {epoch}"
    raise Diverged(
        f"The loss is no longer finite {'at' if len(bad) else 'after'} step {step + 1} of epoch {epoch}, "
        f"where the learning rate was {seen.rates[step]:.2g}; {last}. The model is as it was when that "
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
    both = _in(precision, model.device, partial(terms, model, generator=generator))
    total = torch.zeros(2, dtype=torch.float64)
    for start in range(0, len(split), batch):
        x = split.batch(slice(start, start + batch)).to(model.device)
        check_pixels(x, model.likelihood)
        nll, kl = both(x)
        total += torch.stack([nll.sum(), kl.sum()]).double().cpu()
    model.train(was_training)
    return Scores(*(total / len(split)).tolist())


def _in(precision, device, function):
    """A function, computing in this precision; the same where autocast, 70 us a call, has nothing to do."""
    if precision == "float32" and not torch.is_autocast_enabled(device.type):
        return function
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")(function)


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
