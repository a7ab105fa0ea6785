"""The exercise on the score function estimator, and how it goes wrong."""

import torch

from vae_lessons import estimators
from vae_lessons.check.engine import COURSE, NEAR, PUBLIC, Exercise, Fact, Mistake, no_answer, placed
from vae_lessons.check.engine.gradient_estimates import (
    NAMES,
    SAMPLES,
    fitted_facts,
    observe_with,
    place,
    rows_of,
    shared_mistakes,
    shown_with,
)
from vae_lessons.check.engine.moments import mean_fact, pooled_facts, spread_fact


def _step(z):
    """A step at 0.2, with mean 0 for z ~ N(0, e^0.2); its derivative is 0 where it exists."""
    return (z[:, 0] > 0.2).to(z.dtype) - 0.4282 + 0 * z.sum(1)


class _Watched:
    """f, recording the samples at which it is evaluated."""

    def __init__(self, f):
        self.f, self.z, self.values = f, [], []

    def __call__(self, z):
        value = self.f(z)
        self.z.append(z.detach().clone())
        self.values.append(value.detach().clone())
        return value

    def last(self, samples):
        """The last K samples and their values, from which an estimate was made."""
        if sum(map(len, self.z)) < samples:
            raise no_answer(
                f"f must be evaluated at each of the {samples} samples; it was at {sum(map(len, self.z))}."
            )
        return [torch.cat(parts)[-samples:].cpu().double() for parts in (self.z, self.values)]


class _Told:
    """An f that returns given values, one for each new sample."""

    def __init__(self, *values):
        self.values, self.seen = values, {}

    def __call__(self, z):
        rows = map(tuple, z.detach().tolist())
        found = [self.seen.setdefault(row, self.values[min(len(self.seen), 1)]) for row in rows]
        return z.new_tensor(found) + 0 * z.sum(1)


def _own_share(call, given):
    """By how much the baseline of the first of two samples depends on that sample's own value, -> Fact."""
    _, mu, log_var = given
    baselines = []
    for value in (1.0, 0.0):
        watched = _Watched(_Told(value, 0.0))
        rows, _ = rows_of(call, (watched, mu, log_var), 2)
        eps = (watched.last(2)[0] - mu.cpu().double()) / torch.exp(log_var / 2).cpu().double()
        score = eps / torch.exp(log_var / 2).cpu().double()
        baselines.append(value - (rows[0] * score[0]).sum() / (score[0] ** 2).sum())
    asked = "how much the baseline of a sample depends on that sample's own value, with two samples"
    return Fact(asked, baselines[0] - baselines[1], 0.02)


def _ideal_facts(call, given, samples, said):
    """How the estimates follow from f(z) dlog q(z) of the same samples, with any baseline, -> Facts."""
    f, mu, log_var = given
    sigma, watched = torch.exp(log_var / 2).cpu().double(), _Watched(f)
    rows = rows_of(call, (watched, mu, log_var), samples)
    z, value = watched.last(samples)
    eps = (z - mu.cpu().double()) / sigma
    yield mean_fact(f"the mean of (z - mu) / sigma where f is evaluated, {said}", eps)
    yield spread_fact(f"the spread of (z - mu) / sigma where f is evaluated, {said}", eps)
    yield from pooled_facts(f"(z - mu) / sigma where f is evaluated, {said}", eps)
    for name, got, score in zip(NAMES, rows, (eps / sigma, (eps**2 - 1) / 2), strict=True):
        want = value[:, None] * score
        asked, error, slack = mean_fact(
            f"the error of the gradient for {name}, mean of all, {said}", got - want
        )
        yield Fact(asked, error, slack + 10 * want.std(0) / samples)
        yield from fitted_facts(f"f(z) dlog q(z)/d{name}, {said}", got, want, score)  # any baseline


def _of_values_only(call, seed):
    """What must hold with any baseline: for a smooth f, for a step, and for two samples."""
    for latent, samples in SAMPLES:
        yield from _ideal_facts(call, place(latent, seed), samples, f"{latent} number{'s' * (latent > 1)}")
    mu, log_var = (placed(torch.tensor([v], dtype=torch.float64, device="cpu")) for v in (0.0, 0.2))
    yield from _ideal_facts(call, (_step, mu, log_var), SAMPLES[0][1], "where f is a step at 0.2")
    yield _own_share(call, place(3, seed))


def _observe(call, seed):
    return observe_with(call, seed, _of_values_only)


def _score(weight_mu, weight_log_var, value_of=None):
    """A score function estimator with other weights: functions of eps and sigma, (K, L) -> (K, L)."""

    @torch.no_grad()
    def score_function_gradient(f, mu, log_var, samples):
        sigma = torch.exp(log_var / 2)
        eps = torch.randn(samples, len(mu), device=mu.device, dtype=mu.dtype)
        value = f(mu + sigma * eps)
        value = (value if value_of is None else value_of(value))[:, None]
        return value * weight_mu(eps, sigma), value * weight_log_var(eps, sigma)

    return score_function_gradient


