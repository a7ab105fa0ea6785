"""Grade notebooks: python tests/grade_sheet.py FOLDER_OR_NOTEBOOK ... > grades.csv

Runs nbval on each in strict mode, lax about outputs, and prints one line for every exercise: notebook,
exercise, verdict (right, wrong, untouched or not reached) and what its author was told. It exits with 1
unless all are right.
"""

import csv
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

import nbformat
from exercises import places


def report(path):
    """Run one notebook through nbval -> {number of code cell: its failure, or "" if it passed}."""
    options = [
        "--nbval-lax",
        "--nbval-current-env",
        "--nbval-cell-timeout=300",
        "-p",
        "no:cacheprovider",
        "-q",
    ]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "pytest.ini").write_text("[pytest]\n")
        command = [
            sys.executable,
            "-m",
            "pytest",
            *options,
            "-c",
            f"{folder}/pytest.ini",
            "--rootdir",
            folder,
        ]
        run = subprocess.run(
            [*command, f"--junitxml={folder}/report.xml", str(path)],
            env=os.environ | {"VAE_LESSONS_STRICT": "1"}, capture_output=True, text=True,
        )  # fmt: skip
        if run.returncode not in (0, 1):
            sys.exit(f"{path} cannot be run: {run.stdout[-500:]}{run.stderr[-500:]}")
        cases = ElementTree.parse(f"{folder}/report.xml").iter("testcase")
        return {int(case.get("name").split()[-1]): case.findtext("failure", "") for case in cases}


def grades(path):
    """The exercises of one notebook -> rows of (notebook, exercise, verdict, sentence)."""
    notebook = nbformat.read(path, as_version=4)
    code = [i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    failures = report(path)
    for place in places(notebook):
        failure = failures.get(code.index(place.check), "not reached")
        said = re.search(r"Unsolved: (.*)", failure, flags=re.S)
        sentence = " ".join(said[1].split()) if said else " ".join(failure.split())[-200:]
        verdict = "right" if not failure else "untouched" if "still to be" in sentence else "wrong"
        yield path.name, place.name, "not reached" if failure == "not reached" else verdict, sentence


def main(names):
    paths = [
        p for name in map(Path, names) for p in (sorted(name.glob("*.ipynb")) if name.is_dir() else [name])
    ]
    if not paths:
        sys.exit(__doc__)
    out = csv.writer(sys.stdout)
    out.writerow(("notebook", "exercise", "verdict", "told"))
    rows = [row for path in paths for row in grades(path.resolve())]
    out.writerows(rows)
    sys.exit(any(verdict != "right" for _, _, verdict, _ in rows))


if __name__ == "__main__":
    main(sys.argv[1:])
