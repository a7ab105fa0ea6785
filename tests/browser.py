"""A real browser on a real JupyterLab: start it, open a notebook, run all of it, look at its explorers."""

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NAMES = ("chromium", "chromium-browser", "google-chrome")
WINDOW = {"width": 1280, "height": 1000}


def chromium():
    """Where Chromium is, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Lab:
    """JupyterLab on this machine, for one folder of notebooks, which it copies; a context manager."""

    def __init__(self, notebooks):
        self.folder = Path(tempfile.mkdtemp())
        self.root, self.token = self.folder / "notebooks", secrets.token_hex(8)
        shutil.copytree(notebooks, self.root, ignore=shutil.ignore_patterns(".*"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.base = f"http://127.0.0.1:{free.getsockname()[1]}"

    def __enter__(self):
        home = self.folder / "home"
        quiet = home / "config" / "labconfig" / "page_config.json"  # no question about news
        quiet.parent.mkdir(parents=True)
        quiet.write_text('{"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": true}}')
        cache = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))  # where the data is
        settings = home / "settings" / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
        settings.parent.mkdir(parents=True)
        settings.write_text('{"windowingMode": "none"}')  # all cells are on the page, seen or not
        environment = {
            **os.environ,
            "HOME": str(home),
            "XDG_CACHE_HOME": cache,
            "JUPYTER_CONFIG_DIR": f"{home}/config",
            "JUPYTER_DATA_DIR": f"{home}/data",
            "JUPYTER_RUNTIME_DIR": f"{home}/runtime",
            "JUPYTERLAB_SETTINGS_DIR": f"{home}/settings",
        }
        port = self.base.rsplit(":", 1)[1]
        self.log = open(self.folder / "log", "w")
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "jupyterlab",
                "--allow-root",
                "--no-browser",
                "--ip=127.0.0.1",
                f"--port={port}",
                f"--IdentityProvider.token={self.token}",
                f"--ServerApp.root_dir={self.root}",
            ],
            cwd=Path(__file__).parents[1],
            env=environment,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )
        self._wait(lambda: self.api("") is not None, 90, "JupyterLab did not start")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        self.process.kill()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def api(self, path, method="GET"):
        """What the server says to a request, or None where it says nothing of use."""
        request = urllib.request.Request(f"{self.base}/api{path}?token={self.token}", method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.loads(answer.read() or b"{}")
        except OSError:
            return None

    def open(self, page, name):
        """Open a notebook and wait until its kernel listens."""
        page.goto(f"{self.base}/lab/tree/{name}?token={self.token}&reset")

        def listens():
            return any(
                k["execution_state"] == "idle" and k["connections"] > 0 for k in self.api("/kernels") or []
            )

        self._wait(listens, 90, "no kernel is idle and connected", page=page)
        page.wait_for_selector(".jp-Notebook .jp-Cell")
        page.wait_for_timeout(1500)

    def run_all(self, page, timeout=240):
        """Run all cells through the menu and wait until none of them is marked as running."""
        page.click(".lm-MenuBar-itemLabel:text-is('Run')")
        page.click(".lm-Menu-itemLabel:text-is('Run All Cells')")
        page.wait_for_timeout(1000)
        running = page.locator(".jp-CodeCell .jp-InputArea-prompt:text-is('[*]:')")
        self._wait(lambda: running.count() == 0, timeout, "the cells did not finish", page=page)
        page.wait_for_timeout(1000)

    def words(self):
        """All that JupyterLab and its kernels have logged."""
        self.log.flush()
        return (self.folder / "log").read_text()

    def close_kernels(self):
        """Shut down all kernels, so that the next notebook has the machine to itself."""
        for kernel in self.api("/kernels") or []:
            self.api(f"/kernels/{kernel['id']}", "DELETE")

    def _wait(self, ready, seconds, complaint, pause=0.5, page=None):
        end = time.time() + seconds
        while time.time() < end:
            if ready():
                return
            page.wait_for_timeout(1000 * pause) if page else time.sleep(pause)
        raise TimeoutError(f"{complaint} in {seconds} s; JupyterLab's last words: {self.words()[-1500:]}")


@contextlib.contextmanager
def browser():
    """Chromium without a window -> a function that opens a page."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chrome = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield lambda **size: chrome.new_page(viewport=WINDOW | size)
        chrome.close()


class Played:
    """An explorer on an empty page without any network or kernel; a test plays with it."""

    def __init__(self, page, html):
        self.page, self.complaints = page, []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self.complaints.append(said.text))
        page.on("request", self._asked)
        page.set_content(
            "<!doctype html><meta charset=utf-8><meta name=viewport content='width=device-width'>"
            f"<script>{LISTEN}</script><body>{html}</body>"
        )
        page.wait_for_function("window.seen.length > 0", timeout=20_000)

    def _asked(self, request):
        if not request.url.startswith(("blob:", "data:")):  # what a page makes itself
            self.complaints.append(request.url)

    @property
    def detail(self):
        """What the last `vae-drawn` told, arrays as lists."""
        return json.loads(self.page.evaluate("JSON.stringify(window.seen.at(-1), window.plain)"))

    @property
    def words(self):
        """What the explorer says below its picture."""
        return self.page.inner_text(".vae-words")

    def set(self, label, value):
        """Move a slider, fill a number or choose a radio button by its visible name -> the new detail."""
        control = self.page.get_by_label(label, exact=True)
        if control.get_attribute("type") == "radio":
            control.check()
        else:
            control.evaluate(SET, str(value))
        return self.detail

    def press(self, name):
        """Press a button by its name -> the new detail."""
        self.page.get_by_role("button", name=name).click()
        return self.detail

    def key(self, key, handle=0):
        """Press a key on a handle -> the new detail."""
        self.page.locator(".vae-handle").nth(handle).press(key)
        return self.detail

    def pictures(self):
        """All that it shows, as data URLs."""
        return self.page.evaluate("[...document.querySelectorAll('canvas')].map(c => c.toDataURL())")


LISTEN = """
window.seen = [];
window.plain = (name, value) => (ArrayBuffer.isView(value) ? [...value] : value);
document.addEventListener("vae-drawn", (event) => window.seen.push(event.detail));
"""
SET = """(input, value) => {
    input.value = value;
    for (const kind of ["input", "change"]) input.dispatchEvent(new Event(kind, { bubbles: true }));
}"""
