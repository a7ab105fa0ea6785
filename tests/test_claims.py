"""A claim holds or stops its lesson, in the same words."""

import json
import math

import numpy as np
import pytest
import torch

from vae_lessons.claims import claim, claims


def test_a_claim_that_holds_shows_number_and_bounds():
    assert claim("share", 0.4567, above=0.3) == "share: 0.4567, above 0.3"
    assert claim("gap", -2, below=0) == "gap: -2, below 0"
    assert claim("ratio", 1, above=0.9, below=1.1) == "ratio: 1, above 0.9 and below 1.1"


@pytest.mark.parametrize(
    ("value", "bounds"),
    [(0.3, {"above": 0.3}), (0.2, {"above": 0.3}), (5, {"below": 5})],
)
def test_a_claim_that_does_not_hold_stops(value, bounds):
    with pytest.raises(AssertionError, match="does not hold here: share: "):
        claim("share", value, **bounds)


@pytest.mark.parametrize("value", [math.inf, -math.inf, torch.tensor(math.nan)])
def test_a_value_that_is_not_finite_does_not_hold_and_is_said_to_be_so(value):
    with pytest.raises(AssertionError, match=rf"here: share: the value is not finite, but {float(value)}"):
        claim("share", value, above=-1e9, below=1e9)


def test_a_claim_takes_the_numbers_of_numpy_and_torch():
    for value in (np.float32(0.5), np.array([0.5]), torch.tensor(0.5), torch.tensor([0.5])):
        assert claim("share", value, above=torch.tensor(0.25)) == "share: 0.5, above 0.25"


@pytest.mark.parametrize("value", [None, "0.5", True, [1.0], torch.ones(2), torch.tensor(True)])
def test_what_is_no_number_is_no_claim(value):
    with pytest.raises(ValueError, match=r"share: a claim is about one number, not"):
        claim("share", value, above=0)


@pytest.mark.parametrize("bound", [math.nan, math.inf, "0", True])
def test_a_bound_is_a_finite_number(bound):
    with pytest.raises(ValueError, match="above must be a finite number, not"):
        claim("share", 1, above=bound)


def test_a_claim_needs_a_bound():
    with pytest.raises(ValueError, match="needs a bound"):
        claim("share", 1)


def test_claims_are_collected_whether_they_hold_or_not(tmp_path, monkeypatch):
    path = tmp_path / "claims.jsonl"
    monkeypatch.setenv("VAE_LESSONS_CLAIMS", str(path))
    claim("a", 1, above=0)
    with pytest.raises(AssertionError):
        claim("b", -1, above=0)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert rows == [
        {"what": "a", "value": 1.0, "above": 0, "below": None},
        {"what": "b", "value": -1.0, "above": 0, "below": None},
    ]


def test_claims_are_one_line_with_what_was_said_behind_a_fold():
    shown = claims(claim("a < b", 2, above=1), claim("c", 0.5, below=1))
    bundle = shown._repr_mimebundle_()
    assert repr(shown) == bundle["text/plain"] == "2 measured claims hold."
    assert bundle["text/html"].startswith("<details><summary>2 measured claims hold.</summary>")
    assert "<li>a &lt; b: 2, above 1</li><li>c: 0.5, below 1</li>" in bundle["text/html"]
    assert repr(claims(claim("a", 2, above=1))) == "1 measured claim holds."
    with pytest.raises(ValueError, match="at least one claim"):
        claims()
