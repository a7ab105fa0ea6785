"""The order of the rooms in vae_lessons, read from their imports: arrows run one way only."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[1] / "vae_lessons"

# A room may import those before it. Some are not built yet.
ORDER = (
    "server", "runtime", "files", "handwriting", "data", "gaussian", "estimators", "pca", "model", "losses",
    "history", "replay", "train", "importance", "measures", "evidence", "claims", "plots", "beside",
    "explorers", "check",
)  # fmt: skip
# And so inside check: what judges, then the exercises.
ORDER_OF_CHECK = (
    "verdict", "calling", "facts", "moments", "multiples", "exercise", "meter", "estimators", "squares",
    "gaussian", "divergence", "cloud", "sampling", "pca", "neighbours", "measures", "score_function",
    "pathwise", "reconstruction", "wrong_losses", "wrong_pairs", "losses", "loss", "wrong_heads", "heads",
    "watching", "drawing", "bugs", "clinic", "diagnosis", "implied", "units", "purpose",
)  # fmt: skip
FILES = sorted(HOUSE.rglob("*.py"))
LIMIT = 260  # lines


def name_of(path):
    return path.relative_to(HOUSE).with_suffix("").as_posix()


def room_of(path):
    return name_of(path).split("/")[0]


def tree_of(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imports_of(tree, package="vae_lessons"):
    """Every module that a tree imports, as dotted names, from wherever in the code."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(part for part in (package if node.level else "", node.module) if part)
            yield from ((f"{start}.{alias.name}", node) for alias in node.names)


def rooms_in(tree):
    """The rooms of vae_lessons that a tree imports."""
    names = (name.split(".") for name, _ in imports_of(tree))
    return {name[1] for name in names if name[0] == "vae_lessons" and len(name) > 1}


def backward(room, tree):
    """The arrows from a room that do not run to one before it."""
    others = rooms_in(tree) - {room}
    return sorted(other for other in others if other in ORDER and ORDER.index(other) > ORDER.index(room))


def inside_functions(tree):
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    return {id(inner) for function in functions for inner in ast.walk(function)}


def public(body, before=""):
    """Every public function, class and method, with its dotted name."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            if not node.name.startswith("_"):
                yield before + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body, f"{before}{node.name}.")


def mutable_defaults(tree):
    """The names of functions with a default that all their calls would share and could change."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            defaults = [default for default in (*node.args.defaults, *node.args.kw_defaults) if default]
            fixed = (ast.Constant, ast.Name, ast.Attribute, ast.Tuple, ast.UnaryOp, ast.BinOp)
            if not all(isinstance(default, fixed) for default in defaults):
                yield getattr(node, "name", "lambda")


@pytest.fixture(params=FILES, ids=name_of)
def path(request):
    return request.param


def test_every_room_has_its_place_in_the_order(path):
    assert room_of(path) in (*ORDER, "__init__"), f"Give {room_of(path)} a place in ORDER."


def test_no_arrow_runs_back(path):
    if room_of(path) in ORDER:
        assert backward(room_of(path), tree_of(path)) == []


def test_no_arrow_runs_back_inside_check():
    inside = {path.stem: path for path in (HOUSE / "check").glob("*.py") if path.stem != "__init__"}
    assert set(inside) <= set(ORDER_OF_CHECK), "Give each room of check a place in ORDER_OF_CHECK."
    for name, path in inside.items():
        named = (part.split(".") for part, _ in imports_of(tree_of(path), "vae_lessons.check"))
        inner = {part[2] for part in named if part[:2] == ["vae_lessons", "check"] and len(part) > 2}
        assert inner <= set(ORDER_OF_CHECK[: ORDER_OF_CHECK.index(name)]), name


def test_the_door_shows_no_room_but_runtime():
    assert rooms_in(tree_of(HOUSE / "__init__.py")) <= {"runtime"}


def test_nobody_needs_explorers_or_check(path):
    assert rooms_in(tree_of(path)) - {room_of(path)} <= set(ORDER) - {"explorers", "check"}


def test_plots_sees_no_other_room():
    assert rooms_in(tree_of(HOUSE / "plots.py")) == set()


def test_only_data_imports_torchvision_and_only_when_asked(path):
    tree = tree_of(path)
    nodes = [node for name, node in imports_of(tree) if name.split(".")[0] == "torchvision"]
    if room_of(path) == "data":
        assert nodes
        assert all(id(node) in inside_functions(tree) for node in nodes)
    else:
        assert nodes == []


def test_no_room_is_a_lumber_room(path):
    assert not {"utils", "util", "common", "helpers", "misc"} & set(name_of(path).split("/"))


def test_no_star_is_imported(path):
    assert not [name for name, _ in imports_of(tree_of(path)) if name.endswith("*")]


def test_everything_public_has_a_docstring(path):
    tree = tree_of(path)
    assert ast.get_docstring(tree), "The module has no docstring."
    assert [name for name, node in public(tree.body) if not ast.get_docstring(node)] == []


def test_no_default_is_shared_and_changed(path):
    assert list(mutable_defaults(tree_of(path))) == []


def test_a_room_that_grows_is_two_rooms(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LIMIT


def test_a_model_needs_neither_torchvision_nor_matplotlib():
    code = (
        "import sys, vae_lessons.model; "
        "print([name for name in ('torchvision', 'matplotlib', 'IPython') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(HOUSE.parent), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[]\n"


# ------------------------------------------------------------ that these readers see what they look for


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("from vae_lessons.train import fit", ["train"]),
        ("from vae_lessons import train, files", ["train"]),
        ("import vae_lessons.train", ["train"]),
        ("from . import train", ["train"]),
        ("from .train import fit", ["train"]),
        ("def f():\n    from vae_lessons.plots import page", ["plots"]),
        ("from vae_lessons.files import written_whole\nimport math", []),
        ("import vae_lessons", []),
    ],
)
def test_a_backward_arrow_is_seen(code, found):
    assert backward("model", ast.parse(code)) == found


def test_what_has_no_docstring_is_seen():
    code = "class A:\n    'says'\n    def b(self): pass\n    def _c(self): pass\ndef d(): 'says'\ndef e(): 1"
    missing = [name for name, node in public(ast.parse(code).body) if not ast.get_docstring(node)]
    assert missing == ["A.b", "e"]


@pytest.mark.parametrize("default", ["[]", "{}", "set()", "torch.zeros(3)", "[x for x in y]"])
def test_a_shared_default_is_seen(default):
    assert list(mutable_defaults(ast.parse(f"def f(a, b={default}): pass"))) == ["f"]
    assert list(mutable_defaults(ast.parse(f"def f(*, b={default}): pass"))) == ["f"]
    assert list(mutable_defaults(ast.parse("def f(a, b=(1, 2), c=None, *, d=-1.0, e): pass"))) == []


def test_an_import_on_demand_is_told_from_one_at_once():
    tree = ast.parse("import torchvision\ndef f():\n    import torchvision")
    assert [id(node) in inside_functions(tree) for _, node in imports_of(tree)] == [False, True]
