"""Nodes become ComputeHosts, with an identity, a heartbeat, and what they can give."""

from collections.abc import Callable
from secrets import token_hex
from typing import Any

import pytest

from kilonova_api.compute_host import ComputeHost
from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.resources import (
    NAMESPACE,
    NODE,
    POD,
    ROLE_BINDING,
    SERVICE_ACCOUNT,
    KubeObject,
)
from kilonova_api.names import (
    CELL_LABEL,
    HOSTS_NAMESPACE,
    HYPERVISOR_LABEL,
    host_namespace,
)
from support.made_up_hosts import (
    HOST_ID,
    OTHER_HOST_ID,
    beat,
    find_host,
    make_node,
    report,
)
from support.operator_run import OperatorLab
from support.waiting import until


@pytest.fixture
def name() -> str:
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


def reason(host: ComputeHost) -> str:
    ready = host.status.condition("Ready")
    return "" if ready is None else ready.reason


async def make_enabled_host(
    lab: OperatorLab, name: str, *, labels: dict[str, str] | None = None
) -> KubeObject:
    """Bring a host to where new Servers may come; return its Node."""
    node = await make_node(lab.kube, name, labels=labels)
    await wait_for_host(lab, name, lambda h: h.status.cell is not None, "registered")
    await report(lab.kube, name, node["metadata"]["uid"])
    await beat(lab.kube, name)
    await beat(lab.kube, name)
    await wait_for_host(
        lab, name, lambda h: h.status.scheduling == "Enabled", "the host is enabled"
    )
    return node


async def delete_node(kube: KubeApi, node: KubeObject) -> None:
    metadata = node["metadata"]
    await kube.delete(NODE, None, metadata["name"], uid=metadata["uid"])


async def test_a_labelled_node_gets_account_namespace_rights_and_compute_host(
    lab: OperatorLab, name: str
) -> None:
    await lab.lead()
    await make_node(lab.kube, name)
    made = await wait_for_host(
        lab, name, lambda h: h.status.cell is not None, "a ComputeHost"
    )
    assert (made.status.scheduling, made.status.cell) == ("Held", "cell1")
    assert reason(made) == "WaitingForAgent"
    namespace = host_namespace(name)
    await lab.kube.get(NAMESPACE, None, namespace)
    await lab.kube.get(SERVICE_ACCOUNT, HOSTS_NAMESPACE, name)
    bindings = (await lab.kube.list(ROLE_BINDING, namespace)).items
    assert {b["metadata"]["name"] for b in bindings} == {
        "kilonova-agent",
        "kilonova-conductor",
    }


async def test_a_node_without_the_label_is_no_host(lab: OperatorLab, name: str) -> None:
    await lab.lead()
    await make_node(lab.kube, f"{name}-plain", labels={})
    await make_node(lab.kube, name)
    await wait_for_host(lab, name, lambda h: h.status.cell is not None, "the other")
    assert await find_host(lab.kube, f"{name}-plain") is None


async def test_a_reporting_and_beating_host_takes_servers(
    lab: OperatorLab, name: str
) -> None:
    await lab.lead()
    await make_enabled_host(lab, name)
    # 16 GiB, less 1 GiB of the kubelet's and 512 MiB of Nova's reserve.
    up = await wait_for_host(
        lab,
        name,
        lambda h: (h.status.vcpus, h.status.memory) == ("0/32", "0/14Gi"),
        "what it can give is shown",
    )
    assert up.status.state == "Up"
    assert up.status.is_true("Ready")


async def test_what_pods_request_is_not_given_to_guests(
    lab: OperatorLab, name: str, namespace: str
) -> None:
    await lab.lead()
    await make_enabled_host(lab, name)
    requests = {"cpu": "2500m", "memory": "4Gi"}
    container = {"name": "c", "image": "i", "resources": {"requests": requests}}
    pod: dict[str, Any] = {
        "metadata": {"name": "greedy", "namespace": namespace},
        "spec": {
            "nodeName": name,
            "containers": [container],
            "automountServiceAccountToken": False,
        },
    }

    await until(lambda: account_exists(lab.kube, namespace), "a default account")
    await lab.kube.create(POD, pod)
    await wait_for_host(
        lab,
        name,
        lambda h: (h.status.vcpus, h.status.memory) == ("0/24", "0/10Gi"),
        "2 cores and 4 GiB less",
    )


async def account_exists(kube: KubeApi, namespace: str) -> bool:
    return await kube.find(SERVICE_ACCOUNT, namespace, "default") is not None


