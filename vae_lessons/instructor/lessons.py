"""The course's own notebooks: where they are, and which exercises stand in a notebook."""

import re
from pathlib import Path

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
CALL = re.compile(r"\bcheck\s*\.\s*(\w+)\s*\(")  # not check.NAME.hint()


def lessons(folder=NOTEBOOKS):
    """The notebooks of a course's folder in their order, -> list of Path."""
    return sorted(folder.glob("[0-9]*.ipynb"))


def chosen(parser, given):
    """The notebooks named on a command line, by default every lesson, -> list of Path.

    Ends the program with one sentence if a file does not exist, or if the lessons are not beside the package.
    """
    for path in given:
        if not path.is_file():
            parser.error(f"there is no file {path}")
    found = given or lessons()
    if not found:
        parser.error(f"there is no lesson in {NOTEBOOKS}; name the notebooks")
    return [path.resolve() for path in found]


def checks(source):
    """The exercises whose checks a cell's source calls, str -> list of names. Comments do not count."""
    return CALL.findall(re.sub(r"#.*", "", source))


def exercises(notebook):
    """The exercises of a notebook in the order of their checks, -> list of names, each once."""
    code = (cell.source for cell in notebook.cells if cell.cell_type == "code")
    return list(dict.fromkeys(name for source in code for name in checks(source)))
