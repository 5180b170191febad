"""A cluster with both charts installed."""

from collections.abc import Iterator
from secrets import token_hex

import pytest

from kilonova_lab.controlplane import ControlPlane
from support.chart_cluster import Cluster, add_host, install_charts
from support.chart_manifests import build_namespace
from support.kubectl import Cli


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One cluster with Kilonova's charts and the hosts hv1 and hv2."""
    with ControlPlane() as control_plane:
        cluster = Cluster(control_plane, Cli.of_admin(control_plane))
        install_charts(cluster.admin)
        for node in ("hv1", "hv2"):
            add_host(cluster, node)
        yield cluster


@pytest.fixture
def namespace(cluster: Cluster) -> str:
    """A tenant's new namespace."""
    name = f"t-{token_hex(4)}"
    cluster.admin.create(build_namespace(name))
    return name
