"""The clinic of lesson 06: each bug shows the signature told of it, and diagnoses get their verdicts."""

import os

import pytest
import torch

from vae_lessons import check
from vae_lessons.check.clinic import patients as trained
from vae_lessons.check.clinic.bugs import CATALOGUE, PATIENTS, Healthy
from vae_lessons.check.clinic.patients import EPOCHS, LETTERS, examine
from vae_lessons.check.engine.verdict import Unsolved
from vae_lessons.data import load
from vae_lessons.plots import Picture

# What gives each bug away, in its numbers and the healthy model's. Of the bugs that are not among the
# patients these are the words in `else_seen`.
SIGNATURES = {
    "no KL": lambda p, h: p["kl"] > 2 * h["kl"] and 10 < p["kl"] < 30 and p["sigma"] < 0.01,
    "KL with the wrong sign": lambda p, h: p["kl"] > 1e6 and p["nll"] > h["nll"] + 20,
    "reconstruction averaged over pixels": lambda p, h: (
        p["kl"] < 0.01 and p["spread"] < 0.01 and p["grey"] < 0.9
    ),
    "no noise": lambda p, h: p["sigma"] > 0.9 and 0.3 < p["kl"] < 2 and p["nll"] < h["nll"] + 5,
    "sigma = exp(log_var)": lambda p, h: (
        2 < p["kl"] < 0.8 * h["kl"] and abs(p["nll"] - h["nll"]) < 5 and p["spread"] > 0.7 * h["spread"]
    ),
    "ReLU on mu": lambda p, h: p["lowest"] >= 0 and p["nll"] > h["nll"] + 2,
    "tanh on mu": lambda p, h: p["kl"] > 3 and 0.9 < p["reach"] <= 1 and p["lowest"] < -0.9,
    "ReLU on log_var": lambda p, h: 1 <= p["sigma"] < 1.01 and p["reach"] > 5.5 and p["nll"] > h["nll"] + 5,
    "sigmoid twice": lambda p, h: p["palest"] >= 0.5 and p["nll"] > 535,
    "draws from a uniform": lambda p, h: healthy_training(p, h) and p["spread"] < 0.6 * h["spread"],
    "draws far too wide": lambda p, h: healthy_training(p, h) and p["spread"] > 1.8 * h["spread"],
    "logits shown as pictures": lambda p, h: (
        healthy_training(p, h) and p["grey"] < 0.15 and p["spread"] < 1.5 * h["spread"]
    ),
}


def healthy_training(p, h):
    return abs(p["nll"] - h["nll"]) < 5 and abs(p["kl"] - h["kl"]) < 0.8 and p["reach"] > 2.5


def fits(numbers, healthy):
    """The bugs whose signature a patient shows."""
    return [name for name, shows in SIGNATURES.items() if shows(numbers, healthy)]


@pytest.fixture(scope="module")
def data():
    return load("digits")


@pytest.fixture(scope="module")
def patients(data):
    return check.clinic.train(data, seed=0)


@pytest.fixture
def key(patients):
    return check.clinic.key()


def test_six_patients_and_a_healthy_one(patients, key):
    assert [patient.name for patient in patients] == ["healthy", *LETTERS]
    assert set(key.values()) == set(PATIENTS)
    assert set(PATIENTS) < set(check.BUGS) == set(CATALOGUE) == set(SIGNATURES)
    for patient in patients:
        assert len(patient.scores) == EPOCHS + 1
        assert patient.draws.shape == (500, 1, 28, 28)
        assert not any(name in repr(patient) for name in PATIENTS)


def assert_told_apart(patients, key):
    healthy = patients[0].numbers
    assert fits(healthy, healthy) == []
    assert {patient.name: fits(patient.numbers, healthy) for patient in patients[1:]} == {
        letter: [name] for letter, name in key.items()
    }


def test_each_patient_shows_its_signature_and_no_other(patients, key):
    assert_told_apart(patients, key)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_each_patient_shows_its_signature_with_every_seed(data, seed):
    assert_told_apart(check.clinic.train(data, seed=seed), check.clinic.key())


@pytest.mark.slow
@pytest.mark.skipif(
    "VAE_LESSONS_DATA_DIR" not in os.environ, reason="MNIST is read from VAE_LESSONS_DATA_DIR"
)
@pytest.mark.parametrize("seed", [0, 1])
def test_each_patient_shows_its_signature_on_mnist(seed):
    assert_told_apart(check.clinic.train(load("mnist"), seed=seed), check.clinic.key())


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_bugs_that_no_patient_has_look_as_they_are_said_to(data, seed):
    x, held_out = data.train.first(3000).x, data.test.first(500)
    healthy = examine("healthy", Healthy, x, held_out, seed).numbers
    for name in set(CATALOGUE) - set(PATIENTS):
        numbers = examine(name, CATALOGUE[name].model, x, held_out, seed).numbers
        assert fits(numbers, healthy) == [name], numbers


