"""Fixtures of the operator's integration tests."""

from collections.abc import AsyncIterator
from pathlib import Path
from secrets import token_hex

import pytest

from kilonova_lab.controlplane import ControlPlane
from support.made_up_hosts import clear_hosts_and_cells
from support.operator_run import OperatorLab, apply_crds, operator_lab


@pytest.fixture
async def lab(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> AsyncIterator[OperatorLab]:
    """Operators against the session's API server, which has our CRDs."""
    async with operator_lab(control_plane.kubeconfig, namespace, tmp_path) as made:
        await apply_crds(made.kube)
        yield made
        await made.close()
        await clear_hosts_and_cells(made.kube)


@pytest.fixture
async def own_lab(
    own_control_plane: ControlPlane, tmp_path: Path
) -> AsyncIterator[OperatorLab]:
    """Operators against an API server that this test may break."""
    name = f"t-{token_hex(4)}"
    async with operator_lab(own_control_plane.kubeconfig, name, tmp_path) as made:
        await apply_crds(made.kube)
        yield made


@pytest.fixture
async def own_bare_lab(
    own_control_plane: ControlPlane, tmp_path: Path
) -> AsyncIterator[OperatorLab]:
    """The same without our CRDs."""
    name = f"t-{token_hex(4)}"
    async with operator_lab(own_control_plane.kubeconfig, name, tmp_path) as made:
        yield made
