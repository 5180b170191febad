"""Domains: reading them, starting them, ending them. All functions block."""

import contextlib
import errno
from collections.abc import Callable, Iterator

import libvirt

from kilonova_agent.domain.faults import BridgeNotFound, GuestRejected
from kilonova_agent.drivers.base import (
    DriverUnavailable,
    Guest,
    GuestIsNewer,
    GuestMark,
    GuestPower,
)
from kilonova_agent.drivers.libvirt.domain_xml import parse_mark
from kilonova_agent.drivers.libvirt.errors import check_answered
from kilonova_agent.drivers.libvirt.names import METADATA_NAMESPACE

_KIB_PER_MIB = 1024
_POWER = {
    libvirt.VIR_DOMAIN_RUNNING: GuestPower.RUNNING,
    libvirt.VIR_DOMAIN_BLOCKED: GuestPower.RUNNING,
    # On its way down; until it is there it runs.
    libvirt.VIR_DOMAIN_SHUTDOWN: GuestPower.RUNNING,
    libvirt.VIR_DOMAIN_PAUSED: GuestPower.PAUSED,
    libvirt.VIR_DOMAIN_PMSUSPENDED: GuestPower.PAUSED,
    libvirt.VIR_DOMAIN_SHUTOFF: GuestPower.SHUTDOWN,
    libvirt.VIR_DOMAIN_NOSTATE: GuestPower.SHUTDOWN,
    libvirt.VIR_DOMAIN_CRASHED: GuestPower.CRASHED,
}
_UNDEFINE_ALL = (
    libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
    | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM
)


def list_guests(connection: libvirt.virConnect) -> list[Guest]:
    """Read every domain; one that goes away meanwhile is left out."""
    found = []
    for domain in connection.listAllDomains():
        with _unless(libvirt.VIR_ERR_NO_DOMAIN):
            found.append(_read(domain))
    return found


def find_guest(connection: libvirt.virConnect, uuid: str) -> Guest | None:
    """Read one domain."""
    domain = _find(connection, uuid)
    if domain is None:
        return None
    with _unless(libvirt.VIR_ERR_NO_DOMAIN):
        return _read(domain)
    return None


def spawn(
    connection: libvirt.virConnect,
    uuid: str,
    build_xml: Callable[[], str],
    *,
    power_on: bool,
) -> None:
    """Define a domain and start it; one that runs is left as it is.

    ``build_xml`` is asked only of a domain that is off: a fault that it raises
    stands for one.

    Raises:
        BridgeNotFound, GuestRejected: libvirt's answer, in our words, and the
            domain does not run.
        DriverUnavailable: the domain may be starting; look again.
        libvirt.libvirtError: no answer came, and the domain may run.
    """
    domain = _find(connection, uuid)
    if domain is not None and not _power(domain).is_off:
        return
    xml = build_xml()
    try:
        domain = connection.defineXML(xml)
        if power_on:
            with _unless(libvirt.VIR_ERR_OPERATION_INVALID):  # it runs already
                domain.create()
    except libvirt.libvirtError as error:
        # Another host may be given the guest because of what is raised here.
        check_answered(connection, error)
        _check_is_off(connection, uuid)
        raise _fault(error) from error


def request_shutdown(connection: libvirt.virConnect, uuid: str) -> None:
    """Press the domain's ACPI power button."""
    domain = _find(connection, uuid)
    if domain is not None:
        with _unless(libvirt.VIR_ERR_OPERATION_INVALID, libvirt.VIR_ERR_NO_DOMAIN):
            domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)


def power_off(connection: libvirt.virConnect, uuid: str) -> None:
    """End the domain's process at once."""
    domain = _find(connection, uuid)
    if domain is not None:
        with _unless(libvirt.VIR_ERR_NO_DOMAIN):
            _end(domain)


def destroy(
    connection: libvirt.virConnect, uuid: str, *, up_to_generation: int
) -> None:
    """End the domain and its definition, if its mark allows it.

    Raises:
        GuestIsNewer: the domain is of a higher placement generation, or not ours.
    """
    domain = _find(connection, uuid)
    if domain is None:
        return
    with _unless(libvirt.VIR_ERR_NO_DOMAIN):
        mark = _read_mark(domain)
        if mark is None or mark.placement_generation > up_to_generation:
            generation = "no mark" if mark is None else mark.placement_generation
            raise GuestIsNewer(
                f"domain {domain.name()} ({generation}) is left alone: the order "
                f"reaches up to placement generation {up_to_generation}"
            )
        _end(domain)
        domain.undefineFlags(_UNDEFINE_ALL)


def _find(connection: libvirt.virConnect, uuid: str) -> libvirt.virDomain | None:
    with _unless(libvirt.VIR_ERR_NO_DOMAIN):
        return connection.lookupByUUIDString(uuid)
    return None


def _check_is_off(connection: libvirt.virConnect, uuid: str) -> None:
    """Let a refusal stand for a domain only that has no process."""
    domain = _find(connection, uuid)
    if domain is None:
        return
    with _unless(libvirt.VIR_ERR_NO_DOMAIN):
        if domain.isActive():
            raise DriverUnavailable(
                f"domain {domain.name()} could not be started, and is active: another "
                "call is starting it or has done so"
            )


def _end(domain: libvirt.virDomain) -> None:
    """End the domain's process; done when it is off, whatever libvirt said.

    Right after a restart of libvirtd a destroy can end the guest and fail with
    "domain is not running". The other way round, a domain that still runs must
    not lose its definition: it would go on with disks that are taken away.
    """
    try:
        domain.destroy()
    except libvirt.libvirtError as error:
        if error.get_error_code() != libvirt.VIR_ERR_OPERATION_INVALID:
            raise
        if domain.isActive():
            raise


def _read(domain: libvirt.virDomain) -> Guest:
    _, max_memory_kib, _, vcpus, _ = domain.info()
    return Guest(
        uuid=domain.UUIDString(),
        name=domain.name(),
        power=_power(domain),
        vcpus=vcpus,
        memory_mib=max_memory_kib // _KIB_PER_MIB,
        mark=_read_mark(domain),
    )


def _power(domain: libvirt.virDomain) -> GuestPower:
    state, reason = domain.state()
    if (
        state == libvirt.VIR_DOMAIN_SHUTOFF
        and reason == libvirt.VIR_DOMAIN_SHUTOFF_CRASHED
    ):
        return GuestPower.CRASHED
    return _POWER.get(state, GuestPower.RUNNING)


def _read_mark(domain: libvirt.virDomain) -> GuestMark | None:
    with _unless(libvirt.VIR_ERR_NO_DOMAIN_METADATA):
        return parse_mark(
            domain.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, METADATA_NAMESPACE, 0)
        )
    return None


def _fault(error: libvirt.libvirtError) -> BridgeNotFound | GuestRejected:
    # libvirt puts the errno of a failed system call into int1.
    is_system = error.get_error_code() == libvirt.VIR_ERR_SYSTEM_ERROR
    if is_system and error.get_int1() == errno.ENODEV:
        return BridgeNotFound(
            f"a bridge of the guest is missing on this host: {error}. Make it, or "
            "place the Server on another host."
        )
    return GuestRejected(f"libvirt cannot run the guest on this host: {error}")


@contextlib.contextmanager
def _unless(*codes: int) -> Iterator[None]:
    """Ignore libvirt's errors of these codes."""
    try:
        yield
    except libvirt.libvirtError as error:
        if error.get_error_code() not in codes:
            raise
