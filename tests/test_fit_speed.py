"""The benchmark of `fit`: in turns with the bare step, as many steps each, and only their own time counts."""

import sys
import time
from pathlib import Path

import pytest

from vae_lessons.data import Data, Split
from vae_lessons.data import digits as handwriting

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import fit_speed as bench


@pytest.fixture(scope="module")
def data():
    images = handwriting.draw(250)[0]
    return Data(Split(images), Split(images[:1]))


@pytest.mark.parametrize("turn", [1, 4, 100])
def test_the_bare_step_is_taken_as_often_as_fit_takes_one(turn, data, monkeypatch):
    taken, bare_steps = [], bench.bare_steps

    def counted(model, batches):
        for step in bare_steps(model, batches):
            taken.append(step)
            yield

    monkeypatch.setattr(bench, "bare_steps", counted)
    assert bench.in_turns(data, 50, turn=turn, epochs=3) > 0
    assert len(taken) == 3 * 5


@pytest.mark.parametrize("slow", ["fit", "bare"])
def test_time_is_charged_to_the_one_that_takes_it(slow, data, monkeypatch):
    """With 0.3 s more a step, a hundred times what either takes, the ratio says whose step it was."""
    bare_steps, model = bench.bare_steps, bench.new_model

    def slow_steps(model, batches):
        for step in bare_steps(model, batches):
            time.sleep(0.3)
            yield step

    def slow_model():
        made = model()
        made.register_forward_pre_hook(lambda *_: time.sleep(0.3))  # the bare step calls layers alone
        return made

    if slow == "bare":
        monkeypatch.setattr(bench, "bare_steps", slow_steps)
    else:
        monkeypatch.setattr(bench, "new_model", slow_model)
    ratio = bench.in_turns(data, 50, turn=2, epochs=1)
    assert ratio < 1 if slow == "bare" else ratio > 1
