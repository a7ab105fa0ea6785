"""Every known mistake of lessons 01 to 05 is refused and named; every right style passes."""

import math
from dataclasses import replace

import check_styles
import pytest
import torch
from check_styles import STYLES
from torch.nn import functional as F

from vae_lessons import check, losses
from vae_lessons.check.engine import meter
from vae_lessons.check.engine.exercise import nothing
from vae_lessons.gaussian import kl_standard_normal, log_density

SEEDS = range(10)
SLOW = (check_styles.draw_loop, check_styles.score_loop, check_styles.path_loop)  # thousands of steps each
ENTRIES = [
    pytest.param(name, mistake, id=f"{name}: {mistake.name}")
    for name in STYLES
    for mistake in getattr(check, name).mistakes
]


@pytest.fixture(autouse=True)
def as_a_learner_runs_it(monkeypatch):
    monkeypatch.delenv("VAE_LESSONS_STRICT", raising=False)


def quiet(name):
    """The exercise without its picture."""
    return replace(getattr(check, name), show=nothing)


@pytest.mark.parametrize(("name", "mistake"), ENTRIES)
def test_every_mistake_is_refused_and_named(name, mistake):
    exercise = quiet(name)
    for seed in SEEDS:
        for code in mistake.codes[seed % len(mistake.codes) :][:1] if seed else mistake.codes:
            told = exercise(code, seed)
            assert (told.status, told.mistake) == ("wrong", mistake.name), (seed, told.message)
            assert told.message == f"Not yet: {mistake.says}"


@pytest.mark.parametrize("name", STYLES)
def test_names_and_sentences_are_distinct_and_sourced(name):
    mistakes = getattr(check, name).mistakes
    assert len({m.name for m in mistakes}) == len({m.says for m in mistakes}) == len(mistakes)
    assert all(m.seen and m.codes and m.says.endswith((".", "?")) for m in mistakes)


@pytest.mark.parametrize("style", [pytest.param((n, f), id=f.__name__) for n in STYLES for f in STYLES[n]])
@pytest.mark.parametrize(("dtype", "seeds"), [(torch.float32, SEEDS), (torch.float64, range(10, 12))])
def test_every_style_passes(style, dtype, seeds):
    name, function = style
    torch.set_default_dtype(dtype)
    try:
        for seed in seeds[: 3 if function in SLOW else None]:
            told = quiet(name)(function, seed)
            assert told.status == "right", (seed, told.message)
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("name", STYLES)
def test_there_are_three_styles_and_the_package_itself_passes(name):
    assert len(STYLES[name]) >= 3
    assert all(quiet(name)(getattr(check, name).reference, seed).status == "right" for seed in SEEDS)


# ------------------------------------------------------------ what a catalogue of codes does not cover


def test_a_mistake_is_named_in_another_style_too():
    def sampler(mu, log_var):
        return torch.distributions.Normal(mu, torch.exp(log_var)).rsample()

    def loop(mu, log_var):
        return torch.stack([-(m**2 + v.exp() - 1 - v).sum() / 2 for m, v in zip(mu, log_var, strict=True)])

    def cloud(n, mean, covariance):
        return torch.stack([mean + covariance @ torch.randn_like(mean) for _ in range(n)])

    def no_gradient(mu, log_var):
        return torch.distributions.Normal(mu, torch.exp(log_var / 2)).sample()

    assert quiet("reparameterize")(sampler).mistake == "std = exp(log_var)"
    assert quiet("reparameterize")(no_gradient).mistake == "no gradient"
    assert quiet("kl_standard_normal")(loop).mistake == "sign"
    assert quiet("sample_cloud")(cloud).mistake == "covariance used as its factor"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_sampler_without_gradient_is_never_accepted(seed):
    told = check.reparameterize(lambda mu, log_var: torch.normal(mu, (log_var / 2).exp()), seed)
    assert (told.status, told.mistake) == ("wrong", "no gradient")


def test_noise_that_was_drawn_once_is_not_fresh():
    kept = {}

    def remembers(mu, log_var):
        eps = kept.setdefault(mu.shape, torch.randn(mu.shape))
        return mu + torch.exp(log_var / 2) * eps

    assert quiet("reparameterize")(remembers).mistake == "the same eps at each call"


