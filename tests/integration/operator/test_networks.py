"""Networks get ranges, keep them while used, and give them back."""

from collections.abc import Callable
from pathlib import Path
from shutil import copyfile
from typing import Any

import pytest

from kilonova_api.kube.resources import NODE, Key
from kilonova_api.network import ClusterNetwork, Network
from support.operator_run import OperatorLab
from support.waiting import until

AnyNetwork = Network | ClusterNetwork


class Networks:
    """What a person does with networks."""

    def __init__(self, lab: OperatorLab, namespace: str) -> None:
        self.lab, self.namespace = lab, namespace

    async def create(self, name: str, **spec: Any) -> Network:
        metadata = {"name": name, "namespace": self.namespace}
        body = {"metadata": metadata, "spec": {"type": "NAT", **spec}}
        created = await self.lab.kube.create(Network.resource(), body)
        return Network.model_validate(created)

    async def find(self, name: str) -> Network | None:
        found = await self.lab.kube.find(Network.resource(), self.namespace, name)
        return None if found is None else Network.model_validate(found)

    async def get(self, name: str) -> Network:
        found = await self.find(name)
        assert found is not None, name
        return found

    async def wait(
        self, name: str, check: Callable[[Network], bool], what: str
    ) -> Network:
        seen: list[Network | None] = [None]

        async def so() -> bool:
            seen[0] = await self.find(name)
            return seen[0] is not None and check(seen[0])

        await until(so, lambda: f"{what}; it is {seen[0]}")
        assert seen[0] is not None
        return seen[0]

    async def delete(self, network: Network) -> None:
        await self.lab.kube.delete(
            Network.resource(),
            self.namespace,
            network.metadata.name,
            uid=network.metadata.uid,
        )

    async def force_away(self, network: Network) -> None:
        """Delete it, and take its finalizers off by hand."""
        await self.delete(network)
        found = await self.lab.kube.get(
            Network.resource(), self.namespace, network.metadata.name
        )
        for finalizer in network.metadata.finalizers:
            await self.lab.kube.remove_finalizer(Network.resource(), found, finalizer)
        await self.wait_gone(network.metadata.name)

    async def wait_gone(self, name: str) -> None:
        async def gone() -> bool:
            return await self.find(name) is None

        await until(gone, f"network {name} is gone", timeout_seconds=60)


def reason(network: AnyNetwork) -> str:
    ready = network.status.condition("Ready")
    return "" if ready is None else ready.reason


def is_ready(network: AnyNetwork) -> bool:
    return network.status.is_true("Ready")


@pytest.fixture
async def networks(lab: OperatorLab, namespace: str) -> Networks:
    await lab.lead(forbidden_ranges="10.96.0.0/16")
    return Networks(lab, namespace)


async def test_a_network_shows_range_gateway_reach_and_use(networks: Networks) -> None:
    await networks.create("private", cidr="10.20.0.0/24")
    network = await networks.wait("private", is_ready, "it is ready")
    status = network.status
    assert (status.cidr, status.gateway) == ("10.20.0.0/24", "10.20.0.1")
    assert (status.reach, status.used) == ("host", "0/252")
    assert status.observed_generation == network.metadata.generation


async def test_networks_without_a_range_get_different_ones(networks: Networks) -> None:
    await networks.create("one")
    await networks.create("two")
    one = await networks.wait("one", is_ready, "one is ready")
    two = await networks.wait("two", is_ready, "two is ready")
    assert {one.status.cidr, two.status.cidr} == {"10.128.0.0/24", "10.128.1.0/24"}


async def test_a_range_in_use_stalls_and_heals_when_it_is_free(
    networks: Networks,
) -> None:
    await networks.create("first", cidr="10.20.0.0/24")
    first = await networks.wait("first", is_ready, "the first is ready")
    await networks.create("second", cidr="10.20.0.0/25")
    second = await networks.wait("second", lambda n: bool(reason(n)), "it is judged")
    assert (reason(second), second.status.is_true("Stalled")) == ("RangeInUse", True)
    assert second.status.cidr is None
    await networks.delete(first)
    await networks.wait_gone("first")

    async def ready() -> bool:
        found = await networks.find("second")
        return found is not None and is_ready(found)

    await until(ready, "the second has it now", timeout_seconds=60)


async def test_a_range_of_services_is_forbidden(networks: Networks) -> None:
    await networks.create("evil", cidr="10.96.4.0/24")
    evil = await networks.wait("evil", lambda n: bool(reason(n)), "it is judged")
    assert reason(evil) == "RangeForbidden"
    ready = evil.status.condition("Ready")
    assert ready is not None
    assert "10.96.0.0/16" in ready.message


