"""Another machine under a host's name, or the host under another Node: hands off.

Each machine keeps its disks and its running guests through all of it; what the
orders under its new name say is not for it.
"""

import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from kilonova_agent.drivers.base import Guest
from support.image_server import ImageServer
from support.instances import make_instance
from support.mortal_agent import NODE, MortalAgent

NEVER_BUILT = "99999999-2222-4333-8444-555555555555"
ORDERS: list[dict[str, Any]] = [
    {},
    {"powerState": "Stopped", "serverGeneration": 2},
    {"powerState": "Running", "serverGeneration": 2},
    {"buildId": "b2", "serverGeneration": 2},
    {"destroy": {"placementGeneration": 1, "reason": "ServerDeleted"}},
]


class Machines:
    """Hosts that end with the test."""

    def __init__(self, folder: Path, images: ImageServer, ends: AsyncExitStack) -> None:
        self._folder = folder
        self._images = images
        self._ends = ends

    async def start(self, name: str, *guests: str) -> MortalAgent:
        """Start a host, and guests on it that run."""
        host = MortalAgent(self._folder / name, node_uid=f"uid-{name}")
        host.start()
        self._ends.push_async_callback(host.stop)
        for guest in guests:
            self.order(host, guest)
            await host.until_state(guest, "ACTIVE")
        return host

    def order(self, host: MortalAgent, guest: str) -> None:
        image = self._images.image_of("blank.qcow2", format_="qcow2")
        host.order(make_instance(host=NODE, name=guest, image=image))


@pytest.fixture
async def machines(tmp_path: Path, images: ImageServer) -> AsyncIterator[Machines]:
    async with AsyncExitStack() as ends:
        yield Machines(tmp_path, images, ends)


def uuids(first: int, count: int) -> list[str]:
    return [
        f"{number:08d}-2222-4333-8444-555555555555"
        for number in range(first, first + count)
    ]


def swap_machines(one: MortalAgent, other: MortalAgent) -> None:
    """Swap what two names stand for: disks, guests, memory; the Nodes stay."""
    one.state_dir, other.state_dir = other.state_dir, one.state_dir
    one.hypervisor, other.hypervisor = other.hypervisor, one.hypervisor


def life_of(host: MortalAgent) -> tuple[dict[str, Guest], list[str]]:
    """All that happened to a machine's guests: their state; starts, stops, ends."""
    machine = host.hypervisor
    return dict(machine.guests), [*machine.starts, *machine.stops, *machine.ends]


def disks_of(host: MortalAgent) -> list[str]:
    folders = ("bin", "images", "instances")
    return [path for path in host.list_files() if path.startswith(folders)]


async def order_everything(
    host: MortalAgent, machines: Machines, guests: list[str]
) -> None:
    """Change every guest's order in another way, and order one more."""
    for uuid, order in zip(guests, ORDERS, strict=True):
        await host.change(uuid, **order)
    machines.order(host, NEVER_BUILT)


async def start_hands_off(host: MortalAgent, guests: list[str]) -> None:
    """Start the agent; see every order looked at, and none of them obeyed."""
    before = life_of(host), disks_of(host)
    host.start()
    await host.until(
        lambda: all(host.reason(uuid) == "HostReinstalled" for uuid in guests),
        "all guests say HostReinstalled",
    )
    await host.until_idle()
    await host.until_idle()
    assert (life_of(host), disks_of(host)) == before
    assert host.state(NEVER_BUILT) == ""
    assert host.agent._parts is not None
    standing = host.agent._parts.watch.standing
    assert standing is not None
    assert (standing.accepted, standing.known) == (False, True)


async def test_two_machines_that_swap_names_touch_no_guest_until_they_swap_back(
    machines: Machines,
) -> None:
    names = uuids(1, len(ORDERS)), uuids(100, len(ORDERS))
    pair = [
        await machines.start("a", *names[0]),
        await machines.start("b", *names[1]),
    ]
    for host, guests in zip(pair, names, strict=True):
        await host.stop()
        await order_everything(host, machines, guests)
    swap_machines(*pair)

    for host, guests in zip(pair, names, strict=True):
        await start_hands_off(host, guests)

    # The same orders are obeyed by the machines that they are for.
    for host in pair:
        await host.stop()
    swap_machines(*pair)
    for host, guests in zip(pair, names, strict=True):
        host.start()
        await host.until_state(NEVER_BUILT, "ACTIVE")
        await host.until_state(guests[1], "SHUTOFF")
        await host.until_state(guests[-1], None)
        assert host.hypervisor.stops == guests[1:2]
        assert host.hypervisor.ends == guests[-1:]


@pytest.mark.parametrize(
    ("new_id", "new_node"),
    [(True, False), (False, True), (True, True)],
    ids=["new host id, Node kept", "host id kept, new Node", "both new"],
)
async def test_a_host_of_which_one_mark_is_new_is_another_host(
    machines: Machines, *, new_id: bool, new_node: bool
) -> None:
    guests = uuids(1, len(ORDERS))
    host = await machines.start("a", *guests)
    await host.stop()
    await order_everything(host, machines, guests)
    if new_id:
        (host.state_dir / "host-id").unlink()
    if new_node:
        host.node_uid = "uid-of-another-node"

    await start_hands_off(host, guests)


async def test_a_wiped_host_under_its_old_node_builds_nothing_anew(
    machines: Machines,
) -> None:
    guests = uuids(1, len(ORDERS))
    host = await machines.start("a", *guests)
    await host.stop()
    shutil.rmtree(host.state_dir)
    host.hypervisor.guests.clear()
    await order_everything(host, machines, guests)

    assert disks_of(host) == []
    await start_hands_off(host, guests)
