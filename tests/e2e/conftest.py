"""Fixtures of every end-to-end test."""

from collections.abc import Generator

import pytest

from support.cluster import cluster, own_cluster
from support.explanation import add_explanation
from support.kilonova import installed, kilonova

__all__ = ["cluster", "installed", "kilonova", "own_cluster"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Print what explains a failure, whichever fixtures the test takes."""
    report = yield
    add_explanation(item, report)
    return report


# They put right what they break; should that fail, nothing else fails with them.
_LAST = ("test_server_crashes.py", "test_careless_hands.py", "test_reinstalled_node.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests that break the session's cluster after all others."""

    def place(item: pytest.Item) -> int:
        return _LAST.index(item.path.name) + 1 if item.path.name in _LAST else 0

    items.sort(key=place)
