"""A database put back to an older copy claims nothing before it was put right."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from shutil import copyfile

import pytest

from kilonova_api.cell import Cell
from kilonova_api.instance import Instance
from kilonova_api.kube.resources import LEASE
from kilonova_api.meta import Condition
from kilonova_operator.domain.epoch import NotedTick
from kilonova_operator.domain.placement import HeldClaim
from kilonova_operator.domain.refusals import DatabaseWentBack, PlacementFrozen
from kilonova_operator.domain.servers.lost import END_LOST_ANNOTATION, SERVERS_LOST
from kilonova_operator.services.leadership import tick_annotation
from kilonova_operator.services.silent_hosts import GO_ON_ANNOTATION
from kilonova_operator.settings import API_DATABASE
from support.databases import made_claim, made_inventories
from support.instances import make_instance
from support.made_up_hosts import find_host, make_node
from support.operator_run import OperatorLab, RunningOperator
from support.waiting import until

NIC = {
    "name": "eth0",
    "networkId": "net-1",
    "network": "Network/private",
    "type": "NAT",
    "cidr": "10.128.4.0/24",
    "address": "10.128.4.3",
    "mac": "fa:16:3e:00:00:01",
    "portSecurity": True,
}
PINNED_CELL = {
    "hostCell": 0,
    "memoryMiB": 16,
    "vcpus": "0",
    "pins": [{"vcpu": 0, "hostCpu": 5}],
}


async def register(lab: OperatorLab, host: str) -> None:
    await make_node(lab.kube, host)

    async def mapped() -> bool:
        found = await find_host(lab.kube, host)
        return found is not None and found.status.cell is not None

    await until(mapped, f"{host} is mapped")


async def wait_tick_noted(lab: OperatorLab, operator: RunningOperator) -> None:
    """Wait for the renewal that notes the tick of now in the Lease."""
    context = operator.process._context
    assert context is not None
    tick = context.stores.api.tick
    namespace = lab.settings["namespace"]

    async def noted() -> bool:
        lease = await lab.kube.get(LEASE, namespace, "kilonova-super")
        value = lease["metadata"].get("annotations", {}).get(tick_annotation("api"))
        note = NotedTick.of_annotation(value)
        return note is not None and note.tick >= tick

    await until(noted, f"tick {tick} is noted in the Lease")


async def held(operator: RunningOperator, uid: str) -> list[HeldClaim]:
    context = operator.process._context
    assert context is not None
    return list(await context.stores.api.list_claims(uid))


async def test_an_older_database_is_frozen_until_instances_restored_its_claims(
    own_lab: OperatorLab, tmp_path: Path
) -> None:
    first = await own_lab.lead()
    await register(own_lab, "hv1")
    await first.end()
    backup = tmp_path / "api.backup"
    copyfile(tmp_path / "api.sqlite", backup)
    second = await own_lab.lead("operator-1", lease_seconds=15)
    await register(own_lab, "hv2")  # mapped after the backup
    await wait_tick_noted(own_lab, second)
    instance = make_instance(host="hv2")
    instance["spec"]["networks"] = [NIC]
    instance["spec"]["flavor"]["extraSpecs"] = {"hw:cpu_policy": "dedicated"}
    instance["spec"]["numa"] = {"cells": [PINNED_CELL], "emulatorCpus": "5"}
    await own_lab.kube.create(Instance.resource(), instance)
    await second.end()
    copyfile(backup, tmp_path / "api.sqlite")
    third = await own_lab.lead(
        "operator-2", sweep_settle_seconds=3, host_down_seconds=5
    )
    context = third.process._context
    assert context is not None
    assert context.freeze.frozen, "the tick is below the one in the Lease"
    with pytest.raises(PlacementFrozen):
        context.freeze.check()
    await until(lambda: not context.freeze.frozen, "the sweep lifts it")
    (claim,) = await held(third, instance["metadata"]["name"])
    assert (claim.host, claim.amounts["MEMORY_MB"]) == ("hv2", 16)
    assert claim.amounts["PCPU"] == 1
    assert claim.numa is not None
    assert [cell.pins for cell in claim.numa.cells] == [((0, 5),)]
    range_ = await context.stores.api.find_network("net-1")
    assert range_ is not None, "its guest runs with it, though its object is lost"
    assert str(range_.cidr) == "10.128.4.0/24"
    assert (await context.stores.api.count_addresses("net-1")).used == 1
    assert not third.task.done()


def put_back(path: Path) -> None:
    """Do to a database what a backup of this very term does.

    Its number and nonce fit, only the tick is older.
    """
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE epoch SET tick = tick - 1")


async def find_condition(lab: OperatorLab, type_: str) -> Condition | None:
    found = await lab.kube.get(Cell.resource(), None, "cell1")
    return Cell.model_validate(found).status.condition(type_)


async def said_of_cell1(lab: OperatorLab) -> str:
    ready = await find_condition(lab, "Ready")
    return ready.reason if ready else ""


async def annotate_cell1(lab: OperatorLab, name: str) -> None:
    """Give a person's word of this moment."""
    given = {name: datetime.now(UTC).isoformat()}
    patch = (
        {"op": "test", "path": "/metadata/name", "value": "cell1"},
        {"op": "add", "path": "/metadata/annotations", "value": given},
    )
    await lab.kube.json_patch(Cell.resource(), None, "cell1", patch)


