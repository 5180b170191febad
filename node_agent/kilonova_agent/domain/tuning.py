"""Where a guest's processors and memory are on the host, and how it sees them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from kilonova_agent.domain.faults import CpuUnavailable
from kilonova_api.cpu_set import format_cpu_set

Cpus = frozenset[int]


@dataclass(frozen=True, slots=True)
class CpuTopology:
    """How the guest's processors look to it."""

    sockets: int
    cores: int
    threads: int

    @property
    def is_plain(self) -> bool:
        """Whether each is a socket of its own, as without any word about it."""
        return self.cores == self.threads == 1


@dataclass(frozen=True, slots=True)
class GuestCell:
    """A NUMA cell of the guest, on one of the host."""

    host_cell: int
    memory_mib: int
    vcpus: Cpus
    page_size_kib: int | None = None
    """None: the host's smallest."""


@dataclass(frozen=True, slots=True)
class CpuShare:
    """How much of its processors a guest gets; None is the hypervisor's default."""

    shares: int | None = None
    period_microseconds: int | None = None
    quota_microseconds: int | None = None


@dataclass(frozen=True, slots=True)
class GuestTuning:
    """What a definition says beyond amounts. The default says nothing.

    ``cpu_set``: the host's processors of what has no place of its own.
    ``pins``: those of each of the guest's processors.
    ``emulator``: those of the emulator's own threads; empty without ``cells``.
    """

    cpu_set: Cpus | None = None
    cells: tuple[GuestCell, ...] = ()
    pins: Mapping[int, Cpus] = field(default_factory=lambda: MappingProxyType({}))
    emulator: Cpus = frozenset()
    realtime: Cpus = frozenset()
    locked: bool = False
    share: CpuShare = CpuShare()
    topology: CpuTopology | None = None

    @property
    def names_host_cpus(self) -> bool:
        """Whether it depends on which processors are online."""
        return self.cpu_set is not None or bool(self.pins)


def keep_online(tuning: GuestTuning, online: Cpus) -> GuestTuning:
    """Leave out what is offline, as Nova does with its cpu_shared_set.

    Raises:
        CpuUnavailable: a place has no processor left.
    """
    cpu_set = tuning.cpu_set
    if cpu_set is not None:
        cpu_set = _keep(cpu_set, online, "the guest's set of processors")
    return replace(
        tuning,
        cpu_set=cpu_set,
        pins={
            vcpu: _keep(cpus, online, f"processor {vcpu} of the guest")
            for vcpu, cpus in tuning.pins.items()
        },
        emulator=_keep(tuning.emulator, online, "the emulator")
        if tuning.emulator
        else tuning.emulator,
    )


def _keep(cpus: Cpus, online: Cpus, what: str) -> Cpus:
    kept = cpus & online
    if not kept:
        raise CpuUnavailable(
            f"{what} has its place on processor {format_cpu_set(cpus)} of this host, "
            f"and {format_cpu_set(online)} are online. Bring it online, or take it "
            "out of the sets in the ComputeHost's spec.cpu."
        )
    return kept
