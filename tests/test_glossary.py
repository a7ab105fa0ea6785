"""The glossary: every lesson has its terms, and each of them stands in the lesson that it names."""

import re

import nbformat
import pytest

from vae_lessons.instructor.lessons import NOTEBOOKS, lessons

SECTIONS = [cell.source for cell in nbformat.read(NOTEBOOKS / "glossary.ipynb", 4).cells[1:]]


def terms(section):
    return re.findall(r"^\|\*\*(.+?)\*\*\|", section, flags=re.M)


def test_every_lesson_has_its_section_in_order():
    linked = [re.search(r"\]\((\S+)\)", section)[1] for section in SECTIONS]
    assert linked == [path.name for path in lessons()]


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section[4:6])
def test_each_term_stands_in_its_lesson_and_has_a_meaning(section):
    name = re.search(r"\]\((\S+)\)", section)[1]
    cells = nbformat.read(NOTEBOOKS / name, 4).cells
    text = re.sub(
        r"\s+", " ", " ".join(cell.source for cell in cells if cell.cell_type == "markdown")
    ).lower()
    assert len(terms(section)) >= 3
    for term in terms(section):
        assert term.lower() in text, f"{term} does not stand in {name}."
    for row in section.splitlines()[4:]:
        cells = re.split(r"(?<!\\)\|", row)
        assert len(cells) == 5, row
        assert len(cells[2].strip()) > 10, row


def test_no_term_is_explained_twice():
    found = [term for section in SECTIONS for term in terms(section)]
    assert len(set(found)) == len(found)
