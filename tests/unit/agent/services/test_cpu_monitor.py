"""The host's CPU monitor."""

import pytest

from kilonova_agent.drivers.base import DriverUnavailable, HostCpuTimes
from kilonova_agent.services.cpu_monitor import SAMPLE_SECONDS, CpuMonitor
from support.clock import FakeClock
from support.fake_driver import FakeDriver, FakeHypervisor


class BusyHost(FakeDriver):
    """A host that works half of the time."""

    def __init__(self) -> None:
        super().__init__(FakeHypervisor())
        self.asked = 0
        self.is_away = False

    async def get_cpu_times(self) -> HostCpuTimes:
        if self.is_away:
            raise DriverUnavailable("no libvirt")
        self.asked += 1
        return HostCpuTimes(self.asked, 0, self.asked, 0, frequency_mhz=2600)


async def test_a_sample_is_taken_once_a_minute_however_often_it_is_read() -> None:
    host, clock = BusyHost(), FakeClock()
    monitor = CpuMonitor(host, clock)
    first = await monitor.read()
    await clock.advance(SAMPLE_SECONDS - 1)
    assert await monitor.read() == first
    assert host.asked == 1
    await clock.advance(1)
    assert await monitor.read() != first
    assert host.asked == 2


async def test_a_sample_that_could_not_be_taken_is_taken_when_it_can() -> None:
    host, clock = BusyHost(), FakeClock()
    monitor = CpuMonitor(host, clock)
    host.is_away = True
    with pytest.raises(DriverUnavailable):
        await monitor.read()
    host.is_away = False
    assert {m.name: m.value for m in await monitor.read()}["cpu.percent"] == 50
