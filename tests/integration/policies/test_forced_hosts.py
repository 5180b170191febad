"""Who may say which host a Server goes to."""

import json
from typing import Any

import pytest

from support.chart_cluster import Cluster
from support.chart_manifests import build_server
from support.kubectl import Cli

FORCED: dict[str, Any] = {"forcedHost": "hv1"}
REQUESTED: dict[str, Any] = {"requestedHost": "hv1"}
BOTH_WAYS = pytest.mark.parametrize("word", [FORCED, REQUESTED], ids=["force", "ask"])


@pytest.fixture
def editor(cluster: Cluster, namespace: str) -> Cli:
    """Somebody who may edit the namespace."""
    _bind(cluster, namespace, "edit")
    return cluster.user(f"tenant-of-{namespace}")


def _bind(cluster: Cluster, namespace: str, role: str) -> None:
    cluster.admin.kubectl(
        "create", "rolebinding", role, f"--clusterrole={role}",
        f"--user=tenant-of-{namespace}", "-n", namespace,
    )  # fmt: skip


def _attempt(who: Cli, namespace: str, word: dict[str, Any]) -> str:
    manifest = json.dumps(build_server("web-0", namespace, scheduling=word))
    return who.refused("create", "-f", "-", stdin=manifest)


@BOTH_WAYS
@pytest.mark.parametrize("role", ["edit", "admin"])
def test_a_tenant_names_no_host(
    cluster: Cluster, namespace: str, role: str, word: dict[str, Any]
) -> None:
    _bind(cluster, namespace, role)
    error = _attempt(cluster.user(f"tenant-of-{namespace}"), namespace, word)
    assert "right to create servers/force-host" in error


@BOTH_WAYS
def test_who_may_create_the_virtual_subresource_names_a_host(
    cluster: Cluster, namespace: str, editor: Cli, word: dict[str, Any]
) -> None:
    cluster.admin.kubectl(
        "create", "role", "forcer", "--verb=create", "-n", namespace,
        "--resource=servers.compute.kilonova.dev/force-host",
    )  # fmt: skip
    cluster.admin.kubectl(
        "create", "rolebinding", "forcer", "--role=forcer", "-n", namespace,
        f"--user=tenant-of-{namespace}",
    )  # fmt: skip
    editor.create(build_server("web-0", namespace, scheduling=word))


def test_who_runs_the_cloud_names_a_host(
    cluster: Cluster, namespace: str, editor: Cli
) -> None:
    cluster.admin.kubectl(
        "create", "clusterrolebinding", namespace,
        "--clusterrole=kilonova-cloud-admin", f"--user=tenant-of-{namespace}",
    )  # fmt: skip
    editor.create(build_server("web-0", namespace, scheduling=FORCED))


def test_the_clusters_admin_names_a_host(cluster: Cluster, namespace: str) -> None:
    cluster.admin.create(build_server("web-0", namespace, scheduling=FORCED))


def test_nobody_names_one_later(cluster: Cluster, namespace: str, editor: Cli) -> None:
    editor.create(build_server("web-0", namespace))
    later = json.dumps({"spec": {"scheduling": FORCED}})
    patch = ("patch", "nsrv", "web-0", "-n", namespace, "--type=merge", "-p", later)
    for who in (editor, cluster.admin):
        assert "scheduling is immutable" in who.refused(*patch)


def test_a_tenant_writes_the_rest_of_a_server_whose_host_an_admin_named(
    cluster: Cluster, namespace: str, editor: Cli
) -> None:
    cluster.admin.create(build_server("web-0", namespace, scheduling=FORCED))
    stop = json.dumps({"spec": {"powerState": "Stopped"}})
    editor.kubectl(
        "patch", "nsrv", "web-0", "-n", namespace, "--type=merge", "-p", stop
    )
    manifest = build_server("web-0", namespace, scheduling=FORCED)
    editor.kubectl(
        "apply", "--server-side", "--force-conflicts", "-f", "-",
        stdin=json.dumps(manifest),
    )  # fmt: skip
    other = build_server("web-0", namespace, scheduling={"forcedHost": "hv2"})
    error = editor.refused("replace", "-f", "-", stdin=json.dumps(other))
    assert "scheduling is immutable" in error


def test_hints_zone_and_group_are_a_tenants_own(namespace: str, editor: Cli) -> None:
    editor.create(
        build_server(
            "web-0",
            namespace,
            serverGroupRef={"name": "db"},
            availabilityZone="az1",
            schedulingHints={"differentHost": ["web-1"]},
        )
    )