async def test_a_reinstalled_host_is_held_until_a_person_accepts_it(
    lab: OperatorLab, name: str
) -> None:
    await lab.lead()
    node = await make_enabled_host(lab, name)
    uid = node["metadata"]["uid"]
    await report(lab.kube, name, uid, hostId=OTHER_HOST_ID)
    held = await wait_for_host(
        lab, name, lambda h: reason(h) == "IdentityChanged", "the change is seen"
    )
    assert held.status.scheduling == "Held"
    assert held.status.host_id == HOST_ID
    assert held.status.is_true("Stalled")
    accept = {"hostId": OTHER_HOST_ID, "disks": "Kept"}
    await lab.kube.apply_existing(
        ComputeHost.resource(),
        {"metadata": {"name": name}, "spec": {"acceptIdentity": accept}},
        uid=held.metadata.uid,
        field_manager="a-person",
    )
    accepted = await wait_for_host(
        lab, name, lambda h: h.status.scheduling == "Enabled", "it is accepted"
    )
    assert accepted.status.host_id == OTHER_HOST_ID
    assert accepted.status.condition("Stalled") is None


async def test_a_new_node_under_an_old_name_is_another_system(
    lab: OperatorLab, name: str
) -> None:
    await lab.lead()
    await delete_node(lab.kube, await make_enabled_host(lab, name))
    await wait_for_host(lab, name, lambda h: reason(h) == "NodeGone", "the Node's end")
    await make_node(lab.kube, name)
    await wait_for_host(
        lab, name, lambda h: reason(h) == "IdentityChanged", "the new Node is seen"
    )


async def test_two_machines_that_swap_their_names_are_both_held(
    lab: OperatorLab, name: str
) -> None:
    await lab.lead()
    ids = {f"{name}-a": HOST_ID, f"{name}-b": OTHER_HOST_ID}
    uids: dict[str, str] = {}
    for host, host_id in ids.items():
        node = await make_node(lab.kube, host)
        uids[host] = node["metadata"]["uid"]
        await wait_for_host(lab, host, lambda h: h.status.cell is not None, "there")
        await report(lab.kube, host, uids[host], hostId=host_id)
        await wait_for_host(lab, host, lambda h: h.status.host_id is not None, "pinned")

    for host, host_id in zip(ids, reversed(ids.values()), strict=True):
        await report(lab.kube, host, uids[host], hostId=host_id)

    for host, host_id in ids.items():
        held = await wait_for_host(
            lab, host, lambda h: reason(h) == "IdentityChanged", "the swap is seen"
        )
        assert held.status.scheduling == "Held"
        assert held.status.host_id == host_id


async def test_a_host_whose_node_is_gone_stays_and_is_down(
    lab: OperatorLab, name: str
) -> None:
    await lab.lead()
    await delete_node(lab.kube, await make_enabled_host(lab, name))
    down = await wait_for_host(
        lab, name, lambda h: h.status.state == "Down", "the host is down"
    )
    assert (down.status.scheduling, reason(down)) == ("Held", "NodeGone")
    await lab.kube.get(NAMESPACE, None, host_namespace(name))


async def test_a_silent_host_is_called_down_and_comes_back(
    lab: OperatorLab, name: str
) -> None:
    await lab.lead(host_down_seconds=5)
    await make_enabled_host(lab, name)
    down = await wait_for_host(
        lab, name, lambda h: h.status.state == "Down", "silence is noticed"
    )
    assert (down.status.scheduling, reason(down)) == ("Held", "HeartbeatLost")
    await beat(lab.kube, name)
    await wait_for_host(
        lab, name, lambda h: h.status.scheduling == "Enabled", "it is heard again"
    )


