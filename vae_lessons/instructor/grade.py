"""Grade a class: run notebooks, and print a table of what their checks said.

One line (CSV) for each notebook and exercise of its lesson: notebook, exercise, verdict, told. The verdict is

  right, wrong, untouched  as the exercise's check said when the notebook was run afresh;
                           if it said several things, the last one
  not reached              the check is there, but gave no verdict; "told" says why
  missing                  the lesson has it, the notebook has not

A notebook that cannot be run has one line that says why. Folders are searched, except for hidden files.
A notebook belongs to the lesson whose name its own name contains, else to the one with which it shares
most checks. Cells are counted from 1, text cells included.

The exit code is 0 if every exercise of every notebook is right, else 1; 2 if the command was called wrongly.
Notebooks run with your rights: grade the work of strangers in a container.
"""

import csv
import json
import sys
import warnings
from pathlib import Path

import nbformat

from vae_lessons.instructor.execution import execute, one_line
from vae_lessons.instructor.lessons import CALL, NOTEBOOKS, checks, exercises, lessons

COLUMNS = ("notebook", "exercise", "verdict", "told")


def arguments(parser):
    """Declare what the command takes."""
    parser.add_argument("paths", nargs="+", type=Path, metavar="FOLDER_OR_NOTEBOOK")
    parser.add_argument(
        "--timeout", type=float, default=300, metavar="S", help="seconds a cell; default: 300"
    )
    parser.add_argument(
        "--lessons",
        type=Path,
        default=NOTEBOOKS,
        metavar="FOLDER",
        help="the original lessons, if not the course's",
    )


def main(parser, given):
    """Print the table of grades -> exit code."""
    if not given.timeout > 0:
        parser.error(f"--timeout must be a positive number of seconds, not {given.timeout:g}")
    try:
        wanted = {path.stem: exercises(read(path)) for path in lessons(given.lessons)}
    except Unfit as error:
        parser.error(f"a lesson in {given.lessons} cannot be read: {error}")
    wanted = {lesson: names for lesson, names in wanted.items() if names}
    if not wanted:
        parser.error(
            f"there is no lesson with exercises in {given.lessons}; name their folder with --lessons"
        )
    submitted = list(submissions(parser, given.paths))
    # A name or an error may hold what is no text; that must not stop the table.
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(COLUMNS)
    sys.stdout.flush()
    solved = True
    for name, path in submitted:
        for row in grades(path, wanted, given.timeout):
            out.writerow((name, *row))
            solved = solved and row[1] == "right"
        sys.stdout.flush()
    return not solved


def submissions(parser, paths):
    """The notebooks in folders and of notebooks themselves -> (name in the table, path) of each, once.

    A name is relative to the folder that was given, or, if several were given, begins with it.
    """
    seen = set()
    for given in paths:
        if not given.exists():
            parser.error(f"there is no file or folder {given}")
        found = sorted(filter(_submitted(given), given.rglob("*"))) if given.is_dir() else [given]
        if not found:
            parser.error(f"there is no notebook in {given}")
        for path in found:
            name = path.relative_to(given) if given.is_dir() and len(paths) == 1 else path
            if path.resolve() not in seen:
                yield name.as_posix(), path.resolve()
            seen.add(path.resolve())


def _submitted(folder):
    """A test for paths below a folder: a notebook that somebody wrote, no checkpoint or Mac's leftover."""

    def asks(path):
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
        return path.suffix.lower() == ".ipynb" and not hidden and path.is_file()

    return asks


def grades(path, wanted, seconds):
    """One notebook -> rows (exercise, verdict, told). `wanted` holds the exercises of each lesson."""
    try:
        notebook = read(path)
        lesson, guessed = lesson_of(path.stem, notebook, wanted)
        run = execute(notebook, path.parent, seconds)
    except Exception as error:  # whatever it is, the class goes on
        told = str(error) if isinstance(error, Unfit) else f"{type(error).__name__}: {error}"
        return [("", "not reached", f"It cannot be run: {one_line(told)}")]
    end = f" (Taken for {lesson} by its checks.)" if guessed else ""
    rows = [(name, *grade(name, wanted[lesson], notebook, run)) for name in wanted[lesson]]
    return [(name, verdict, told + end) for name, verdict, told in rows]


