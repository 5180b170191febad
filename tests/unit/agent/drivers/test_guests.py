"""What is made of libvirt's errors when a guest does not start."""

from typing import Any

import libvirt
import pytest

from kilonova_agent.domain.faults import GuestRejected
from kilonova_agent.drivers.base import DriverUnavailable
from kilonova_agent.drivers.libvirt.guests import spawn

UUID = "11111111-2222-4333-8444-555555555555"


def build_error(code: int, domain: int, text: str) -> libvirt.libvirtError:
    error = libvirt.libvirtError(text)
    error.err = (code, domain, text, 2, text, None, None, -1, -1)
    return error


REFUSED = build_error(
    libvirt.VIR_ERR_INTERNAL_ERROR, libvirt.VIR_FROM_QEMU, "qemu ended"
)
# libvirtd's own way to virtlogd; ours to libvirtd is whole.
LOGGER_AWAY = build_error(
    libvirt.VIR_ERR_SYSTEM_ERROR, libvirt.VIR_FROM_RPC, "no virtlogd-sock"
)
BROKEN = build_error(
    libvirt.VIR_ERR_SYSTEM_ERROR, libvirt.VIR_FROM_RPC, "End of file while reading"
)
BUSY = build_error(
    libvirt.VIR_ERR_OPERATION_TIMEOUT, libvirt.VIR_FROM_QEMU, "state change lock"
)


class Domain:
    """A domain that is off before its start fails."""

    def __init__(self, error: libvirt.libvirtError, *, is_active_after: bool) -> None:
        self._error = error
        self._is_active_after = is_active_after

    def name(self) -> str:
        return "instance-1"

    def state(self) -> list[int]:
        return [libvirt.VIR_DOMAIN_SHUTOFF, 0]

    def isActive(self) -> bool:  # noqa: N802 - libvirt's name
        return self._is_active_after

    def create(self) -> None:
        raise self._error


class Connection:
    """A connection that is broken or not once the domain was to be started."""

    def __init__(self, domain: Domain, *, is_broken_after: bool = False) -> None:
        self._domain = domain
        self._is_broken_after = is_broken_after

    def lookupByUUIDString(self, _uuid: str) -> Domain:  # noqa: N802
        return self._domain

    def defineXML(self, _xml: str) -> Domain:  # noqa: N802
        return self._domain

    def getLibVersion(self) -> int:  # noqa: N802
        if self._is_broken_after:
            raise BROKEN
        return 9_000_000


def start(error: libvirt.libvirtError, **after: bool) -> None:
    is_broken = after.pop("is_broken", False)
    domain = Domain(error, is_active_after=after.pop("is_active", False))
    connection: Any = Connection(domain, is_broken_after=is_broken)
    spawn(connection, UUID, lambda: "<domain/>", power_on=True)


@pytest.mark.parametrize("error", [REFUSED, LOGGER_AWAY])
def test_a_refusal_of_a_domain_that_is_off_is_the_guests_fault(
    error: libvirt.libvirtError,
) -> None:
    with pytest.raises(GuestRejected):
        start(error)


def test_a_refusal_of_a_domain_that_runs_all_the_same_is_no_fault() -> None:
    with pytest.raises(DriverUnavailable, match="active"):
        start(REFUSED, is_active=True)


def test_a_refusal_nobody_can_ask_about_is_no_fault() -> None:
    with pytest.raises(libvirt.libvirtError, match="End of file"):
        start(REFUSED, is_broken=True)


def test_a_start_that_waited_in_vain_for_another_is_no_fault() -> None:
    with pytest.raises(libvirt.libvirtError, match="state change lock"):
        start(BUSY)