def test_any_weights_of_a_linear_autoencoder_are_known_by_where_they_lead():
    generator = torch.Generator().manual_seed(5)

    def weights(x, mean, components):
        mixed = torch.randn(len(components), len(components), generator=generator) @ components
        return mean + (x - mean) @ mixed.T @ mixed

    assert quiet("pca_reconstruct")(weights).mistake == "linear-AE weights taken for principal components"


# ------------------------------------------------------------ two mistakes at once, and what is fragile


def kl_terms(mu, log_var):
    return (mu**2 + log_var.exp() - 1 - log_var) / 2


def mean_nll(x, logits):
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).mean(1)


RIGHT = {
    "elbo": losses.elbo,
    "vae_loss": losses.vae_loss,
    "bernoulli_nll": losses.bernoulli_nll,
    "autoencoder_loss": losses.autoencoder_loss,
    "kl_standard_normal": kl_standard_normal,
    "log_density": log_density,
    "beta_implied": losses.beta_implied,
}
CONSTANTS = {
    "multiplied by -1": -1,
    "multiplied by 2": 2,
    "divided by 2": 1 / 2,
    "divided by log 2": 1 / math.log(2),
    "divided by 2, and multiplied by -1": -1 / 2,
}


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize(("words", "constant"), CONSTANTS.items())
def test_a_right_answer_times_a_known_constant_is_named(name, words, constant):
    for seed in SEEDS:
        told = quiet(name).judge(lambda *given, **by_name: constant * RIGHT[name](*given, **by_name), seed)
        by_hand = told.mistake in {mistake.name for mistake in getattr(check, name).mistakes}
        assert by_hand or told.mistake.startswith(f"the right answer {words}"), told
        assert told.status == "wrong"


@pytest.mark.parametrize(
    ("name", "answer", "mistake"),
    [
        ("elbo", lambda x, *q: losses.elbo(x, *q) / x[0].numel(), "divided by the number of pixels"),
        (
            "vae_loss",
            lambda x, *q: losses.vae_loss(x, *q) / len(x),
            "the right answer divided by the number of images",
        ),
        (
            "vae_loss",
            lambda x, *q: -losses.vae_loss(x, *q) / x[0].numel(),
            "the right answer divided by the number of pixels, and multiplied by -1",
        ),
        (
            "elbo",
            lambda x, *q: losses.elbo(x, *q) / q[1].shape[1],
            "the right answer divided by the number of latent dimensions",
        ),
        (
            "elbo",
            lambda x, *q: losses.elbo(x, *q) * len(x),
            "the right answer multiplied by the number of images",
        ),
        (
            "kl_standard_normal",
            lambda *q: -kl_terms(*q).mean(1),
            "the right answer divided by the number of latent dimensions, and multiplied by -1",
        ),
        (
            "kl_standard_normal",
            lambda mu, lv: -(mu**2 + lv.exp() - lv).sum(1) / 2,
            "-1 dropped, multiplied by -1",
        ),
        (
            "elbo",
            lambda x, logits, *q: mean_nll(x, logits) + kl_terms(*q).mean(1),
            "mean over pixels and latent dimensions, multiplied by -1",
        ),
        (
            "elbo",
            lambda x, logits, *q: -mean_nll(x, logits) - 2 * kl_standard_normal(*q),
            "mean over pixels, and KL without its 1/2",
        ),
        (
            "vae_loss",
            lambda x, logits, mu, lv, beta=1.0: (
                mean_nll(x, logits) - beta * kl_standard_normal(mu, lv)
            ).mean(),
            "mean over pixels, and sign of the KL",
        ),
        (
            "vae_loss",
            lambda x, logits, mu, lv, beta=1.0: (mean_nll(x, logits) + kl_standard_normal(mu, lv)).mean(),
            "mean over pixels, and missing beta",
        ),
    ],
)
def test_two_mistakes_at_once_are_named(name, answer, mistake):
    for seed in SEEDS:
        told = quiet(name).judge(answer, seed)
        assert (told.status, told.mistake) == ("wrong", mistake)