async def test_an_agent_without_libvirt_says_so_for_its_host(
    lab: OperatorLab, name: str
) -> None:
    await lab.lead()
    node = await make_enabled_host(lab, name)
    condition = {
        "type": "Ready",
        "status": "False",
        "reason": "LibvirtUnavailable",
        "message": "libvirtd does not answer",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    await report(lab.kube, name, node["metadata"]["uid"], conditions=[condition])
    held = await wait_for_host(
        lab, name, lambda h: reason(h) == "LibvirtUnavailable", "the reason"
    )
    assert held.status.scheduling == "Held"


async def test_a_node_that_names_an_unknown_cell_is_stalled(
    lab: OperatorLab, name: str
) -> None:
    await lab.lead()
    await make_node(
        lab.kube, name, labels={HYPERVISOR_LABEL: "true", CELL_LABEL: "cell9"}
    )
    host = await wait_for_host(
        lab, name, lambda h: reason(h) == "CellNotFound", "the label is refused"
    )
    assert host.status.is_true("Stalled")
    assert host.status.cell is None


async def test_a_host_namespace_that_was_deleted_comes_back_whole(
    lab: OperatorLab, name: str
) -> None:
    await lab.lead()
    await make_enabled_host(lab, name)
    namespace = host_namespace(name)
    before = await lab.kube.get(NAMESPACE, None, namespace)
    await lab.kube.delete(NAMESPACE, None, namespace, uid=before["metadata"]["uid"])

    async def back() -> bool:
        found = await lab.kube.find(NAMESPACE, None, namespace)
        if found is None or found["metadata"]["uid"] == before["metadata"]["uid"]:
            return False
        return len((await lab.kube.list(ROLE_BINDING, namespace)).items) == 2

    await until(back, "namespace and rights are back", timeout_seconds=60)


async def test_a_deleted_account_comes_back(lab: OperatorLab, name: str) -> None:
    await lab.lead()
    await make_enabled_host(lab, name)
    before = await lab.kube.get(SERVICE_ACCOUNT, HOSTS_NAMESPACE, name)
    uid = before["metadata"]["uid"]
    await lab.kube.delete(SERVICE_ACCOUNT, HOSTS_NAMESPACE, name, uid=uid)

    async def back() -> bool:
        found = await lab.kube.find(SERVICE_ACCOUNT, HOSTS_NAMESPACE, name)
        return found is not None and found["metadata"]["uid"] != uid

    await until(back, "the account is back")


async def set_spec(lab: OperatorLab, name: str, **spec: Any) -> None:
    """Set a ComputeHost's spec, as an admin does with kubectl replace."""
    found = await lab.kube.get(ComputeHost.resource(), None, name)
    await lab.kube.replace(ComputeHost.resource(), found | {"spec": spec})


async def test_a_hosts_spec_divides_its_processors_and_says_how_often(
    lab: OperatorLab, name: str
) -> None:
    await lab.lead()
    await make_enabled_host(lab, name)
    await set_spec(
        lab,
        name,
        cpu={"dedicatedSet": "4-7", "sharedSet": "0-3"},
        allocationRatios={"vcpu": "2.0", "memory": "1.5"},
        reserved={"memoryMiB": 0},
    )
    # 4 once, 4 twice; 15 GiB one and a half times.
    await wait_for_host(
        lab,
        name,
        lambda h: (h.status.vcpus, h.status.memory) == ("0/12", "0/22Gi"),
        "what its spec gives",
    )


async def test_a_spec_that_cannot_be_is_told_and_changes_nothing(
    lab: OperatorLab, name: str
) -> None:
    await lab.lead()
    await make_enabled_host(lab, name)
    await set_spec(lab, name, cpu={"dedicatedSet": "4-9"}, traits=["HW_CPU_X86_AVX22"])
    shown = await wait_for_host(
        lab, name, lambda h: h.status.is_true("InventoryInvalid"), "InventoryInvalid"
    )
    told = shown.status.condition("InventoryInvalid")
    assert told is not None
    assert (told.reason, "8-9" in told.message) == ("CpuNotThere", True)
    assert shown.status.is_true("UnknownTrait")
    assert (shown.status.vcpus, shown.status.scheduling) == ("0/32", "Enabled")
    await set_spec(lab, name)
    await wait_for_host(
        lab,
        name,
        lambda h: h.status.condition("InventoryInvalid") is None,
        "it is well again",
    )


async def test_an_admin_disables_a_host_and_calls_it_down(
    lab: OperatorLab, name: str
) -> None:
    await lab.lead()
    await make_enabled_host(lab, name)
    await set_spec(lab, name, disabled=True, disabledReason="CHG-4711")
    shown = await wait_for_host(
        lab, name, lambda h: h.status.scheduling == "Disabled", "it is disabled"
    )
    assert (shown.status.state, reason(shown)) == ("Up", "Disabled")
    await set_spec(lab, name, forcedDown=True)
    shown = await wait_for_host(
        lab, name, lambda h: h.status.state == "Down", "it is called down"
    )
    assert (shown.status.scheduling, reason(shown)) == ("Held", "ForcedDown")
    await set_spec(lab, name)
    await wait_for_host(
        lab,
        name,
        lambda h: (h.status.state, h.status.scheduling) == ("Up", "Enabled"),
        "it is back",
    )
