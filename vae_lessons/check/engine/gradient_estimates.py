"""What the two exercises on gradient estimators share."""

import torch

from vae_lessons.check.engine import pictures
from vae_lessons.check.engine.calling import no_answer
from vae_lessons.check.engine.exercise import COURSE, NEAR, PUBLIC, Mistake, Shown
from vae_lessons.check.engine.facts import Fact
from vae_lessons.check.engine.moments import SURE, fresh
from vae_lessons.check.engine.probes import noise, placed
from vae_lessons.check.engine.shared_mistakes import same_noise

SAMPLES = ((1, 600), (8, 1500))  # latent dimensions and samples; the second makes 12,000 numbers
NAMES = ("mu", "log_var")
LOG_VAR = (-0.7, 0.9, -1.6, -1.1, 0.3, -0.4, 0.6, -1.3)
SLOPE = (1.6, -1.2, 1.0, 0.7, -1.5, 1.3, -0.8, 0.9)


def place(latent, seed):
    """mu and log_var (L,), and a smooth f with mean 0 under q, so that estimates have a low variance."""
    mu = placed(5 + noise(latent, seed=seed))  # far from 0, so that an error of a tenth is detected
    log_var, slope = (
        placed(torch.tensor(numbers[:latent], dtype=torch.float64, device="cpu"))
        for numbers in (LOG_VAR, SLOPE)
    )
    start, square = mu.clone(), log_var.exp()

    def f(z):
        step = z - start
        return (slope * step + step**2 - square).sum(1)

    return f, mu, log_var


def observe_with(call, seed, last):
    """Shapes and noise of both gradients, then what `last(call, seed)` yields of their values, -> Facts."""
    for latent, samples in ((1, 1), (3, 1), (2, 5)):
        f, mu, log_var = place(latent, seed)
        found = call.tensors(2, f, mu, log_var, samples)
        for name, rows in zip(NAMES, found, strict=True):
            yield Fact(
                f"the shape of {name}'s gradients, {samples} of {latent} numbers, (K, L)", tuple(rows.shape)
            )
    yield from _noise_facts(call, place(1, seed))
    yield from last(call, seed)


def _noise_facts(call, given):
    """Whether the noise is fresh for each call and each sample."""
    first, second = (rows_of(call, given, 5) for _ in range(2))
    yield fresh("the noise of a second call with the same arguments", first[0], second[0])
    same = all(bool((rows == rows[:1]).all()) for rows in first)
    yield Fact("estimates that differ from sample to sample", not same)


def rows_of(call, given, samples):
    """Both gradients on the CPU, validated to be (K, L) each, -> list."""
    found = [rows.detach().cpu().double() for rows in call.tensors(2, *given, samples)]
    for rows in found:
        if rows.shape != (samples, len(given[1])):
            raise no_answer(
                f"It must return gradients of shape {(samples, len(given[1]))}, not {tuple(rows.shape)}."
            )
    return found


def fitted_facts(said, got, want, *others):
    """The regression got = a want + b others + residual, each (K, L), -> Facts: a is 1, the residual 0."""
    parts = torch.stack([want, *others], 2).transpose(0, 1)  # (L, K, P)
    found = torch.linalg.lstsq(parts, got.T[:, :, None]).solution  # (L, P, 1)
    left = (got.T - (parts @ found)[..., 0]) ** 2
    rest, share = left.sum(1) / (want**2).sum(0), found[:, 0, 0]
    error = (left.mean(1) * torch.linalg.pinv(parts.mT @ parts)[:, 0, 0]).sqrt()  # 0 for a right answer
    yield Fact(
        f"the regression coefficient of the estimates on {said}",
        share,
        0.02 * (1 + share.abs()) + SURE * error,
    )
    yield Fact(
        f"the share of the estimates that is not explained by {said}",
        rest,
        torch.where(rest < 0.05, 0.05, 0.3 * rest),
    )


def shown_with(reference):
    """A `show` with the spread of a thousand estimates beside that of the package's own."""

    def show(call, seed):
        given = place(1, seed)
        yours, target = rows_of(call, given, 1000), reference(*given, 1000)
        truths = (
            1.6,
            given[2].exp().item(),
        )  # of E f = 1.6 (mu - start) + (mu - start)^2 + exp(log_var) - square
        panels = {
            f"gradient with respect to {name}": ({"the target": b[:, 0], "yours": a[:, 0]}, truth)
            for name, a, b, truth in zip(NAMES, yours, target, truths, strict=True)
        }
        alt = "Histograms of a thousand gradient estimates, yours over the target's, and the true gradient."
        return Shown(lambda: pictures.spreads(panels, xlabel="one estimate", alt=alt))

    return show


def over_samples(estimate, reduce):
    """An estimator with something done to its rows."""
    return lambda *given: tuple(reduce(rows) for rows in estimate(*given))


def shared_mistakes(estimate):
    """What goes wrong with the samples in either estimator."""
    return (
        Mistake(
            "averaged over samples",
            "the samples are averaged or added up. Return one estimate for each sample, (K, L): their "
            "spread is what the lesson looks at.",
            COURSE,
            tuple(
                over_samples(estimate, lambda rows, how=how: how(rows))
                for how in (
                    lambda rows: rows.mean(0),
                    lambda rows: rows.sum(0),
                    lambda rows: rows.mean(0).expand_as(rows),
                )
            ),
        ),
        Mistake(
            "divided by the number of samples",
            "each estimate is divided by K, as when f(z).mean() is differentiated. Use f(z).sum(), so that "
            "each row keeps its own gradient.",
            PUBLIC,
            (over_samples(estimate, lambda rows: rows / len(rows)),),
        ),
        Mistake(
            "sign",
            "this is minus the gradient.",
            NEAR,
            (over_samples(estimate, torch.neg),),
        ),
        Mistake(
            "log_var before mu",
            "the gradients are in the wrong order: return those for mu first, then those for log_var.",
            NEAR,
            (lambda *given: tuple(estimate(*given))[::-1],),
        ),
        same_noise(estimate),
    )