def test_the_letters_do_not_give_the_order_away():
    orders = []
    for seed in range(5):
        generator = torch.Generator().manual_seed(seed + 6)
        orders.append(tuple(torch.randperm(len(PATIENTS), generator=generator).tolist()))
    assert len(set(orders)) == 5
    assert tuple(range(6)) not in orders
    assert all(len({order[i] for order in orders}) > 1 for i in range(6))


def test_training_leaves_the_random_state_and_repeats_itself(data, patients):
    before = torch.get_rng_state()
    small = data._replace(train=data.train.first(200))
    again = [check.clinic.train(small, seed=0)[1].scores for _ in range(2)]
    assert again[0] == again[1]
    assert torch.equal(torch.get_rng_state(), before)


@pytest.fixture(autouse=True)
def _same_ward(patients):
    """Every test finds the patients of seed 0."""
    ward = check.clinic.ward()
    yield
    trained._ward.clear()
    trained._ward.update(ward)


def test_the_picture_says_in_words_what_it_shows(patients):
    picture = check.clinic.show(patients)
    assert isinstance(picture, Picture)
    for patient in patients:
        assert f"{patient.name}: nll {patient.numbers['nll']:.0f}" in picture.caption
    assert not any(name in picture.caption for name in PATIENTS)
    assert len(picture.png) < 300_000


# ------------------------------------------------------------------------------------- the verdicts


def test_all_six_right(key):
    verdict = check.bug_clinic(key)
    assert verdict.status == "right"
    for letter, name in key.items():
        assert f"{letter} is {name!r}" in verdict.message
    for line in (
        "return Terms(nll, 0 * kl)",
        "return mu",
        "torch.tanh(mu)",
        "torch.rand(",
        "nll / 784",
        "torch.sigmoid(super()",
    ):
        assert line in verdict.message  # the buggy line of each
    assert verdict.message.count("# healthy: ") == 6
    assert (
        check.bug_clinic.judge({letter: f" {name.upper()} " for letter, name in key.items()}).status
        == "right"
    )
    assert check.bug_clinic.reference == key


@pytest.mark.parametrize("bug", CATALOGUE)
def test_a_wrong_name_is_told_what_that_bug_looks_like(bug, key):
    for letter, name in key.items():
        verdict = check.bug_clinic.judge({letter: bug})
        assert (verdict.status, verdict.mistake) == (("untouched", None) if bug == name else ("wrong", bug))
        assert (CATALOGUE[bug].else_seen in verdict.message) == (bug != name)
        others = [other for other in PATIENTS if other != bug]
        assert not any(f"is {other!r}" in verdict.message for other in others)  # nothing is given away


def test_no_names_and_some_names(key, monkeypatch):
    for nothing in (None, {}, ..., dict.fromkeys(key)):
        assert check.bug_clinic(nothing).status == "untouched"
    some = check.bug_clinic({"A": key["A"], "B": None})
    assert some.status == "untouched"
    assert "So far all right; B, C, D, E and F" in some.message
    monkeypatch.setenv("VAE_LESSONS_STRICT", "1")
    with pytest.raises(Unsolved, match="still to be answered"):
        check.bug_clinic({})
    with pytest.raises(Unsolved, match="millions of nats"):
        check.bug_clinic(check.bug_clinic.mistakes[0].codes[0])
    assert check.bug_clinic(key).status == "right"


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (["no KL"], "as a dict"),
        ("no KL", "as a dict"),
        ({"G": "no KL"}, "no patient 'G'"),
        ({"A": "no kll"}, "'no KL' is"),
        ({"A": 7}, "not in check.BUGS"),
        ({"A": "flu"}, "not in check.BUGS"),
    ],
)
def test_unreadable_answers_are_told(answers, said):
    verdict = check.bug_clinic.judge(answers)
    assert verdict.status == "wrong"
    assert said in verdict.message


def test_without_patients_it_says_so():
    trained._ward.clear()
    verdict = check.bug_clinic.judge({"A": "no KL"})
    assert verdict.status == "untouched"
    assert "clinic.train(data)" in verdict.message
    assert "clinic.train(data)" in check.bug_clinic.solution()


def test_the_solution_names_all_and_hints_end(key):
    text = check.bug_clinic.solution()
    assert all(f"{letter}: {name}\n    def " in text for letter, name in key.items())
    hints = [str(check.bug_clinic.hint()) for _ in range(4)]
    assert hints[2] == hints[3] != hints[0]


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_bug_changes_one_method_and_shows_it(name):
    bug = CATALOGUE[name]
    assert bug.code.startswith("def ")
    assert bug.code.splitlines()[-1].startswith("# healthy: ")
    assert len(bug.code.splitlines()) <= 5
