"""The libvirt driver against a real libvirtd and real QEMU processes."""

import asyncio
import dataclasses
import os
import signal
from pathlib import Path

import libvirt
import pytest

from kilonova_agent.domain.faults import (
    BridgeNotFound,
    GuestRejected,
    NetworkUnavailable,
)
from kilonova_agent.drivers.base import DriverUnavailable, GuestIsNewer, GuestPower
from kilonova_agent.drivers.libvirt.driver import LibvirtDriver
from kilonova_agent.drivers.libvirt.kvm_probe import executes, has_hardware_flag
from kilonova_agent.drivers.libvirt.networks import ensure_network
from support.guests import make_guest, make_nic
from support.libvirt_host import LibvirtHost
from support.waiting import until

from .conftest import make_driver, running


async def test_a_spawned_guest_runs_and_carries_its_mark(
    driver: LibvirtDriver, host: LibvirtHost
) -> None:
    definition = make_guest(host.state_dir)

    await driver.spawn(definition)

    guest = await driver.find_guest(definition.uuid)
    assert guest is not None
    assert guest.power is GuestPower.RUNNING
    assert guest.mark == definition.mark
    assert (guest.vcpus, guest.memory_mib) == (1, 16)


async def test_a_running_guest_is_never_redefined(
    driver: LibvirtDriver, host: LibvirtHost
) -> None:
    definition = make_guest(host.state_dir)
    await driver.spawn(definition)
    with host.connection() as connection:
        before = connection.lookupByUUIDString(definition.uuid).XMLDesc(
            libvirt.VIR_DOMAIN_XML_INACTIVE
        )

    await driver.spawn(dataclasses.replace(definition, memory_mib=32))

    with host.connection() as connection:
        domain = connection.lookupByUUIDString(definition.uuid)
        assert domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE) == before


async def test_a_defined_guest_that_never_started_is_started(
    driver: LibvirtDriver, host: LibvirtHost
) -> None:
    definition = make_guest(host.state_dir)
    await driver.spawn(definition, power_on=False)
    off = await driver.find_guest(definition.uuid)

    await driver.spawn(definition)

    assert off is not None
    assert off.power is GuestPower.SHUTDOWN
    assert host.domain_states() == {definition.uuid: libvirt.VIR_DOMAIN_RUNNING}


async def test_destroy_forgets_the_guest_and_may_be_repeated(
    driver: LibvirtDriver, host: LibvirtHost
) -> None:
    definition = make_guest(host.state_dir, generation=3)
    await driver.spawn(definition)

    await driver.destroy(definition.uuid, up_to_generation=3)
    await driver.destroy(definition.uuid, up_to_generation=3)

    assert host.domain_states() == {}
    assert definition.disks[0].path.exists()


async def test_destroy_leaves_a_guest_of_a_newer_generation_alone(
    driver: LibvirtDriver, host: LibvirtHost
) -> None:
    definition = make_guest(host.state_dir, generation=3)
    await driver.spawn(definition)

    with pytest.raises(GuestIsNewer):
        await driver.destroy(definition.uuid, up_to_generation=2)

    assert host.domain_states() == {definition.uuid: libvirt.VIR_DOMAIN_RUNNING}


async def test_destroy_leaves_a_guest_that_is_not_ours_alone(
    driver: LibvirtDriver, host: LibvirtHost
) -> None:
    uuid = "11111111-2222-4333-8444-555555555555"
    with host.connection() as connection:
        connection.defineXML(
            f"<domain type='qemu'><name>foreign</name><uuid>{uuid}</uuid>"
            "<memory unit='MiB'>16</memory><os><type>hvm</type></os></domain>"
        )

    with pytest.raises(GuestIsNewer):
        await driver.destroy(uuid, up_to_generation=99)

    assert uuid in host.domain_states()


async def test_power_off_stops_a_guest_and_keeps_its_definition(
    driver: LibvirtDriver, host: LibvirtHost
) -> None:
    definition = make_guest(host.state_dir)
    await driver.spawn(definition)
    await driver.request_shutdown(definition.uuid)  # no OS: the guest ignores it

    await driver.power_off(definition.uuid)
    await driver.power_off(definition.uuid)

    guest = await driver.find_guest(definition.uuid)
    assert guest is not None
    assert guest.power is GuestPower.SHUTDOWN


