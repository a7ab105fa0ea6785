"""Exercises beta_implied (10), active_units, choose_beta (09): mistakes are named, right answers pass."""

import numpy as np
import pytest
import torch
from check_over_seeds import assert_refused_and_named, assert_right, codes

from vae_lessons import check
from vae_lessons.check.engine.verdict import Unsolved

NAMES = ("beta_implied", "active_units")


def by_table(
    *,
    pixels,
    latent,
    reconstruction="bernoulli",
    over_pixels="sum",
    over_latent="sum",
    weight=1.0,
    kl_weight=1.0,
    sigma=1.0,
):
    scales = {"bernoulli": 1, "gaussian": 1, "squared error": 2 * sigma**2, "half squared error": sigma**2}
    r = scales[reconstruction] / (pixels if over_pixels == "mean" else 1)
    return kl_weight * (1 / latent if over_latent == "mean" else 1) / (weight * r)


def step_by_step(
    pixels,
    latent,
    reconstruction="bernoulli",
    over_pixels="sum",
    over_latent="sum",
    weight=1.0,
    kl_weight=1.0,
    sigma=1.0,
):
    beta = torch.tensor(kl_weight) / weight
    if over_pixels == "mean":
        beta = beta * pixels
    if over_latent == "mean":
        beta = beta / latent
    if "squared" in reconstruction:
        beta = beta / sigma**2
    return beta / 2 if reconstruction == "squared error" else beta


def one_line(mu, threshold=0.01):
    return (mu.var(0) > threshold).sum()


def column_by_column(mu, threshold=0.01):
    return sum(1 for column in mu.T if column.var(unbiased=False).item() > threshold)


def in_place(mu, threshold=0.01):
    mu -= mu.mean(0)
    return torch.count_nonzero((mu * mu).mean(0) > threshold).item()


RIGHT = {
    "beta_implied": (by_table, step_by_step, lambda **given: by_table(**given)),
    "active_units": (one_line, column_by_column, in_place),
}


@pytest.mark.parametrize(("name", "mistake", "code"), codes(NAMES))
def test_every_known_mistake_is_refused_and_named(name, mistake, code):
    assert_refused_and_named(name, mistake, code)


@pytest.mark.parametrize("name", NAMES)
def test_every_correct_style_is_right(name):
    assert_right(name, RIGHT[name])


def test_a_threshold_without_default_and_settings_without_theirs_are_passed_by_name():
    def units(mu, threshold):
        return (mu.var(0) > threshold).sum()

    def beta(pixels, latent, reconstruction, over_pixels, over_latent, weight, kl_weight, sigma):
        return by_table(**locals())

    assert check.active_units.judge(units).status == "right"
    assert check.beta_implied.judge(beta).status == "right"


@pytest.mark.parametrize("name", NAMES)
def test_senseless_answers_get_a_calm_verdict(name):
    exercise = getattr(check, name)
    arguments = {"beta_implied": "**given", "active_units": "mu, threshold=0.01"}[name]
    answers = {
        "'text'": "a str",
        "[1]": "a list",
        "torch.zeros(3)": "shape",
        "1 / 0": "ZeroDivisionError",
        "np.zeros(3)": "NumPy",
    }
    for answer, said in answers.items():
        verdict = exercise.judge(eval(f"lambda {arguments}: {answer}", {"torch": torch, "np": np}))
        assert verdict.status == "wrong"
        assert said in verdict.message
    for bad in ("text", None, 3):
        assert exercise.judge(bad).status == "wrong"
    assert exercise.judge(eval(f"lambda {arguments}: ...")).status == "untouched"


def test_missing_settings_are_told_by_name():
    verdict = check.beta_implied.judge(lambda pixels, latent: 1)
    assert verdict.status == "wrong"
    assert "reconstruction" in verdict.message


def test_the_solutions_are_the_packages_own():
    assert "def beta_implied" in check.beta_implied.solution()
    assert "def units" in check.active_units.solution()


# ------------------------------------------------------------------------------------- choose_beta

