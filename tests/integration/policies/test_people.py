"""What view, edit and everybody may do with Kilonova's kinds."""

import json

import pytest

from support.chart_cluster import REPOSITORY, Cluster
from support.chart_manifests import build_server
from support.kubectl import Cli

EXAMPLE = REPOSITORY / "examples" / "web-server"


@pytest.fixture(scope="module")
def catalogue(cluster: Cluster) -> None:
    """What an admin offers."""
    cluster.admin.kubectl("apply", "-f", str(EXAMPLE / "catalogue.yaml"))


def _person(cluster: Cluster, namespace: str, role: str) -> Cli:
    cluster.admin.kubectl(
        "create", "rolebinding", role, f"--clusterrole={role}",
        f"--user={role}-person", "-n", namespace,
    )  # fmt: skip
    return cluster.user(f"{role}-person")


@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize("role", ["view", "edit", "admin"])
def test_kubectl_get_nova_works_for_a_tenant(
    cluster: Cluster, namespace: str, role: str
) -> None:
    tenant = _person(cluster, namespace, role)
    cluster.admin.create(build_server("web-0", namespace))
    shown = tenant.run("kubectl", "get", "nova", "-n", namespace)
    assert shown.returncode == 0, str(shown)
    assert "server.compute.kilonova.dev/web-0" in shown.stdout


@pytest.mark.usefixtures("catalogue")
def test_a_tenant_sees_what_there_is_to_choose_from(
    cluster: Cluster, namespace: str
) -> None:
    tenant = _person(cluster, namespace, "edit")
    assert "m1.small" in tenant.kubectl("get", "nflv")
    assert "debian-13" in tenant.kubectl("get", "ncimg")
    tenant.kubectl("get", "ncnet")


def test_an_editor_makes_changes_and_deletes_servers(
    cluster: Cluster, namespace: str
) -> None:
    editor = _person(cluster, namespace, "edit")
    editor.create(build_server("web-0", namespace))
    stop = json.dumps({"spec": {"powerState": "Stopped"}})
    editor.kubectl(
        "patch", "nsrv", "web-0", "-n", namespace, "--type=merge", "-p", stop
    )
    editor.kubectl("delete", "nsrv", "web-0", "-n", namespace, "--wait=false")


@pytest.mark.parametrize(
    "arguments",
    [
        ("get", "nhost"),
        ("get", "ncell"),
        ("get", "ninst", "-n", "kilonova-host-hv1"),
        ("get", "nsrv", "-n", "default"),
        ("delete", "nflv", "m1.small"),
        ("delete", "ncimg", "debian-13"),
        ("get", "secrets", "-n", "kilonova-host-hv1"),
    ],
    ids=" ".join,
)
def test_an_editor_of_one_namespace_cannot(
    cluster: Cluster, namespace: str, arguments: tuple[str, ...]
) -> None:
    editor = _person(cluster, namespace, "edit")
    assert "forbidden" in editor.refused(*arguments)


def test_an_editor_cannot_write_status(cluster: Cluster, namespace: str) -> None:
    editor = _person(cluster, namespace, "edit")
    editor.create(build_server("web-0", namespace))
    up = json.dumps({"status": {"state": "ACTIVE"}})
    error = editor.refused(
        "patch", "nsrv", "web-0", "-n", namespace, "--type=merge", "-p", up,
        "--subresource=status",
    )  # fmt: skip
    assert "forbidden" in error


def test_a_viewer_cannot_make_a_server(cluster: Cluster, namespace: str) -> None:
    viewer = _person(cluster, namespace, "view")
    manifest = json.dumps(build_server("web-0", namespace))
    assert "forbidden" in viewer.refused("create", "-f", "-", stdin=manifest)
