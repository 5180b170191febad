"""The libvirt driver: puts the blocking parts behind the promises of ``base``."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from resource import getpagesize
from typing import Literal, TypeVar
from weakref import WeakValueDictionary

import libvirt

from kilonova_agent.domain.faults import GuestRejected
from kilonova_agent.drivers.base import (
    DriverUnavailable,
    EventHandler,
    Guest,
    GuestDefinition,
    HostCpuTimes,
    HostInventory,
    VirtType,
)
from kilonova_agent.drivers.libvirt import guests, networks, nwfilters
from kilonova_agent.drivers.libvirt.addresses import list_addresses
from kilonova_agent.drivers.libvirt.connection import LibvirtConnection
from kilonova_agent.drivers.libvirt.domain_xml import (
    GuestCpu,
    Platform,
    build_domain_xml,
    default_cpu,
    make_environment,
)
from kilonova_agent.drivers.libvirt.host_room import explain_refusal, fit_tuning
from kilonova_agent.drivers.libvirt.inventory import read_cpu_times, read_inventory
from kilonova_agent.drivers.libvirt.kvm_probe import executes, has_hardware_flag
from kilonova_api.instance_spec import InstanceNic
from kilonova_api.kube.clock import Clock

log = logging.getLogger(__name__)

T = TypeVar("T")
VirtTypeSetting = Literal["auto", "kvm", "qemu"]
_CPUINFO = Path("/proc/cpuinfo")
_BYTES_PER_KIB = 1024


class LibvirtDriver:
    """Guests of one libvirtd. ``run`` must be running for anything to work."""

    def __init__(
        self,
        uri: str,
        *,
        state_dir: Path,
        virt_type: VirtTypeSetting,
        clock: Clock,
        random: Random,
        cpu: GuestCpu | None = None,
    ) -> None:
        self._connection = LibvirtConnection(uri, clock=clock, random=random)
        self._state_dir = state_dir
        self._virt_type_setting = virt_type
        self._virt_type: VirtType | None = None
        self._cpu = cpu
        self._arch = "x86_64"
        self._environment = make_environment()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._handlers: list[EventHandler] = []
        self._filters_defined = False
        self._connection.listen(on_domain=self._tell, on_open=self._hear_open)

    @property
    def available(self) -> bool:
        """Whether libvirt is connected."""
        return self._connection.available

    async def run(self) -> None:
        """Keep the connection to libvirt up. Never returns."""
        await self._connection.run()

    def on_event(self, handler: EventHandler) -> None:
        """Call ``handler`` when a domain changes, and with None on connecting."""
        self._handlers.append(handler)

    async def get_inventory(self) -> HostInventory:
        """Read what the host has."""
        virt_type = await self._get_virt_type()
        return await self._call(lambda c: read_inventory(c, virt_type))

    async def get_cpu_times(self) -> HostCpuTimes:
        """Read what the host's processors did."""
        return await self._call(read_cpu_times)

    async def list_guests(self) -> list[Guest]:
        """List every domain."""
        return await self._call(guests.list_guests)

    async def list_addresses(self, uuids: Iterable[str]) -> frozenset[str]:
        """List the addresses of domains."""
        asked = tuple(uuids)
        return await self._call(lambda c: list_addresses(c, asked))

    async def find_guest(self, uuid: str) -> Guest | None:
        """Read one domain."""
        return await self._call(lambda c: guests.find_guest(c, uuid))

    async def plug(self, nics: Iterable[InstanceNic]) -> None:
        """Make networks, leases and filters."""
        nics = tuple(nics)
        if any(nic.port_security or nic.type == "NAT" for nic in nics):
            await self._ensure_filters()
        for nic in nics:
            if nic.type == "NAT":
                async with self._lock("networks"):
                    await self._call(
                        partial(
                            networks.ensure_network,
                            environment=self._environment,
                            nic=nic,
                        )
                    )

    async def unplug(self, nics: Iterable[InstanceNic]) -> None:
        """Take leases back."""
        nat = [nic for nic in nics if nic.type == "NAT"]
        if not nat:
            return
        async with self._lock("networks"):
            for nic in nat:
                await self._call(partial(networks.remove_lease, nic=nic))

    async def remove_unused_networks(
        self, list_needed: Callable[[], Iterable[str] | None]
    ) -> list[str]:
        """Remove our networks that no domain uses and nobody is about to need."""
        async with self._lock("networks"):
            needed = list_needed()
            if needed is None:
                return []
            kept = frozenset(needed)
            return await self._call(lambda c: networks.remove_unused_networks(c, kept))

    async def spawn(self, guest: GuestDefinition, *, power_on: bool = True) -> None:
        """Define the domain, and start it."""
        virt_type = await self._get_virt_type()
        platform = Platform(
            virt_type,
            self._arch,
            self._cpu or default_cpu(virt_type),
            page_size_kib=getpagesize() // _BYTES_PER_KIB,
        )
        async with self._lock(guest.uuid):
            try:
                await self._call(
                    lambda c: self._spawn(c, guest, platform, power_on=power_on)
                )
            except GuestRejected:
                self._filters_defined = False  # perhaps somebody removed it
                raise

    def _spawn(
        self,
        connection: libvirt.virConnect,
        guest: GuestDefinition,
        platform: Platform,
        *,
        power_on: bool,
    ) -> None:
        def build_xml() -> str:
            tuning = fit_tuning(connection, guest.tuning)
            fitted = replace(guest, tuning=tuning)
            return build_domain_xml(self._environment, fitted, platform)

        try:
            guests.spawn(connection, guest.uuid, build_xml, power_on=power_on)
        except GuestRejected as refused:
            explain_refusal(connection, guest.tuning, refused)
            raise

    async def request_shutdown(self, uuid: str) -> None:
        """Press the ACPI power button."""
        async with self._lock(uuid):
            await self._call(lambda c: guests.request_shutdown(c, uuid))

    async def power_off(self, uuid: str) -> None:
        """End the domain's process."""
        async with self._lock(uuid):
            await self._call(lambda c: guests.power_off(c, uuid))

    async def destroy(self, uuid: str, *, up_to_generation: int) -> None:
        """End the domain and its definition."""
        async with self._lock(uuid):
            await self._call(
                lambda c: guests.destroy(c, uuid, up_to_generation=up_to_generation)
            )

    async def _call(self, function: Callable[[libvirt.virConnect], T]) -> T:
        try:
            return await self._connection.call(function)
        except libvirt.libvirtError as error:
            # Answers with a meaning were translated nearer to their cause.
            raise DriverUnavailable(f"libvirt failed: {error}") from error

    async def _ensure_filters(self) -> None:
        """Define the filters once a connection: libvirt compares slowly."""
        async with self._lock("nwfilter"):
            if not self._filters_defined:
                await self._call(nwfilters.ensure_filters)
                self._filters_defined = True

    def _hear_open(self) -> None:
        self._filters_defined = False
        self._tell(None)

    async def _get_virt_type(self) -> VirtType:
        """Find out once how guests run here."""
        async with self._lock("virt-type"):
            if self._virt_type is None:
                self._virt_type = await self._choose_virt_type()
                log.info("guests run with virt_type %s", self._virt_type)
            return self._virt_type

    async def _choose_virt_type(self) -> VirtType:
        if self._virt_type_setting != "auto":
            return self._virt_type_setting
        cpuinfo = await asyncio.to_thread(_CPUINFO.read_text)
        if not has_hardware_flag(cpuinfo):
            return "qemu"
        runs = await self._call(
            partial(
                executes,
                environment=self._environment,
                virt_type="kvm",
                folder=self._state_dir / "probe",
            )
        )
        return "kvm" if runs else "qemu"

    def _lock(self, name: str) -> asyncio.Lock:
        lock = self._locks.get(name)
        if lock is None:
            lock = self._locks[name] = asyncio.Lock()
        return lock

    def _tell(self, uuid: str | None) -> None:
        for handler in self._handlers:
            handler(uuid)
