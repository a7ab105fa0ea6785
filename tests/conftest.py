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
