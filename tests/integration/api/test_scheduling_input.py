"""What people may get wrong about scheduling, and what the API server says."""

import json
from typing import Any

import pytest

from support.crd_rule_case import BASES, merge
from support.kubectl import Cli

HUGEPAGE = {"size": "1Gi", "count": 4}
FPGA = {"resourceClass": "CUSTOM_FPGA", "total": 1}

WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("ComputeHost", {"allocationRatios": {"vcpu": 4.0}}, "must be of type string"),
    ("ComputeHost", {"allocationRatios": {"vcpu": "NaN"}}, "allocationRatios.vcpu"),
    ("ComputeHost", {"allocationRatios": {"disk": "0"}}, "must be a number above 0"),
    ("ComputeHost", {"cpu": {"dedicatedSet": "8-"}}, "spec.cpu.dedicatedSet"),
    ("ComputeHost", {"reserved": {"hugepages": [HUGEPAGE]}}, "node: Required value"),
    ("ComputeHost", {"traits": ["gold"]}, "spec.traits[0]"),
    ("ComputeHost", {"resources": [FPGA, FPGA]}, "Duplicate value"),
    (
        "ComputeHost",
        {"resources": [FPGA | {"resourceClass": "VCPU"}]},
        "spec.resources[0].resourceClass",
    ),
    ("Flavor", {"memory": {"pageSize": "2MB"}}, "spec.memory.pageSize"),
    ("Flavor", {"cpu": {"policy": "dedicated"}}, '"Shared", "Dedicated", "Mixed"'),
    ("Flavor", {"resources": {"CUSTOM_FPGA": -1}}, "greater than or equal to 0"),
    ("HostAggregate", {"hosts": ["hv1", "hv1"]}, "Duplicate value"),
    ("HostAggregate", {"availabilityZone": "hall 1"}, "spec.availabilityZone"),
    (
        "HostAggregate",
        {"sharedResources": [{"resourceClass": "DISK_GB", "total": 0}]},
        "spec.sharedResources[0].total",
    ),
    ("Server", {"schedulingHints": {"query": "x" * 4097}}, "Too long"),
    ("Server", {"schedulingHints": {"nearHost": {"address": "fe80::1"}}}, "address"),
    ("ServerGroup", {"policy": "anti-affinity"}, '"Affinity", "AntiAffinity"'),
    ("ServerGroup", {"maxPerDomain": 0}, "greater than or equal to 1"),
    ("ServerQuota", {"instances": -1}, "for no limit leave it out"),
    ("ServerQuota", {"instances": -2}, "greater than or equal to -1"),
]


@pytest.mark.parametrize(
    ("kind", "spec", "said"), WRONG, ids=lambda v: v if isinstance(v, str) else ""
)
def test_a_mistake_is_said_where_it_is(
    admin: Cli, namespace: str, kind: str, spec: dict[str, Any], said: str
) -> None:
    manifest = merge(
        {
            "apiVersion": "compute.kilonova.dev/v1alpha1",
            "kind": kind,
            "metadata": {"name": "wrong", "namespace": namespace},
        },
        merge(BASES[kind], {"spec": spec}),
    )
    error = admin.refused("create", "-f", "-", stdin=json.dumps(manifest))
    assert said in error
