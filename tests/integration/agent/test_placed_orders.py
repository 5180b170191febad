"""Orders with a place on the host, from the API server to the guest's own view."""

from typing import Any

import pytest

from kilonova_lab.images.guest import MINIMUM_MEMORY_MIB
from support.agent_lab import AgentLab
from support.placed_guests import (
    MEMORY_MIB,
    is_vcpu,
    read_online,
    read_threads,
    two_processors,
)
from support.real_guests import boot, until_console

TELL = b"""#!/bin/sh
echo "processors=$(grep -c ^processor /proc/cpuinfo)"
for node in /sys/devices/system/node/node*; do
  echo "${node##*/}=$(cat $node/cpulist)"
done
echo told
"""
ABSENT = max(read_online()) + 1


async def test_a_guest_sees_its_cells_and_runs_where_its_order_says(
    lab: AgentLab,
) -> None:
    first, last = two_processors()
    pins = [{"vcpu": 0, "hostCpu": last}]
    cell = {"hostCell": 0, "memoryMiB": MINIMUM_MEMORY_MIB}
    place = {
        "flavor": {"vcpus": 2, "ramMiB": 2 * MINIMUM_MEMORY_MIB},
        "numa": {
            "cells": [
                {**cell, "vcpus": "0", "pins": pins},
                {**cell, "vcpus": "1", "floatOn": f"{first}"},
            ],
            "emulatorCpus": f"{first}",
        },
    }
    guest = await boot(lab, TELL, place=place)

    console = await until_console(lab, guest, "told")

    assert "processors=2" in console
    assert "node0=0" in console
    assert "node1=1" in console
    threads = read_threads(lab.host, guest.metadata.name)
    assert threads["CPU 0/TCG"] == {last}, threads
    assert threads["CPU 1/TCG"] == {first}, threads
    others = {allowed for name, allowed in threads.items() if not is_vcpu(name)}
    assert others == {frozenset({first})}, threads


@pytest.mark.parametrize(
    ("cell", "reason", "told"),
    [
        (
            {"pins": [{"vcpu": 0, "hostCpu": ABSENT}]},
            "CpuUnavailable",
            f"processor {ABSENT} of this host",
        ),
        ({"floatOn": "0", "hostCell": 4095}, "NumaCellUnavailable", "cell 4095"),
        (
            {"floatOn": "0", "pageSizeKiB": 16384},
            "PagesUnavailable",
            "0 free pages of 16384 KiB",
        ),
        ({}, "MachineImpossible", "neither a pin nor floatOn"),
    ],
)
async def test_a_place_that_the_host_has_not_is_told_in_the_status(
    lab: AgentLab, cell: dict[str, Any], reason: str, told: str
) -> None:
    cells = [{"hostCell": 0, "memoryMiB": MEMORY_MIB, "vcpus": "0", **cell}]
    instance = await lab.order(image=lab.images.add_disk(), numa={"cells": cells})

    found = await lab.until_reason(instance, reason)

    fault = found.status.fault
    assert fault is not None
    assert fault.reason == reason
    assert told in fault.message
    assert fault.retryable is (reason != "MachineImpossible")
