"""The arrows of the house, read from the imports: they run one way, and nobody needs the rooms at the end."""

import ast
import os
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[1] / "vae_lessons"
FILES = sorted(HOUSE.rglob("*.py"))
ENDS = {"explorers", "check", "instructor"}  # for people: no room needs them


def module_of(path):
    """vae_lessons/model/vae.py -> ("model", "vae"); a folder's __init__ goes by the folder's name."""
    parts = path.relative_to(HOUSE).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


MODULES = {module_of(path): path for path in FILES if module_of(path)}


def imports_of(path):
    """All that a file imports, from wherever in the code, -> dotted names and their nodes."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: write the whole name of what is imported."
            yield from ((f"{node.module}.{alias.name}", node) for alias in node.names)


def arrows(path):
    """The modules of the house that a file imports, as tuples."""
    for name, _ in imports_of(path):
        house, *parts = name.split(".")
        if house == "vae_lessons":
            found = [tuple(parts[:n]) for n in range(len(parts), 0, -1) if tuple(parts[:n]) in MODULES]
            yield from found[:1]


def rooms(path):
    return {module[0] for module in arrows(path)} - {module_of(path)[0]}


def test_arrows_run_one_way():
    """Between rooms, and between the files of the whole house: a circle raises CycleError, and names it."""
    graph = {}
    for module, path in MODULES.items():
        graph.setdefault(module[0], set()).update(rooms(path))
    TopologicalSorter(graph).prepare()
    TopologicalSorter({module: set(arrows(path)) - {module} for module, path in MODULES.items()}).prepare()


def test_nobody_needs_the_rooms_at_the_end():
    for module, path in MODULES.items():
        if module != ("__main__",):
            assert rooms(path).isdisjoint(ENDS), module


def test_plots_sees_no_other_room():
    assert rooms(HOUSE / "plots.py") == set()


def test_importing_the_package_brings_neither_torchvision_nor_matplotlib_nor_notebooks():
    code = (
        "import sys, vae_lessons.data, vae_lessons.model, vae_lessons.train; "
        "print(sorted({'torchvision', 'matplotlib', 'IPython', 'nbformat'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(HOUSE.parent), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def public(body, before=""):
    """Every public function, class and method, with its dotted name."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            if not node.name.startswith("_"):
                yield before + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body, f"{before}{node.name}.")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(HOUSE).as_posix())
def test_everything_public_has_a_docstring_and_no_room_is_a_lumber_room(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "The module has no docstring."
    assert [name for name, node in public(tree.body) if not ast.get_docstring(node)] == []
    assert not {"utils", "util", "common", "helpers", "misc"} & set(module_of(path))
