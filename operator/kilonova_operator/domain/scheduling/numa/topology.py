"""The NUMA cells of a host, and what is used of them.

What never changes (``HostTopology``) is apart from what does (``CellUse``), so that
hosts of one make share the first. Both can be hashed: hosts in the same state can
share one judgement.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from kilonova_operator.domain.scheduling.numa.cpu_mask import CpuMask


@dataclass(frozen=True, slots=True)
class PagePool:
    """The pages of one size that a cell has."""

    size_kib: int
    total: int
    reserved: int = 0
    """Pages that are not for guests."""


@dataclass(frozen=True, slots=True)
class HostCell:
    """A NUMA cell of a host.

    ``cores`` holds the threads of each core, of both kinds of CPUs together; the
    order is the host's. Where neither dedicated nor shared CPUs were set apart, all
    are both.
    """

    number: int
    memory_mib: int
    shared: CpuMask
    dedicated: CpuMask
    cores: tuple[CpuMask, ...] = ()
    pages: tuple[PagePool, ...] = ()
    threads_per_core: int = field(init=False, compare=False)
    """The most threads a core has; 1 if it is not known."""

    def __post_init__(self) -> None:
        most = max((core.bit_count() for core in self.cores), default=1)
        object.__setattr__(self, "threads_per_core", most or 1)


@dataclass(frozen=True, slots=True)
class HostTopology:
    """All NUMA cells of a host."""

    cells: tuple[HostCell, ...]


@dataclass(frozen=True, slots=True)
class CellUse:
    """What guests take of a cell; ``pages`` in the order of the cell's pools."""

    shared_vcpus: int = 0
    memory_mib: int = 0
    pinned: CpuMask = 0
    pages: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class CellState:
    """A cell and its use."""

    cell: HostCell
    use: CellUse
    free_cores: tuple[int, ...] = field(init=False, compare=False)
    """Cores with one free dedicated thread or more, with two or more, and so on.
    Counted once: every request asks."""

    def __post_init__(self) -> None:
        counts = _count_free_cores(self.cell.cores, self.free_dedicated)
        object.__setattr__(self, "free_cores", counts)

    @property
    def free_dedicated(self) -> CpuMask:
        """Dedicated CPUs that no guest is pinned to."""
        return self.cell.dedicated & ~self.use.pinned

    @property
    def free_memory_mib(self) -> int:
        """Memory no guest was promised; below 0 where it is oversold."""
        return self.cell.memory_mib - self.use.memory_mib


@dataclass(frozen=True, slots=True)
class NumaState:
    """All cells of a host and their use."""

    cells: tuple[CellState, ...]

    @property
    def topology(self) -> HostTopology:
        """The cells without their use."""
        return HostTopology(tuple(state.cell for state in self.cells))

    @property
    def has_threads(self) -> bool:
        """Whether a core of some cell has more than one thread."""
        return any(state.cell.threads_per_core > 1 for state in self.cells)


@lru_cache(maxsize=1024)
def build_empty_state(topology: HostTopology) -> NumaState:
    """Return a host that nothing runs on; empty hosts of one make share theirs."""
    return NumaState(
        tuple(
            CellState(cell, CellUse(pages=(0,) * len(cell.pages)))
            for cell in topology.cells
        )
    )


def _count_free_cores(cores: Iterable[CpuMask], free: CpuMask) -> tuple[int, ...]:
    threads = [(core & free).bit_count() for core in cores]
    return tuple(
        sum(1 for count in threads if count >= least)
        for least in range(1, max(threads, default=0) + 1)
    )
