"""What each exercise must do with its catalogue and with right answers, over ten seeds."""

import pytest

from vae_lessons import check

SEEDS = range(10)


def codes(names):
    """Every spelling of every known mistake of some exercises, as parameters (name, mistake, code)."""
    return [
        pytest.param(name, mistake, code, id=f"{name}: {mistake.name} {i}")
        for name in names
        for mistake in getattr(check, name).mistakes
        for i, code in enumerate(mistake.codes)
    ]


def assert_refused_and_named(name, mistake, code):
    for seed in SEEDS:
        verdict = getattr(check, name).judge(code, seed)
        assert (verdict.status, verdict.mistake) == ("wrong", mistake.name)
        assert mistake.says in verdict.message


def assert_right(name, styles):
    exercise = getattr(check, name)
    for seed in SEEDS:
        for function in (exercise.reference, *styles):
            assert exercise.judge(function, seed).status == "right", function
