"""Slow tests run, and those that count or time do so in full, where VAE_LESSONS_SLOW=1 is set."""

import os

import pytest

SLOW = os.environ.get("VAE_LESSONS_SLOW") == "1"


@pytest.fixture(scope="session")
def slow():
    """Whether there is time for the full measure, bool."""
    return SLOW


def pytest_collection_modifyitems(items):
    if SLOW:
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="takes minutes; set VAE_LESSONS_SLOW=1 to run it"))
