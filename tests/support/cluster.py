"""Fixtures: a whole cluster with real nodes.

``cluster`` is shared by the session; a test leaves it as it found it.
``own_cluster`` is for tests that break it for good. Both end with the test run,
also when that is killed.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex

import pytest

from kilonova_lab.cluster import Cluster
from kilonova_lab.deploy.up import build_archives
from kilonova_lab.stopwatch import Stopwatch


@contextmanager
def running_cluster(lab_id: str, *, archives: Iterable[Path] = ()) -> Iterator[Cluster]:
    """Run a lab whose life hangs on this process by a pipe.

    Args:
        lab_id: see `build_lab_id`.
        archives: images that its nodes have from the beginning.
    """
    reading, writing = os.pipe()
    try:
        with os.fdopen(reading, "rb") as lifeline:
            started = Cluster.start(lab_id, archives=archives, lifeline=lifeline)
        try:
            yield started
        finally:
            started.stop()
    finally:
        os.close(writing)


def build_lab_id(prefix: str) -> str:
    """Return an id that no other run has."""
    return f"{prefix}-{token_hex(3)}"


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The session's cluster, with Kilonova's images on its nodes."""
    archives = build_archives(Stopwatch(print))
    with running_cluster(build_lab_id("e2e"), archives=archives) as running:
        yield running


@pytest.fixture
def own_cluster() -> Iterator[Cluster]:
    """A cluster that this test may break."""
    with running_cluster(build_lab_id("own")) as running:
        yield running
