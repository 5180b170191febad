"""One SIGKILL per program in the middle of two builds and a delete.

Whatever is killed: the new Servers become Ready, the deleted one is gone, each
guest is there once, nothing is left over, and the guests that ran before never
notice; unless their whole node dies, which they outlive with their disk.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kilonova_lab.errors import CommandFailed, NotReady
from support.kilonova import Kilonova
from support.residents import (
    Residents,
    await_no_leaks,
    find_guest_processes,
    residents,
)
from support.strikes import build_killer, list_server_writes, striking_after
from support.waiting import eventually

__all__ = ["residents"]

PYTHON = "/opt/kilonova/bin/python3 /opt/kilonova/bin"
OLD, NEW = "old", ("new-a", "new-b")
API_SERVER_SECONDS = 60.0


@pytest.fixture
def busy(kilonova: Kilonova) -> Kilonova:
    """A namespace with a Server that can be deleted."""
    kilonova.create_server(OLD, userData="old")
    kilonova.await_ready(OLD)
    return kilonova


def strike_in_the_middle(
    kilonova: Kilonova, after: int, strike: Callable[[], None]
) -> None:
    """Build two Servers and delete one; strike after so many writes of ours."""
    log = kilonova.cluster.audit_log
    offset = log.stat().st_size
    new = [kilonova.build_server(name, userData=name) for name in NEW]
    delete = ("delete", "servers", OLD, "-n", kilonova.namespace)
    how = ("--wait=false", "--ignore-not-found")
    with striking_after(log, after, strike):
        insist(lambda: kilonova.kubectl.run(*delete, *how))
        insist(lambda: kilonova.kubectl.apply(*new))
    print(*list_server_writes(log, offset)[:after], sep="\n")


def insist(command: Callable[[], object]) -> None:
    """Repeat a command until the API server took it."""

    def taken() -> bool:
        try:
            command()
        except (CommandFailed, NotReady):
            return False
        return True

    eventually(taken, "the command is taken", timeout_seconds=API_SERVER_SECONDS)


def check_all_ended_well(kilonova: Kilonova) -> None:
    for name in NEW:
        kilonova.await_ready(name)
    eventually(lambda: not kilonova.server(OLD), f"{OLD} is gone", timeout_seconds=60)
    await_no_leaks(kilonova)
    for name in NEW:
        assert kilonova.status(name)["uuid"] in find_guest_processes(kilonova)


@pytest.mark.parametrize(
    ("after", "programs"),
    [
        pytest.param(5, {"cp": f"{PYTHON}/kilonova-operator"}, id="the operator"),
        pytest.param(
            7,
            dict.fromkeys(("hv1", "hv2"), f"{PYTHON}/kilonova-agent"),
            id="both agents",
        ),
    ],
)
def test_a_build_and_a_delete_outlive_sigkill_of(
    busy: Kilonova, residents: Residents, after: int, programs: dict[str, str]
) -> None:
    targets = [(busy.node(name), pattern) for name, pattern in programs.items()]
    strike_in_the_middle(busy, after, build_killer(*targets))
    residents.check_untouched()
    check_all_ended_well(busy)
    residents.check_untouched()


def test_a_build_and_a_delete_outlive_sigkill_of_libvirtd_in_the_node_and_in_the_pod(
    busy: Kilonova, residents: Residents
) -> None:
    in_node, in_pod = busy.node("hv1"), busy.node("hv2")
    kill_in_pod = build_killer((in_pod, "libvirtd --config"))

    def strike() -> None:
        in_node.kill("libvirtd")
        kill_in_pod()

    strike_in_the_middle(busy, 7, strike)
    residents.check_untouched()
    in_node.programs["libvirtd"].start()
    check_all_ended_well(busy)
    residents.check_untouched()


def test_a_build_and_a_delete_outlive_sigkill_of_the_api_server(
    busy: Kilonova, residents: Residents
) -> None:
    apiserver = busy.cluster.apiserver

    def strike() -> None:
        apiserver.kill()
        residents.check_untouched()
        apiserver.start()
        apiserver.wait_until_ready()

    strike_in_the_middle(busy, 5, strike)
    check_all_ended_well(busy)
    residents.check_untouched()


def test_guests_of_a_killed_node_run_again_from_their_disk_and_nowhere_else(
    busy: Kilonova, residents: Residents
) -> None:
    node, resident = busy.node("hv1"), residents.find_on("hv1")
    uuid = residents.uuids[resident]
    for name in residents.uuids:  # one boot until now, whatever was killed
        assert "boots=2" not in residents.kilonova.console(name)
    strike_in_the_middle(busy, 7, node.kill)
    assert find_guest_processes(busy, but_not="hv1").get(uuid) is None
    node.start()
    residents.kilonova.await_guest(resident, "boots=2")
    residents.kilonova.await_ready(resident)
    check_all_ended_well(busy)
    assert residents.kilonova.status(resident)["host"] == "hv1"