async def test_events_tell_of_a_guest_that_was_killed(
    driver: LibvirtDriver, host: LibvirtHost
) -> None:
    definition = make_guest(host.state_dir)
    await driver.spawn(definition)
    heard: list[str | None] = []
    driver.on_event(heard.append)

    pid = int(host.run("cat", f"/run/libvirt/qemu/instance-{definition.uuid}.pid"))
    host.run("kill", "-9", str(pid))

    await until(lambda: definition.uuid in heard, "the domain is heard of")
    guest = await driver.find_guest(definition.uuid)
    assert guest is not None
    assert guest.power is GuestPower.CRASHED


async def test_guests_survive_libvirtds_death_and_the_driver_comes_back(
    own_host: LibvirtHost,
) -> None:
    async with running(make_driver(own_host)) as driver:
        definition = make_guest(own_host.state_dir)
        await driver.spawn(definition)
        connected: list[str | None] = []
        driver.on_event(connected.append)

        own_host.kill_libvirtd()
        await until(lambda: not driver.available, "libvirtd is missed")
        with pytest.raises(DriverUnavailable):
            await driver.list_guests()
        await asyncio.to_thread(own_host.start_libvirtd)

        await until(
            lambda: driver.available and None in connected, "connected again, and said"
        )
        guest = await driver.find_guest(definition.uuid)
    assert guest is not None
    assert guest.power is GuestPower.RUNNING


async def test_a_hanging_libvirtd_ends_calls_instead_of_holding_them(
    own_host: LibvirtHost,
) -> None:
    async with running(make_driver(own_host)) as driver:
        os.kill(own_host.libvirtd_pid, signal.SIGSTOP)
        try:
            async with asyncio.timeout(40):
                with pytest.raises(DriverUnavailable):
                    await driver.list_guests()
        finally:
            os.kill(own_host.libvirtd_pid, signal.SIGCONT)
        await until(lambda: driver.available, "connected")
        assert await driver.list_guests() == []


async def test_a_missing_bridge_is_named(
    driver: LibvirtDriver, host: LibvirtHost
) -> None:
    nic = make_nic(type_="Bridge", bridge="br-none", port_security=False)
    await driver.plug([nic])

    with pytest.raises(BridgeNotFound, match="br-none"):
        await driver.spawn(make_guest(host.state_dir, nics=(nic,)))


async def test_a_guest_joins_an_existing_bridge(
    driver: LibvirtDriver, host: LibvirtHost
) -> None:
    host.run("ip", "link", "add", "br0", "type", "bridge")
    nic = make_nic(type_="Bridge", bridge="br0")
    try:
        await driver.plug([nic])
        await driver.spawn(make_guest(host.state_dir, nics=(nic,)))
        assert "vnet" in host.run("ip", "link", "show", "master", "br0")
    finally:
        host.run("ip", "link", "del", "br0")


def rules_of_taps(host: LibvirtHost) -> list[str]:
    """Every ebtables rule that judges what guests send."""
    table = host.run("ebtables", "-t", "nat", "-L")
    _, *chains = table.split("Bridge chain: ")
    ours = [chain for chain in chains if chain.startswith("libvirt-I-")]
    return [line for chain in ours for line in chain.splitlines()[1:] if line]


@pytest.mark.parametrize("port_security", [True, False])
async def test_a_nat_guest_is_kept_from_its_hosts_ports(
    driver: LibvirtDriver, host: LibvirtHost, *, port_security: bool
) -> None:
    nic = make_nic(port_security=port_security)
    await driver.plug([nic])
    await driver.spawn(make_guest(host.state_dir, nics=(nic,)))

    rules = rules_of_taps(host)

    gateway = [rule for rule in rules if "--ip-dst 10.20.0.1 " in rule]
    assert [
        (words[words.index("--ip-proto") + 1], words[words.index("--ip-dport") + 1])
        for words in map(str.split, gateway)
    ] == [
        ("tcp", "0:52"),
        ("tcp", "54:32767"),
        ("udp", "0:52"),
        ("udp", "54:66"),
        ("udp", "68:32767"),
    ], "\n".join(rules)
    assert all(rule.endswith("-j DROP") for rule in gateway)
    # Nothing that accepts stands before them, and spoofing is still dropped.
    assert not any("ACCEPT" in rule for rule in rules[: rules.index(gateway[-1])])
    assert any("fa:16:3e:00:00:05" in rule for rule in rules) == port_security


