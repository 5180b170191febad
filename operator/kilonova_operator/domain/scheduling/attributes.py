"""What flavors and queries may ask of a host by name: Nova's HostState.

Names are Nova's (nova.scheduler.host_manager.HostState, Nova 34); of objects that
only Nova has, such as its NUMA topology, there is nothing to ask.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kilonova_operator.domain.inventory import DISK_GB, MEMORY_MB, VCPU
from kilonova_operator.domain.scheduling.columns import FloatArray, IntArray
from kilonova_operator.domain.scheduling.free import free_disk_mb, free_ram_mb
from kilonova_operator.domain.scheduling.rows import HostRows

_MB_PER_GB = 1024


def _used(hosts: HostRows, resource_class: str) -> IntArray:
    """Return what is used; reserved amounts are, as in Nova's compute nodes."""
    return hosts.amount("reserved", resource_class) + hosts.taken(resource_class)


_NUMBERS: Mapping[str, Callable[[HostRows], IntArray | FloatArray]] = {
    "free_ram_mb": free_ram_mb,
    "total_usable_ram_mb": lambda hosts: hosts.amount("total", MEMORY_MB),
    "free_disk_mb": free_disk_mb,
    "total_usable_disk_gb": lambda hosts: hosts.amount("total", DISK_GB),
    "disk_mb_used": lambda hosts: _used(hosts, DISK_GB) * _MB_PER_GB,
    "vcpus_total": lambda hosts: hosts.amount("total", VCPU),
    "vcpus_used": lambda hosts: _used(hosts, VCPU),
    "num_instances": lambda hosts: hosts.number("claims"),
    "num_io_ops": lambda hosts: hosts.number("io_ops"),
    "failed_builds": lambda hosts: hosts.number("failed_builds"),
    "hypervisor_version": lambda hosts: hosts.number("hypervisor_version"),
    "cpu_allocation_ratio": lambda hosts: hosts.ratio(VCPU),
    "ram_allocation_ratio": lambda hosts: hosts.ratio(MEMORY_MB),
    "disk_allocation_ratio": lambda hosts: hosts.ratio(DISK_GB),
}

_OTHERS: Mapping[str, Callable[[HostRows], Sequence[Any]]] = {
    "host": lambda hosts: hosts.names,
    "nodename": lambda hosts: hosts.names,
    "hypervisor_hostname": lambda hosts: hosts.names,
    "host_ip": lambda hosts: [a or None for a in hosts.list_addresses()],
    "hypervisor_type": lambda hosts: hosts.list_of_profiles(
        lambda p: p.hypervisor_type
    ),
    # Text, as Nova keeps it: a path into it decodes it on the way.
    "cpu_info": lambda hosts: hosts.list_of_profiles(lambda p: json.dumps(p.cpu_info)),
    "supported_instances": lambda hosts: hosts.list_of_profiles(
        lambda p: [list(guest) for guest in p.supported_instances]
    ),
}

STATS: Mapping[str, Callable[[HostRows], IntArray]] = {
    "num_instances": lambda hosts: hosts.number("claims"),
    "io_workload": lambda hosts: hosts.number("io_ops"),
    "failed_builds": lambda hosts: hosts.number("failed_builds"),
}
"""Nova's stats of a compute node, which are text."""

ATTRIBUTES = frozenset({*_NUMBERS, *_OTHERS, *STATS})
"""Every name that a flavor may use without a scope."""


def has_attribute(name: str) -> bool:
    """Tell whether hosts have an attribute of the name."""
    return name in _NUMBERS or name in _OTHERS


def list_attribute(hosts: HostRows, name: str) -> Sequence[Any] | None:
    """Return an attribute of each host; None if there is none of the name."""
    number = _NUMBERS.get(name)
    if number is not None:
        return list(number(hosts).tolist())
    other = _OTHERS.get(name)
    return None if other is None else other(hosts)


def list_stat(hosts: HostRows, name: str) -> Sequence[str] | None:
    """Return one of each host's stats; None if there is none of the name."""
    stat = STATS.get(name)
    return None if stat is None else [str(value) for value in stat(hosts).tolist()]
