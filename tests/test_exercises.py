"""Every notebook passes untouched (nbval runs it). In strict mode, right answers pass and wrong ones fail.

Wrong answers fail at their check cells, no other, and with the sentence that names the mistake.
"""

import os
import re
import subprocess
import sys

import nbformat
import pytest
from exercises import fill, needed, places, twice
from nbclient import NotebookClient

from vae_lessons import check
from vae_lessons.instructor.lessons import lessons

PATHS = lessons()
STRICT = {"VAE_LESSONS_STRICT": "1"}


def read(path):
    return nbformat.read(path, as_version=4)


def solution(place):
    """Source code that fills a stub with the package's own answer."""
    return f"from vae_lessons import check\n\n{place.written} = check.{place.name}.reference"


def mistake(place):
    """Source code that fills a stub with the first known mistake, and what is said about it."""
    known = getattr(check, place.name).mistakes[0]
    return (
        f"from vae_lessons import check\n\n{place.written} = check.{place.name}.mistakes[0].codes[0]",
        known.says,
    )


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_lesson_has_exercises_that_are_stored_untouched(path):
    notebook = read(path)
    found = places(notebook)
    assert found
    for place in found:
        assert hasattr(check, place.name)
        (output,) = notebook.cells[place.check].outputs
        assert "still to be" in "".join(output["data"]["text/plain"])


@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_every_stub_solved_passes_in_strict_mode_with_all_other_cells(path):
    notebook = fill(read(path), solution)
    resources = {"metadata": {"path": str(path.parent)}}
    client = NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources)
    client.execute(env=os.environ | STRICT)
    for place in places(notebook):
        said = "".join(out["data"]["text/plain"] for out in notebook.cells[place.check].outputs)
        assert said.startswith("Right"), said


@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_wrong_answers_fail_at_their_checks_with_their_sentences_and_right_ones_pass(path, tmp_path):
    """As an instructor runs it, VAE_LESSONS_STRICT=1 pytest --nbval-lax: each exercise wrong, then right.

    On the cells that exercises need; the test above runs all of them.
    """
    notebook = needed(twice(read(path), lambda place: mistake(place)[0], solution))
    nbformat.write(notebook, tmp_path / "wrong.ipynb")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env", "-p", "no:cacheprovider"]
    out = subprocess.run(
        [*command, "-rfp", "--tb=short", "wrong.ipynb"],
        cwd=tmp_path,
        env=os.environ | STRICT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    wrong, right = places(notebook)[::2], places(notebook)[1::2]
    told = {
        word: [int(n) for n in re.findall(rf"^{word} wrong.ipynb::Cell (\d+)", out.stdout, flags=re.M)]
        for word in ("FAILED", "PASSED")
    }
    assert told["FAILED"] == [place.check for place in wrong], out.stdout[-3000:]
    assert {place.check for place in right} <= set(told["PASSED"])
    said = " ".join(out.stdout.split())
    for place in wrong:
        assert " ".join(mistake(place)[1].split()) in said, place.name
