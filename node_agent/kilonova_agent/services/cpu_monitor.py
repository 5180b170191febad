"""The host's CPU monitor: a sample now and then."""

from kilonova_agent.domain.cpu_metrics import build_cpu_metrics
from kilonova_agent.drivers.base import ComputeDriver, HostCpuTimes
from kilonova_api.host_report import MonitorMetric
from kilonova_api.kube.clock import Clock

# As Nova's update_resources_interval: each new sample is a write of the report.
SAMPLE_SECONDS = 60.0


class CpuMonitor:
    """Takes samples, and gives the last one in between."""

    def __init__(self, driver: ComputeDriver, clock: Clock) -> None:
        self._driver = driver
        self._clock = clock
        self._sampled_at = float("-inf")
        self._times: HostCpuTimes | None = None
        self._metrics: tuple[MonitorMetric, ...] = ()

    async def read(self) -> tuple[MonitorMetric, ...]:
        """Return the metrics.

        Raises:
            DriverUnavailable: the hypervisor did not answer.
        """
        now = self._clock.boottime()
        if now - self._sampled_at >= SAMPLE_SECONDS:
            times = await self._driver.get_cpu_times()
            self._metrics = build_cpu_metrics(times, self._times)
            self._sampled_at, self._times = now, times
        return self._metrics


async def read_no_metrics() -> tuple[MonitorMetric, ...]:
    """Return none: no monitor is enabled."""
    return ()
