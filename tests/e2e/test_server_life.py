"""A Server's life on real hosts: built, stopped, started, deleted."""

from __future__ import annotations

from secrets import token_hex
from typing import Any

from support.kilonova import Kilonova
from support.residents import placing_on
from support.waiting import eventually

USER_DATA = "#!/bin/sh\necho marker-$((40 + 2))\n"
POWER_OFF_ONCE = "#!/bin/sh\n[ -e /state/off ] || { touch /state/off; poweroff -f; }\n"
NAMES = ("one", "two")


def place_one_on_each_host(kilonova: Kilonova, **spec: Any) -> None:
    """Make a Server on hv1 and one on hv2, and wait until both are ACTIVE."""
    for name, host in zip(NAMES, ("hv1", "hv2"), strict=True):
        with placing_on(kilonova, host):
            kilonova.create_server(name, **spec)
            assert kilonova.await_ready(name)["host"] == host


def test_servers_boot_on_the_host_with_libvirt_and_on_the_one_with_a_libvirt_pod(
    kilonova: Kilonova,
) -> None:
    place_one_on_each_host(kilonova, userData=USER_DATA)
    for name in NAMES:
        console = kilonova.await_guest(name, "user-data: marker-42")
        assert f"hostname={name} uuid={kilonova.status(name)['uuid']}" in console
        assert f"ip={kilonova.status(name)['address']}" in console


def test_a_server_stops_and_starts_by_its_power_state_and_keeps_its_disk(
    kilonova: Kilonova,
) -> None:
    kilonova.create_server("web")
    uuid = kilonova.await_ready("web")["uuid"]
    kilonova.await_guest("web", "boots=1")
    kilonova.patch_spec("web", powerState="Stopped")
    kilonova.await_ready("web", "SHUTOFF")
    assert kilonova.count_domains(uuid) == 0
    kilonova.patch_spec("web", powerState="Running")
    assert kilonova.await_ready("web")["uuid"] == uuid
    kilonova.await_guest("web", "boots=2")


def test_a_deleted_server_leaves_nothing_and_its_name_can_be_used_at_once(
    kilonova: Kilonova,
) -> None:
    kilonova.create_server("web", userData=f"secret-{token_hex(8)}")
    first = kilonova.await_ready("web")
    kilonova.delete_server("web")
    node = kilonova.node(first["host"])
    folder = f"/var/lib/kilonova/instances/{first['uuid']}"
    assert kilonova.count_domains(first["uuid"]) == 0
    assert node.exec(["test", "-e", folder]).returncode == 1
    mailbox = f"kilonova-host-{first['host']}"
    assert not kilonova.kubectl.items("instances", mailbox)
    eventually(
        lambda: not kilonova.kubectl.items("secrets", mailbox),
        "the garbage collector takes the Secret with its Instance",
    )
    nic = {"name": "eth0", "networkRef": {"name": "private"}}
    kilonova.create_server("web", networks=[nic | {"fixedAddress": first["address"]}])
    assert kilonova.await_ready("web")["uuid"] != first["uuid"]


def test_a_guest_that_is_switched_off_runs_again_where_its_server_says_running(
    kilonova: Kilonova,
) -> None:
    kilonova.create_server("inside", userData=POWER_OFF_ONCE)
    kilonova.create_server("manual", userData=POWER_OFF_ONCE, powerState="Manual")
    kilonova.create_server("stopped", powerState="Stopped")
    kilonova.create_server("outside")
    status = kilonova.await_ready("outside")
    kilonova.await_guest("outside", "boots=1")
    node = kilonova.node(status["host"])
    assert node.exec(["virsh", "destroy", status["uuid"]]).returncode == 0
    off = [kilonova.await_ready(n, "SHUTOFF")["uuid"] for n in ("manual", "stopped")]
    for name in ("inside", "outside"):
        kilonova.await_guest(name, "boots=2")
        assert kilonova.count_domains(kilonova.await_ready(name)["uuid"]) == 1
    # A boot has passed since: whoever was to be started would run by now.
    assert [kilonova.count_domains(uuid) for uuid in off] == [0, 0]
    kilonova.await_ready("manual", "SHUTOFF")
    kilonova.await_ready("stopped", "SHUTOFF")
    assert "boots=2" not in kilonova.console("manual")


def test_a_guest_on_a_nat_network_is_reached_from_its_host_alone(
    kilonova: Kilonova,
) -> None:
    place_one_on_each_host(kilonova)
    address = kilonova.status("one")["address"]
    kilonova.await_guest("one")
    ask = ["curl", "-s", "-m", "3", f"http://{address}/cgi-bin/info"]
    own, other = kilonova.cluster.hypervisors
    eventually(
        lambda: "one" in own.exec(ask).stdout, f"{address} answers on its own host"
    )
    assert "one" not in other.exec(ask).stdout


def test_a_guest_on_a_bridge_is_reached_from_every_host(kilonova: Kilonova) -> None:
    lan = {"type": "Bridge", "bridge": "br-lan", "cidr": "10.88.0.0/24"}
    pools = {"allocationPools": [{"start": "10.88.0.100", "end": "10.88.0.150"}]}
    spec = lan | pools | {"gateway": "10.88.0.1"}
    kilonova.kubectl.apply(
        kilonova.build("ClusterNetwork", "lan", spec=spec, namespaced=False)
    )
    nic = {"name": "eth0", "networkRef": {"kind": "ClusterNetwork", "name": "lan"}}
    for name in ("one", "two"):
        kilonova.create_server(name, networks=[nic])
    for name in ("one", "two"):
        address = kilonova.await_ready(name)["address"]
        kilonova.await_guest(name)
        ask = ["curl", "-s", "-m", "3", f"http://{address}/cgi-bin/info"]
        eventually(
            lambda ask=ask, name=name: (  # type: ignore[misc]
                name in kilonova.cluster.supervisor.run(ask).stdout
            ),
            f"{name} answers on the hosts' network",
        )
