"""The exercise on estimating a KL divergence from draws, and how it goes wrong."""

import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from vae_lessons import estimators
from vae_lessons.check.engine import (
    COURSE,
    NEAR,
    PUBLIC,
    Call,
    Exercise,
    Fact,
    Mistake,
    Shown,
    pictures,
    placed,
)

DRAWS = 40  # asked for where values are compared


class Counted:
    """A distribution that hands out a fixed list of draws, one after the other, and counts them.

    Whoever draws them one by one gets the same as who draws all at once, so answers can be compared exactly.
    """

    def __init__(self, base):
        self.base, self.drawn = base, 0
        self.kept = base.sample((20 * DRAWS,))

    def sample(self, sample_shape=()):
        """The next draws, (*sample_shape, ...), from the first again when all are used."""
        shape = torch.Size(sample_shape)
        numbers = torch.arange(self.drawn, self.drawn + shape.numel(), device=self.kept.device)
        self.drawn += shape.numel()
        return self.kept[numbers % len(self.kept)].reshape((*shape, *self.base.event_shape))

    rsample = sample

    def __getattr__(self, name):
        return getattr(self.base, name)


def _normal(*numbers):
    return Normal(*(placed(torch.tensor(x, dtype=torch.float64, device="cpu")) for x in numbers))


def _pairs():
    """What is asked: a title, q and p. No KL is near 0, and none is near that of the other way round."""
    yield "q = N(1, 0.25), p = N(0, 1)", _normal(1.0, 0.5), _normal(0.0, 1.0)
    weights = placed(torch.tensor([0.3, 0.7], dtype=torch.float64, device="cpu"))
    peaks = MixtureSameFamily(Categorical(weights), _normal([-2.0, 2.0], [0.6, 0.5]))
    yield "q with two peaks, p = N(0.5, 9)", peaks, _normal(0.5, 3.0)
    q, p = _normal([1.0, -0.5, 0.0], [0.7, 1.4, 0.4]), _normal([0.0, 0.5, 0.3], [1.1, 0.8, 1.0])
    yield "q and p of three numbers", Independent(q, 1), Independent(p, 1)


def _observe(call, seed):
    pairs = [(title, Counted(q), Counted(p)) for title, q, p in _pairs()]
    for title, q, p in pairs:
        answer = call.number(q, p, DRAWS)
        yield Fact(f"draws of q that it takes, for samples = {DRAWS}", q.drawn)
        yield Fact(f"draws of p that it takes, for samples = {DRAWS}", p.drawn)
        if q.drawn not in (0, DRAWS):
            return  # its values depend on how many there are
        value = torch.tensor(answer, dtype=torch.float64)
        yield Fact(f"the estimate from {DRAWS} draws, {title}", value, 1e-4 * (1 + abs(value).nan_to_num()))
    _, q, p = next(_pairs())
    first, second = (call.number(q, p, 5) for _ in range(2))
    yield Fact("the draws of a second call", "the same" if first == second else "other ones")


def _show(call, seed):
    _, q, p = next(_pairs())
    q, p = Counted(q), Counted(p)
    samples = torch.arange(20, 801, 20)
    answers = {"the target": [], "yours": []}
    for name, one in (("the target", Call(estimators.kl_monte_carlo)), ("yours", call)):
        for count in samples.tolist():
            q.drawn = p.drawn = 0  # the same draws for both, and some more each time
            answers[name].append(one.number(q, p, count))
    panels = {"KL of N(1, 0.25) and N(0, 1)": {name: torch.tensor(y) for name, y in answers.items()}}
    alt = "Estimates of one KL against the number of draws, the target's and yours, from the same draws."
    return Shown(lambda: pictures.lines(samples, panels, xlabel="samples", ylabel="nats", alt=alt))


def _with(reduce, draw=lambda q, p, samples: q.sample((samples,))):
    """An estimate with something else done to the two log-densities: reduce(log_q, log_p)."""

    def kl_monte_carlo(q, p, samples):
        z = draw(q, p, samples)
        return reduce(q.log_prob(z), p.log_prob(z))

    return kl_monte_carlo


