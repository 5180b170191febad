"""Guests that live through what a test does to everything around them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from kilonova_lab.node import Node
from support.kilonova import READY_SECONDS, Kilonova, own_namespace
from support.waiting import eventually

NAMES = ("resident-a", "resident-b")


@dataclass(frozen=True, slots=True)
class Residents:
    """One guest on each host. ``processes``: QEMU's process id by guest uuid."""

    kilonova: Kilonova
    processes: Mapping[str, str]
    hosts: Mapping[str, str]
    uuids: Mapping[str, str]

    def check_untouched(self) -> None:
        """The very processes run on, and no other guest of theirs was made."""
        assert find_guest_processes(self.kilonova).items() >= self.processes.items()

    def find_on(self, host: str) -> str:
        """Return the name of the Server that lives on a host."""
        return next(name for name, on in self.hosts.items() if on == host)


@pytest.fixture(scope="module")
def residents(installed: Kilonova) -> Iterator[Residents]:
    """A guest on each host, booted once."""
    with own_namespace(installed) as kilonova:
        status = {}
        for host, name in zip(kilonova.cluster.hypervisors, NAMES, strict=True):
            with placing_on(kilonova, host.name):
                kilonova.create_server(name, userData="#!/bin/sh\necho resident\n")
                status[name] = kilonova.await_ready(name)
        hosts = {name: status[name]["host"] for name in NAMES}
        uuids = {name: status[name]["uuid"] for name in NAMES}
        assert sorted(hosts.values()) == [h.name for h in kilonova.cluster.hypervisors]
        for name in NAMES:
            kilonova.await_guest(name, "boots=1")
        processes = find_guest_processes(kilonova)
        yield Residents(kilonova, processes, hosts, uuids)


@contextmanager
def placing_on(kilonova: Kilonova, host: str) -> Iterator[None]:
    """Cordon the other hosts, so that new Servers come to this one."""
    others = [h.name for h in kilonova.cluster.hypervisors if h.name != host]
    kilonova.kubectl.run("cordon", *others)
    try:
        for name in others:
            _await_scheduling(kilonova, name, "Held")
        yield
    finally:
        kilonova.kubectl.run("uncordon", *others)
        for name in others:
            _await_scheduling(kilonova, name, "Enabled")


def _await_scheduling(kilonova: Kilonova, host: str, wanted: str) -> None:
    def is_so() -> bool:
        found = kilonova.kubectl.find("computehosts", host) or {}
        return bool(found.get("status", {}).get("scheduling") == wanted)

    what = f"scheduling to {host} is {wanted}"
    eventually(is_so, what, timeout_seconds=READY_SECONDS)


def find_guest_processes(
    kilonova: Kilonova, *, but_not: str | None = None
) -> dict[str, str]:
    """Return the process id of every guest that runs, by its uuid.

    ``but_not``: a host that is not asked, because it is down.
    """
    found: dict[str, str] = {}
    for host in kilonova.cluster.hypervisors:
        if host.name == but_not:
            continue
        for line in _list_processes(host, "^[^ ]*qemu-system.* guest=instance-"):
            process, _, command = line.partition(" ")
            uuid = command.partition("guest=instance-")[2].partition(",")[0]
            assert uuid not in found, f"two guests {uuid}"
            found[uuid] = process
    return found


def _list_processes(node: Node, pattern: str) -> list[str]:
    return node.exec(["pgrep", "-a", "-f", pattern]).stdout.splitlines()


def await_no_leaks(kilonova: Kilonova) -> None:
    """Wait until hosts and mailboxes hold what the Servers need, and no more."""
    try:
        eventually(lambda: not find_leaks(kilonova), "nothing is left over")
    except AssertionError as late:
        raise AssertionError(f"{late}: {find_leaks(kilonova)}") from None


def find_leaks(kilonova: Kilonova) -> list[str]:
    """Name what is too much or missing on the hosts and in their namespaces."""
    wanted: dict[str, set[str]] = {h.name: set() for h in kilonova.cluster.hypervisors}
    for server in kilonova.kubectl.items("servers"):
        status = server.get("status", {})
        if "uuid" in status and status.get("host") in wanted:
            wanted[status["host"]].add(status["uuid"])
    return [
        f"{what} on {host}: {sorted(found)}, Servers there: {sorted(uuids)}"
        for host, uuids in wanted.items()
        for what, found in _list_holdings(kilonova, host).items()
        if found != uuids
    ]


def _list_holdings(kilonova: Kilonova, host: str) -> dict[str, set[str]]:
    node, namespace = kilonova.node(host), f"kilonova-host-{host}"
    secrets = {
        secret["metadata"]["name"].removesuffix("-user-data")
        for secret in kilonova.kubectl.items("secrets", namespace)
    }
    instances = kilonova.kubectl.items("instances", namespace)
    without = {i["metadata"]["name"] for i in instances if "userData" not in i["spec"]}
    domains = node.exec(["virsh", "-q", "list", "--all", "--uuid"])
    folders = node.exec(["ls", "/var/lib/kilonova/instances"])
    return {
        "Instances": {instance["metadata"]["name"] for instance in instances},
        "Secrets": secrets | without,
        "domains": set(domains.stdout.split()),
        "folders": set(folders.stdout.split()),
    }
