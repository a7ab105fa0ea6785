"""How pytest compares a notebook's stored outputs: text to the letter, pictures and HTML not."""


def pytest_collectstart(collector):
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("text/html", "image/svg+xml", "stderr")
