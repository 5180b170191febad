"""Fixtures of every end-to-end test."""

from collections.abc import Generator

import pytest

from support.cluster import cluster, own_cluster
from support.kilonova import installed, kilonova

__all__ = ["cluster", "installed", "kilonova", "own_cluster"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell fixtures that the test failed, so that they print what explains it."""
    report = yield
    if report.when == "call" and report.failed:
        item.failed_call = True  # type: ignore[attr-defined]
    return report
