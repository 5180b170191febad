"""What the host's processors do: real libvirt, and the kernel's own word."""

import os
from pathlib import Path

import pytest

from kilonova_agent.drivers.libvirt.driver import LibvirtDriver
from kilonova_agent.services import cpu_monitor
from support.agent_lab import AgentLab

_NANOSECONDS_PER_TICK = 10**9 // os.sysconf("SC_CLK_TCK")


def read_idle_nanoseconds() -> int:
    """Read the idle time of all processors since the machine's start."""
    line = Path("/proc/stat").read_text().splitlines()[0]
    return int(line.split()[4]) * _NANOSECONDS_PER_TICK


async def test_times_are_the_kernels(driver: LibvirtDriver) -> None:
    before = read_idle_nanoseconds()
    times = await driver.get_cpu_times()
    after = read_idle_nanoseconds()

    assert before <= times.idle <= after
    assert times.frequency_mhz > 100
    assert min(times.user, times.kernel) > 0


async def test_the_width_of_addresses_is_the_processors(driver: LibvirtDriver) -> None:
    inventory = await driver.get_inventory()
    lines = Path("/proc/cpuinfo").read_text().splitlines()  # noqa: ASYNC240
    sizes = {line.split(":")[1].split()[0] for line in lines if "address sizes" in line}
    assert sizes == {str(inventory.address_bits)}


async def test_a_host_tells_metrics_only_where_a_monitor_is_enabled(
    idle_lab: AgentLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu_monitor, "SAMPLE_SECONDS", 0.5)
    idle_lab.start_agent()
    await idle_lab.accept_host()
    silent = await idle_lab.get_host()
    assert silent.status.agent is not None
    assert silent.status.agent.metrics == ()

    await idle_lab.kill_agent()
    idle_lab.settings = {"compute_monitors": "cpu.virt_driver"}
    idle_lab.start_agent()

    told = await idle_lab.until_host(
        lambda host: host.status.agent is not None and host.status.agent.metrics != ()
    )
    assert told.status.agent is not None
    values = {metric.name: metric.value for metric in told.status.agent.metrics}
    assert len(values) == 10
    assert 0 <= values["cpu.percent"] <= 100
