"""What a stored notebook of the course must be, whatever it teaches."""

import ast
import json
import re
import sys
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest

from vae_lessons.instructor.lessons import lessons
from vae_lessons.instructor.store import WIDGET_VIEW, clean

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from notebook_cost import work

PATHS = lessons()
IGNORED = "nbval-ignore-output"
EQUATION = r"(?s)\$\$(.+?)\$\$|\$((?:\\.|[^$\\])+)\$"


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def cells(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def code(cells):
    return [cell for cell in cells if cell["cell_type"] == "code"]


def prose(cells):
    return [("".join(cell["source"])) for cell in cells if cell["cell_type"] == "markdown"]


def source(cell):
    return "".join(cell["source"])


def test_there_are_notebooks():
    assert [path.stem[:2] for path in PATHS] == sorted({path.stem[:2] for path in PATHS})
    assert {"00", "08"} <= {path.stem[:2] for path in PATHS}


def test_every_cell_was_run_in_order(cells):
    assert [cell["execution_count"] for cell in code(cells)] == list(range(1, len(code(cells)) + 1))


def test_outputs_hold_no_error_warning_widget_or_path_of_a_machine(cells):
    for cell in code(cells):
        for output in cell["outputs"]:
            assert output["output_type"] != "error"
            assert output.get("name") != "stderr"
            text = "".join(output.get("text", [])) + "".join(output.get("data", {}).get("text/plain", []))
            assert "Warning" not in text
            assert not re.search(r"/(home|root|tmp|usr|Users)/|\\r", text)
            assert WIDGET_VIEW not in output.get("data", {})


def test_metadata_names_no_machine(path):
    metadata = json.loads(path.read_text(encoding="utf-8"))["metadata"]
    assert metadata["kernelspec"]["name"] == "python3"
    assert metadata["language_info"] == {"name": "python"}
    assert set(metadata) == {"kernelspec", "language_info"}


def pictures(cells):
    """The stored outputs that hold a picture: text/plain, text/html."""
    outputs = [output.get("data", {}) for cell in code(cells) for output in cell["outputs"]]
    return [data for data in outputs if "<img " in "".join(data.get("text/html", [])) or "image/png" in data]


def test_every_picture_is_stored_once_with_a_text_alternative(cells):
    for data in pictures(cells):
        assert set(data) == {"text/plain", "text/html"}
        assert len("".join(data["text/plain"])) > 30
        assert re.findall(r'<img alt="[^"]{30,}" src="data:image/png;base64,', "".join(data["text/html"]))


def refused(equation):
    """Why KaTeX or MathJax refuses an equation, a list of reasons."""
    bare = re.sub(r"\\[\\{}]", "", equation)
    braces = re.sub(r"[^{}]", "", bare)
    while "{}" in braces:
        braces = braces.replace("{}", "")
    begun, ended = (sorted(re.findall(rf"\\{word}\{{(.*?)\}}", bare)) for word in ("begin", "end"))
    reasons = {
        "an underscore in text": re.search(r"\\(text\w*|mbox)\{[^}]*(?<!\\)_", bare),
        "braces that do not match": braces,
        "begin without end": begun != ended,
    }
    return [reason for reason, found in reasons.items() if found]


def test_equations_are_such_as_katex_and_mathjax_draw(cells):
    for text in prose(cells):
        text = re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.S)
        for equation in map("".join, re.findall(EQUATION, text)):
            assert refused(equation) == [], equation
        assert "$" not in re.sub(EQUATION, "", text), text


def test_headings_go_down_one_level_at_a_time(cells):
    levels = [len(m) for text in prose(cells) for m in re.findall(r"^(#+) ", text, flags=re.M)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below <= above + 1 for above, below in pairwise(levels))


def test_no_text_holds_a_control_character(cells):
    """A backslash lost on the way makes a backspace of the b in an equation's beta."""
    for cell in cells:
        assert not re.search(r"[\x00-\x09\x0b-\x1f]", source(cell)), source(cell)


def test_size(path, cells):
    assert path.stat().st_size < 2_000_000
    assert 20 <= len(cells) <= 45
    assert len(pictures(cells)) >= 3
    for cell in code(cells):
        lines = [line for line in source(cell).splitlines() if line.strip()]
        assert len(lines) <= 20, source(cell)
        assert sum(line.startswith(("import ", "from ")) for line in lines) <= 6
    for text in prose(cells):
        assert len(text.split()) <= 150, text