async def test_a_range_of_a_node_is_forbidden_without_being_named(
    networks: Networks, namespace: str
) -> None:
    kube, name = networks.lab.kube, f"node-{namespace}"[:63]
    metadata, spec = {"name": name}, {"podCIDR": "10.33.5.0/24"}
    node = await kube.create(NODE, {"metadata": metadata, "spec": spec})
    address = [{"type": "InternalIP", "address": "10.34.0.7"}]
    patch = [
        {"op": "test", "path": "/metadata/uid", "value": node["metadata"]["uid"]},
        {"op": "add", "path": "/status/addresses", "value": address},
    ]
    await kube.json_patch(NODE, None, name, patch, subresource="status")
    context = networks.lab._running[-1].process._context
    assert context is not None
    nodes = context.informers.nodes.items
    await until(
        lambda: any(len(known.ranges) == 2 for known in nodes().values()),
        "the operator knows where the Node is",
    )
    for which, cidr in enumerate(("10.33.4.0/22", "10.34.0.0/24")):
        await networks.create(f"evil-{which}", cidr=cidr)
        evil = await networks.wait(f"evil-{which}", lambda n: bool(reason(n)), "judged")
        assert reason(evil) == "RangeForbidden"
    await kube.delete(NODE, None, name, uid=node["metadata"]["uid"])


async def test_a_deleted_network_gives_its_range_back(networks: Networks) -> None:
    await networks.create("brief", cidr="10.21.0.0/24")
    brief = await networks.wait("brief", is_ready, "it is ready")
    await networks.delete(brief)
    await networks.wait_gone("brief")
    await networks.create("again", cidr="10.21.0.0/24")
    await networks.wait("again", is_ready, "the range is free")


async def test_a_network_deleted_while_nobody_leads_gives_its_range_back_later(
    lab: OperatorLab, namespace: str
) -> None:
    networks = Networks(lab, namespace)
    operator = await lab.lead()
    await networks.create("private", cidr="10.22.0.0/24")
    private = await networks.wait("private", is_ready, "it is ready")
    await operator.end()
    await networks.delete(private)
    still = await networks.find("private")
    assert still is not None
    await lab.lead("operator-1")
    await networks.wait_gone("private")
    await networks.create("again", cidr="10.22.0.0/24")
    await networks.wait("again", is_ready, "the range is free")


async def test_a_cluster_network_shows_the_admins_word(
    lab: OperatorLab, namespace: str
) -> None:
    await lab.lead()
    resource, key = ClusterNetwork.resource(), Key("", f"lan-{namespace}")
    spec = {
        "type": "Bridge",
        "bridge": "br-lan",
        "cidr": "192.0.2.0/24",
        "gateway": "192.0.2.254",
        "allocationPools": [{"start": "192.0.2.10", "end": "192.0.2.19"}],
    }
    body = {"metadata": {"name": key.name}, "spec": spec}
    created = await lab.kube.create(resource, body)
    seen: list[ClusterNetwork] = []

    async def ready() -> bool:
        found = await lab.kube.get(resource, None, key.name)
        seen.append(ClusterNetwork.model_validate(found))
        return is_ready(seen[-1])

    await until(ready, lambda: f"it is ready: {seen[-1:]}")
    status = seen[-1].status
    assert (status.gateway, status.reach) == ("192.0.2.254", "l2")
    assert status.used == "0/10"
    await lab.kube.delete(resource, None, key.name, uid=created["metadata"]["uid"])

    async def gone() -> bool:
        return await lab.kube.find(resource, None, key.name) is None

    await until(gone, "it is gone")


async def test_ranges_from_the_pool_outlive_the_database(
    own_lab: OperatorLab, tmp_path: Path
) -> None:
    networks = Networks(own_lab, "default")
    first = await own_lab.lead()
    await first.end()
    backup = tmp_path / "api.backup"
    copyfile(tmp_path / "api.sqlite", backup)
    second = await own_lab.lead("operator-1")
    for name in ("one", "two"):
        await networks.create(name)
        await networks.wait(name, is_ready, f"{name} is ready")
    given = {name: (await networks.get(name)).status.cidr for name in ("one", "two")}
    await second.end()
    copyfile(backup, tmp_path / "api.sqlite")
    await networks.create("a-thief")
    third = await own_lab.lead("operator-2", sweep_settle_seconds=3)
    context = third.process._context
    assert context is not None
    assert context.freeze.frozen, "the tick is below the one in the Lease"
    thief = await networks.wait("a-thief", is_ready, "the new one has a range")
    assert {n: (await networks.get(n)).status.cidr for n in given} == given
    assert thief.status.cidr not in given.values()


async def test_a_network_whose_finalizer_was_forced_off_comes_back_as_it_was(
    lab: OperatorLab, namespace: str
) -> None:
    networks = Networks(lab, namespace)
    operator = await lab.lead()
    await networks.create("private", cidr="10.23.0.0/24")
    before = await networks.wait("private", is_ready, "it is ready")
    await operator.end()
    await networks.force_away(before)
    await networks.create("private", cidr="10.23.0.0/24")
    await lab.lead("operator-1")
    after = await networks.wait("private", is_ready, "its range is its own")
    assert after.metadata.uid != before.metadata.uid
    assert after.status.cidr == before.status.cidr


async def test_the_range_of_a_network_that_was_forced_away_is_free_again(
    lab: OperatorLab, namespace: str
) -> None:
    networks = Networks(lab, namespace)
    operator = await lab.lead()
    await networks.create("private", cidr="10.24.0.0/24")
    private = await networks.wait("private", is_ready, "it is ready")
    await operator.end()
    await networks.force_away(private)
    await networks.create("other", cidr="10.24.0.0/24")
    await lab.lead("operator-1")
    await networks.wait("other", is_ready, "the range is free")
