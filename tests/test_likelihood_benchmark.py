"""The benchmark of published numbers: its random pixels, a run that is cut off and goes on."""

import itertools
import re
import sys
from pathlib import Path

import pytest
import torch

from vae_lessons.data import Split
from vae_lessons.data import digits as handwriting
from vae_lessons.likelihood import evaluate_importance
from vae_lessons.train import evaluate

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import likelihood as bench

SMALL = bench.Recipe(hidden=(16,), batch=50)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def train():
    return Split(handwriting.draw(300)[0])


def test_a_centred_encoder_sees_the_image_less_the_mean_image(train):
    x = bench.binarized(train).x[:20]
    centred, plain = (bench.model_of(SMALL._replace(centred=yes), train, 0) for yes in (True, False))
    torch.testing.assert_close(centred.code(x), plain.code(x - train.mean()))
    assert not torch.allclose(centred.code(x), plain.code(x))


def test_pixels_are_one_with_their_grey_value_as_probability():
    pixels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).expand(4001, 1, 16, 16)
    drawn = bench.binary(bench.below(pixels), torch.Generator().manual_seed(0))
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    share, wanted = drawn.mean(0).flatten(), torch.arange(256) / 255
    assert (share[0], share[-1]) == (0, 1)
    error = (share - wanted)[1:-1] / (wanted * (1 - wanted) / 4001).sqrt()[1:-1]
    assert error.abs().max() < 4.5
    assert 0.85 < error.std() < 1.15


@pytest.mark.parametrize("recipe", [SMALL, SMALL._replace(samples=3, last=0.4)])
def test_a_run_that_is_cut_off_goes_on_as_if_it_had_not_been(recipe, train, tmp_path):
    whole = bench.Run(recipe, train, 0, CPU, steps=18).go()  # three epochs of six steps
    path = tmp_path / "run.pt"
    cut = bench.Run(recipe, train, 0, CPU, steps=18, checkpoint=path)
    loss, count = cut.loss, []

    def interrupted(x):
        count.append(1)
        if len(count) == 10:
            raise KeyboardInterrupt
        return loss(x)

    cut.loss = interrupted
    with pytest.raises(KeyboardInterrupt):
        cut.go()
    again = bench.Run(recipe, train, 0, CPU, steps=18, checkpoint=path)
    assert again.step == 6
    again.go()
    for a, b in zip(whole.parameters(), again.model.parameters(), strict=True):
        torch.testing.assert_close(a, b)
    others = {
        "recipe": (recipe._replace(lr=1.0), train, 0, CPU, None, 18),
        "seed": (recipe, train, 1, CPU, None, 18),
        "images": (recipe, Split(255 - train.pixels), 0, CPU, None, 18),
        "seconds and steps": (recipe, train, 0, CPU, 9.0, None),
    }
    for what, settings in others.items():
        with pytest.raises(SystemExit, match=f"is a run with another {what}; name another file"):
            bench.Run(*settings, checkpoint=path)


REFUSED = {
    "two seeds": ("--seeds 0 1 --checkpoint f.pt", "A --checkpoint belongs to one run"),
    "an ablation": ("--ablate --checkpoint f.pt", "A --checkpoint belongs to one run"),
    "a folder": ("--checkpoint .", "--checkpoint must be a file"),
    "no samples": ("--samples 0", "--samples must be a whole number"),
    "a seed that is none": ("--seeds 0 -1", "seed must be a whole number"),
    "no time": ("--seconds nan", "--seconds must be a positive number"),
    "nothing to look at": ("--all", "no image is left but the test images"),
    "a field that is none": ("--set depth=2", "--set changes hidden, .*, not depth=2"),
}


@pytest.mark.parametrize(("line", "said"), REFUSED.values(), ids=REFUSED)
def test_what_would_stop_a_run_at_its_end_is_refused_at_its_start(line, said, monkeypatch, capsys):
    def never(*given):
        raise AssertionError("this must not be called")

    monkeypatch.setattr(bench, "load", never)
    monkeypatch.setattr(sys, "argv", ["likelihood.py", *line.split()])
    with pytest.raises(SystemExit):
        bench.main()
    assert re.search(said, capsys.readouterr().err)


def test_training_by_the_clock_ends_with_the_clock_and_learns(train, monkeypatch):
    clock = itertools.count()  # each look at it is a second later, however fast the machine
    monkeypatch.setattr(bench.time, "perf_counter", lambda: float(next(clock)))
    run = bench.Run(SMALL, train, 0, CPU, seconds=300)
    held_out = bench.binarized(train)
    before = evaluate(run.model, held_out).elbo
    run.go()
    assert run.spent == 300
    after = evaluate(run.model, held_out).elbo
    assert after > before + 20
    assert evaluate_importance(run.model, held_out.first(50), 50, progress=False).mean() > after - 30


def test_a_run_whose_loss_is_not_finite_stops_and_says_so_and_writes_nothing(train, tmp_path):
    run = bench.Run(SMALL, train, 0, CPU, steps=18, checkpoint=tmp_path / "run.pt")
    run.loss = lambda x: run.model.encode(x).mu.sum() * float("nan")
    with pytest.raises(SystemExit, match="no longer finite after step 6;"):
        run.go()
    assert not (tmp_path / "run.pt").exists()
