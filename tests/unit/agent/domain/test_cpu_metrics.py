"""What the CPU monitor says of a host."""

from kilonova_agent.domain.cpu_metrics import build_cpu_metrics
from kilonova_agent.drivers.base import HostCpuTimes

SECOND = 10**9


def made_times(user: int, kernel: int, idle: int, iowait: int = 0) -> HostCpuTimes:
    return HostCpuTimes(
        user=user * SECOND,
        kernel=kernel * SECOND,
        idle=idle * SECOND,
        iowait=iowait * SECOND,
        frequency_mhz=2600,
    )


def read(now: HostCpuTimes, before: HostCpuTimes | None = None) -> dict[str, int]:
    return {metric.name: metric.value for metric in build_cpu_metrics(now, before)}


def test_percents_are_of_the_time_since_the_last_sample() -> None:
    before = made_times(100, 100, 1000)
    assert read(made_times(103, 101, 1005, 1), before) == {
        "cpu.frequency": 2600,
        "cpu.user.time": 103 * SECOND,
        "cpu.kernel.time": 101 * SECOND,
        "cpu.idle.time": 1005 * SECOND,
        "cpu.iowait.time": SECOND,
        "cpu.user.percent": 30,
        "cpu.kernel.percent": 10,
        "cpu.idle.percent": 50,
        "cpu.iowait.percent": 10,
        "cpu.percent": 50,
    }


def test_the_first_ones_are_of_the_time_since_the_hosts_start() -> None:
    assert read(made_times(1, 1, 2))["cpu.percent"] == 50


def test_where_no_time_went_by_there_are_no_percents() -> None:
    times = made_times(1, 1, 2)
    assert {name for name in read(times, times) if name.endswith("percent")} == set()


def test_time_that_was_taken_back_is_none() -> None:
    metrics = read(made_times(9, 0, 9), made_times(0, 0, 10))
    assert metrics["cpu.idle.percent"] == 0
