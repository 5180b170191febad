"""Careless deletions that would end every guest, and how they are meant.

Each guard is tried by the command that it is there to stop.
"""

import json

import pytest

from kilonova_api import KINDS
from kilonova_api.names import ALLOW_DELETE_ANNOTATION
from support.chart_cluster import RELEASE_NAMESPACE, REPOSITORY, Cluster, add_host
from support.chart_manifests import build_namespace
from support.waiting import eventually

CRDS = [f"{kind.crd.plural}.compute.kilonova.dev" for kind in KINDS]
GUARDED = "kilonova-guarded-namespaces"


@pytest.mark.parametrize("crd", CRDS)
def test_kubectl_delete_crd_is_refused_and_says_how_to_mean_it(
    cluster: Cluster, crd: str
) -> None:
    error = cluster.admin.refused("delete", "crd", crd)
    assert "deletes every" in error
    assert f"kubectl annotate crd {crd} {ALLOW_DELETE_ANNOTATION}={crd}" in error
    assert "deletionTimestamp" not in cluster.admin.get("crd", crd)["metadata"]


def test_kubectl_delete_f_crds_deletes_none(cluster: Cluster) -> None:
    cluster.admin.refused("delete", "-f", str(REPOSITORY / "crds"), "--wait=false")
    assert set(CRDS) <= _names(cluster, "crd")


def test_helm_uninstall_of_the_crds_leaves_them(cluster: Cluster) -> None:
    cluster.admin.helm("uninstall", "kilonova-crds")
    assert set(CRDS) <= _names(cluster, "crd")
    chart = str(REPOSITORY / "charts" / "kilonova-crds")
    cluster.admin.helm("install", "kilonova-crds", chart)


def test_an_annotated_crd_can_be_deleted(cluster: Cluster) -> None:
    crd = "clusternetworks.compute.kilonova.dev"
    _allow(cluster, "crd", crd)
    cluster.admin.kubectl("delete", "crd", crd)
    cluster.admin.kubectl(
        "apply",
        "-f",
        str(REPOSITORY / "crds" / "compute.kilonova.dev_clusternetworks.yaml"),
    )


@pytest.mark.parametrize(
    "namespace", ["kilonova-host-hv1", "kilonova-hosts", RELEASE_NAMESPACE]
)
def test_kubectl_delete_namespace_is_refused_for_what_kilonova_runs_by(
    cluster: Cluster, namespace: str
) -> None:
    error = cluster.admin.refused("delete", "namespace", namespace)
    assert f"kubectl annotate namespace {namespace}" in error
    assert cluster.admin.get("ns", namespace)["status"]["phase"] == "Active"


def test_another_objects_name_in_the_annotation_is_not_enough(cluster: Cluster) -> None:
    namespace = "kilonova-host-hv1"
    mark = f"{ALLOW_DELETE_ANNOTATION}=kilonova-host-hv2"
    cluster.admin.kubectl("annotate", "namespace", namespace, mark)
    cluster.admin.refused("delete", "namespace", namespace)


def test_an_annotated_host_namespace_goes_with_all_its_instances(
    cluster: Cluster,
) -> None:
    add_host(cluster, "hv3")
    _allow(cluster, "namespace", "kilonova-host-hv3")
    cluster.admin.kubectl("delete", "namespace", "kilonova-host-hv3", "--timeout=30s")


def test_a_namespace_with_servers_is_refused_and_others_are_not(
    cluster: Cluster, namespace: str
) -> None:
    cluster.admin.kubectl("create", "namespace", f"{namespace}-empty")
    _guard(cluster, namespace)
    error = cluster.admin.refused("delete", "namespace", namespace)
    assert f"namespace {namespace} still holds Servers" in error
    cluster.admin.kubectl("delete", "namespace", f"{namespace}-empty", "--timeout=30s")


def test_an_annotated_namespace_with_servers_can_be_deleted(
    cluster: Cluster, namespace: str
) -> None:
    _guard(cluster, namespace)
    _allow(cluster, "namespace", namespace)
    cluster.admin.kubectl("delete", "namespace", namespace, "--timeout=30s")


def test_without_a_list_of_guarded_namespaces_a_namespace_can_be_deleted(
    cluster: Cluster, namespace: str
) -> None:
    cluster.admin.kubectl(
        "delete", "configmap", GUARDED, "-n", RELEASE_NAMESPACE, "--ignore-not-found"
    )
    cluster.admin.kubectl("delete", "namespace", namespace, "--timeout=30s")


def test_a_tenant_cannot_squat_the_namespace_of_a_host_to_come(
    cluster: Cluster,
) -> None:
    manifest = json.dumps(build_namespace("kilonova-host-hv9"))
    error = cluster.admin.refused("create", "-f", "-", stdin=manifest)
    assert "made by Kilonova's operator alone" in error


def _guard(cluster: Cluster, namespace: str) -> None:
    """Put a namespace on the list, as super does, and wait until it is read."""
    operator = cluster.operator
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": GUARDED, "namespace": RELEASE_NAMESPACE},
        "data": {namespace: "1"},
    }
    operator.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(body))
    probe = ("kubectl", "delete", "ns", namespace, "--dry-run=server", "--wait=false")
    eventually(
        lambda: not cluster.admin.run(*probe).ok, f"namespace {namespace} is guarded"
    )


def _allow(cluster: Cluster, kind: str, name: str) -> None:
    cluster.admin.kubectl("annotate", kind, name, f"{ALLOW_DELETE_ANNOTATION}={name}")


def _names(cluster: Cluster, kind: str) -> set[str]:
    return {item["metadata"]["name"] for item in cluster.admin.get(kind)["items"]}
