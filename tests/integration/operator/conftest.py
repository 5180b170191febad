"""Fixtures of the operator's integration tests."""

from collections.abc import AsyncIterator
from secrets import token_hex

import pytest

from kilonova_lab.controlplane import ControlPlane
from support.operator_run import OperatorLab, apply_crds, operator_lab


@pytest.fixture
async def lab(
    control_plane: ControlPlane, namespace: str
) -> AsyncIterator[OperatorLab]:
    """Operators against the session's API server, which has our CRDs."""
    async with operator_lab(control_plane.kubeconfig, namespace) as made:
        await apply_crds(made.kube)
        yield made


@pytest.fixture
async def own_lab(own_control_plane: ControlPlane) -> AsyncIterator[OperatorLab]:
    """Operators against an API server that this test may break."""
    name = f"t-{token_hex(4)}"
    async with operator_lab(own_control_plane.kubeconfig, name) as made:
        await apply_crds(made.kube)
        yield made
