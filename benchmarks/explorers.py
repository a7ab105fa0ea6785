"""What explorers weigh and how soon they answer, in JupyterLab and Chromium: python benchmarks/explorers.py

Each lesson is opened and run, directly and through a proxy that delays every message between the browser and
JupyterLab. Columns: KB sent; ms from the output's arrival to its first picture; ms from a key to the new
picture, median and slowest of 48; growth of the page's heap in 1,000 moves, MB; messages sent meanwhile.
"""

import argparse
import asyncio
import contextlib
import statistics
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
import browser  # noqa: E402  (of the tests)

# When each explorer came into the page, and when it had first drawn; runs before anything else in it.
CLOCK = """
window.came = new Map(); window.drew = new Map();
new MutationObserver((changes) => {
    for (const root of document.querySelectorAll(".vae-explorer"))
        if (!window.came.has(root)) window.came.set(root, performance.now());
}).observe(document, { childList: true, subtree: true });
document.addEventListener("vae-drawn", ({ target }) => {
    const root = target.closest(".vae-explorer");
    if (!window.drew.has(root)) window.drew.set(root, performance.now());
}, true);
"""
STARTED = "root => window.drew.get(root) - window.came.get(root)"
# Arrow keys there and back on a control -> ms until the picture for each stood, NaN where it did not change.
KEYED = """async (control, moves) => {
    const root = control.closest(".vae-explorer"), times = [];
    const look = () => [...root.querySelectorAll("canvas")].map((canvas) => canvas.toDataURL()).join();
    for (let i = 0; i < moves; i++) {
        const before = moves < 100 ? look() : null, start = performance.now();
        let took = NaN;
        root.addEventListener("vae-drawn", () => { took = performance.now() - start; }, { once: true });
        if (control.type === "range") {
            control[i % 2 ? "stepDown" : "stepUp"]();
            control.dispatchEvent(new Event("input", { bubbles: true }));
        } else if (control.type === "number") {
            control.value = i % 2 ? 0 : 1;
            control.dispatchEvent(new Event("change", { bubbles: true }));
        } else {
            const key = i % 2 ? "ArrowLeft" : "ArrowRight";
            control.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
        }
        if (before !== null && look() === before) took = NaN;
        times.push(took);
        if (i % 10 === 9) await new Promise(requestAnimationFrame);
    }
    return times;
}"""


class Delay:
    """A proxy on this machine that hands on every byte so many seconds later, each way; a context manager."""

    def __init__(self, port, seconds):
        self.port, self.seconds = port, seconds

    def __enter__(self):
        ready = threading.Event()

        def run():
            self.loop = asyncio.new_event_loop()
            server = self.loop.run_until_complete(asyncio.start_server(self._connected, "127.0.0.1", 0))
            self.here = server.sockets[0].getsockname()[1]
            ready.set()
            self.loop.run_forever()

        threading.Thread(target=run, daemon=True).start()
        ready.wait()
        return self

    def __exit__(self, *_):
        def stop():
            for task in asyncio.all_tasks(self.loop):
                task.cancel()
            self.loop.call_soon(self.loop.stop)

        self.loop.call_soon_threadsafe(stop)

    async def _connected(self, reader, writer):
        there = await asyncio.open_connection("127.0.0.1", self.port)
        for source, target in ((reader, there[1]), (there[0], writer)):
            self.loop.create_task(self._hand_on(source, target))

    async def _hand_on(self, source, target):
        with contextlib.suppress(OSError, asyncio.CancelledError):  # the browser closes as it likes
            while data := await source.read(65536):
                self.loop.call_later(self.seconds, target.write, data)
        self.loop.call_later(self.seconds, target.close)


def measure(page, root):
    """One explorer -> KB, ms to start, ms of keys, MB of heap, messages."""
    root.locator(".vae-page").wait_for()
    moved = root.locator(".vae-handle, input[type=range]:enabled")  # a number alone where there is neither
    control = (moved if moved.count() else root.locator("input[type=number]")).first
    control.scroll_into_view_if_needed()
    started, times = root.evaluate(STARTED), control.evaluate(KEYED, 48)
    before = heap(page)
    sent = len(page.sent)
    for _ in range(10):
        control.evaluate(KEYED, 100)
    return started, times, heap(page) - before, len(page.sent) - sent


def heap(page):
    """MB of the page's heap after garbage collection."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    used = session.send("Runtime.getHeapUsage")["usedSize"] / 2**20
    session.detach()
    return used


def play(lab, page, path, way):
    """Open and run a lesson, and print a row for each of its explorers."""
    page.sent = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: page.sent.append(frame)))
    page.add_init_script(CLOCK)
    lab.open(page, path.name)
    lab.run_all(page)
    for root in page.locator(".vae-explorer").all():
        name = root.get_attribute("class").split("vae-explorer-")[1].split()[0]
        if name not in ("training", "learn"):  # they answer in their own time
            size = root.evaluate("e => e.parentElement.innerHTML.length") / 1000
            started, times, grown, sent = measure(page, root)
            print(
                f"{path.stem[:2]:6} {name:18} {way:>10} {size:6.0f} {started:6.0f} "
                f"{statistics.median(times):7.1f} {max(times):8.1f} {grown:8.2f} {sent:9}",
                flush=True,
            )
    lab.close_kernels()
    page.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: every lesson")
    parser.add_argument("--delay", type=float, default=150, help="ms that the proxy adds to a round trip")
    given = parser.parse_args()
    paths = given.notebooks or sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
    print("lesson explorer            way        KB  start  median  slowest  heap MB  messages")
    with browser.Lab(ROOT / "notebooks") as lab, browser.browser() as new_page:
        port = urlsplit(lab.base).port
        for path in paths:
            play(lab, new_page(), path, "direct")
            with Delay(port, given.delay / 2000) as proxy:
                lab.base = f"http://127.0.0.1:{proxy.here}"
                play(lab, new_page(), path, f"+{given.delay:.0f} ms")
            lab.base = f"http://127.0.0.1:{port}"


if __name__ == "__main__":
    main()