async def test_a_database_restored_under_its_leader_ends_it_and_is_swept(
    own_lab: OperatorLab, tmp_path: Path
) -> None:
    leader = await own_lab.lead(store_check_seconds=600, lease_seconds=30)
    leader.may_fail = True
    await register(own_lab, "hv1")
    instance = make_instance(host="hv1")  # its claim is not in the backup
    await own_lab.kube.create(Instance.resource(), instance)
    put_back(tmp_path / "api.sqlite")
    await make_node(own_lab.kube, "hv2")  # the next that wants a row
    await until(leader.task.done, "the leader has ended")
    assert isinstance(leader.task.exception(), DatabaseWentBack)

    after = await own_lab.lead(
        "operator-1", sweep_settle_seconds=3, host_down_seconds=600
    )
    context = after.process._context
    assert context is not None
    assert [frozen.reason for frozen in context.freeze.all] == ["DatabaseWentBack"]

    async def waiting() -> bool:
        ready = await find_condition(own_lab, "Ready")
        return (
            ready is not None
            and ready.reason == "DatabaseWentBack"
            and "silent hosts hv1" in ready.message
        )

    await until(waiting, "the Cell names the host that it waits for")
    with pytest.raises(PlacementFrozen):
        context.freeze.check()
    await annotate_cell1(own_lab, GO_ON_ANNOTATION)
    await until(
        lambda: not context.freeze.frozen, "the sweep lifts it", timeout_seconds=60
    )
    (claim,) = await held(after, instance["metadata"]["name"])
    assert claim.host == "hv1"

    async def serving() -> bool:
        return await said_of_cell1(own_lab) == "Serving"

    await until(serving, "the Cell serves again")


async def test_servers_that_only_an_older_database_knows_wait_for_a_person(
    own_lab: OperatorLab, tmp_path: Path
) -> None:
    own_lab.with_servers = True
    leader = await own_lab.lead(store_check_seconds=1, lease_seconds=30)
    leader.may_fail = True
    await register(own_lab, "hv1")
    context = leader.process._context
    assert context is not None
    term = context.leadership.term(API_DATABASE)
    store = context.stores.api
    await store.set_inventory(term, "hv1", made_inventories())
    claim = await store.claim(term, made_claim(1))
    put_back(tmp_path / "api.sqlite")
    await until(leader.task.done, "the leader has ended")

    after = await own_lab.lead(
        "operator-1", sweep_settle_seconds=3, host_down_seconds=5
    )

    async def named() -> bool:
        found = await find_condition(own_lab, SERVERS_LOST)
        return found is not None and str(claim.server) in found.message

    await until(named, "the Cell names it", timeout_seconds=60)
    (kept,) = await held(after, claim.server.uid)
    assert kept.host == "hv1"
    await annotate_cell1(own_lab, END_LOST_ANNOTATION)

    async def ended() -> bool:
        return not await held(after, claim.server.uid)

    await until(ended, "what it held is free")

    async def quiet() -> bool:
        return await find_condition(own_lab, SERVERS_LOST) is None

    await until(quiet, "the Cell names nobody any more")
