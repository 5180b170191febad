"""What a host lacks, said after libvirt refused a guest."""

from typing import Any

import libvirt
import pytest

from kilonova_agent.domain.faults import CpuUnavailable, GuestRejected, PagesUnavailable
from kilonova_agent.domain.tuning import GuestCell, GuestTuning
from kilonova_agent.drivers.libvirt.host_room import explain_refusal

CAPABILITIES = """
<capabilities><host><topology><cells num='1'>
  <cell id='0'>
    <memory unit='KiB'>8388608</memory>
    <pages unit='KiB' size='4'>2097152</pages>
    <pages unit='KiB' size='2048'>512</pages>
    <cpus num='1'><cpu id='0' socket_id='0' core_id='0' siblings='0'/></cpus>
  </cell>
</cells></topology></host></capabilities>
"""
REFUSED = GuestRejected("libvirt cannot run the guest on this host: it said no")


class Connection:
    """A host of one cell with so many free large pages."""

    def __init__(self, free: int, *, is_broken: bool = False) -> None:
        self._free = free
        self._is_broken = is_broken

    def getCapabilities(self) -> str:  # noqa: N802 - libvirt's name
        if self._is_broken:
            raise libvirt.libvirtError("gone")
        return CAPABILITIES

    def getFreePages(  # noqa: N802
        self, sizes: list[int], cell: int, _count: int
    ) -> dict[int, dict[int, int]]:
        return {cell: dict.fromkeys(sizes, self._free)}


def explain(
    connection: Any, *page_sizes: int | None, refused: GuestRejected = REFUSED
) -> None:
    cells = tuple(GuestCell(0, 64, frozenset(), size) for size in page_sizes)
    explain_refusal(connection, GuestTuning(cells=cells), refused)


def test_pages_of_all_cells_together_are_counted() -> None:
    with pytest.raises(PagesUnavailable, match=r"63 free .* needs 64\..* it said no"):
        explain(Connection(63), 2048, 2048)


@pytest.mark.parametrize("page_sizes", [(), (None,), (4,), (2048, None)])
def test_where_nothing_is_lacking_libvirts_word_stands(
    page_sizes: tuple[int | None, ...],
) -> None:
    explain(Connection(32), *page_sizes)


def test_where_libvirt_is_gone_its_last_word_stands() -> None:
    explain(Connection(0, is_broken=True), 2048)


def test_processors_that_guests_may_not_use_are_the_hosts_fault() -> None:
    kernel = GuestRejected("cannot set CPU affinity on process 7: Invalid argument")
    shared: Any = Connection(32)
    with pytest.raises(CpuUnavailable, match="process 7"):
        explain_refusal(shared, GuestTuning(cpu_set=frozenset({1})), kernel)
