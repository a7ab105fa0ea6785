"""A claim holds or stops its lesson, in the same words."""

import json

import pytest

from vae_lessons.claims import claim


def test_a_claim_that_holds_shows_number_and_bounds():
    assert claim("share", 0.4567, above=0.3) == "share: 0.4567, above 0.3"
    assert claim("gap", -2, below=0) == "gap: -2, below 0"
    assert claim("ratio", 1, above=0.9, below=1.1) == "ratio: 1, above 0.9 and below 1.1"


@pytest.mark.parametrize(
    ("value", "bounds"),
    [(0.3, {"above": 0.3}), (0.2, {"above": 0.3}), (5, {"below": 5}), (float("nan"), {"above": 0})],
)
def test_a_claim_that_does_not_hold_stops(value, bounds):
    with pytest.raises(AssertionError, match="does not hold here: share: "):
        claim("share", value, **bounds)


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
