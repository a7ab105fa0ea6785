"""Every lesson in JupyterLab and a real browser: equations are drawn, explorers move, nothing leaks or fails.

It skips where Chromium or playwright is missing. VAE_LESSONS_NOTEBOOKS may name another folder of notebooks.
"""

import json
import os
import re
import statistics
import time
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="playwright is not installed, so no browser opens the lessons")
psutil = pytest.importorskip("psutil", reason="psutil is not installed, so no memory is measured")
import browser  # noqa: E402  (it needs both)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        browser.chromium() is None, reason="Chromium is missing: no browser opens the lessons"
    ),
]

NOTEBOOKS = Path(os.environ.get("VAE_LESSONS_NOTEBOOKS", Path(__file__).parents[1] / "notebooks"))
SHOTS = os.environ.get("VAE_LESSONS_SHOTS")  # a folder for a screenshot of each explorer
PATHS = sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))
MOVES, GROWTH = 1_000, 20  # moves, and MB that the kernel may grow by in them

# In the page: what an explorer shows.
SHOWN = """root => [...root.querySelectorAll('.vae-stage')].map(
    stage => stage.querySelector('img').src + stage.querySelector('svg').innerHTML).join('|')"""
# In the page: press keys on a knob, one after the other, and say how many ms each took until the last
# picture was there. The next key waits until nothing has changed for a while: two that meet may cancel out.
KEYED = """async (knob, [keys, moves, calm]) => {
    const images = [...knob.closest('.vae-explorer').querySelectorAll('.vae-stage img')], times = [];
    const move = key => new Promise(done => {
        const start = performance.now();
        let last = null, wait = null;
        const finish = () => {
            for (const image of images) image.removeEventListener('load', loaded);
            done(last);
        };
        const loaded = () => {
            last = performance.now() - start;
            clearTimeout(wait);
            wait = setTimeout(finish, calm);
        };
        for (const image of images) image.addEventListener('load', loaded);
        wait = setTimeout(finish, 5000);
        knob.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true}));
    });
    for (let i = 0; i < moves; i++) {
        const before = images.map(image => image.src).join();
        const took = await move(keys[i % keys.length]);
        if (took === null || images.map(image => image.src).join() === before) return null;
        times.push(took);
    }
    return times;
}"""


@pytest.fixture(scope="module")
def lab():
    with browser.Lab(NOTEBOOKS) as lab:
        yield lab


@pytest.fixture(scope="module")
def new_page():
    with browser.browser() as new_page:
        yield new_page


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
    return [name for text in code for name in re.findall(r"\bexplorers\.(\w+)\(", text)]


def name_of(root):
    return re.search(r"vae-explorer-(\w+)", root.get_attribute("class"))[1]


def changes(page, root, act, patience=5):
    """Whether what an explorer shows changes within some seconds of an action."""
    before, end = root.evaluate(SHOWN), time.time() + patience
    act()
    while time.time() < end:
        if root.evaluate(SHOWN) != before:
            return True
        page.wait_for_timeout(20)
    return False


def keys_for(knob):
    """Two keys that move a slider there and back."""
    at_the_end = knob.get_attribute("aria-valuenow") == knob.get_attribute("aria-valuemax")
    return ["ArrowLeft", "ArrowRight"] if at_the_end else ["ArrowRight", "ArrowLeft"]


def move_sliders(page, root):
    for knob in root.locator(".noUi-handle, .vae-handle:visible").all():
        assert knob.get_attribute("aria-label"), "A slider has no name."
        knob.focus()
        key = keys_for(knob)[0]
        moved = changes(page, root, partial(page.keyboard.press, key))
        assert moved, f"{key} on {knob.get_attribute('aria-label')} changes nothing."


