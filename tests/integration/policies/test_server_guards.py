"""Protection, the finalizer, and who asked: what policies do for a Server."""

import json
from typing import Any

import pytest

from kilonova_api.names import (
    ALLOW_DELETE_ANNOTATION,
    REQUESTED_BY_ANNOTATION,
    SERVER_FINALIZER,
)
from support.chart_cluster import Cluster
from support.chart_manifests import build_server
from support.waiting import eventually

NO_FINALIZERS = json.dumps({"metadata": {"finalizers": None}})


@pytest.fixture
def server(cluster: Cluster, namespace: str) -> str:
    """A new Server's namespace; its name is web-0."""
    cluster.admin.create(build_server("web-0", namespace))
    return namespace


def test_a_new_server_has_our_finalizer_and_says_who_asked(
    cluster: Cluster, namespace: str
) -> None:
    cluster.admin.kubectl(
        "create",
        "rolebinding",
        "ann",
        "--clusterrole=edit",
        "--user=ann",
        "-n",
        namespace,
    )
    forged = build_server("web-0", namespace)
    forged["metadata"]["annotations"] = {REQUESTED_BY_ANNOTATION: "bob", "mine": "kept"}
    cluster.user("ann").create(forged)
    metadata = _get(cluster, namespace)["metadata"]
    assert metadata["finalizers"] == [SERVER_FINALIZER]
    assert metadata["annotations"] == {REQUESTED_BY_ANNOTATION: "ann", "mine": "kept"}


@pytest.mark.parametrize(
    "options", [("--server-side",), ()], ids=["server-side", "client-side"]
)
def test_applying_again_changes_nothing(
    cluster: Cluster, namespace: str, options: tuple[str, ...]
) -> None:
    manifest = json.dumps(build_server("web-0", namespace))
    versions = []
    for _ in range(3):
        cluster.admin.kubectl("apply", *options, "-f", "-", stdin=manifest)
        live = _get(cluster, namespace)["metadata"]
        versions.append((live["generation"], live["resourceVersion"]))
    # The second one stores what the API server defaulted in the status, once,
    # and would do so without any policy.
    assert versions[1] == versions[2]
    assert versions[0][0] == versions[2][0]
    cluster.admin.kubectl("diff", *options, "-f", "-", stdin=manifest)


def test_a_whole_object_replace_keeps_finalizer_and_requester(
    cluster: Cluster, server: str
) -> None:
    manifest = json.dumps(build_server("web-0", server, powerState="Stopped"))
    cluster.admin.kubectl("replace", "-f", "-", stdin=manifest)
    live = _get(cluster, server)
    assert live["spec"]["powerState"] == "Stopped"
    assert live["metadata"]["finalizers"] == [SERVER_FINALIZER]
    assert REQUESTED_BY_ANNOTATION in live["metadata"]["annotations"]


def test_taking_the_finalizer_off_a_living_server_does_nothing(
    cluster: Cluster, server: str
) -> None:
    cluster.admin.kubectl(*_patch(server))
    assert _get(cluster, server)["metadata"]["finalizers"] == [SERVER_FINALIZER]


def test_taking_the_finalizer_off_a_server_being_deleted_is_refused(
    cluster: Cluster, server: str
) -> None:
    cluster.admin.kubectl("delete", "nsrv", "web-0", "-n", server, "--wait=false")
    error = cluster.admin.refused(*_patch(server))
    assert "comes off when the guest is gone" in error
    assert "deletionTimestamp" in _get(cluster, server)["metadata"]


@pytest.mark.parametrize("who", ["operator", "break_glass"])
def test_the_operator_and_the_break_glass_group_take_the_finalizer_off(
    cluster: Cluster, server: str, who: str
) -> None:
    cluster.admin.kubectl("delete", "nsrv", "web-0", "-n", server, "--wait=false")
    getattr(cluster, who).kubectl(*_patch(server))
    assert not cluster.admin.run("kubectl", "get", "nsrv", "web-0", "-n", server).ok


def test_a_protected_server_is_not_deleted_until_it_is_unprotected(
    cluster: Cluster, namespace: str
) -> None:
    cluster.admin.create(build_server("web-0", namespace, deletion={"protected": True}))
    error = cluster.admin.refused("delete", "nsrv", "web-0", "-n", namespace)
    assert "set spec.deletion.protected to false first" in error
    cluster.admin.refused("delete", "nsrv", "--all", "-n", namespace)
    cluster.break_glass.refused("delete", "nsrv", "web-0", "-n", namespace)
    assert "deletionTimestamp" not in _get(cluster, namespace)["metadata"]
    unprotect = json.dumps({"spec": {"deletion": {"protected": False}}})
    cluster.admin.kubectl(*_patch(namespace, unprotect))
    cluster.admin.kubectl("delete", "nsrv", "web-0", "-n", namespace, "--wait=false")


def test_protection_does_not_halve_a_namespace_whose_deletion_was_meant(
    cluster: Cluster, namespace: str
) -> None:
    cluster.admin.create(build_server("web-0", namespace, deletion={"protected": True}))
    mark = f"{ALLOW_DELETE_ANNOTATION}={namespace}"
    cluster.admin.kubectl("annotate", "namespace", namespace, mark)
    cluster.admin.kubectl("delete", "namespace", namespace, "--wait=false")
    eventually(
        lambda: "deletionTimestamp" in _get(cluster, namespace)["metadata"],
        "the namespace controller deletes the protected Server",
    )
    cluster.operator.kubectl(*_patch(namespace))


def _get(cluster: Cluster, namespace: str) -> dict[str, Any]:
    return cluster.admin.get("nsrv", "web-0", "-n", namespace)


def _patch(namespace: str, body: str = NO_FINALIZERS) -> list[str]:
    return ["patch", "nsrv", "web-0", "-n", namespace, "--type=merge", "-p", body]