async def test_a_bridges_gateway_is_no_port_of_the_host(
    driver: LibvirtDriver, host: LibvirtHost
) -> None:
    host.run("ip", "link", "add", "br0", "type", "bridge")
    nic = make_nic(type_="Bridge", bridge="br0")
    try:
        await driver.plug([nic])
        await driver.spawn(make_guest(host.state_dir, nics=(nic,)))
        rules = rules_of_taps(host)
    finally:
        host.run("ip", "link", "del", "br0")
    assert rules
    assert not any("10.20.0.1 " in rule for rule in rules)


async def test_a_guest_that_runs_outlives_a_changed_filter(
    driver: LibvirtDriver, host: LibvirtHost
) -> None:
    nic = make_nic()
    await driver.plug([nic])
    await driver.spawn(make_guest(host.state_dir, nics=(nic,)))
    before = rules_of_taps(host)
    with host.connection() as connection:
        older = connection.nwfilterLookupByName("kilonova-host-ports")
        text = older.XMLDesc(0).replace("32767", "32766")
        connection.nwfilterDefineXML(text)
    assert rules_of_taps(host) != before

    async with running(make_driver(host)) as newer:  # of the next agent
        await newer.plug([nic])

    assert rules_of_taps(host) == before


async def test_what_libvirt_refuses_is_a_fault_of_the_guest(
    driver: LibvirtDriver, host: LibvirtHost
) -> None:
    definition = make_guest(host.state_dir)
    definition.disks[0].path.unlink()

    with pytest.raises(GuestRejected):
        await driver.spawn(definition)


async def test_nat_networks_are_made_once_and_give_fixed_leases(
    driver: LibvirtDriver, host: LibvirtHost
) -> None:
    first, second = make_nic(), make_nic(address="10.20.0.6", mac="fa:16:3e:00:00:06")

    await driver.plug([first])
    await driver.plug([first, second])
    await driver.plug([second])

    with host.connection() as connection:
        (network,) = connection.listAllNetworks()
        xml = network.XMLDesc(0)
        assert network.isActive()
        assert network.autostart()
    assert xml.count("<host ") == 3  # one is nobody's, to keep DHCP up
    assert "mac='fa:16:3e:00:00:06' ip='10.20.0.6'" in xml
    assert "bridge name='knb0a1b2c3d'" in xml


async def test_a_lease_that_clashes_with_a_new_nic_gives_way(
    driver: LibvirtDriver, host: LibvirtHost
) -> None:
    await driver.plug([make_nic(mac="fa:16:3e:00:00:99")])

    await driver.plug([make_nic()])

    with host.connection() as connection:
        (network,) = connection.listAllNetworks()
        assert "fa:16:3e:00:00:99" not in network.XMLDesc(0)


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(libvirt.VIR_NETWORK_UPDATE_AFFECT_CONFIG, id="its definition"),
        pytest.param(libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE, id="what runs"),
    ],
)
async def test_a_lease_that_libvirtd_died_over_is_made_and_removed_whole(
    driver: LibvirtDriver, host: LibvirtHost, written: int
) -> None:
    nic, other = make_nic(), make_nic(mac="fa:16:3e:00:00:07", address="10.20.0.7")
    await driver.plug([nic, other])
    command = libvirt.VIR_NETWORK_UPDATE_COMMAND_DELETE
    section = libvirt.VIR_NETWORK_SECTION_IP_DHCP_HOST
    with host.connection() as connection:
        (network,) = connection.listAllNetworks()
        for one in (nic, other):
            lease = f"<host mac='{one.mac}' ip='{one.address}'/>"
            network.update(command, section, -1, lease, written)

    await driver.plug([nic])
    await driver.unplug([other])

    with host.connection() as connection:
        (network,) = connection.listAllNetworks()
        for flags in (0, libvirt.VIR_NETWORK_XML_INACTIVE):
            assert nic.mac in network.XMLDesc(flags)
            assert other.mac not in network.XMLDesc(flags)


