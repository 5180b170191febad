"""Scheduling's bad input is told with its place; its bad days cost no claim."""

from dataclasses import dataclass
from typing import Any

import pytest

from kilonova_api.compute_host import ComputeHost
from kilonova_api.flavor import Flavor
from kilonova_api.host_aggregate import HostAggregate
from kilonova_api.image import Image
from kilonova_api.kube.resources import Key
from kilonova_api.server_group import ServerGroup
from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.placement import Claim, ClaimRequest
from kilonova_operator.domain.refusals import DatabaseUnavailable
from support.lab_checks import check_nothing_is_left, check_one_guest
from support.memory_stores import MemoryApiStore
from support.server_lab import ServerLab
from support.servers import NAMESPACE, flavor_manifest, image_manifest

GROUPED = {"serverGroupRef": {"name": "db"}}


def told(lab: ServerLab, key: Key) -> tuple[str, str]:
    """Reason and message of Stalled."""
    stalled = lab.server(key).status.condition("Stalled")
    return ("", "") if stalled is None else (stalled.reason, stalled.message)


BAD_FLAVORS = [
    ({"resources:CUSTOM_licence": "1"}, "resources:CUSTOM_licence"),
    ({"resources:LICENCE": "1"}, "resources:LICENCE: unknown"),
    ({"resources:VCPU": "some"}, 'resources:VCPU: "some" is no whole'),
    ({"trait:GOLD": "required"}, "trait:GOLD: unknown"),
    ({"trait:CUSTOM_GOLD": "preferred"}, "none of required, forbidden"),
    ({"capabilities:free_ram_mb": "=> 8"}, "'=>' is no operator"),
    ({"capabilities:free_ram_mb": ">= nan"}, "'nan' is none"),
    ({"colour": "red"}, "extra spec colour is not supported here"),
]


@pytest.mark.parametrize(("extra_specs", "message"), BAD_FLAVORS)
async def test_a_flavor_that_cannot_be_read_is_told_and_heals(
    extra_specs: dict[str, str], message: str
) -> None:
    lab = ServerLab()
    bad = flavor_manifest("odd", extraSpecs=extra_specs)
    lab.cluster.put(Flavor.resource(), bad)
    key = lab.create_server(flavorRef={"name": "odd"})
    await lab.run(seconds=1)
    assert message in told(lab, key)[1]
    assert lab.api.claims == {}
    lab.cluster.put(Flavor.resource(), flavor_manifest("odd", extraSpecs={}))
    await lab.run(seconds=40)
    check_one_guest(lab)


async def test_a_trait_of_an_image_that_is_none_is_told() -> None:
    lab = ServerLab()
    properties = {"trait:GOLD": "required"}
    lab.cluster.put(Image.resource(), image_manifest("odd", properties=properties))
    key = lab.create_server(imageRef={"name": "odd"})
    await lab.run(seconds=1)
    assert told(lab, key)[1].startswith("trait:GOLD: 'GOLD' is no trait")


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ('["=", "$free_ram_mb"', "is no JSON"),
        ('["~", "$free_ram_mb", 1]', 'no operator at the beginning but "~"'),
    ],
)
async def test_a_query_that_cannot_be_read_is_told(query: str, problem: str) -> None:
    lab = ServerLab()
    key = lab.create_server(schedulingHints={"query": query})
    await lab.run(seconds=1)
    reason, message = told(lab, key)
    assert reason == "MalformedQuery"
    assert problem in message
    assert lab.api.claims == {}


async def test_the_zone_of_an_aggregate_without_hosts_has_no_host() -> None:
    lab = ServerLab()
    empty = {"metadata": {"name": "east"}, "spec": {"availabilityZone": "east1"}}
    lab.cluster.put(HostAggregate.resource(), empty)
    key = lab.create_server(availabilityZone="east1")
    await lab.run(seconds=10)
    record = lab.server(key).status.scheduling
    assert record is not None
    assert [(s.constraint, s.hosts_removed) for s in record.stages] == [
        ("AvailabilityZone", 2)
    ]
    assert lab.api.claims == {}
    host = lab.cluster.objects["ComputeHost", Key("", "hv2")]
    moved = {"metadata": {"name": "hv2"}, "status": host["status"] | {"zone": "east1"}}
    lab.cluster.put(ComputeHost.resource(), moved)
    await lab.run(seconds=60)
    assert lab.server(key).status.host == "hv2"


async def test_a_group_that_is_forced_away_leaves_its_members_running() -> None:
    lab = ServerLab(hosts=("hv1", "hv2"))
    lab.create_group()
    keys = [lab.create_server(f"db-{n}", **GROUPED) for n in range(2)]
    await lab.run(seconds=10)
    running = dict(lab.domains)
    lab.cluster.vanish(ServerGroup.resource().kind, Key(NAMESPACE, "db"))
    late = lab.create_server("db-2", **GROUPED)
    lab.restart_operator()
    await lab.run(seconds=100)
    assert lab.domains == running
    assert [lab.server(key).status.state for key in keys] == ["ACTIVE", "ACTIVE"]
    assert told(lab, late)[0] == "ServerGroupNotFound"

    # A group of that name is another one: the old members are none of its own.
    lab.create_group()
    await lab.run(seconds=60)
    assert lab.server(late).status.host is not None
    for key in (*keys, late):
        lab.delete_server(key)
    await lab.run(seconds=700)
    check_nothing_is_left(lab)


async def test_a_host_that_shrank_below_its_claims_keeps_its_guests() -> None:
    lab = ServerLab(hosts=("hv1",))
    first = lab.create_server("web-0")
    await lab.run(seconds=10)
    lab.set_room("hv1", 32)
    second = lab.create_server("web-1")
    await lab.run(seconds=10)
    assert lab.server(first).status.state == "ACTIVE"
    assert lab.server(second).status.host is None
    lab.delete_server(first)
    lab.delete_server(second)
    await lab.run(seconds=700)
    check_nothing_is_left(lab)


@dataclass
class LostStore(MemoryApiStore):
    """A database that goes away as a claim is made, before its commit or after."""

    losses: int = 0
    committed: bool = False

    async def claim(self, term: Term, request: ClaimRequest) -> Claim:
        if not self.losses:
            return await super().claim(term, request)
        self.losses -= 1
        if self.committed:
            await super().claim(term, request)
        raise DatabaseUnavailable("api", "lost")


@pytest.mark.parametrize(
    ("losses", "committed"),
    [
        pytest.param(3, False, id="before the commit, three times"),
        pytest.param(1, True, id="after the commit, its answer is lost"),
    ],
)
async def test_a_database_gone_between_decision_and_commit_costs_no_claim(
    losses: int,
    committed: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    lab = ServerLab()
    store: Any = LostStore(lab.clock, losses=losses, committed=committed)
    store.views = lab.api.views
    lab.api = store
    lab.restart_operator()
    key = lab.create_server()
    await lab.run(seconds=60)
    assert lab.errors, "nobody noticed"
    assert store.losses == 0
    check_one_guest(lab)
    assert lab.server(key).status.placement_generation == 1
    lab.delete_server(key)
    await lab.run(seconds=700)
    check_nothing_is_left(lab)
