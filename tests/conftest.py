"""Slow tests run where VAE_LESSONS_SLOW=1 is set."""

import os

import pytest


def pytest_collection_modifyitems(items):
    if os.environ.get("VAE_LESSONS_SLOW") == "1":
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="takes minutes; set VAE_LESSONS_SLOW=1 to run it"))
