"""The exercises in a notebook: find them, fill their stubs, keep only the cells that they need."""

import ast
import re
from typing import NamedTuple

import nbformat


class Place(NamedTuple):
    """One exercise of a notebook."""

    name: str  # of the exercise: check.NAME
    written: str  # the name that the learner's cell defines
    stub: int  # index of the cell that the learner fills
    check: int  # index of the cell that judges it


def places(notebook):
    """The exercises of a notebook in order, -> list of Place. Raises ValueError if one has no check."""
    found, cells = [], notebook.cells
    for i, cell in enumerate(cells):
        if "exercise" in cell.metadata.get("tags", []):
            judge = cells[i + 1] if i + 1 < len(cells) else cell
            called = re.search(r"check\.(\w+)\((\w+)", judge.source)
            if "check" not in judge.metadata.get("tags", []) or not called:
                raise ValueError(f"no check follows the exercise {cell.source[:40]!r}")
            found.append(Place(called[1], called[2], i, i + 1))
    return found


def fill(notebook, answer):
    """A copy of the notebook whose stubs hold answer(place), source code."""
    copy = nbformat.from_dict(notebook)
    for place in places(copy):
        copy.cells[place.stub].source = answer(place)
    return copy


def twice(notebook, first, second):
    """A copy in which each exercise is answered and judged by first(place), then again by second(place)."""
    copy = nbformat.from_dict(notebook)
    for place in reversed(places(copy)):
        once = nbformat.from_dict(copy.cells[place.stub : place.check + 1])
        for cell in once:
            cell.id = f"{cell.id}-1"
        once[0].source, copy.cells[place.stub].source = first(place), second(place)
        copy.cells[place.stub : place.stub] = once
    return copy


def needed(notebook):
    """A copy with those cells only that exercises need, or that need an exercise's answer.

    A cell is needed that defines a name which a needed cell uses, and so on upwards.
    """
    wanted, kept = set(), []
    ends = {i for place in places(notebook) for i in (place.stub, place.check)}
    answers = {place.written for place in places(notebook)}
    for i, cell in reversed(list(enumerate(notebook.cells))):
        if cell.cell_type != "code":
            continue
        defined, used = names(cell.source)
        clinic = "check." in cell.source  # it keeps its patients there
        if i in ends or clinic or defined & wanted or used & answers:
            wanted |= used
            kept.insert(0, cell)
    copy = nbformat.from_dict(notebook)
    copy.cells = kept
    return copy


def names(source):
    """The names that a cell defines or changes, and those that it uses, -> two sets."""
    defined, used = set(), set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else defined).add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            defined.add(node.name)
        elif isinstance(node, ast.alias):
            defined.add((node.asname or node.name).split(".")[0])
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "fit":
            defined |= {part.id for part in node.args if isinstance(part, ast.Name)}  # it trains in place
    return defined, used
