"""Memory of a guest cell on a host cell: room, and the size of its pages.

Source: nova.virt.hardware._numa_fit_instance_cell and
_numa_cell_supports_pagesize_request, Nova 34.
"""

from dataclasses import dataclass

from kilonova_operator.domain.scheduling.numa.guest import PageWish
from kilonova_operator.domain.scheduling.numa.topology import CellState, PagePool

_KIB_PER_MIB = 1024


@dataclass(frozen=True, slots=True)
class MemoryPlace:
    """The memory fits. None: in the smallest pages, which nobody asked for."""

    page_size_kib: int | None


def find_memory_place(
    host: CellState, memory_mib: int, *, wish: PageWish | None, oversold: bool
) -> MemoryPlace | None:
    """Find pages for a guest cell; None if it has no room here.

    Pages that were asked for are never oversold: the kernel cannot swap them.
    """
    if wish:
        size = _find_page_size(host, memory_mib, wish)
        return None if size is None else MemoryPlace(size)
    fits = (
        _fits_smallest(host, memory_mib, oversold=oversold)
        if host.cell.pages
        else memory_mib <= (host.cell.memory_mib if oversold else host.free_memory_mib)
    )
    return MemoryPlace(None) if fits else None


def page_use(host: CellState, memory_mib: int, page_size_kib: int | None) -> list[int]:
    """Return the pages of each pool that memory takes: all of one size."""
    pools = host.cell.pages
    size = page_size_kib or min((pool.size_kib for pool in pools), default=0)
    return [
        memory_mib * _KIB_PER_MIB // size if pool.size_kib == size else 0
        for pool in pools
    ]


def _find_page_size(host: CellState, memory_mib: int, wish: PageWish) -> int | None:
    sizes = sorted((pool.size_kib for pool in host.cell.pages), reverse=True)
    allowed = {"small": sizes[-1:], "large": sizes[:-1], "any": sizes}
    wanted = [wish] if isinstance(wish, int) else allowed[wish]
    for size in wanted:
        for pool, used in zip(host.cell.pages, host.use.pages, strict=True):
            free = pool.total - used - pool.reserved
            if pool.size_kib == size and _fits(pool, memory_mib, free):
                return size
    return None


def _fits_smallest(host: CellState, memory_mib: int, *, oversold: bool) -> bool:
    pool, used = min(
        zip(host.cell.pages, host.use.pages, strict=True),
        key=lambda pair: pair[0].size_kib,
    )
    pages = pool.total if oversold else pool.total - used - pool.reserved
    return _fits(pool, memory_mib, pages)


def _fits(pool: PagePool, memory_mib: int, pages: int) -> bool:
    memory_kib = memory_mib * _KIB_PER_MIB
    return memory_kib <= pages * pool.size_kib and memory_kib % pool.size_kib == 0
