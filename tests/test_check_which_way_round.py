"""Lesson 04: which_way_round: the pictures are what the key says; each answer is told from the others."""

from itertools import product

import pytest
import torch
from torch.distributions import Normal

from vae_lessons import check
from vae_lessons.check.engine.verdict import Unsolved
from vae_lessons.check.exercises.which_way_round import FITS, WAYS

KEY = check.which_way_round.reference
GRID = torch.linspace(-8, 8, 401, dtype=torch.float64)


@pytest.fixture(autouse=True)
def as_a_learner_runs_it(monkeypatch):
    monkeypatch.delenv("VAE_LESSONS_STRICT", raising=False)


def divergence(fit, mean, sigma):
    """The KL of a fit's own way round, by a sum over a grid."""
    x, y = torch.meshgrid(GRID, GRID, indexing="ij")
    area = (GRID[1] - GRID[0]) ** 2
    log_p = fit.log_p(x, y)
    log_p = log_p - log_p.logsumexp((0, 1)) - area.log()
    log_q = sum(Normal(m, s).log_prob(at) for m, s, at in zip(mean, sigma, (x, y), strict=True))
    first, second = (log_q, log_p) if fit.way == "q || p" else (log_p, log_q)
    return (first.exp() * (first - second)).sum() * area


@pytest.mark.parametrize("letter", FITS)
def test_no_gaussian_nearby_has_a_smaller_kl_and_the_other_way_round_one_has(letter):
    fit = FITS[letter]
    other = fit._replace(way=WAYS[fit.way == WAYS[0]])
    numbers = torch.tensor([*fit.mean, *fit.sigma], dtype=torch.float64)
    steps = [0.02 * sign * row for row in torch.eye(4, dtype=torch.float64) for sign in (1, -1)]

    def around(which):
        return torch.stack([divergence(which, *(numbers + step).split(2)) for step in steps])

    assert (around(fit) > divergence(fit, *numbers.split(2))).all()
    assert (around(other) < divergence(other, *numbers.split(2))).any()


def test_the_key_is_right_and_each_other_answer_is_wrong_and_names_a_wrong_picture():
    for ways in product(WAYS, repeat=len(FITS)):
        answers = dict(zip(FITS, ways, strict=True))
        told = check.which_way_round.judge(answers)
        assert told.status == ("right" if answers == KEY else "wrong")
        wrong = [letter for letter in FITS if answers[letter] != KEY[letter]]
        known = {mistake.name for mistake in check.which_way_round.mistakes}
        assert told.mistake in {None} if not wrong else {*known, f"way of {wrong[0]}"}


def test_every_mistake_is_refused_and_named():
    for mistake in check.which_way_round.mistakes:
        for answers in mistake.codes:
            told = check.which_way_round.judge(answers)
            assert (told.status, told.mistake, told.message) == (
                "wrong",
                mistake.name,
                f"Not yet: {mistake.says}",
            )


def test_a_wrong_answer_is_not_given_away_and_a_right_one_is_explained():
    told = check.which_way_round.judge(KEY | {"A": "p || q"})
    assert FITS["A"].why not in told.message
    assert all(FITS[letter].why in told.message for letter in "BCDE")


@pytest.mark.parametrize("spelling", ["q||p", "Q || P", "KL(q || p)", " q ||p "])
def test_an_answer_may_be_spelled_in_several_ways(spelling):
    answers = {letter: spelling if way == "q || p" else way for letter, way in KEY.items()}
    assert check.which_way_round.judge(answers).status == "right"


def test_no_answer_is_untouched_and_fails_in_strict_mode(monkeypatch):
    for nothing in (None, {}, ..., dict.fromkeys(FITS), dict.fromkeys(FITS, ...)):
        assert check.which_way_round(nothing).status == "untouched"
    assert check.which_way_round({"A": KEY["A"]}).status == "untouched"
    monkeypatch.setenv("VAE_LESSONS_STRICT", "1")
    with pytest.raises(Unsolved, match="still to be answered"):
        check.which_way_round({})
    check.which_way_round(KEY)


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([1], "as a dict"),
        ("q || p", "as a dict"),
        ({"Z": "q || p"}, "no picture"),
        ({"A": "q"}, "neither"),
        ({"A": 3}, "neither"),
        ({"A": ["q || p"]}, "neither"),
    ],
)
def test_unreadable_answers_are_told(answers, said):
    told = check.which_way_round.judge(answers)
    assert told.status == "wrong"
    assert said in told.message


def test_the_picture_has_all_five():
    picture = check.which_way_round.show()
    assert len(picture.png) > 5000
    assert "Five densities" in picture.caption
    assert all(letter in check.which_way_round.solution() for letter in FITS)
