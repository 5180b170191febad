"""The NUMA cells a guest asks for, and the place it got."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from kilonova_operator.domain.scheduling.numa.cpu_mask import CpuMask

CpuPolicy = Literal["shared", "dedicated", "mixed"]
ThreadPolicy = Literal["prefer", "isolate", "require"]
EmulatorPolicy = Literal["share", "isolate"]
PageKind = Literal["small", "large", "any"]
PageWish: TypeAlias = PageKind | int
"""A kind of page, or a size in KiB."""


@dataclass(frozen=True, slots=True)
class GuestCell:
    """A NUMA cell of a guest, with the guest's own numbers for its CPUs."""

    memory_mib: int
    shared: CpuMask = 0
    dedicated: CpuMask = 0


@dataclass(frozen=True, slots=True)
class GuestTopology:
    """What a guest asks of a host's NUMA cells."""

    cells: tuple[GuestCell, ...]
    cpu_policy: CpuPolicy | None = None
    thread_policy: ThreadPolicy | None = None
    emulator_policy: EmulatorPolicy | None = None
    page_wish: PageWish | None = None
    needs_threads: bool = False
    """Whether flavor or image ask for a host whose cores have several threads."""

    cells_alike: bool = field(init=False, compare=False)
    """Whether all its cells want the same of a host cell."""

    def __post_init__(self) -> None:
        wants = {
            (cell.memory_mib, cell.shared.bit_count(), cell.dedicated.bit_count())
            for cell in self.cells
        }
        alone = len(self.cells) == 1 or self.emulator_policy != "isolate"
        object.__setattr__(self, "cells_alike", len(wants) == 1 and alone)

    @property
    def is_pinned(self) -> bool:
        """Whether some of its CPUs are dedicated; then nothing is oversold to it."""
        return self.cpu_policy in ("dedicated", "mixed")

    def reserves(self, cell: int) -> bool:
        """Tell where the emulator's own CPU is: always beside the first cell."""
        return cell == 0 and self.emulator_policy == "isolate"


@dataclass(frozen=True, slots=True)
class PlacedCell:
    """A guest cell on its host cell."""

    host_cell: int
    memory_mib: int
    shared: CpuMask = 0
    """The guest's CPUs that float over the host cell's shared ones."""
    pins: tuple[tuple[int, int], ...] = ()
    """The guest's dedicated CPUs, each with the host's CPU it is pinned to."""
    reserved: CpuMask = 0
    """The host's CPUs for the emulator's threads."""
    page_size_kib: int | None = None
    """None: the smallest pages the host has."""

    @property
    def taken(self) -> CpuMask:
        """The host's CPUs that are for this guest alone."""
        mask = self.reserved
        for _, host_cpu in self.pins:
            mask |= 1 << host_cpu
        return mask


@dataclass(frozen=True, slots=True)
class NumaPlacement:
    """Where a guest's cells are on a host."""

    cells: tuple[PlacedCell, ...]
    cpu_policy: CpuPolicy | None = None
    thread_policy: ThreadPolicy | None = None
    emulator_policy: EmulatorPolicy | None = None