def test_what_is_no_known_constant_is_not_called_one():
    assert quiet("elbo").judge(lambda *given: 0.9 * losses.elbo(*given)).mistake is None
    assert check.generate.judge(lambda model, n: 0.9 * model.sample(n)).mistake is None


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (check_styles.nll_formula, "at a logit of 20, for a pixel that is 0, yours gives inf where 20"),
        (check_styles.nll_loop, "at a logit of 20, for a pixel that is 0, yours gives 100 where 20 is right"),
        (lambda x, logits: ((1 + logits.exp()).log() - x * logits).flatten(1).sum(1), "at a logit of 100"),
        (check_styles.nll_stable, None),
        (check_styles.nll_logits, None),
        (check_styles.nll_softplus, None),
    ],
)
def test_what_is_right_but_fragile_is_right_with_a_remark(answer, said):
    bound = quiet("elbo").judge(lambda x, logits, *q: -answer(x, logits) - kl_standard_normal(*q))
    for told in (quiet("bernoulli_nll").judge(answer), bound):
        assert told.status == "right"
        assert (f"One remark: {said}" if said else "One remark") in told.message or not said
        assert bool(said) == ("F.binary_cross_entropy_with_logits" in told.message)


@pytest.mark.parametrize("given", ["logits", "probs"])
def test_a_bernoulli_that_refuses_grey_pixels_is_told_what_to_pass(given):
    def nll(x, logits):
        value = logits if given == "logits" else logits.sigmoid()
        rows = [
            -torch.distributions.Bernoulli(**{given: v}).log_prob(p).sum()
            for v, p in zip(value, x, strict=True)
        ]
        return torch.stack(rows)

    bound = quiet("elbo").judge(lambda x, logits, *q: -nll(x, logits) - kl_standard_normal(*q))
    for told in (quiet("bernoulli_nll").judge(nll), bound):
        assert (told.status, told.mistake) == ("wrong", "Bernoulli refuses grey pixels")
        assert "validate_args=False" in told.message


# ------------------------------------------------------------ the evidence meter


def bound(nll_weight=1.0, kl_weight=1.0):
    def elbo(x, logits, mu, log_var):
        return -nll_weight * losses.bernoulli_nll(x, logits) - kl_weight * kl_standard_normal(mu, log_var)

    return elbo


@pytest.mark.parametrize("seed", SEEDS)
def test_the_meter_is_content_with_the_elbo_for_any_seed(seed):
    shown = meter.read(losses.elbo, seed)
    assert shown.fine
    assert "the gap closes" in shown.says


@pytest.mark.parametrize(
    ("answer", "mistake", "said"),
    [
        (bound(kl_weight=0.5), "half the KL", "more than there is, so it is no bound"),
        (bound(kl_weight=2.0), "twice the KL", "the gap stays open"),
        (bound(kl_weight=0.0), "KL left out", "more than there is, so it is no bound"),
        (bound(nll_weight=1 / 12), None, "more than there is, so it is no bound"),
        (bound(-1.0, -1.0), "sign", "more than there is, so it is no bound"),
        (lambda *given: bound()(*given) * math.nan, None, "more than there is, so it is no bound"),
    ],
)
def test_the_meter_reads_wrong_bounds(answer, mistake, said):
    told = check.elbo(answer)
    assert (told.status, told.mistake) == ("wrong", mistake)
    assert said in told.message
    assert "log p(x) is" in told.message
    assert said in told.picture.caption
    assert len(told.picture.png) > 1000


def test_the_meter_takes_part_in_the_verdict():
    """Right on small images, wrong on those of the meter's 12 pixels: values alone would not tell."""

    def elbo(x, logits, mu, log_var):
        weight = 0.5 if x.shape[1:] == (12,) else 1.0
        return bound(kl_weight=weight)(x, logits, mu, log_var)

    assert quiet("elbo")(elbo).status == "right"
    told = check.elbo(elbo)
    assert (told.status, told.mistake) == ("wrong", None)
    assert "more than there is" in told.message


def test_what_the_meter_cannot_read_is_not_right():
    def elbo(x, logits, mu, log_var):
        if len(x) > 10:
            raise ValueError("too many images")
        return bound()(x, logits, mu, log_var)

    told = check.elbo(elbo)
    assert told.status == "wrong"
    assert "cannot read it: Your code stopped with ValueError: too many images" in told.message


def test_z_equal_to_mu_claims_more_than_there_is():
    def without_noise(x, logits, mu, log_var):
        return losses.elbo(x, meter.PIXELS.decode(mu), mu, log_var)

    assert not meter.read(without_noise, 0).fine
    assert quiet("reparameterize")(lambda mu, log_var: mu).mistake == "noise left out"


def test_a_right_elbo_shows_the_gap():
    told = check.elbo(losses.elbo)
    assert told.status == "right"
    assert "the gap closes" in told.message
    assert told.picture.caption.startswith("The evidence meter: claimed")
