"""Killed between any two writes: nothing is lost, doubled or leaked.

The writes of an undisturbed life are counted first; then the same life is lived
once for each of them, with the writer killed before or after that write.
"""

import asyncio

import pytest

from kilonova_api.server_status import Fault
from support.lab_checks import check_nothing_is_left, check_one_guest
from support.server_lab import ServerLab
from support.servers import reason_of

USER_DATA = "#cloud-config\n"


async def live(lab: ServerLab) -> None:
    key = lab.create_server(userData=USER_DATA)
    await lab.run(seconds=60)
    server = lab.server(key)
    assert (server.status.state, reason_of(server)) == ("ACTIVE", "Running")
    check_one_guest(lab)
    lab.delete_server(key)
    await lab.run(seconds=700)
    check_nothing_is_left(lab)


async def move(lab: ServerLab) -> None:
    """The first host cannot run the guest; the second can."""
    lab.fault = lambda instance: (
        Fault(reason="GuestRejected", message="no", retryable=True)
        if instance.spec.placement_generation == 1
        else None
    )
    key = lab.create_server(userData=USER_DATA)
    await lab.run(seconds=120)
    server = lab.server(key)
    assert (server.status.state, reason_of(server)) == ("ACTIVE", "Running")
    assert server.status.placement_generation == 2
    check_one_guest(lab)
    lab.delete_server(key)
    await lab.run(seconds=700)
    check_nothing_is_left(lab)


async def stop_and_start(lab: ServerLab) -> None:
    key = lab.create_server()
    await lab.run(seconds=30)
    lab.change_server(key, powerState="Stopped")
    await lab.run(seconds=30)
    assert lab.server(key).status.state == "SHUTOFF"
    assert list(lab.domains.values()) == [False]
    lab.change_server(key, powerState="Running")
    await lab.run(seconds=30)
    check_one_guest(lab)
    server = lab.server(key)
    assert server.status.observed_generation == 3
    assert {action.action for action in lab.cell.actions.values()} == {
        "create",
        "start",
        "stop",
    }
    assert all(action.finished_at for action in lab.cell.actions.values())


async def park(lab: ServerLab) -> None:
    """No host has room at first."""
    for host in lab.hosts:
        lab.set_room(host, 32)
    key = lab.create_server()
    await lab.run(seconds=10)
    assert reason_of(lab.server(key)) == "NoValidHost"
    lab.set_room("hv2", 1024)
    lab.set_host_state("hv2", "Up")
    await lab.run(seconds=60)
    check_one_guest(lab)
    lab.delete_server(key)
    await lab.run(seconds=700)
    check_nothing_is_left(lab)


async def retain(lab: ServerLab) -> None:
    key = lab.create_server(deletion={"policy": "Retain"})
    await lab.run(seconds=30)
    lab.delete_server(key)
    await lab.run(seconds=700)
    assert lab.find_server(key) is None
    assert list(lab.domains.values()) == [True]
    assert lab.cluster.all("Instance") == []
    assert len(lab.api.claims) == 1


async def go_together(lab: ServerLab) -> None:
    """Two that must not share a host are placed in one transaction."""
    lab.set_quota(instances=2)
    lab.create_group(minMembers=2)
    keys = [
        lab.create_server(f"db-{n}", serverGroupRef={"name": "db"}) for n in range(2)
    ]
    await lab.run(seconds=60)
    assert [lab.server(key).status.state for key in keys] == ["ACTIVE", "ACTIVE"]
    assert {lab.server(key).status.host for key in keys} == {"hv1", "hv2"}
    assert len(lab.api.claims) == len(lab.domains) == len(lab.instances()) == 2
    for key in keys:
        lab.delete_server(key)
    await lab.run(seconds=700)
    check_nothing_is_left(lab)


LIVES = {f.__name__: f for f in (live, move, stop_and_start, park, retain, go_together)}


def count_writes(name: str) -> int:
    async def run() -> int:
        lab = ServerLab()
        await LIVES[name](lab)
        return len(lab.tap.seen)

    return asyncio.run(run())


def every_kill() -> list[object]:
    return [
        pytest.param(
            name, at, after, id=f"{name}-{'after' if after else 'before'}-{at}"
        )
        for name in LIVES
        for at in range(count_writes(name))
        for after in (False, True)
    ]


@pytest.mark.parametrize(("name", "at", "after"), every_kill())
async def test_a_kill_at_any_write_changes_nothing_in_the_end(
    name: str, at: int, *, after: bool
) -> None:
    lab = ServerLab()
    lab.tap.kill_at, lab.tap.after = at, after
    try:
        await LIVES[name](lab)
    except AssertionError as broken:
        raise AssertionError(
            f"killed at {lab.tap.killed_at}: {lab.tap.seen}, {lab.errors}"
        ) from broken
    assert lab.kills == 1