class Unfit(Exception):
    """Why a file cannot be graded, in words."""


def read(path):
    """A notebook's file -> the notebook, as format 4, with text in every cell. Raises Unfit if it is none."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # with or without a byte-order mark
        json.loads(text)
    except json.JSONDecodeError as error:
        whole = "it is no notebook, or is cut off" if text.strip() else "the file is empty"
        raise Unfit(f"{whole} ({error}).") from None
    except UnicodeDecodeError:
        raise Unfit("it is no notebook: it is not text in UTF-8.") from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about cells without ids, which do no harm here
        try:
            notebook = nbformat.reads(text, as_version=4)
            code = any(cell.cell_type == "code" and cell.source.strip() for cell in notebook.cells)
        except Exception as error:  # JSON of some other kind can fail anywhere in there
            raise Unfit(f"it is no notebook ({type(error).__name__}: {error}).") from None
    if not code:
        raise Unfit("it has no code cells.")
    return notebook


def lesson_of(stem, notebook, wanted):
    """The lesson that a notebook was -> its name, and whether that is a guess. Raises Unfit if it is none."""
    if named := [lesson for lesson in wanted if lesson in stem]:
        return max(named, key=len), False
    there = {name for cell in notebook.cells for name in CALL.findall(cell.source)}
    shared = {lesson: len(there.intersection(names)) for lesson, names in wanted.items()}
    best = max(shared, key=shared.get)
    if not shared[best]:
        raise Unfit("neither its name nor any check in it belongs to a lesson.")
    return best, True


def grade(name, names, notebook, run):
    """One exercise of a lesson with these names -> (verdict, told)."""
    place = _place(name, notebook)
    error = "" if place is None else _error(place, names, notebook, run)
    if said := [verdict for verdict in run.verdicts if verdict["exercise"] == name]:
        last = said[-1]
        told = one_line(last["message"], limit=600)
        if last["status"] == "right" and last["package"]:
            told = f"The check was given the package's own {last['package']}, not the learner's."
            return "untouched", f"{told} {error}".strip()
        return last["status"], told
    if place is None:
        return "missing", "Its check is not in the notebook."
    return "not reached", error or _silent(place, name, notebook)


def _place(name, notebook):
    """The index of the cell that calls an exercise's check, else of one that only mentions it, or None."""
    cells = list(enumerate(notebook.cells))
    calls = [i for i, cell in cells if cell.cell_type == "code" and name in checks(cell.source)]
    mentions = [i for i, cell in cells if name in CALL.findall(cell.source)]
    return next(iter(calls + mentions), None)


def _error(place, names, notebook, run):
    """The first error since the check before, and of a NameError also what may have caused it, -> str."""
    if place > run.reached:
        return f"cell {run.reached + 1}: {run.errors[run.reached]}"
    judged = [i for i, cell in enumerate(notebook.cells[:place]) if set(names) & set(checks(cell.source))]
    start = judged[-1] if judged else -1
    near = [i for i in sorted(run.errors) if start < i <= place]
    if not near:
        return ""
    first = min(run.errors)
    shown = [near[0], first] if run.errors[near[0]].startswith("NameError") else [near[0]]
    return "; the first error, ".join(f"cell {i + 1}: {run.errors[i]}" for i in dict.fromkeys(shown))


def _silent(place, name, notebook):
    """Why a check gave no verdict although no cell near it failed, -> str."""
    cell = notebook.cells[place]
    if cell.cell_type != "code":
        return f"cell {place + 1}: the check stands in a text cell"
    if name not in checks(cell.source):
        return f"cell {place + 1}: the check is commented out"
    return f"cell {place + 1}: the check was not called"
