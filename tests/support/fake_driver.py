"""A hypervisor in memory, which outlives the agents that work with it."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from kilonova_agent.drivers.base import (
    EventHandler,
    Guest,
    GuestDefinition,
    GuestIsNewer,
    GuestPower,
    HostCpuTimes,
    HostInventory,
)
from kilonova_api.instance_spec import InstanceNic

INVENTORY = HostInventory(
    hypervisor_type="QEMU",
    hypervisor_version=7_002_022,
    libvirt_version=9_000_000,
    virt_type="qemu",
    arch="x86_64",
    cpu_model="qemu64",
    cpu_vendor="AMD",
    cores=2,
    cpu_features=(),
    memory_mib=4096,
)


@dataclass
class FakeHypervisor:
    """What is on the host; every start and end of a guest is written down."""

    guests: dict[str, Guest] = field(default_factory=dict)
    definitions: dict[str, GuestDefinition] = field(default_factory=dict)
    leases: set[str] = field(default_factory=set)
    starts: list[str] = field(default_factory=list)
    stops: list[str] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)

    def running(self) -> list[str]:
        return [u for u, g in self.guests.items() if g.power is GuestPower.RUNNING]


class FakeDriver:
    """A driver of one agent's process; its hypervisor is shared."""

    def __init__(self, hypervisor: FakeHypervisor) -> None:
        self._host = hypervisor

    @property
    def available(self) -> bool:
        return True

    async def run(self) -> None:
        await asyncio.Event().wait()

    def on_event(self, handler: EventHandler) -> None:
        pass  # events only hasten

    async def get_inventory(self) -> HostInventory:
        return INVENTORY

    async def get_cpu_times(self) -> HostCpuTimes:
        return HostCpuTimes(user=1, kernel=1, idle=1, iowait=1, frequency_mhz=2000)

    async def list_guests(self) -> list[Guest]:
        return list(self._host.guests.values())

    async def list_addresses(self, uuids: Iterable[str]) -> frozenset[str]:
        known = self._host.definitions
        asked = [known[uuid] for uuid in uuids if uuid in known]
        return frozenset(nic.address for guest in asked for nic in guest.nics)

    async def find_guest(self, uuid: str) -> Guest | None:
        return self._host.guests.get(uuid)

    async def plug(self, nics: Iterable[InstanceNic]) -> None:
        self._host.leases |= {nic.mac for nic in nics}

    async def unplug(self, nics: Iterable[InstanceNic]) -> None:
        self._host.leases -= {nic.mac for nic in nics}

    async def remove_unused_networks(
        self, list_needed: Callable[[], Iterable[str] | None]
    ) -> list[str]:
        return []

    async def spawn(self, guest: GuestDefinition, *, power_on: bool = True) -> None:
        known = self._host.guests.get(guest.uuid)
        if known is not None and not known.power.is_off:
            return
        missing = [str(disk.path) for disk in guest.disks if not disk.path.exists()]
        assert not missing, f"a guest starts without {missing}"
        self._host.definitions[guest.uuid] = guest
        self._host.guests[guest.uuid] = Guest(
            uuid=guest.uuid,
            name=f"instance-{guest.uuid}",
            power=GuestPower.RUNNING if power_on else GuestPower.SHUTDOWN,
            vcpus=guest.vcpus,
            memory_mib=guest.memory_mib,
            mark=guest.mark,
        )
        if power_on:
            self._host.starts.append(guest.uuid)

    async def request_shutdown(self, uuid: str) -> None:
        await self.power_off(uuid)

    async def power_off(self, uuid: str) -> None:
        guest = self._host.guests.get(uuid)
        if guest is not None and not guest.power.is_off:
            self._host.guests[uuid] = replace(guest, power=GuestPower.SHUTDOWN)
            self._host.stops.append(uuid)

    async def destroy(self, uuid: str, *, up_to_generation: int) -> None:
        guest = self._host.guests.get(uuid)
        if guest is None:
            return
        mark = guest.mark
        if mark is None or mark.placement_generation > up_to_generation:
            raise GuestIsNewer(uuid)
        del self._host.guests[uuid]
        self._host.ends.append(uuid)
