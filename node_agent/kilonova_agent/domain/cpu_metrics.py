"""What the host's processors do, as Nova's CPU monitor says it. Pure.

Source: nova.compute.monitors.cpu.virt_driver, Nova 34.
"""

from kilonova_agent.drivers.base import HostCpuTimes
from kilonova_api.host_report import MonitorMetric

_NOTHING = HostCpuTimes(user=0, kernel=0, idle=0, iowait=0, frequency_mhz=0)


def build_cpu_metrics(
    now: HostCpuTimes, before: HostCpuTimes | None
) -> tuple[MonitorMetric, ...]:
    """Build the metrics: percents are of the time since ``before``, or the start.

    None of them where no time went by: there is nothing to divide by.
    """
    then = before or _NOTHING
    passed = now.total - then.total
    values = {
        "cpu.frequency": now.frequency_mhz,
        "cpu.user.time": now.user,
        "cpu.kernel.time": now.kernel,
        "cpu.idle.time": now.idle,
        "cpu.iowait.time": now.iowait,
    }
    if passed > 0:
        spent = {
            "cpu.user.percent": now.user - then.user,
            "cpu.kernel.percent": now.kernel - then.kernel,
            "cpu.idle.percent": now.idle - then.idle,
            "cpu.iowait.percent": now.iowait - then.iowait,
            "cpu.percent": passed - (now.idle - then.idle),
        }
        # The kernel may take back some of a processor's idle time.
        values |= {name: max(0, int(t / passed * 100)) for name, t in spent.items()}
    return tuple(
        MonitorMetric(name=name, value=value) for name, value in sorted(values.items())
    )
