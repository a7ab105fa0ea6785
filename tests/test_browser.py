"""Every lesson in JupyterLab and a real browser: equations are drawn, explorers move, also without a kernel.

It skips where Chromium or playwright is missing. VAE_LESSONS_NOTEBOOKS may name another folder of notebooks.
"""

import json
import os
import re
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="playwright is not installed, so no browser opens the lessons")
import browser

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        browser.chromium() is None, reason="Chromium is missing: no browser opens the lessons"
    ),
]

NOTEBOOKS = Path(os.environ.get("VAE_LESSONS_NOTEBOOKS", Path(__file__).parents[1] / "notebooks"))
SHOTS = os.environ.get("VAE_LESSONS_SHOTS")  # a folder for a screenshot of each explorer
PATHS = sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))

# In the page: what an explorer shows.
SHOWN = """root => [...root.querySelectorAll('canvas')].map(canvas => canvas.toDataURL()).join('|')
    + [...root.querySelectorAll('img')].map(image => image.src).join('|')"""


@pytest.fixture(scope="module")
def lab():
    with browser.Lab(NOTEBOOKS) as lab:
        yield lab


@pytest.fixture(scope="module", params=PATHS, ids=lambda path: path.stem)
def lesson(request, lab, new_page):
    """A lesson in the browser with all its cells run -> its page, its path, what the page complained of."""
    page, complaints, said = new_page(), [], len(lab.words())
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url) if _outside(request.url) else None)
    lab.open(page, request.param.name)
    lab.run_all(page)
    yield page, request.param, complaints
    words = lab.words()[said:]
    lab.close_kernels()
    page.close()
    # of the course's own code; the server logs one of its own if a page closes with messages under way
    assert not re.search(r"Traceback(?:(?!\n\[).)*?vae_lessons/\w+", words, flags=re.S), words[-3000:]


def _outside(url):
    return url.startswith(("http", "ws")) and "127.0.0.1" not in url


def calls(path):
    """The explorers that a notebook asks for, in order."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return [name for text in code for name in re.findall(r"\bexplorers\.([a-z]\w*)\(", text)]


def name_of(root):
    return re.search(r"vae-explorer-(\w+)", root.get_attribute("class"))[1]


def changes(root, act):
    before = root.evaluate(SHOWN)
    act()
    return root.evaluate(SHOWN) != before


def play(root):
    """Move all that an explorer has by key, and its planes by pointer; each must change the picture."""
    page = root.page
    for control in root.locator("input[type=range]:enabled, .vae-handle").all():
        name = control.get_attribute("aria-label") or control.evaluate("e => e.labels?.[0]?.innerText")
        assert name, "A control has no name."
        keys = ["ArrowLeft"] * 4 + ["ArrowRight"] * 8  # somewhere it is not at an end
        assert any(changes(root, partial(control.press, key)) for key in keys), name
    for handle in root.locator(".vae-handle").all():
        box = handle.locator("xpath=..").bounding_box()
        page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.4 * box["height"])
        page.mouse.down()
        assert changes(
            root, lambda box=box: page.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] / 2)
        )
        page.mouse.up()
    for box in root.locator("input[type=number]").all():
        box.fill("7")
        assert changes(root, lambda box=box: box.press("Enter"))


def train_and_stop(root):
    train, stop = root.locator("button").all()
    assert not root.page.locator(".vae-training-still").is_visible()
    before = root.evaluate(SHOWN)
    train.click()
    root.page.wait_for_function(
        f"([root, before]) => ({SHOWN})(root) !== before", arg=[root.element_handle(), before]
    )
    stop.click()
    root.page.wait_for_function(
        "([a, b]) => !a.disabled && b.disabled", arg=[train.element_handle(), stop.element_handle()]
    )
    assert "nterrupted" in root.locator("img").get_attribute("alt")


def errors_on(page):
    return page.locator(
        "[data-mime-type='application/vnd.jupyter.stderr'], [data-mime-type='application/vnd.jupyter.error']"
    ).all_inner_texts()


def test_every_explorer_moves_with_its_kernel_and_without(lesson, lab):
    page, path, complaints = lesson
    wanted = calls(path)
    assert wanted, f"{path.stem} has no explorer."
    roots = page.locator(".vae-explorer").all()
    assert [name_of(root) for root in roots] == wanted
    for i, (root, name) in enumerate(zip(roots, wanted, strict=True)):
        root.scroll_into_view_if_needed()
        if SHOTS:
            root.screenshot(path=f"{SHOTS}/{path.stem[:2]}_{i}_{name}.png")
        assert root.evaluate("e => e.scrollWidth <= e.clientWidth"), f"{name} is wider than its cell."
        if name == "training":
            train_and_stop(root)
        else:
            root.locator(".vae-page").wait_for()
            play(root)
    assert errors_on(page) == []
    assert complaints == []
    page.keyboard.press("Control+s")
    page.wait_for_timeout(2000)
    lab.close_kernels()
    page.goto(f"{lab.base}/lab/tree/{path.name}?token={lab.token}&reset")  # its own words, nothing run again
    wanted = [name for name in wanted if name != "training"]  # which needs its kernel
    roots = page.locator(".vae-explorer:not(.vae-explorer-training)")
    roots.nth(len(wanted) - 1).wait_for(state="attached")
    page.wait_for_timeout(2000)
    assert [name_of(root) for root in roots.all()] == wanted
    still = page.locator(".vae-training-still")
    assert still.count() == calls(path).count("training")
    if still.count():  # and no word that its widget is gone
        still.scroll_into_view_if_needed()
        assert still.is_visible()
        assert not page.get_by_text("Error displaying widget").is_visible()
    for root in roots.all():
        root.scroll_into_view_if_needed()
        root.locator(".vae-page").wait_for()
        play(root)


def markdown_cells(path):
    """The text of every markdown cell without code, in which a dollar sign begins or ends an equation."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    return [re.sub(r"```.*?```|`[^`]*`", "", source, flags=re.S) for source in sources]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_every_equation_is_drawn_and_every_picture_has_words(path, lab, new_page):
    """The page of an opened notebook, scrolled through cell by cell, with nothing run."""
    page = new_page()
    lab.open(page, path.name)
    texts = markdown_cells(path)
    cells = page.locator(".jp-MarkdownCell:not(.jp-mod-noInput)")
    assert cells.count() == len(texts)
    for i, text in enumerate(texts):
        cells.nth(i).scroll_into_view_if_needed()
        equations = len(re.findall(r"\$\$.+?\$\$|\$(?:\\.|[^$\\])+\$", text, flags=re.S))
        drawn = cells.nth(i).locator(".jp-RenderedMarkdown mjx-container")
        if equations:
            drawn.nth(equations - 1).wait_for(state="attached", timeout=20_000)
        assert drawn.count() == equations, text
        assert cells.nth(i).locator("mjx-merror").all_inner_texts() == [], text
    images = page.locator(".jp-OutputArea-output img").all()
    assert len(images) >= 3
    for image in images:
        assert len(image.get_attribute("alt")) > 30
        assert image.evaluate("img => img.complete && img.naturalWidth > 0")
    lab.close_kernels()
    page.close()
