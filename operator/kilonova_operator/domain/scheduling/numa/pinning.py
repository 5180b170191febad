"""Which CPUs of a host cell a guest cell is pinned to.

Threads of one core go together where that is possible, and emptier cores come
first. ``deviations`` tells the order of threads, and where the emulator of an
isolating guest goes. Source: nova.virt.hardware._pack_instance_onto_cores, Nova 34.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from kilonova_operator.domain.scheduling.numa.cpu_mask import (
    CpuMask,
    cpus_of,
    mask_of,
)
from kilonova_operator.domain.scheduling.numa.guest import ThreadPolicy
from kilonova_operator.domain.scheduling.numa.topology import CellState


@dataclass(frozen=True, slots=True)
class CellPins:
    """The guest's CPUs with the host's, and host CPUs for the emulator."""

    pairs: tuple[tuple[int, int], ...]
    reserved: CpuMask = 0


def find_pins(
    host: CellState,
    vcpus: CpuMask,
    *,
    thread_policy: ThreadPolicy | None,
    reserve: bool,
) -> CellPins | None:
    """Pin a guest's CPUs, with one CPU more for its emulator if asked for.

    None: the thread policy leaves no way.
    """
    free = host.free_dedicated
    cores = [core & free for core in host.cell.cores if core & free]
    if thread_policy == "isolate":
        return _isolated(host, cores, vcpus, reserve=reserve)
    return _packed(
        host, cores, vcpus, siblings_only=thread_policy == "require", reserve=reserve
    )


def _isolated(
    host: CellState, cores: Sequence[CpuMask], vcpus: CpuMask, *, reserve: bool
) -> CellPins | None:
    """Take one thread of cores that are free as a whole, and leave their others."""
    threads = host.cell.threads_per_core
    if threads > 1 and host.cell.dedicated != host.cell.shared:
        # With CPUs set apart the idle siblings would still count as free: such
        # guests go to hosts without threads.
        return None
    whole = _with_room(cores, threads)
    pairs = _pair(vcpus, whole, threads=1)
    if not pairs:
        return None
    used = mask_of(cpu for _, cpu in pairs)
    untouched = [core for core in whole if not core & used]
    return _with_reserved(
        pairs, chain.from_iterable(map(cpus_of, untouched)), reserve=reserve
    )


def _packed(
    host: CellState,
    cores: Sequence[CpuMask],
    vcpus: CpuMask,
    *,
    siblings_only: bool,
    reserve: bool,
) -> CellPins | None:
    if siblings_only and host.cell.threads_per_core == 1:
        return None
    most = max((core.bit_count() for core in cores), default=0)
    for threads in range(most, 1 if siblings_only else 0, -1):
        pins = _pinned(cores, vcpus, threads=threads, reserve=reserve)
        if pins:
            return pins
    if siblings_only:
        return None
    # Cores are filled unevenly: what is left is taken thread by thread.
    singles = [1 << cpu for core in cores for cpu in cpus_of(core)]
    return _pinned(singles, vcpus, threads=1, reserve=reserve)


def _pinned(
    cores: Sequence[CpuMask], vcpus: CpuMask, *, threads: int, reserve: bool
) -> CellPins | None:
    pairs = _pair(vcpus, _with_room(cores, threads), threads=threads)
    if pairs is None or (reserve and not pairs):
        return None
    used = mask_of(cpu for _, cpu in pairs)
    left = chain.from_iterable(cpus_of(core & ~used) for core in cores)
    return _with_reserved(pairs, left, reserve=reserve)


def _pair(
    vcpus: CpuMask, cores: Sequence[CpuMask], *, threads: int
) -> tuple[tuple[int, int], ...] | None:
    if threads * len(cores) < vcpus.bit_count():
        return None
    usable = chain.from_iterable(islice(cpus_of(core), threads) for core in cores)
    return tuple(zip(cpus_of(vcpus), usable, strict=False))


def _with_room(cores: Sequence[CpuMask], threads: int) -> list[CpuMask]:
    return [core for core in cores if core.bit_count() >= threads]


def _with_reserved(
    pairs: tuple[tuple[int, int], ...], left: Iterable[int], *, reserve: bool
) -> CellPins | None:
    if not reserve:
        return CellPins(pairs)
    spare = next(iter(left), None)
    return None if spare is None else CellPins(pairs, reserved=1 << spare)
