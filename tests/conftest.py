"""Slow tests run where VAE_LESSONS_SLOW=1 is set.

What a test has measured, `record_property("measured", words)`, stands below the results.
"""

import os

import pytest

SLOW = os.environ.get("VAE_LESSONS_SLOW") == "1"


def pytest_collection_modifyitems(items):
    if SLOW:
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="takes minutes; set VAE_LESSONS_SLOW=1 to run it"))


@pytest.fixture(scope="session")
def new_page():
    """Chromium without a window -> a function that opens a page. It skips where there is no Chromium."""
    pytest.importorskip("playwright", reason="playwright is not installed, so no browser plays explorers")
    import browser

    if browser.chromium() is None:
        pytest.skip("Chromium is missing: no browser plays explorers")
    with browser.browser() as new_page:
        yield new_page


@pytest.fixture(scope="session")
def data():
    """A few of the built-in digits, 600 to train on and 100 to test, for files without data of their own."""
    from vae_lessons.data import load

    return load("digits", train=600, test=100)


@pytest.fixture
def play(new_page):
    """A function that puts an explorer on a page of its own -> browser.Played; it must not complain."""
    import browser

    played = []

    def play(explorer, **size):
        page = new_page(**size)
        played.append(browser.Played(page, explorer.html()))
        return played[-1]

    yield play
    for one in played:
        one.page.close()
        assert one.complaints == []


def pytest_terminal_summary(terminalreporter):
    reports = [report for group in terminalreporter.stats.values() for report in group]
    said = [
        words
        for report in reports
        if getattr(report, "when", None) == "call"
        for name, words in report.user_properties
        if name == "measured"
    ]
    if said:
        terminalreporter.section("measured")
        terminalreporter.write_line("\n".join(said))