def _mu(eps, sigma):
    return eps / sigma


def _log_var(eps, sigma):
    return (eps**2 - 1) / 2


def _not_detached(f, mu, log_var, samples):
    """f(z) log q(z), differentiated also through z."""
    rows = [t.expand(samples, -1).clone().requires_grad_() for t in (mu, log_var)]
    q = torch.distributions.Normal(rows[0], torch.exp(rows[1] / 2))
    z = q.rsample()
    return torch.autograd.grad((f(z).detach() * q.log_prob(z).sum(1)).sum(), rows)


def _both(f, mu, log_var, samples):
    """f(z) log q(z) with a gradient through f as well."""
    rows = [t.expand(samples, -1).clone().requires_grad_() for t in (mu, log_var)]
    q = torch.distributions.Normal(rows[0], torch.exp(rows[1] / 2))
    z = q.rsample()
    value = f(z)
    return torch.autograd.grad((value + value.detach() * q.log_prob(z.detach()).sum(1)).sum(), rows)


score_function_gradient = Exercise(
    name="score_function_gradient",
    parameters=("f", "mu", "log_var", "samples"),
    reference=estimators.score_function_gradient,
    observe=_observe,
    show=shown_with(estimators.score_function_gradient),
    verified=(
        "the estimates from 600 and 1,500 samples agree in one and in eight dimensions, also where f is a "
        "step, and with two samples a call no baseline depends on its own sample."
    ),
    mistakes=(
        Mistake(
            "sigma left out",
            "dlog q/dmu is eps / sigma = (z - mu) / sigma^2. The division by sigma is missing.",
            NEAR,
            (_score(lambda eps, sigma: eps, _log_var),),
        ),
        Mistake(
            "divided by sigma twice",
            "dlog q/dmu is eps / sigma, which is (z - mu) / sigma^2. Here eps is divided by sigma^2, or z - "
            "mu by the variance squared.",
            NEAR,
            tuple(_score(lambda eps, sigma, n=n: eps / sigma**n, _log_var) for n in (2, 3)),
        ),
        Mistake(
            "missing 1/2",
            "dlog q/dlog_var is (eps^2 - 1) / 2. The half is missing.",
            NEAR,
            (_score(_mu, lambda eps, sigma: eps**2 - 1),),
        ),
        Mistake(
            "-1 dropped",
            "dlog q/dlog_var is (eps^2 - 1) / 2. The -1, from the log of sigma before the exponential, is "
            "missing.",
            NEAR,
            (_score(_mu, lambda eps, sigma: eps**2 / 2),),
        ),
        Mistake(
            "gradient for sigma, not log_var",
            "this is dlog q/dsigma = (eps^2 - 1) / sigma. With respect to log_var it is (eps^2 - 1) / 2.",
            NEAR,
            (_score(_mu, lambda eps, sigma: (eps**2 - 1) / sigma),),
        ),
        Mistake(
            "f left out",
            "the values of f are missing: the mean of dlog q by itself is 0. Multiply each sample's dlog q "
            "by its f(z).",
            NEAR,
            (_score(_mu, _log_var, torch.ones_like),),
        ),
        Mistake(
            "baseline that sees its own sample",
            "the baseline is the mean over all samples, including the sample itself. That makes the "
            "gradient too small by a factor 1 - 1/K. Use the mean of the others.",
            COURSE,
            (_score(_mu, _log_var, lambda value: value - value.mean()),),
        ),
        Mistake(
            "goes through f",
            "this uses the derivative of f, which is 0 if f is a step. The score function estimator uses "
            "only the values of f: f(z) times dlog q(z), with z fixed.",
            COURSE,
            (estimators.reparameterized_gradient,),
        ),
        Mistake(
            "z not detached",
            "z still depends on mu and log_var when log q(z) is differentiated, so that the gradient for mu "
            "is 0. Keep z fixed: use z.detach() or .sample().",
            PUBLIC,
            (_not_detached,),
        ),
        Mistake(
            "both estimators added up",
            "the gradient through f is added to that of the score function. Each is the whole gradient.",
            COURSE,
            (_both,),
        ),
        *shared_mistakes(estimators.score_function_gradient),
    ),
    hints=(
        "One estimate is f(z) times the gradient of log q(z), with z fixed.",
        "dlog q/dmu = eps / sigma and dlog q/dlog_var = (eps^2 - 1) / 2, with z = mu + sigma eps.",
        "f(z) is (K,): make it (K, 1) before you multiply, so that each sample keeps its own row.",
    ),
)
