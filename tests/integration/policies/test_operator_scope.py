"""What the operator's account cannot do, tried with its real token."""

import json
from http import HTTPStatus
from typing import Any

import pytest

from support.chart_cluster import RELEASE_NAMESPACE, Cluster
from support.chart_manifests import (
    build_aggregate,
    build_group,
    build_namespace,
    build_quota,
)
from support.kubectl import Cli

HV1 = "kilonova-host-hv1"


@pytest.fixture(scope="module")
def operator(cluster: Cluster) -> Cli:
    """The operator with its real token."""
    return cluster.operator


def _binding(namespace: str, role: str, account: str) -> list[str]:
    return [
        "create", "rolebinding", "b", f"--clusterrole={role}",
        f"--serviceaccount={account}", f"--namespace={namespace}",
    ]  # fmt: skip


FORBIDDEN: dict[str, tuple[list[str], Any]] = {
    "make a namespace of another name": (
        ["create", "-f", "-"],
        build_namespace("evil"),
    ),
    "delete a namespace": (["delete", "namespace", HV1], None),
    "list Secrets": (["get", "secrets", "-A"], None),
    "list Secrets of a host": (["get", "secrets", "-n", HV1], None),
    "write a Secret in a tenant's namespace": (
        ["create", "secret", "generic", "s", "-n", "default"],
        None,
    ),
    "write a Secret of its own namespace": (
        ["create", "secret", "generic", "s", "-n", RELEASE_NAMESPACE],
        None,
    ),
    "bind cluster-admin to itself": (
        _binding(HV1, "cluster-admin", f"{RELEASE_NAMESPACE}:kilonova-operator"),
        None,
    ),
    "give itself Secrets of a tenant": (
        _binding(
            "default",
            "kilonova-conductor-host",
            f"{RELEASE_NAMESPACE}:kilonova-operator",
        ),
        None,
    ),
    "give somebody else the Secrets of a host": (
        _binding(HV1, "kilonova-conductor-host", "default:default"),
        None,
    ),
    "let a tenant's account be a host": (
        _binding(HV1, "kilonova-agent-host", "default:default"),
        None,
    ),
    "make an account elsewhere": (["create", "serviceaccount", "a", "-n", HV1], None),
    "get a token": (["create", "token", "hv1", "-n", "kilonova-hosts"], None),
    "delete a Server": (["delete", "nsrv", "web-0", "-n", "default"], None),
    "delete a host": (["delete", "nhost", "hv1"], None),
    "delete a CRD": (["delete", "crd", "servers.compute.kilonova.dev"], None),
    "make a flavor": (
        ["create", "-f", "-"],
        {
            "apiVersion": "compute.kilonova.dev/v1alpha1",
            "kind": "Flavor",
            "metadata": {"name": "free"},
            "spec": {"vcpus": 1, "ramMiB": 1},
        },
    ),
    "lift a quota": (["delete", "nquota", "quota", "-n", "default"], None),
    "delete a group": (["delete", "nsg", "db", "-n", "default"], None),
    "delete an aggregate": (["delete", "nagg", "az1"], None),
    "make a pod": (["run", "shell", "--image=shell", "-n", HV1], None),
    "switch a guard off": (
        ["delete", "validatingadmissionpolicy", "kilonova-guard-crds"],
        None,
    ),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_the_operator_cannot(operator: Cli, what: str) -> None:
    arguments, stdin = FORBIDDEN[what]
    text = None if stdin is None else json.dumps(stdin)
    assert "forbidden" in operator.refused(*arguments, stdin=text)


def test_the_operator_gets_a_secret_by_name(
    cluster: Cluster, operator: Cli, namespace: str
) -> None:
    cluster.admin.kubectl("create", "secret", "generic", "keys", "-n", namespace)
    operator.kubectl("get", "secret", "keys", "-n", namespace)


def test_the_operator_says_what_it_makes_of_groups_quotas_and_aggregates(
    cluster: Cluster, operator: Cli, namespace: str
) -> None:
    made = (
        build_group("db", namespace),
        build_quota(namespace),
        build_aggregate(f"all-{namespace}", hostSelector={}),
    )
    for manifest in made:
        cluster.admin.create(manifest)
        code, text = operator.say_status(manifest, {"observedGeneration": 1})
        assert code == HTTPStatus.OK, text


def test_the_operator_hears_heartbeats_and_no_other_lease(operator: Cli) -> None:
    only = "--field-selector=metadata.name=heartbeat"
    operator.kubectl("get", "leases", "-A", only)
    operator.refused("get", "leases", "-A")