BETAS = (0, 0.1, 1, 3, 10, 784)
# Measured as lesson 09 does: data and seed, and nll, kl, coverage of each beta.
MEASURED = {
    "digits 0": (
        (144.31, 144.41, 147.03, 151.34, 166.12, 200.32),
        (17.6, 9.6, 5.45, 3.9, 1.99, 0),
        (0.61, 0.68, 0.82, 0.89, 0.9, 0.92),
    ),
    "digits 1": (
        (147.4, 147.87, 150.65, 155.03, 169.23, 200.28),
        (19.39, 10.75, 5.53, 3.84, 1.88, 0),
        (0.6, 0.64, 0.81, 0.89, 0.89, 1.0),
    ),
    "digits 2": (
        (143.92, 144.11, 146.43, 150.94, 165.87, 200.32),
        (20.26, 11.06, 5.7, 3.98, 2.03, 0),
        (0.48, 0.56, 0.81, 0.89, 0.92, 0.92),
    ),
    "mnist 0": (
        (151.81, 152.11, 154.44, 159.58, 169.86, 206.01),
        (18.63, 9.85, 5.24, 3.72, 2.02, 0),
        (0.64, 0.7, 0.84, 0.9, 0.91, 0.92),
    ),
    "mnist 1": (
        (151.79, 152.13, 154.18, 157.98, 170.18, 206.03),
        (19.49, 10.01, 5.29, 3.76, 2.02, 0),
        (0.59, 0.66, 0.82, 0.89, 0.91, 1.0),
    ),
}
ROWS = ("nll", "kl", "coverage")
SWEEPS = {
    name: {row: dict(zip(BETAS, each, strict=True)) for row, each in zip(ROWS, rows, strict=True)}
    for name, rows in MEASURED.items()
}
FINE = {"rebuild": {0, 0.1}, "draw": {1, 3, 10}, "compare": {1}, "few nats": {3, 10}}


@pytest.fixture(params=SWEEPS)
def sweep(request):
    return SWEEPS[request.param]


def test_the_same_betas_do_on_every_data_set_and_seed(sweep):
    for name, fine in FINE.items():
        for beta in BETAS:
            verdict = check.choose_beta.judge({name: beta}, sweep)
            assert verdict.status == ("untouched" if beta in fine else "wrong"), (name, beta)
    assert check.choose_beta.judge(check.choose_beta.reference, sweep).status == "right"


def test_the_blot_wins_no_purpose_and_is_told(sweep):
    (known,) = check.choose_beta.mistakes
    verdict = check.choose_beta.judge(known.codes[0], sweep)
    assert (verdict.status, verdict.mistake) == ("wrong", known.name)
    assert known.says in verdict.message


def test_a_right_choice_says_what_it_costs(sweep):
    message = check.choose_beta.judge(check.choose_beta.reference, sweep).message
    assert message.count("What it costs: ") == 4
    assert "reconstructs" in message
    assert "cover" in message


def test_no_choice_is_untouched_and_fails_in_strict_mode(sweep, monkeypatch):
    for nothing in (None, {}, ..., dict.fromkeys(check.PURPOSES)):
        assert check.choose_beta(nothing, sweep).status == "untouched"
    monkeypatch.setenv("VAE_LESSONS_STRICT", "1")
    with pytest.raises(Unsolved, match="still to be answered"):
        check.choose_beta({}, sweep)
    check.choose_beta(check.choose_beta.reference, sweep)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([1], "as a dict"),
        ("draw", "as a dict"),
        ({"x": 1}, "no purpose"),
        ({"draw": 5}, "no beta of the sweep"),
        ({"draw": "3"}, "no beta of the sweep"),
        ({"draw": [3]}, "no beta of the sweep"),
        ({"draw": True}, "is no beta"),
    ],
)
def test_unreadable_choices_are_told(answers, said):
    verdict = check.choose_beta.judge(answers, SWEEPS["digits 0"])
    assert verdict.status == "wrong"
    assert said in verdict.message


@pytest.mark.parametrize(
    "measured", [None, {}, {"nll": {1: 2}}, 3, {"nll": {1: 2}, "kl": {1: 2}, "coverage": {}}]
)
def test_a_sweep_without_its_rows_is_told(measured):
    assert "what was measured" in check.choose_beta.judge({"draw": 1}, measured).message
