"""What Nova calls free: by the host's own size, without allocation ratios."""

from kilonova_operator.domain.inventory import DISK_GB, MEMORY_MB
from kilonova_operator.domain.scheduling.columns import IntArray
from kilonova_operator.domain.scheduling.rows import HostRows

_MB_PER_GB = 1024


def free_ram_mb(hosts: HostRows) -> IntArray:
    """Return free memory in MiB, shape (H,); below 0 where it is oversold.

    Reserved memory counts as used: nova.compute.resource_tracker, Nova 34.
    """
    free: IntArray = hosts.amount("total", MEMORY_MB) - (
        hosts.amount("reserved", MEMORY_MB) + hosts.taken(MEMORY_MB)
    )
    return free


def free_disk_mb(hosts: HostRows) -> IntArray:
    """Return free disk in MiB, shape (H,), by claims.

    Source: nova.scheduler.host_manager.HostState, Nova 34, for hosts that
    report no disk_available_least.
    """
    free: IntArray = hosts.amount("total", DISK_GB) - (
        hosts.amount("reserved", DISK_GB) + hosts.taken(DISK_GB)
    )
    return free * _MB_PER_GB