async def test_only_networks_that_nobody_uses_are_removed(
    driver: LibvirtDriver, host: LibvirtHost
) -> None:
    nic = make_nic()
    guest = make_guest(host.state_dir, nics=(nic,))
    await driver.plug([nic])
    assert await driver.remove_unused_networks(lambda: [nic.network_id]) == []
    assert await driver.remove_unused_networks(lambda: None) == []
    await driver.spawn(guest)
    assert await driver.remove_unused_networks(list) == []

    await driver.destroy(guest.uuid, up_to_generation=1)
    await driver.unplug([nic])

    assert await driver.remove_unused_networks(list) == ["kn-0a1b2c3d"]
    assert "knb0a1b2c3d" not in host.run("ip", "link")


async def test_a_network_that_is_plugged_while_others_are_removed_stays(
    driver: LibvirtDriver, host: LibvirtHost
) -> None:
    nic, needed = make_nic(), set[str]()
    async with driver._lock("networks"):  # a plug is at work
        removing = asyncio.create_task(driver.remove_unused_networks(lambda: needed))
        await asyncio.sleep(0)
        await driver._call(
            lambda c: ensure_network(c, driver._environment, nic=nic),
        )
        needed.add(nic.network_id)

    assert await removing == []

    assert "knb0a1b2c3d" in host.run("ip", "link")


async def test_a_range_in_use_on_the_host_is_a_fault_with_its_name(
    driver: LibvirtDriver, host: LibvirtHost
) -> None:
    host.run("ip", "link", "add", "inuse", "type", "bridge")
    host.run("ip", "addr", "add", "10.20.0.9/24", "dev", "inuse")
    host.run("ip", "link", "set", "inuse", "up")
    try:
        with pytest.raises(NetworkUnavailable, match=r"10\.20\.0\.0/24"):
            await driver.plug([make_nic()])
    finally:
        host.run("ip", "link", "del", "inuse")


async def test_inventory_is_the_hosts_own(driver: LibvirtDriver) -> None:
    inventory = await driver.get_inventory()

    assert inventory.cores == os.cpu_count()
    assert inventory.memory_mib == _mem_total_mib()
    assert inventory.arch == "x86_64"
    assert inventory.hypervisor_type == "QEMU"
    assert inventory.hypervisor_version > 7_000_000
    assert inventory.virt_type == "qemu"
    assert "sse2" in inventory.cpu_features
    in_cells = [cpu for cell in inventory.numa_cells for cpu in cell.cpus]
    assert sorted(in_cells) == list(range(os.cpu_count() or 0))
    assert all(cell.pages[4] > 0 for cell in inventory.numa_cells)


async def test_the_probe_hears_a_machine_that_executes(
    driver: LibvirtDriver, host: LibvirtHost
) -> None:
    with host.connection() as connection:
        runs = await asyncio.to_thread(
            executes,
            connection,
            driver._environment,
            virt_type="qemu",
            folder=host.state_dir / "probe",
            timeout_seconds=60,
        )
    assert runs
    assert list((host.state_dir / "probe").iterdir()) == []
    assert host.domain_states() == {}


async def test_the_probe_tells_a_kvm_that_does_not_execute(
    driver: LibvirtDriver, host: LibvirtHost
) -> None:
    if _has_hardware_virtualization():
        pytest.skip("this machine has hardware virtualization")
    with host.connection() as connection:
        assert not await asyncio.to_thread(
            executes,
            connection,
            driver._environment,
            virt_type="kvm",
            folder=host.state_dir / "probe",
            timeout_seconds=5,
        )
    assert host.domain_states() == {}


def _mem_total_mib() -> int:
    return int(Path("/proc/meminfo").read_text().split()[1]) // 1024


def _has_hardware_virtualization() -> bool:
    return has_hardware_flag(Path("/proc/cpuinfo").read_text())
