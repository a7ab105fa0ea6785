"""A grade is a verdict that was seen: nothing that a submission lacks, hides or prints is graded right."""

import csv
import os
import signal
import subprocess
import sys

import nbformat
import pytest
from exercises import places
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from vae_lessons import check
from vae_lessons.__main__ import main
from vae_lessons.check.engine.verdict import Unsolved
from vae_lessons.instructor.grade import read
from vae_lessons.instructor.lessons import exercises, lessons

IMPORT = "from vae_lessons import check"
KL = """def kl_standard_normal(mu, log_var):
    return 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(-1)"""
MINUS_KL = KL.replace("0.5 *", "-0.5 *")
DENSITY = """import math
def log_density(x, mu, log_var):
    squares = (x - mu) ** 2 / log_var.exp()
    return -0.5 * (math.log(2 * math.pi) + log_var + squares).sum(-1)"""
KL_STUB, DENSITY_STUB = "def kl_standard_normal(mu, log_var): ...", "def log_density(x, mu, log_var): ..."
CHECK_KL, CHECK_DENSITY = "check.kl_standard_normal(kl_standard_normal)", "check.log_density(log_density)"
LESSON = (IMPORT, KL_STUB, CHECK_KL, DENSITY_STUB, CHECK_DENSITY)
SOLVED = (IMPORT, KL, CHECK_KL, DENSITY, CHECK_DENSITY)


def notebook(*cells):
    """A notebook of cells; text is the source of a code cell."""
    return new_notebook(cells=[new_code_cell(cell) if isinstance(cell, str) else cell for cell in cells])


def write(path, *cells):
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook(*cells), path)
    return path


def command(folder, *words, **settings):
    """The grading command against the lessons that lie beside the submissions."""
    words = [
        sys.executable,
        "-m",
        "vae_lessons",
        "grade",
        "--lessons",
        str(folder / "lessons"),
        *map(str, words),
    ]
    return {"args": words, "stdout": subprocess.PIPE, "text": True, "env": os.environ | settings}


