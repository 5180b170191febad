"""What a host has of what a guest's tuning names. All functions block."""

import contextlib
import xml.etree.ElementTree as ET
from collections import Counter

import libvirt

from kilonova_agent.domain.faults import (
    CpuUnavailable,
    GuestRejected,
    NumaCellUnavailable,
    PagesUnavailable,
)
from kilonova_agent.domain.tuning import GuestTuning, keep_online
from kilonova_agent.drivers.libvirt.numa import read_numa_cells

_KIB_PER_MIB = 1024


def fit_tuning(connection: libvirt.virConnect, tuning: GuestTuning) -> GuestTuning:
    """Leave out processors that are offline.

    Raises:
        CpuUnavailable: a place has no processor left.
    """
    if not tuning.names_host_cpus:
        return tuning
    _, is_online, _ = connection.getCPUMap()
    online = frozenset(cpu for cpu, there in enumerate(is_online) if there)
    return keep_online(tuning, online)


def explain_refusal(
    connection: libvirt.virConnect, tuning: GuestTuning, refused: GuestRejected
) -> None:
    """Say what the host lacks, if that may be why libvirt refused a guest.

    Looked at afterwards: before, another guest could still take it.

    Raises:
        NumaCellUnavailable, PagesUnavailable, CpuUnavailable: that is lacking.
    """
    if tuning.names_host_cpus and "affinity" in str(refused):
        raise CpuUnavailable(
            "the guest's processors on this host may not be used by its guests: see "
            f"which ones the libvirt Pod has been given. {refused}"
        ) from refused
    if not tuning.cells:
        return
    # Nothing more can be said while libvirt tells of neither cells nor pages.
    with contextlib.suppress(libvirt.libvirtError):
        _check_cells(connection, tuning, refused)


def _check_cells(
    connection: libvirt.virConnect, tuning: GuestTuning, refused: GuestRejected
) -> None:
    capabilities = ET.fromstring(connection.getCapabilities())  # noqa: S314
    pages = {cell.id: cell.pages for cell in read_numa_cells(capabilities)}
    needed: Counter[tuple[int, int]] = Counter()
    for cell in tuning.cells:
        if cell.host_cell not in pages:
            raise NumaCellUnavailable(
                f"this host has no NUMA cell {cell.host_cell}. {refused}"
            ) from refused
        if cell.page_size_kib:
            place = cell.host_cell, cell.page_size_kib
            needed[place] += cell.memory_mib * _KIB_PER_MIB // cell.page_size_kib
    smallest = min((size for sizes in pages.values() for size in sizes), default=0)
    for (host_cell, size_kib), count in needed.items():
        if size_kib <= smallest:
            continue
        free = 0
        if size_kib in pages[host_cell]:
            free = connection.getFreePages([size_kib], host_cell, 1)[host_cell][
                size_kib
            ]
        if free < count:
            raise PagesUnavailable(
                f"NUMA cell {host_cell} of this host has {free} free pages of "
                f"{size_kib} KiB, and the guest needs {count}. Give the host more, or "
                f"end guests that hold them. {refused}"
            ) from refused
