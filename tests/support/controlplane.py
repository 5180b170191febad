"""Fixtures: a real API server without nodes.

``control_plane`` is shared by the whole session: a test works in ``namespace``,
which is its own, and leaves cluster-scoped objects as it found them.
``own_control_plane`` is for tests that kill, restore or misconfigure it.
"""

from collections.abc import Iterator
from secrets import token_hex

import pytest

from kilonova_lab.controlplane import ControlPlane


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """The session's API server."""
    with ControlPlane() as running:
        yield running


@pytest.fixture
def own_control_plane() -> Iterator[ControlPlane]:
    """An API server that this test may break."""
    with ControlPlane() as running:
        yield running


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    """A new namespace in the session's API server; its deletion is not awaited."""
    name = f"t-{token_hex(4)}"
    control_plane.api.create(
        "/api/v1/namespaces",
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}},
    )
    yield name
    if control_plane.apiserver.running:
        control_plane.api.delete(f"/api/v1/namespaces/{name}")