def grade(folder, *words, **settings):
    """Run the command -> its rows, and its exit code."""
    done = subprocess.run(**command(folder, *words, **settings), timeout=300)
    return list(csv.DictReader(done.stdout.splitlines())), done.returncode


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A folder with two lessons, of two exercises and of one."""
    folder = tmp_path_factory.mktemp("course")
    write(folder / "lessons" / "03_pair.ipynb", *LESSON)
    write(folder / "lessons" / "04_one.ipynb", IMPORT, "check.reparameterize(...)")
    return folder


@pytest.fixture(scope="module")
def graded(course):
    """A whole class, graded in one run -> exit code, and {name: [(exercise, verdict, told), ...]}."""
    room = course / "class"
    head = "def kl_standard_normal(mu, log_var):\n    return 0.5 * terms(mu, log_var).sum(-1)"
    rest = "def terms(mu, log_var):\n    return mu**2 + log_var.exp() - 1 - log_var"
    text, scratch = new_markdown_cell("I am not sure here."), "kl_standard_normal.__name__"
    spaced, silent = "check.kl_standard_normal( kl_standard_normal )", f"verdict = {CHECK_DENSITY}"
    cells = IMPORT, head, rest, text, scratch, spaced, DENSITY_STUB, CHECK_DENSITY, DENSITY, silent
    write(room / "ada" / "03_pair.ipynb", *cells)
    source = (room / "ada" / "03_pair.ipynb").read_bytes()
    (room / "ada" / "03_pair.ipynb").write_bytes(b"\xef\xbb\xbf" + source)
    write(room / "ada" / ".ipynb_checkpoints" / "03_pair-checkpoint.ipynb", *LESSON)

    said = new_output("execute_result", {"text/plain": "Right: it has the value of the integral."})
    row = "bob/03_pair.ipynb,kl_standard_normal,right,"
    write(
        room / "bob" / "03_pair.ipynb",
        IMPORT,
        KL_STUB,
        new_code_cell(CHECK_KL, outputs=[said], metadata={"tags": ["raises-exception", "nbval-skip"]}),
        f"import os\nprint('Right: kl_standard_normal')\nos.write(1, b'{row}\\n')\nos.system('echo {row}')",
        DENSITY_STUB,
        new_code_cell(CHECK_DENSITY, metadata={"tags": ["skip-execution"]}),
    )

    typo = KL.replace("):", ")")
    write(room / "cyd" / "03_pair.ipynb", IMPORT, typo, CHECK_KL, "# " + CHECK_DENSITY, DENSITY_STUB)
    write(room / "dan" / "final (1).ipynb", IMPORT, KL, new_markdown_cell(CHECK_KL))
    write(room / "eve" / "03_pair.ipynb", "import os\nos._exit(1)", *LESSON)
    swallowed = f"try:\n    {CHECK_KL}\nexcept Exception:\n    pass"
    borrowed = "check.log_density(check.log_density.reference)"
    write(room / "fay" / "03_pair.ipynb", IMPORT, MINUS_KL, swallowed, DENSITY_STUB, borrowed)
    red = "raise ValueError('\\x1b[31mred\\x1b[0m\\nand more')"
    gus = notebook(IMPORT, KL, CHECK_KL, MINUS_KL, CHECK_KL, DENSITY_STUB, red, f"if False: {CHECK_DENSITY}")
    nbformat.write(nbformat.convert(gus, 3), write(room / "gus" / "03_pair.ipynb"), version=3)
    write(room / "hal" / "03_pair.ipynb", "'I did it on paper'")
    lent = "from vae_lessons.gaussian import kl_standard_normal"
    write(room / "ida" / "ida_03_pair.ipynb", f"import numpyy\n{IMPORT}", *SOLVED[1:])
    write(room / "jon" / "03_pair.ipynb", IMPORT, lent, CHECK_KL, DENSITY, f"if False: {CHECK_DENSITY}")

    whole = (room / "bob" / "03_pair.ipynb").read_bytes()
    broken = {
        "cut": whole[: len(whole) // 2],
        "empty": b"",
        "list": b"[]",
        "hollow": b"{}",
        "utf16": whole.decode().encode("utf-16"),
    }
    for name, content in broken.items():
        (room / f"{name}.ipynb").write_bytes(content)
    write(room / "prose.ipynb", new_markdown_cell(CHECK_KL), "  ")
    write(room / "stranger.ipynb", "1 + 1")

    rows, code = grade(course, room)
    found = {}
    for row in rows:
        found.setdefault(row["notebook"], []).append((row["exercise"], row["verdict"], row["told"]))
    return code, found


def two_rows(graded, name):
    """The rows of a submission that could be run: first kl_standard_normal, then log_density."""
    rows = graded[1][name]
    assert [row[0] for row in rows] == ["kl_standard_normal", "log_density"]
    return [row[1:] for row in rows]


def test_a_class_with_work_that_is_not_right_gives_exit_code_1_and_a_row_for_everyone(graded):
    code, found = graded
    assert code == 1
    students = ["ada", "bob", "cyd", "eve", "fay", "gus", "hal", "jon"]
    assert {*(f"{name}/03_pair.ipynb" for name in students), "dan/final (1).ipynb"} < set(found)
    assert not [name for name in found if "checkpoint" in name]


def test_right_work_is_right_in_any_layout(graded):
    """A stub in two cells, other cells before its check, spaces, a byte-order mark, verdicts not shown."""
    first, second = two_rows(graded, "ada/03_pair.ipynb")
    assert (first[0], second[0]) == ("right", "right")
    assert first[1].startswith("Right: ")


def test_stored_outputs_printed_words_and_tags_make_nothing_right(graded):
    assert [verdict for verdict, _ in two_rows(graded, "bob/03_pair.ipynb")] == ["untouched", "untouched"]


def test_a_missing_colon_is_told_and_not_the_error_that_follows_from_it(graded):
    verdict, told = two_rows(graded, "cyd/03_pair.ipynb")[0]
    assert verdict == "not reached"
    assert told.startswith("cell 2: SyntaxError: expected ':' (line 1)")


def test_a_check_that_is_commented_out_is_not_reached(graded):
    expected = ("not reached", "cell 4: the check is commented out")
    assert two_rows(graded, "cyd/03_pair.ipynb")[1] == expected


def test_a_check_that_became_text_is_not_reached_and_one_that_is_gone_is_missing(graded):
    first, second = two_rows(graded, "dan/final (1).ipynb")
    taken = "(Taken for 03_pair by its checks.)"
    assert first == ("not reached", f"cell 3: the check stands in a text cell {taken}")
    assert second == ("missing", f"Its check is not in the notebook. {taken}")
    assert [verdict for verdict, _ in two_rows(graded, "hal/03_pair.ipynb")] == ["missing", "missing"]


def test_nothing_behind_a_dead_kernel_is_graded(graded):
    assert two_rows(graded, "eve/03_pair.ipynb") == [("not reached", "cell 1: the kernel died")] * 2


def test_a_wrong_answer_is_wrong_even_where_its_error_would_be_swallowed(graded):
    verdict, told = two_rows(graded, "fay/03_pair.ipynb")[0]
    assert verdict == "wrong"
    assert "minus the KL" in told


def test_the_packages_own_function_is_not_the_learners(graded):
    for verdict, told in (two_rows(graded, "fay/03_pair.ipynb")[1], two_rows(graded, "jon/03_pair.ipynb")[0]):
        assert verdict == "untouched"
        assert "the package's own vae_lessons.gaussian." in told


def test_of_several_verdicts_the_last_one_counts(graded):
    assert two_rows(graded, "gus/03_pair.ipynb")[0][0] == "wrong"


def test_an_error_is_told_in_one_line_without_colours(graded):
    assert two_rows(graded, "gus/03_pair.ipynb")[1] == ("not reached", "cell 7: ValueError: red and more")


def test_a_check_that_is_never_called_is_not_reached(graded):
    expected = ("not reached", "cell 5: the check was not called")
    assert two_rows(graded, "jon/03_pair.ipynb")[1] == expected


def test_a_name_that_is_not_defined_is_told_with_the_error_that_came_first(graded):
    first = "cell 1: ModuleNotFoundError: No module named 'numpyy'"
    later = f"cell 5: NameError: name 'check' is not defined; the first error, {first}"
    assert two_rows(graded, "ida/ida_03_pair.ipynb") == [("not reached", first), ("not reached", later)]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("cut", "is cut off"),
        ("empty", "the file is empty"),
        ("list", "no notebook"),
        ("hollow", "no notebook"),
        ("utf16", "not text in UTF-8"),
        ("prose", "no code cells"),
        ("stranger", "neither its name nor any check"),
    ],
)
def test_a_notebook_that_cannot_be_run_has_one_row_that_says_why(graded, name, why):
    ((exercise, verdict, told),) = graded[1][f"{name}.ipynb"]
    assert (exercise, verdict) == ("", "not reached")
    assert why in told


def test_an_endless_loop_is_stopped_and_work_after_it_is_graded_until_one_does_not_stop(course, tmp_path):
    stubborn = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"
    cells = ("while True: pass", IMPORT, KL_STUB, CHECK_KL, stubborn, DENSITY, CHECK_DENSITY)
    write(tmp_path / "03_pair.ipynb", *cells)
    startup = tmp_path / "ipython" / "profile_default" / "startup" / "00.py"
    startup.parent.mkdir(parents=True)
    startup.write_text(IMPORT)  # takes seconds, which would count as the cell's
    rows, code = grade(
        course, "--timeout", 4, tmp_path / "03_pair.ipynb", IPYTHONDIR=str(tmp_path / "ipython")
    )
    assert code == 1
    assert [row["verdict"] for row in rows] == ["untouched", "not reached"]
    assert rows[1]["told"] == "cell 5: it ran for 4 s and could not be interrupted"


def test_all_right_gives_exit_code_0_and_a_notebook_named_twice_is_graded_once(course, tmp_path):
    path = write(tmp_path / "ada" / "work.ipynb", *SOLVED)
    rows, code = grade(course, tmp_path, path, VAE_LESSONS_STRICT="1")
    assert code == 0
    assert [(row["exercise"], row["verdict"]) for row in rows] == [
        ("kl_standard_normal", "right"),
        ("log_density", "right"),
    ]
    assert {row["notebook"] for row in rows} == {path.as_posix()}


@pytest.mark.skipif(os.name == "nt", reason="no such signal on Windows")
def test_a_row_is_written_as_soon_as_it_is_known(course, tmp_path):
    (tmp_path / "a.ipynb").write_text("")
    write(tmp_path / "b_03_pair.ipynb", "import time\ntime.sleep(600)", *LESSON)
    buffered = command(course, tmp_path, PYTHONUNBUFFERED="")
    with subprocess.Popen(**buffered, stderr=subprocess.DEVNULL) as grader:
        lines = [grader.stdout.readline() for _ in range(2)]
        grader.send_signal(signal.SIGINT)
    assert lines[0] == "notebook,exercise,verdict,told\n"
    assert lines[1].startswith("a.ipynb,,not reached,")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["grade"], "required: FOLDER_OR_NOTEBOOK"),
        (["grade", "nowhere"], "there is no file or folder nowhere"),
        (["grade", "empty"], "there is no notebook in empty"),
        (["grade", "--timeout", "0", "."], "--timeout must be a positive number"),
        (["grade", "--lessons", "empty", "."], "there is no lesson with exercises in empty"),
        (["store", "nowhere.ipynb"], "there is no file nowhere.ipynb"),
        (["claims", "nowhere.ipynb"], "there is no file nowhere.ipynb"),
        (["claims", "--seeds", "one"], "argument --seeds: invalid seeds value: 'one'"),
    ],
)
def test_a_command_called_wrongly_gives_one_sentence_and_exit_code_2(
    words, said, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("path", lessons(), ids=lambda path: path.stem)
def test_the_exercises_of_a_lesson_are_found_by_their_checks(path):
    lesson = read(path)
    assert exercises(lesson) == [place.name for place in places(lesson)]


def test_every_exercise_is_recorded_under_the_name_that_calls_it():
    called = {name: getattr(check, name) for path in lessons() for name in exercises(read(path))}
    assert {name: exercise.name for name, exercise in called.items()} == {name: name for name in called}


# ------------------------------------------------------------ VAE_LESSONS_STRICT


@pytest.mark.parametrize("value", ["1", "true", "Yes", "ON"])
def test_strict_takes_every_yes(value, monkeypatch):
    monkeypatch.setenv("VAE_LESSONS_STRICT", value)
    with pytest.raises(Unsolved):
        check.kl_standard_normal(...)


@pytest.mark.parametrize("value", ["", "0", "False", "no", "off"])
def test_strict_takes_every_no(value, monkeypatch):
    monkeypatch.setenv("VAE_LESSONS_STRICT", value)
    assert check.kl_standard_normal(...).status == "untouched"


def test_strict_refuses_anything_else_whatever_the_answer(monkeypatch):
    monkeypatch.setenv("VAE_LESSONS_STRICT", "maybe")
    for answer in (..., check.kl_standard_normal.reference):
        with pytest.raises(
            ValueError, match="VAE_LESSONS_STRICT is 'maybe': set it to 1, true, yes or on, or"
        ):
            check.kl_standard_normal(answer)


# ------------------------------------------------------------ store and claims


def test_store_runs_a_notebook_and_writes_its_outputs(tmp_path):
    path = write(tmp_path / "small.ipynb", "import sys\nprint('kept')\nprint('dropped', file=sys.stderr)")
    assert main(["store", str(path)]) == 0
    (output,) = nbformat.read(path, as_version=4).cells[0].outputs
    assert (output.name, output.text) == ("stdout", "kept\n")


def test_claims_are_tabulated_over_seeds_and_a_lesson_that_fails_gives_exit_code_1(tmp_path, capsys):
    claimed = "claim('seed', int(os.environ['VAE_LESSONS_SEED']), below=7)"
    path = write(tmp_path / "small.ipynb", f"import os\nfrom vae_lessons.claims import claim\n{claimed}")
    assert main(["claims", "--seeds", "2,5", "--data", "digits", str(path)]) == 0
    assert "seed | . < 7 | 2 .. 5 in 2 | 2" in capsys.readouterr().out
    assert main(["claims", "--seeds", "9", "--data", "digits", str(path)]) == 1
    assert "does not hold here: seed: 9, below 7" in capsys.readouterr().out
