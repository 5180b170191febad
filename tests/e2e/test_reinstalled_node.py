"""A node installed anew under its old name: nothing is built by mistake.

Its disks outlive it or not; which, a person says. Until then hands are off.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.kilonova import Kilonova
from support.residents import find_guest_processes, placing_on
from support.waiting import eventually

HOST = "hv1"
INSTANCES = "/var/lib/kilonova/instances"
REINSTALLED_SECONDS = 120.0


@pytest.fixture
def resident(kilonova: Kilonova) -> Iterator[str]:
    """The name of a Server on the host."""
    with placing_on(kilonova, HOST):
        kilonova.create_server("resident")
        assert kilonova.await_ready("resident")["host"] == HOST
    yield "resident"
    kilonova.delete_all_servers()
    kilonova.kubectl.run(
        *("patch", "computehosts", HOST, "--type=merge"),
        *("-p", '{"spec": {"acceptIdentity": null}}'),
    )


def host_status(kilonova: Kilonova) -> dict[str, Any]:
    found = kilonova.kubectl.find("computehosts", HOST) or {}
    status: dict[str, Any] = found.get("status", {})
    return status


def await_hands_off(kilonova: Kilonova, name: str) -> None:
    """Wait until host and Server say what happened; nothing was built."""
    old = host_status(kilonova)["hostId"]

    def told() -> bool:
        status = host_status(kilonova)
        reasons = {c["type"]: c["reason"] for c in status["conditions"]}
        seen = status["agent"]["hostId"]
        return bool(reasons["Ready"] == "IdentityChanged" and seen != old)

    what = f"{HOST} says IdentityChanged"
    eventually(told, what, timeout_seconds=REINSTALLED_SECONDS)
    kilonova.await_condition(name, "Stalled", "HostReinstalled")
    assert kilonova.status(name)["uuid"] not in find_guest_processes(kilonova)
    defined = kilonova.node(HOST).exec(["virsh", "-q", "list", "--all", "--uuid"])
    assert defined.stdout.strip() == ""


def accept(kilonova: Kilonova, disks: str) -> None:
    """Say as a person what became of the disks of the host that is there now."""
    host_id = host_status(kilonova)["agent"]["hostId"]
    patch = f'{{"hostId": "{host_id}", "disks": "{disks}"}}'
    kilonova.kubectl.run(
        *("patch", "computehosts", HOST, "--type=merge"),
        *("-p", f'{{"spec": {{"acceptIdentity": {patch}}}}}'),
    )


def list_folders(kilonova: Kilonova) -> list[str]:
    return kilonova.node(HOST).exec(["ls", INSTANCES]).stdout.split()


def test_guests_of_a_reinstalled_node_go_on_from_disks_that_were_kept(
    kilonova: Kilonova, resident: str
) -> None:
    kilonova.await_guest(resident, "boots=1")
    uuid = kilonova.status(resident)["uuid"]
    # The system that knew this host is gone; what is left is the guests' disks.
    kilonova.node(HOST).exec(["rm", "/var/lib/kilonova/host-id"])
    kilonova.cluster.reinstall(HOST, keep_data=True)
    await_hands_off(kilonova, resident)
    assert list_folders(kilonova) == [uuid]
    accept(kilonova, "Kept")
    kilonova.await_guest(resident, "boots=2")
    assert kilonova.await_ready(resident)["uuid"] == uuid
    assert list(find_guest_processes(kilonova)) == [uuid]


def test_servers_whose_disks_are_lost_say_so_and_are_not_built_again(
    kilonova: Kilonova, resident: str
) -> None:
    kilonova.cluster.reinstall(HOST, keep_data=False)
    await_hands_off(kilonova, resident)
    accept(kilonova, "Lost")
    kilonova.await_condition(resident, "Stalled", "DiskLost")
    assert kilonova.status(resident)["state"] == "ERROR"
    assert list_folders(kilonova) == []
    assert find_guest_processes(kilonova) == {}
