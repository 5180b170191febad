"""Guests with a real system: addresses, user data, power button, anti-spoofing."""

import asyncio
import shutil
from typing import Any

import pytest

from kilonova_api.instance import Instance
from kilonova_lab.images.guest import (
    MINIMUM_MEMORY_MIB,
    READY_LINE,
    ensure_guest_image,
)
from support.agent_lab import AgentLab
from support.instances import make_instance, make_nic_body, make_user_data

BOOT_SECONDS = 150.0
FLAVOR = {"vcpus": 1, "ramMiB": MINIMUM_MEMORY_MIB}
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


async def test_a_real_guest_boots_with_its_address_and_cannot_spoof(
    lab: AgentLab,
) -> None:
    guest = await _boot(lab, TRY_TO_SPOOF)

    console = await _until_console(lab, guest, "tried")

    assert READY_LINE in console
    assert "hostname=web-0" in console
    assert "ip=10.20.0.5" in console
    assert "own-address-passes" in console
    assert "spoofed-passes" not in console


async def test_without_port_security_a_guest_sends_as_it_likes(lab: AgentLab) -> None:
    guest = await _boot(lab, TRY_TO_SPOOF, portSecurity=False)

    console = await _until_console(lab, guest, "tried")

    assert "spoofed-passes\n" in console.replace("\r", "")
    assert "spoofed-passes-by-mac" in console


async def test_without_a_config_drive_dhcp_gives_the_address(lab: AgentLab) -> None:
    guest = await _boot(lab, None, configDrive=False)

    assert "ip=10.20.0.5" in await _until_console(lab, guest, READY_LINE)


async def test_the_power_button_stops_a_guest_and_its_disk_keeps_its_data(
    lab: AgentLab,
) -> None:
    guest = await _boot(lab, None)
    assert "boots=1" in await _until_console(lab, guest, READY_LINE)

    await lab.change(guest, powerState="Stopped", serverGeneration=2)
    await lab.until_status(
        guest, lambda i: i.status.state == "SHUTOFF", timeout_seconds=50
    )
    await lab.change(guest, powerState="Running", serverGeneration=3)

    await _until_console(lab, guest, "boots=2")


async def _boot(lab: AgentLab, user_data: bytes | None, **fields: Any) -> Instance:
    image = await asyncio.to_thread(ensure_guest_image)
    await asyncio.to_thread(shutil.copy, image.image, lab.images.folder / "tiny.qcow2")
    spec = {k: fields.pop(k) for k in ("configDrive",) if k in fields}
    body = make_instance(
        host=lab.node,
        image=lab.images.image_of("tiny.qcow2", format_="qcow2"),
        flavor=FLAVOR,
        networks=[make_nic_body(**fields)],
        **spec,
    )
    if user_data is not None:
        await lab.write_secret(make_user_data(body, user_data))
    instance = await lab.order(body)
    return await lab.until_state(instance, "ACTIVE")


async def _until_console(lab: AgentLab, guest: Instance, text: str) -> str:
    log = lab.files(guest) / "console.log"
    said = ""
    try:
        async with asyncio.timeout(BOOT_SECONDS):
            while text not in said:
                await asyncio.sleep(0.2)
                said = await asyncio.to_thread(log.read_text, errors="replace")
    except TimeoutError:
        pytest.fail(f"{text!r} is not on the console:\n{said[-3000:]}")
    return said
