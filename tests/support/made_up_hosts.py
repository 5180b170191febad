"""Nodes, agents' reports and heartbeats without machines behind them."""

from contextlib import suppress
from typing import Any

from kilonova_api.cell import Cell
from kilonova_api.compute_host import ComputeHost
from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.errors import AlreadyExists, Conflict, NotFound
from kilonova_api.kube.resources import LEASE, NODE, KubeObject, Resource
from kilonova_api.names import HYPERVISOR_LABEL, host_namespace

HOST_ID = "11111111-2222-4333-8444-555555555555"
OTHER_HOST_ID = "99999999-2222-4333-8444-555555555555"


async def make_node(
    kube: KubeApi, name: str, *, labels: dict[str, str] | None = None
) -> KubeObject:
    """Create a Node with 8 cores and 16 GiB, of which kubelet keeps 1 GiB."""
    labels = {HYPERVISOR_LABEL: "true"} if labels is None else labels
    node = await kube.create(NODE, {"metadata": {"name": name, "labels": labels}})
    status = {
        "capacity": {"cpu": "8", "memory": "16Gi", "pods": "110"},
        "allocatable": {"cpu": "8", "memory": "15Gi", "pods": "110"},
    }
    uid = node["metadata"]["uid"]
    patch = [
        {"op": "test", "path": "/metadata/uid", "value": uid},
        {"op": "add", "path": "/status/capacity", "value": status["capacity"]},
        {"op": "add", "path": "/status/allocatable", "value": status["allocatable"]},
    ]
    return await kube.json_patch(NODE, None, name, patch, subresource="status")


def build_report(node_uid: str, **fields: Any) -> dict[str, Any]:
    """Return what an agent of that Node reports."""
    return {
        "hostId": HOST_ID,
        "nodeUid": node_uid,
        "agentVersion": "0.1.0",
        "hypervisorType": "QEMU",
        "virtType": "qemu",
        "cpu": {"arch": "x86_64", "cores": 8},
        "memoryMiB": 16384,
        "diskGiB": 100,
        **fields,
    }


async def report(kube: KubeApi, host: str, node_uid: str, **fields: Any) -> None:
    """Write the agent's part of a ComputeHost's status, as an agent does."""
    found = await kube.get(ComputeHost.resource(), None, host)
    await kube.apply_existing(
        ComputeHost.resource(),
        {
            "metadata": {"name": host},
            "status": {"agent": build_report(node_uid, **fields)},
        },
        uid=found["metadata"]["uid"],
        field_manager="kilonova-agent",
        subresource="status",
    )


async def beat(kube: KubeApi, host: str) -> None:
    """Renew the host's heartbeat Lease once, or make it."""
    namespace = host_namespace(host)
    body = {
        "metadata": {"name": "heartbeat", "namespace": namespace},
        "spec": {"holderIdentity": host},
    }
    try:
        await kube.create(LEASE, body)
    except AlreadyExists:
        lease = await kube.get(LEASE, namespace, "heartbeat")
        count = lease["spec"].get("leaseTransitions", 0) + 1
        lease["spec"]["leaseTransitions"] = count
        await kube.replace(LEASE, lease)


async def find_host(kube: KubeApi, name: str) -> ComputeHost | None:
    """Read a ComputeHost."""
    found = await kube.find(ComputeHost.resource(), None, name)
    return None if found is None else ComputeHost.model_validate(found)


async def clear_hosts(kube: KubeApi) -> None:
    """Remove all Nodes and ComputeHosts."""
    await _clear(kube, NODE, ComputeHost.resource())


async def clear_hosts_and_cells(kube: KubeApi) -> None:
    """Remove what one operator leaves and the next one's databases do not know."""
    await _clear(kube, NODE, ComputeHost.resource(), Cell.resource())


async def _clear(kube: KubeApi, *resources: Resource) -> None:
    for resource in resources:
        for obj in (await kube.list(resource)).items:
            metadata = obj["metadata"]
            with suppress(NotFound, Conflict):
                await kube.delete(resource, None, metadata["name"], uid=metadata["uid"])
