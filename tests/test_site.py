"""The course as a site: all its lessons, a front page to drag, and nothing that comes from elsewhere."""

import functools
import http.server
import threading
from importlib.util import find_spec

import nbformat
import pytest

from vae_lessons.__main__ import main
from vae_lessons.instructor.lessons import NOTEBOOKS
from vae_lessons.instructor.site import explorer, site

needs_sphinx = pytest.mark.skipif(
    find_spec("myst_nb") is None,
    reason="The site's builder is missing: pip install 'vae_lessons[site]'",
)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    out = tmp_path_factory.mktemp("site")
    site(out)
    return out


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def served(built):
    handler = functools.partial(Quiet, directory=built)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@needs_sphinx
def test_every_lesson_has_its_page_and_its_place_on_the_front_page(built):
    front = (built / "index.html").read_text(encoding="utf-8")
    paths = sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))
    for path in paths:
        assert f'href="{path.stem}.html"' in front
        assert (built / f"{path.stem}.html").stat().st_size > 50_000
    assert "search.html" in front


@needs_sphinx
@pytest.mark.parametrize("width", [1280, 360])
def test_the_front_page_drags_and_learns_and_takes_nothing_from_elsewhere(new_page, served, width):
    page, asked = new_page(width=width, height=900), []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{served}/index.html")
    page.locator(".vae-explorer-latent .vae-page").wait_for()
    page.locator(".vae-explorer-learn .vae-page").wait_for()
    before = page.inner_text(".vae-explorer-latent .vae-words")
    page.locator(".vae-handle").first.press("ArrowRight")
    assert page.inner_text(".vae-explorer-latent .vae-words") != before
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert [url for url in asked if not url.startswith((served, "data:", "blob:"))] == []
    page.close()


@needs_sphinx
def test_equations_are_drawn_and_predictions_are_collapsed(new_page, served):
    page, asked = new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{served}/06_evidence_lower_bound.html")
    page.locator("mjx-container").first.wait_for()
    assert page.locator("mjx-container").count() > 50
    assert page.locator("mjx-merror").count() == 0
    assert page.locator("details.hide").count() >= 1
    assert page.locator("details.hide[open]").count() == 0
    assert [url for url in asked if not url.startswith((served, "data:", "blob:"))] == []
    page.close()


def test_a_lesson_without_an_explorer_cannot_open_the_front_page(tmp_path):
    path = tmp_path / "00_empty.ipynb"
    nbformat.write(nbformat.v4.new_notebook(), path)
    with pytest.raises(RuntimeError, match="No lesson holds the explorer latent: store them first"):
        explorer([path], "latent")


def test_the_command_says_where_the_site_is(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("vae_lessons.instructor.site.site", lambda out: None)
    assert main(["site", str(tmp_path)]) == 0
    assert "index.html" in capsys.readouterr().out
