"""Guests with a place on the machine that runs the tests, and where they run."""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kilonova_agent.domain.tuning import GuestCell, GuestTuning
from kilonova_agent.drivers.base import GuestDefinition
from kilonova_api.cpu_set import parse_cpu_set
from support.guests import make_guest
from support.libvirt_host import LibvirtHost

PAGE_KIB = 2048
MEMORY_MIB = 16
PAGES = MEMORY_MIB * 1024 // PAGE_KIB
_CELL = Path("/sys/devices/system/node/node0")
_POOL = _CELL / f"hugepages/hugepages-{PAGE_KIB}kB"


def read_online() -> frozenset[int]:
    """Give the machine's processors that are online."""
    return parse_cpu_set(Path("/sys/devices/system/cpu/online").read_text().strip())


def two_processors() -> tuple[int, int]:
    """Give two processors; a machine of one cannot tell whether a pin holds."""
    online = sorted(read_online())
    if len(online) == 1:
        pytest.skip("this machine has one processor: everything runs on it")
    return online[0], online[-1]


def make_placed(
    host: LibvirtHost, *, vcpus: int = 1, memory_mib: int = MEMORY_MIB, **tuning: Any
) -> GuestDefinition:
    """Build a guest of 16 MiB without an operating system."""
    return dataclasses.replace(
        make_guest(host.state_dir),
        vcpus=vcpus,
        memory_mib=memory_mib,
        tuning=GuestTuning(**tuning),
    )


def make_cell(*vcpus: int, **fields: Any) -> GuestCell:
    """Build a cell on the host's first one."""
    cell = GuestCell(0, memory_mib=MEMORY_MIB, vcpus=frozenset(vcpus))
    return dataclasses.replace(cell, **fields)


def read_threads(host: LibvirtHost, uuid: str) -> dict[str, frozenset[int]]:
    """Give the processors that the kernel lets each thread of QEMU use."""
    pid = host.run("cat", f"/run/libvirt/qemu/instance-{uuid}.pid").strip()
    # Threads come and go meanwhile.
    script = f"cd /proc/{pid}/task; for t in *; do cat $t/status 2>/dev/null; done"
    threads, name = {}, ""
    for line in host.run("sh", "-c", f"{script}; true").splitlines():
        key, _, value = line.partition(":")
        if key == "Name":
            name = value.strip()
        elif key == "Cpus_allowed_list":
            threads[name] = parse_cpu_set(value.strip())
    return threads


def is_vcpu(thread: str) -> bool:
    """Tell whether a thread of QEMU is one of the guest's processors."""
    return thread.startswith("CPU ")


def read_free_pages() -> int:
    """Give the machine's free large pages."""
    return int((_POOL / "free_hugepages").read_text())


@contextlib.contextmanager
def large_pages(
    host: LibvirtHost, count: int, *, mounted: bool = True
) -> Iterator[None]:
    """Give the machine so many more large pages; ``mounted``: guests may use them."""
    total = _POOL / "nr_hugepages"
    before = int(total.read_text()) if total.exists() else 0
    try:
        total.write_text(str(before + count))
    except OSError as error:
        pytest.skip(f"this machine gives no large pages: {error}")
    try:
        if int(total.read_text()) < before + count:
            pytest.skip(f"this machine has no memory for {count} large pages")
        if mounted:
            _mount(host)
        yield
    finally:
        host.clear()
        total.write_text(str(before))


def _mount(host: LibvirtHost) -> None:
    folder = host.folder / "pages"
    folder.mkdir()
    host.run("mount", "-t", "hugetlbfs", "hugetlbfs", str(folder))
    # libvirtd looks for the mount when it starts.
    host.kill_libvirtd()
    host.start_libvirtd()