def drag_handles(page, root):
    for stage in root.locator(".vae-stage").all():
        if stage.locator(".vae-handle").is_visible():
            stage.scroll_into_view_if_needed()
            box = stage.bounding_box()
            page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.4 * box["height"])

            def drag(box=box):
                page.mouse.down()
                page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.6 * box["height"], steps=5)
                page.mouse.up()

            assert changes(page, root, drag)


def press_buttons(page, root):
    for button in root.locator("button:not(.mod-active):not([disabled])").all():
        assert changes(page, root, button.click), button.inner_text()


def type_numbers(page, root):
    for i, box in enumerate(root.locator("input[type=number]").all()):
        box.fill(str(7 + i))
        assert changes(page, root, lambda: page.keyboard.press("Enter"))


def train_and_stop(page, root):
    train, stop = root.locator("button").all()
    assert changes(page, root, train.click)
    assert changes(page, root, lambda: None)  # it goes on by itself
    stop.click()
    page.wait_for_function(
        "([a, b]) => !a.disabled && b.disabled", arg=[train.element_handle(), stop.element_handle()]
    )
    assert "interrupted" in root.locator("img").get_attribute("alt")


def latencies(root, name):
    """ms from a key to the new picture, 48 times, shared out over the sliders."""
    if name == "hole_finder":
        return root.locator(".vae-handle:visible").evaluate(KEYED, [["Enter"], 40, 80])
    knobs = root.locator(".noUi-handle, .vae-handle:visible").all()
    each = [
        knob.evaluate(KEYED, [keys_for(knob), 48 // len(knobs), 80]) for knob in knobs if knob.is_enabled()
    ]
    assert None not in each, f"{name}: a key changed no picture in 5 s."
    return [time for times in each for time in times]


def errors_on(page):
    return page.locator(
        "[data-mime-type='application/vnd.jupyter.stderr'], [data-mime-type='application/vnd.jupyter.error']"
    ).all_inner_texts()


def test_every_explorer_moves_without_an_error(lesson, lab, record_property):
    page, path, complaints = lesson
    wanted = calls(path)
    assert wanted, f"{path.stem} has no explorer."
    roots = page.locator(".vae-explorer").all()
    assert [name_of(root) for root in roots] == wanted
    for i, (root, name) in enumerate(zip(roots, wanted, strict=True)):
        root.scroll_into_view_if_needed()
        page.wait_for_timeout(1200)
        if SHOTS:
            root.screenshot(path=f"{SHOTS}/{path.stem[:2]}_{i}_{name}.png")
        assert root.evaluate("e => e.scrollWidth <= e.clientWidth"), f"{name} is wider than its cell."
        if name == "training":
            train_and_stop(page, root)
        else:
            times = latencies(root, name)
            said = f"{name:18s} median {statistics.median(times):4.0f} ms, slowest {max(times):4.0f}"
            record_property("measured", f"{path.stem[:2]} {said}, of {len(times)}")
            for act in (move_sliders, drag_handles, type_numbers, press_buttons):
                act(page, root)
        if SHOTS:
            root.screenshot(path=f"{SHOTS}/{path.stem[:2]}_{i}_{name}_after.png")
    assert errors_on(page) == []
    assert complaints == []


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


@pytest.mark.parametrize("lesson", PATHS[:1], ids=lambda path: path.stem, indirect=True)
def test_a_thousand_moves_leave_the_kernel_as_large_as_it_was(lesson, lab, record_property):
    page, _, _ = lesson
    knob = page.locator(".vae-explorer .noUi-handle").first
    knob.scroll_into_view_if_needed()
    assert knob.evaluate(KEYED, [keys_for(knob), 100, 10])  # settles caches
    before = lab.kernel_megabytes()
    for _ in range(MOVES // 100):
        assert knob.evaluate(KEYED, [keys_for(knob), 100, 10])
    grown = lab.kernel_megabytes() - before
    record_property("measured", f"{MOVES} moves grew the kernel from {before:.0f} MB by {grown:.1f} MB")
    assert grown < GROWTH
