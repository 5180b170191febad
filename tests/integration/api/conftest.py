"""An API server that serves the committed CRDs."""

from collections.abc import Iterator
from secrets import token_hex

import pytest

from kilonova_lab.controlplane import ControlPlane
from support.chart_cluster import wait_for_crds
from support.chart_manifests import build_namespace
from support.crds import REPOSITORY
from support.kubectl import Cli


@pytest.fixture(scope="session")
def api_server() -> Iterator[ControlPlane]:
    """A control plane with the CRDs applied as people apply them."""
    with ControlPlane() as control_plane:
        admin = Cli.of_admin(control_plane)
        admin.kubectl("apply", "-f", str(REPOSITORY / "crds"))
        wait_for_crds(admin)
        yield control_plane


@pytest.fixture(scope="session")
def admin(api_server: ControlPlane) -> Cli:
    """kubectl of the cluster's admin."""
    return Cli.of_admin(api_server)


@pytest.fixture
def namespace(admin: Cli) -> str:
    """A tenant's new namespace."""
    name = f"t-{token_hex(4)}"
    admin.create(build_namespace(name))
    return name