def _of_p(q, p, samples):
    return p.sample((samples,))


def _always(count):
    return _with(lambda log_q, log_p: (log_q - log_p).mean(), lambda q, p, samples: q.sample((count,)))


def _on_a_grid(q, p, samples):
    return _with(
        lambda log_q, log_p: (log_q - log_p).mean(),
        lambda q, p, samples: placed(torch.randn(samples, *q.event_shape, device="cpu")),
    )(q, p, samples)


def _drawn_twice(q, p, samples):
    return q.log_prob(q.sample((samples,))).mean() - p.log_prob(q.sample((samples,))).mean()


def _each_its_own(q, p, samples):
    return q.log_prob(q.sample((samples,))).mean() - p.log_prob(p.sample((samples,))).mean()


def _seeded(q, p, samples):
    torch.manual_seed(0)
    return estimators.kl_monte_carlo(q, p, samples)


def _took(of_q, of_p):
    """A trait: whether the first counts of draws are such."""
    return lambda facts: len(facts) > 1 and of_q(facts[0].value) and of_p(facts[1].value)


kl_monte_carlo = Exercise(
    name="kl_monte_carlo",
    parameters=("q", "p", "samples"),
    reference=estimators.kl_monte_carlo,
    observe=_observe,
    show=_show,
    verified=(
        "the mean log-ratio of exactly the draws that it took of q, for two Gaussians, for a q with two "
        "peaks and in three dimensions, with fresh draws at each call."
    ),
    mistakes=(
        Mistake(
            "sign",
            "this is the mean of log p - log q over draws of q, which is minus the KL. Draws of q speak for "
            "q on average: log q comes first.",
            PUBLIC,
            (_with(lambda log_q, log_p: (log_p - log_q).mean()),),
        ),
        Mistake(
            "KL(p || q)",
            "this is KL(p || q), the other way round: the average over draws of p. Asked is the average over "
            "draws of q.",
            PUBLIC,
            (_with(lambda log_q, log_p: (log_p - log_q).mean(), _of_p),),
        ),
        Mistake(
            "draws of p",
            "the log-ratio is right, but it is averaged over draws of p. The expectation is over q: draw z "
            "from q.",
            COURSE,
            (_with(lambda log_q, log_p: (log_q - log_p).mean(), _of_p),),
        ),
        Mistake(
            "each density at its own draws",
            "log q is averaged over draws of q and log p over draws of p. Both must be taken at the "
            "same z, drawn from q.",
            COURSE,
            (_each_its_own,),
        ),
        Mistake(
            "two sets of draws",
            "log q and log p are taken at different draws, twice as many as asked. The average is right, but "
            "it scatters more: use the same z for both.",
            NEAR,
            (_drawn_twice,),
        ),
        Mistake(
            "the samples are not counted",
            "it takes another number of draws than asked. The argument samples says how many.",
            PUBLIC,
            (_always(1), _always(1000), lambda q, p, samples: _always(samples - 1)(q, p, samples)),
            _took(lambda of_q: of_q not in (0, DRAWS), lambda of_p: of_p == 0),
        ),
        Mistake(
            "no draws",
            "it draws neither from q nor from p. Monte Carlo averages over draws of q: q.sample((samples,)).",
            NEAR,
            (_on_a_grid,),
            _took(lambda of_q: of_q == 0, lambda of_p: of_p == 0),
        ),
        Mistake(
            "ratio without its log",
            "this averages the ratio q / p itself. The KL is the average of its logarithm, log q - log p.",
            COURSE,
            (
                _with(lambda log_q, log_p: (log_q - log_p).exp().mean()),
                _with(lambda log_q, log_p: (log_p - log_q).exp().mean()),
            ),
        ),
        Mistake(
            "ratio of log-densities",
            "one log-density is divided by the other. The log of a ratio is a difference: log q - log p.",
            COURSE,
            (_with(lambda log_q, log_p: (log_q / log_p).mean()),),
        ),
        Mistake(
            "log of the mean",
            "the logarithm is taken after the mean. Take it for each draw, then average: the log of a "
            "mean is another number, and for p / q it tends to 0.",
            COURSE,
            (
                _with(lambda log_q, log_p: (log_q - log_p).exp().mean().log()),
                _with(lambda log_q, log_p: -(log_p - log_q).exp().mean().log()),
                _with(lambda log_q, log_p: log_q.exp().mean().log() - log_p.exp().mean().log()),
            ),
        ),
        Mistake(
            "difference of densities",
            "this averages q(z) - p(z), the densities. The KL has their logarithms: log_prob gives them.",
            NEAR,
            (_with(lambda log_q, log_p: (log_q.exp() - log_p.exp()).mean()),),
        ),
        Mistake(
            "log of log_prob",
            "the logarithm is taken twice: log_prob gives the log-density already.",
            PUBLIC,
            (_with(lambda log_q, log_p: (log_q.log() - log_p.log()).mean()),),
        ),
        Mistake(
            "weighted by q again",
            "each draw is weighted by q(z) once more, as in the integral. The draws come from q, so where q "
            "is large there are more of them already: take the plain mean.",
            PUBLIC,
            (
                _with(lambda log_q, log_p: (log_q.exp() * (log_q - log_p)).mean()),
                _with(lambda log_q, log_p: (log_q.exp() * (log_q - log_p)).sum()),
                _with(lambda log_q, log_p: (log_q.softmax(0) * (log_q - log_p)).sum()),
            ),
        ),
        Mistake(
            "summed over draws",
            "the log-ratios are added up. The KL is their mean, which does not grow with their number.",
            PUBLIC,
            (_with(lambda log_q, log_p: (log_q - log_p).sum()),),
        ),
        Mistake(
            "not averaged",
            "there is one log-ratio for each draw. The KL is their mean, one number.",
            NEAR,
            (_with(lambda log_q, log_p: log_q - log_p),),
        ),
        Mistake(
            "p left out",
            "log p is missing. The mean of log q over draws of q is minus the entropy of q.",
            NEAR,
            (_with(lambda log_q, log_p: log_q.mean()), _with(lambda log_q, log_p: -log_q.mean())),
        ),
        Mistake(
            "q left out",
            "log q is missing. The mean of -log p over draws of q is the cross-entropy.",
            PUBLIC,
            (_with(lambda log_q, log_p: -log_p.mean()), _with(lambda log_q, log_p: log_p.mean())),
        ),
        Mistake(
            "absolute log-ratios",
            "the log-ratios are made positive first. Some draws of q speak for p; they count as negative.",
            NEAR,
            (_with(lambda log_q, log_p: (log_q - log_p).abs().mean()),),
        ),
        Mistake(
            "negative log-ratios cut off",
            "negative log-ratios are set to 0. Only the mean is never negative; single draws may be.",
            PUBLIC,
            (_with(lambda log_q, log_p: (log_q - log_p).clamp(min=0).mean()),),
        ),
        Mistake(
            "half the squared log-ratio",
            "this is the mean of half the squared log-ratio, which is near the KL only where q and p are "
            "nearly the same.",
            "loops that keep a language model near another one (Schulman 2020 calls it k2)",
            (_with(lambda log_q, log_p: (log_q - log_p).square().mean() / 2),),
        ),
        Mistake(
            "another estimator",
            "p / q - 1 is added to the log-ratio of each draw. Its average is 0, so this estimates the KL, "
            "too, but asked is the plain mean of the log-ratio.",
            "loops that keep a language model near another one (Schulman 2020 calls it k3)",
            (_with(lambda log_q, log_p: ((log_p - log_q).exp() - 1 - (log_p - log_q)).mean()),),
        ),
        Mistake(
            "the same draws at each call",
            "each call uses the same draws, as with a seed inside the function. They must be fresh at each "
            "call.",
            PUBLIC,
            (_seeded,),
        ),
    ),
    hints=(
        "The KL is an expectation over q. What do you replace an expectation by?",
        "z = q.sample((samples,)) draws from q. q.log_prob(z) and p.log_prob(z) are both (samples,).",
        "The log-ratio of a draw is log q(z) - log p(z). Take the mean over the draws.",
    ),
)
