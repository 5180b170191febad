"""Quantities, Nodes and Pods as the API server writes them."""

from decimal import Decimal
from typing import Any

import pytest

from kilonova_api.names import CELL_LABEL, HYPERVISOR_LABEL, ZONE_LABEL
from kilonova_operator.domain.hosts.nodes import build_node_summary, build_pod_summary
from kilonova_operator.domain.hosts.quantities import parse_quantity


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2", "2"),
        ("1500m", "1.5"),
        ("100n", "0.0000001"),
        ("8145184Ki", str(8145184 * 1024)),
        ("1.5Gi", str(3 * 2**29)),
        ("2M", "2000000"),
        ("1e3", "1000"),
        ("3E", "3000000000000000000"),
        ("0", "0"),
    ],
)
def test_quantities_are_exact(text: str, value: str) -> None:
    assert parse_quantity(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "Gi", "1 Gi", "many", "1Xi"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no Kubernetes quantity"):
        parse_quantity(text)


def test_a_node_keeps_the_difference_of_capacity_and_allocatable() -> None:
    summary = build_node_summary(
        {
            "metadata": {
                "name": "hv1",
                "uid": "u",
                "labels": {
                    HYPERVISOR_LABEL: "true",
                    CELL_LABEL: "cell7",
                    ZONE_LABEL: "az1",
                },
            },
            "spec": {"unschedulable": True},
            "status": {
                "capacity": {"cpu": "8", "memory": "16Gi"},
                "allocatable": {"cpu": "7500m", "memory": "15Gi"},
            },
        }
    )
    assert summary.hypervisor
    assert summary.cordoned
    assert (summary.cell, summary.zone) == ("cell7", "az1")
    assert (summary.kept_cpu_millis, summary.kept_memory_mib) == (500, 1024)


def test_a_bare_node_keeps_nothing_and_is_no_hypervisor() -> None:
    summary = build_node_summary({"metadata": {"name": "n", "uid": "u"}})
    assert not summary.hypervisor
    assert (summary.kept_cpu_millis, summary.kept_memory_mib) == (0, 0)


def test_huge_pages_are_kept_from_pods_memory_and_not_from_guests() -> None:
    status = {
        "capacity": {"memory": "16Gi", "hugepages-1Gi": "8Gi", "hugepages-2Mi": "0"},
        "allocatable": {
            "memory": "7Gi",
            "hugepages-1Gi": "8Gi",
            "hugepages-2Mi": "0",
        },
    }
    node = {"metadata": {"name": "n", "uid": "u"}, "status": status}
    assert build_node_summary(node).kept_memory_mib == 1024
    status["allocatable"] |= {"memory": "7Gi", "hugepages-1Gi": "6Gi"}
    assert build_node_summary(node).kept_memory_mib == 3072, "2 are the kubelet's"


def test_the_huge_pages_of_pods_count_as_memory_and_as_pages() -> None:
    first = {"requests": {"memory": "64Mi", "hugepages-2Mi": "16Mi"}}
    second = {"requests": {"hugepages-2Mi": "4Mi", "hugepages-1Gi": "1Gi"}}
    containers = [{"resources": first}, {"resources": second}, {}]
    summary = build_pod_summary({"spec": {"containers": containers}})
    assert summary.memory_mib == 64 + 20 + 1024
    assert summary.pages == (("1Gi", 1), ("2Mi", 10))


def container(cpu: str, memory: str = "0", **fields: Any) -> dict[str, Any]:
    return {"resources": {"requests": {"cpu": cpu, "memory": memory}}, **fields}


def test_a_pod_requests_the_sum_of_its_containers_and_its_overhead() -> None:
    summary = build_pod_summary(
        {
            "spec": {
                "nodeName": "hv1",
                "containers": [container("100m", "64Mi"), container("200m", "64Mi")],
                "overhead": {"memory": "10Mi"},
            }
        }
    )
    assert (summary.node, summary.cpu_millis, summary.memory_mib) == ("hv1", 300, 138)


def test_the_hungriest_start_counts_if_it_is_more() -> None:
    spec = {
        "containers": [container("100m")],
        "initContainers": [container("900m"), container("300m")],
    }
    assert build_pod_summary({"spec": spec}).cpu_millis == 900


def test_a_sidecar_counts_with_what_starts_after_it_and_with_what_runs() -> None:
    spec = {
        "containers": [container("100m")],
        "initContainers": [
            container("50m", restartPolicy="Always"),
            container("400m"),
        ],
    }
    assert build_pod_summary({"spec": spec}).cpu_millis == 450


def test_a_request_of_the_pod_as_a_whole_replaces_its_containers() -> None:
    spec = {
        "containers": [container("100m")],
        "resources": {"requests": {"cpu": "2"}},
    }
    assert build_pod_summary({"spec": spec}).cpu_millis == 2000


def test_a_pod_without_requests_or_node_counts_nothing() -> None:
    summary = build_pod_summary({"spec": {"containers": [{"name": "c"}]}})
    assert (summary.node, summary.cpu_millis, summary.memory_mib) == ("", 0, 0)


@pytest.mark.parametrize(
    ("spec", "ranges"),
    [
        pytest.param({}, ["192.0.2.7/32"], id="no Pod range"),
        pytest.param(
            {"podCIDR": "10.1.4.0/24"}, ["192.0.2.7/32", "10.1.4.0/24"], id="one"
        ),
        pytest.param(
            {"podCIDR": "10.1.4.0/24", "podCIDRs": ["10.1.4.0/24", "fd00::/64"]},
            ["192.0.2.7/32", "10.1.4.0/24"],
            id="dual stack",
        ),
    ],
)
def test_a_nodes_addresses_and_its_pods_are_known(
    spec: dict[str, Any], ranges: list[str]
) -> None:
    addresses = [
        {"type": "Hostname", "address": "hv1"},
        {"type": "InternalIP", "address": "192.0.2.7"},
        {"type": "InternalIP", "address": "fd00::7"},
        {"type": "ExternalIP", "address": "198.51.100.7"},
    ]
    summary = build_node_summary(
        {
            "metadata": {"name": "hv1", "uid": "u"},
            "spec": spec,
            "status": {"addresses": addresses},
        }
    )
    assert [str(range_) for range_ in summary.ranges] == ranges
