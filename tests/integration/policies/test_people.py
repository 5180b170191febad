"""What view, edit and everybody may do with Kilonova's kinds."""

import json

import pytest

from support.chart_cluster import REPOSITORY, Cluster
from support.chart_manifests import (
    build_aggregate,
    build_group,
    build_quota,
    build_server,
)
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


@pytest.mark.parametrize("role", ["view", "edit", "admin"])
def test_a_quota_is_read_by_tenants_and_written_by_none(
    cluster: Cluster, namespace: str, role: str
) -> None:
    quota = build_quota(namespace, instances=20)
    cluster.admin.create(quota)
    tenant = _person(cluster, namespace, role)
    assert "quota" in tenant.kubectl("get", "nquota", "-n", namespace, "-o", "name")
    more = json.dumps({"spec": {"instances": 99}})
    for attempt in (
        ("patch", "nquota", "quota", "-n", namespace, "--type=merge", "-p", more),
        ("delete", "nquota", "quota", "-n", namespace),
    ):
        assert "forbidden" in tenant.refused(*attempt)


def test_an_admin_of_a_namespace_cannot_give_it_a_quota(
    cluster: Cluster, namespace: str
) -> None:
    tenant = _person(cluster, namespace, "admin")
    manifest = json.dumps(build_quota(namespace))
    assert "forbidden" in tenant.refused("create", "-f", "-", stdin=manifest)


def test_an_editor_makes_and_deletes_groups_and_a_viewer_sees_them(
    cluster: Cluster, namespace: str
) -> None:
    editor = _person(cluster, namespace, "edit")
    viewer = _person(cluster, namespace, "view")
    editor.create(build_group("db", namespace))
    viewer.kubectl("get", "nsg", "db", "-n", namespace)
    assert "forbidden" in viewer.refused("delete", "nsg", "db", "-n", namespace)
    editor.kubectl("delete", "nsg", "db", "-n", namespace)


def test_who_runs_the_cloud_writes_quotas_and_aggregates(
    cluster: Cluster, namespace: str
) -> None:
    cluster.admin.kubectl(
        "create", "clusterrolebinding", namespace,
        "--clusterrole=kilonova-cloud-admin", f"--user={namespace}",
    )  # fmt: skip
    person = cluster.user(namespace)
    person.create(build_quota(namespace, cores=64))
    aggregate = build_aggregate(namespace, hosts=["hv1"], availabilityZone="az1")
    person.create(aggregate)
    person.kubectl("delete", "nagg", namespace)
    person.kubectl("delete", "nquota", "quota", "-n", namespace)


@pytest.mark.parametrize(
    "arguments",
    [
        ("get", "nhost"),
        ("get", "ncell"),
        ("get", "nagg"),
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