def test_the_head_says_how_long_the_lesson_takes(path, cells):
    stated = re.search(r"Time: (\d+)0 minutes\. Difficulty: ★{1,4}☆{0,3}\n", prose(cells)[0] + "\n")
    assert abs(10 * int(stated[1]) - work(nbformat.read(path, 4))[3]) <= 8
    table = (Path(__file__).parent / "README.md").read_text(encoding="utf-8")
    assert f"| {path.name[:2]} | {stated[1]}0 |" in table


def test_a_prediction_comes_before_an_output_that_is_collapsed(cells):
    asked = sum(text.count("**Predict first.**") for text in prose(cells))
    hidden = [cell for cell in code(cells) if cell["metadata"].get("jupyter", {}).get("outputs_hidden")]
    assert asked <= 4
    assert len(hidden) >= asked


def test_claims_stand_together_at_most_three_in_a_cell(cells):
    for cell in code(cells):
        said = len(re.findall(r"\bclaim\(", source(cell)))
        assert said <= 3, source(cell)
        assert not said or "claims(" in source(cell), source(cell)


def test_no_number_is_printed_with_more_digits_than_it_has(cells):
    for cell in code(cells):
        for output in cell["outputs"]:
            text = "".join(output.get("text", []))
            assert not re.search(r"\d\.\d{7,}|-0\.0+\b", text), text


def test_training_is_not_compared_and_claims_are(cells):
    """What follows from training differs between processors; the claims in those cells are its test."""
    for cell in code(cells):
        if re.search(r"\bfit\((?!.*def )", source(cell)) and "def " not in source(cell):
            assert IGNORED in cell["metadata"].get("tags", []), source(cell)
    assert any("claim(" in source(cell) for cell in code(cells))


def test_no_cell_sets_up_paths_or_installs(cells):
    for cell in code(cells):
        assert not re.search(r"sys\.path|^\s*[!%]|pip install|os\.chdir", source(cell), flags=re.M)


def test_vae_lessons_is_imported_before_torch(cells):
    lines = [line for cell in code(cells) for line in source(cell).splitlines()]
    imports = [line for line in lines if line.startswith(("import ", "from "))]
    first = {name: i for i, line in reversed(list(enumerate(imports))) for name in re.findall(r"\w+", line)}
    assert first["vae_lessons"] < first["torch"]


def test_cells_do_not_end_in_a_semicolon(cells):
    """nbval runs cells in a way in which it silences nothing."""
    assert not any(source(cell).rstrip().endswith(";") for cell in code(cells))


def test_code_parses(cells):
    for cell in code(cells):
        ast.parse(source(cell))


def test_cleaning_drops_what_belongs_to_a_live_session():
    nbformat = pytest.importorskip("nbformat")
    outputs = [
        nbformat.v4.new_output("stream", name="stdout", text="\r 10%\r 90%\r     \rdone\n"),
        nbformat.v4.new_output("stream", name="stderr", text="a warning"),
        nbformat.v4.new_output("display_data", data={WIDGET_VIEW: {}, "text/plain": "<A at 0x7f>"}),
        nbformat.v4.new_output("display_data", data={WIDGET_VIEW: {}}),
    ]
    cell = nbformat.v4.new_code_cell("1", outputs=outputs, metadata={"tags": ["a"], "other": 1})
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": {}})
    clean(notebook)
    assert "widgets" not in notebook.metadata
    assert notebook.cells[0].metadata == {"tags": ["a"]}
    kept = notebook.cells[0].outputs
    assert [o.get("text") or o["data"]["text/plain"] for o in kept] == ["done\n", "<A>"]


def test_readme_names_every_lesson_and_no_lesson_another_that_does_not_exist():
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| \d\d \| \[.*\]\(notebooks/(\d\d_\w+\.ipynb)\)", readme, re.MULTILINE)
    assert named == [path.name for path in PATHS]
    known = {path.stem[:2] for path in PATHS}
    for path in PATHS:
        text = "\n".join(prose(json.loads(path.read_text(encoding="utf-8"))["cells"]))
        for number in re.findall(r"[Ll]essons? (\d\d)\b", text):
            assert number in known, f"{path.stem} names lesson {number}"
