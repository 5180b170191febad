"""Guests with a real system: addresses, user data, power button, anti-spoofing."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kilonova_lab.images.guest import READY_LINE
from support.agent_lab import AgentLab
from support.libvirt_host import LibvirtHost
from support.real_guests import boot, until_console

TRY_TO_SPOOF = b"""#!/bin/sh
ping -c 2 -W 3 10.20.0.1 >/dev/null && echo own-address-passes
ip addr add 10.20.0.99/24 dev eth0
ping -c 2 -W 3 -I 10.20.0.99 10.20.0.1 >/dev/null && echo spoofed-passes
ip addr del 10.20.0.99/24 dev eth0
ip link set eth0 down
ip link set eth0 address fa:16:3e:ff:ff:ff
ip link set eth0 up
ping -c 2 -W 3 10.20.0.1 >/dev/null && echo spoofed-passes-by-mac
echo tried
"""
KUBELET_PORT = 10250
ELSEWHERE = "10.99.0.1"
TRY_THE_HOST = f"""#!/bin/sh
reach() {{ nc -w 3 $1 $2 </dev/null >/dev/null 2>&1; }}
ping -c 2 -W 3 10.20.0.1 >/dev/null && echo ping-passes
reach 10.20.0.1 53 && echo dns-passes
reach {ELSEWHERE} {KUBELET_PORT} && echo elsewhere-passes
reach 10.20.0.1 {KUBELET_PORT} && echo port-passes
echo tried
""".encode()
LISTEN = """
import socket, sys
server = socket.create_server(("0.0.0.0", int(sys.argv[1])))
print("listens", flush=True)
while True:
    server.accept()[0].close()
"""


@contextmanager
def listening(host: LibvirtHost, port: int) -> Iterator[None]:
    """Listen on every address of the host, of which one is on no network."""
    host.run("ip", "addr", "add", f"{ELSEWHERE}/32", "dev", "lo")
    server = subprocess.Popen(
        [*host.in_network(), sys.executable, "-c", LISTEN, str(port)],
        stdout=subprocess.PIPE,
    )
    try:
        assert server.stdout is not None
        assert server.stdout.readline() == b"listens\n"
        yield
    finally:
        server.kill()
        server.wait()
        host.run("ip", "addr", "del", f"{ELSEWHERE}/32", "dev", "lo")


async def test_a_real_guest_boots_with_its_address_and_cannot_spoof(
    lab: AgentLab,
) -> None:
    guest = await boot(lab, TRY_TO_SPOOF)

    console = await until_console(lab, guest, "tried")

    assert READY_LINE in console
    assert "hostname=web-0" in console
    assert "ip=10.20.0.5" in console
    assert "own-address-passes" in console
    assert "spoofed-passes" not in console


async def test_without_port_security_a_guest_sends_as_it_likes(lab: AgentLab) -> None:
    guest = await boot(lab, TRY_TO_SPOOF, portSecurity=False)

    console = await until_console(lab, guest, "tried")

    assert "spoofed-passes\n" in console.replace("\r", "")
    assert "spoofed-passes-by-mac" in console


@pytest.mark.parametrize("port_security", [True, False])
async def test_a_guest_reaches_dns_and_ping_of_its_host_and_no_other_port(
    lab: AgentLab, *, port_security: bool
) -> None:
    with listening(lab.host, KUBELET_PORT):
        guest = await boot(lab, TRY_THE_HOST, portSecurity=port_security)
        console = await until_console(lab, guest, "tried")

    assert "ip=10.20.0.5" in console
    assert "ping-passes" in console
    assert "dns-passes" in console
    assert "port-passes" not in console
    # It was there to be reached: by an address that is not the network's.
    assert "elsewhere-passes" in console


@pytest.mark.parametrize("port_security", [True, False])
async def test_a_guests_answers_reach_its_own_host(
    lab: AgentLab, *, port_security: bool
) -> None:
    guest = await boot(lab, None, portSecurity=port_security)
    await until_console(lab, guest, READY_LINE)

    ask = ("curl", "-sS", "-m", "5", "http://10.20.0.5/cgi-bin/info")
    assert "web-0" in await asyncio.to_thread(lab.host.run, *ask)


async def test_without_a_config_drive_dhcp_gives_the_address(lab: AgentLab) -> None:
    guest = await boot(lab, None, config_drive=False)

    assert "ip=10.20.0.5" in await until_console(lab, guest, READY_LINE)


async def test_the_power_button_stops_a_guest_and_its_disk_keeps_its_data(
    lab: AgentLab,
) -> None:
    guest = await boot(lab, None)
    assert "boots=1" in await until_console(lab, guest, READY_LINE)

    await lab.change(guest, powerState="Stopped", serverGeneration=2)
    await lab.until_status(
        guest, lambda i: i.status.state == "SHUTOFF", timeout_seconds=50
    )
    await lab.change(guest, powerState="Running", serverGeneration=3)

    await until_console(lab, guest, "boots=2")
