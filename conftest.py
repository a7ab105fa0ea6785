"""How pytest runs the tests and compares stored outputs: text to the letter, pictures and HTML not."""

import os

# Two files run at a time (addopts in pyproject.toml), each with one thread: two threads each would be slower.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collectstart(collector):
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("text/html", "image/svg+xml", "stderr")
