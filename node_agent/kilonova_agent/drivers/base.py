"""What the agent asks of a hypervisor, and what every driver promises.

All methods may be called at the same time for different guests; calls for one
guest follow each other. Each ends within its time, or raises
``DriverUnavailable``. Whatever is called twice has the effect of once.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal, Protocol

from kilonova_agent.domain.tuning import GuestTuning
from kilonova_api.instance_spec import InstanceNic

VirtType = Literal["kvm", "qemu"]


class DriverUnavailable(Exception):
    """The hypervisor did not answer; nothing is known of what was asked."""

    reason = "HypervisorUnavailable"


class GuestPower(StrEnum):
    """A guest's power, in the words of ``Instance.status.powerState``."""

    RUNNING = "Running"
    SHUTDOWN = "Shutdown"
    PAUSED = "Paused"
    CRASHED = "Crashed"

    @property
    def is_off(self) -> bool:
        """Whether no process runs the guest."""
        return self in {GuestPower.SHUTDOWN, GuestPower.CRASHED}


@dataclass(frozen=True, slots=True)
class GuestMark:
    """What a guest's definition on the host says of where it comes from."""

    cluster: str
    namespace: str
    name: str
    uid: str
    placement_generation: int
    server_generation: int
    build_id: str


@dataclass(frozen=True, slots=True)
class Guest:
    """A guest as it is on the host. Without a mark it is not ours."""

    uuid: str
    name: str
    power: GuestPower
    vcpus: int
    memory_mib: int
    mark: GuestMark | None


@dataclass(frozen=True, slots=True)
class GuestDisk:
    """One disk file of a guest, in the guest's order."""

    path: Path
    format: Literal["qcow2", "raw"]


@dataclass(frozen=True, slots=True)
class GuestDefinition:
    """Everything a hypervisor has to know of a guest."""

    uuid: str
    mark: GuestMark
    vcpus: int
    memory_mib: int
    disks: tuple[GuestDisk, ...]
    config_drive: Path | None
    nics: tuple[InstanceNic, ...]
    console_log: Path
    tuning: GuestTuning = field(default_factory=GuestTuning)


@dataclass(frozen=True, slots=True)
class HostCell:
    """A NUMA cell of the host: processors that are online, and memory."""

    id: int
    cpus: frozenset[int]
    cores: tuple[frozenset[int], ...]
    """The threads of each core."""
    socket: int | None
    memory_mib: int
    pages: Mapping[int, int]
    """How many pages there are of each size in KiB."""


@dataclass(frozen=True, slots=True)
class HostInventory:
    """The host as its hypervisor sees it. Versions are libvirt's numbers."""

    hypervisor_type: str
    hypervisor_version: int
    libvirt_version: int
    virt_type: VirtType
    arch: str
    cpu_model: str
    cpu_vendor: str
    cores: int
    cpu_features: tuple[str, ...]
    memory_mib: int
    numa_cells: tuple[HostCell, ...] = ()
    address_bits: int | None = None
    """Width of physical addresses; None where the hypervisor does not say."""


@dataclass(frozen=True, slots=True)
class HostCpuTimes:
    """What the host's processors did since its start, in nanoseconds, all added."""

    user: int
    kernel: int
    idle: int
    iowait: int
    frequency_mhz: int

    @property
    def total(self) -> int:
        """All of their time."""
        return self.user + self.kernel + self.idle + self.iowait


EventHandler = Callable[[str | None], None]
"""Takes the uuid of a changed guest; None means that any may have changed."""


class ComputeDriver(Protocol):
    """A hypervisor. Every method may raise DriverUnavailable."""

    async def run(self) -> None:
        """Keep the connection to the hypervisor up. Never returns."""
        ...

    @property
    def available(self) -> bool:
        """Whether the hypervisor answers now."""
        ...

    def on_event(self, handler: EventHandler) -> None:
        """Call ``handler`` in the event loop when a guest changes.

        Events only hasten: one may be late, doubled or lost.
        """
        ...

    async def get_inventory(self) -> HostInventory:
        """Read what the host has."""
        ...

    async def get_cpu_times(self) -> HostCpuTimes:
        """Read what the host's processors did."""
        ...

    async def list_guests(self) -> list[Guest]:
        """List every guest of the host, ours or not, running or not."""
        ...

    async def list_addresses(self, uuids: Iterable[str]) -> frozenset[str]:
        """List the IPv4 addresses that guests may send from, as far as known."""
        ...

    async def find_guest(self, uuid: str) -> Guest | None:
        """Read one guest; None when the hypervisor knows no such uuid."""
        ...

    async def plug(self, nics: Iterable[InstanceNic]) -> None:
        """Make what the NICs are plugged into.

        After: each NAT network is up, comes back with the host, and gives each
            NIC's MAC its address; filters against spoofing are there.

        Raises:
            NetworkUnavailable: this host cannot make one of the networks.
        """
        ...

    async def unplug(self, nics: Iterable[InstanceNic]) -> None:
        """Take the NICs' address entries back.

        Before: the guest is gone.
        """
        ...

    async def remove_unused_networks(
        self, list_needed: Callable[[], Iterable[str] | None]
    ) -> list[str]:
        """Remove our NAT networks that no guest uses; give their names.

        ``list_needed`` gives the ids of those that a guest may be about to need,
        None while that is not known: then all stay. It is asked when nothing is
        plugged any more until the end: what was plugged before is in its answer,
        and what is plugged afterwards is made anew.
        """
        ...

    async def spawn(self, guest: GuestDefinition, *, power_on: bool = True) -> None:
        """Make the guest exist as defined.

        Before: its disks and networks are there; so may be its definition.
        After: it is defined, and running if ``power_on``. A guest that runs
            is left exactly as it is. On an error the definition may stay.

        Raises:
            BridgeNotFound: a bridge is missing on this host.
            CpuUnavailable, PagesUnavailable, NumaCellUnavailable: this host has
                not what its tuning names.
            GuestRejected: the hypervisor cannot run it.
        """
        ...

    async def request_shutdown(self, uuid: str) -> None:
        """Press the guest's power button. It may take its time, or ignore it."""
        ...

    async def power_off(self, uuid: str) -> None:
        """Cut the guest's power. Done when it is off, or unknown."""
        ...

    async def destroy(self, uuid: str, *, up_to_generation: int) -> None:
        """End the guest and forget its definition; its disks stay.

        Done when the hypervisor knows no such guest.

        Raises:
            GuestIsNewer: its mark has a higher placement generation, or it has
                no mark of ours. It is left alone.
        """
        ...


class GuestIsNewer(Exception):
    """A destroy order does not reach this guest: it is newer, or not ours."""
