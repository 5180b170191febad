"""Nodes become ComputeHosts, and back."""

from collections.abc import Callable
from secrets import token_hex

import pytest

from kilonova_api.compute_host import ComputeHost
from kilonova_api.kube.resources import (
    NAMESPACE,
    ROLE_BINDING,
    SERVICE_ACCOUNT,
)
from kilonova_api.names import HOSTS_NAMESPACE, host_namespace
from support.made_up_hosts import beat, find_host, make_node, report
from support.operator_run import OperatorLab, until


@pytest.fixture
def host() -> str:
    return f"hv-{token_hex(4)}"


async def wait_for_host(
    lab: OperatorLab, name: str, check: Callable[[ComputeHost], bool], what: str
) -> ComputeHost:
    seen: list[ComputeHost | None] = [None]

    async def so() -> bool:
        seen[0] = await find_host(lab.kube, name)
        return seen[0] is not None and check(seen[0])

    await until(so, lambda: f"{what}; the host is {seen[0]}")
    assert seen[0] is not None
    return seen[0]


async def test_a_labelled_node_gets_account_namespace_rights_and_compute_host(
    lab: OperatorLab, host: str
) -> None:
    await lab.lead()
    await make_node(lab.kube, host)
    made = await wait_for_host(
        lab, host, lambda h: h.status.namespace is not None, "a ComputeHost"
    )
    assert made.status.scheduling == "Held"
    assert made.status.cell == "cell1"
    condition = made.status.condition("Ready")
    assert condition is not None
    assert condition.reason == "WaitingForAgent"
    namespace = host_namespace(host)
    await lab.kube.get(NAMESPACE, None, namespace)
    await lab.kube.get(SERVICE_ACCOUNT, HOSTS_NAMESPACE, host)
    bindings = (await lab.kube.list(ROLE_BINDING, namespace)).items
    assert {b["metadata"]["name"] for b in bindings} == {
        "kilonova-agent",
        "kilonova-conductor",
    }


async def test_a_reporting_and_beating_host_takes_servers(
    lab: OperatorLab, host: str
) -> None:
    await lab.lead()
    node = await make_node(lab.kube, host)
    await wait_for_host(lab, host, lambda h: h.status.cell is not None, "registered")
    await report(lab.kube, host, node["metadata"]["uid"])
    await beat(lab.kube, host)
    await beat(lab.kube, host)
    up = await wait_for_host(
        lab, host, lambda h: h.status.scheduling == "Enabled", "the host is enabled"
    )
    assert up.status.state == "Up"
    assert up.status.is_true("Ready")
    # 16 GiB, less 1 GiB of the kubelet's and 512 MiB of Nova's reserve.
    await wait_for_host(
        lab,
        host,
        lambda h: (h.status.vcpus, h.status.memory) == ("0/32", "0/14Gi"),
        "what it can give is shown",
    )
