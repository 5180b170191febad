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


def find_memory_lack(
    host: CellState, memory_mib: int, *, wish: PageWish | None, oversold: bool
) -> int | None:
    """Return the MiB that are missing where ``find_memory_place`` finds none.

    None: the cell has no pages of a size that was asked for and divides the memory.
    """
    if wish:
        allowed = _list_allowed(host, wish)
    elif host.cell.pages:
        allowed = [_find_smallest(host, oversold=oversold)]
    else:
        free = host.cell.memory_mib if oversold else host.free_memory_mib
        return max(0, memory_mib - free)
    return min(
        (
            max(0, memory_mib - pages * pool.size_kib // _KIB_PER_MIB)
            for pool, pages in allowed
            if memory_mib * _KIB_PER_MIB % pool.size_kib == 0
        ),
        default=None,
    )


def page_use(host: CellState, memory_mib: int, page_size_kib: int | None) -> list[int]:
    """Return the pages of each pool that memory takes: all of one size."""
    pools = host.cell.pages
    size = page_size_kib or min((pool.size_kib for pool in pools), default=0)
    return [
        memory_mib * _KIB_PER_MIB // size if pool.size_kib == size else 0
        for pool in pools
    ]


def _find_page_size(host: CellState, memory_mib: int, wish: PageWish) -> int | None:
    for pool, free in _list_allowed(host, wish):
        if _fits(pool, memory_mib, free):
            return pool.size_kib
    return None


def _list_allowed(host: CellState, wish: PageWish) -> list[tuple[PagePool, int]]:
    """List pools that a wish allows, each with its free pages; the largest first."""
    pools = sorted(
        zip(host.cell.pages, host.use.pages, strict=True),
        key=lambda pair: pair[0].size_kib,
        reverse=True,
    )
    sizes = [pool.size_kib for pool, _ in pools]
    allowed = {"small": sizes[-1:], "large": sizes[:-1], "any": sizes}
    wanted = [wish] if isinstance(wish, int) else allowed[wish]
    return [
        (pool, pool.total - used - pool.reserved)
        for pool, used in pools
        if pool.size_kib in wanted
    ]


def _fits_smallest(host: CellState, memory_mib: int, *, oversold: bool) -> bool:
    pool, pages = _find_smallest(host, oversold=oversold)
    return _fits(pool, memory_mib, pages)


def _find_smallest(host: CellState, *, oversold: bool) -> tuple[PagePool, int]:
    """Return the smallest pages and how many of them may be given."""
    pool, used = min(
        zip(host.cell.pages, host.use.pages, strict=True),
        key=lambda pair: pair[0].size_kib,
    )
    return pool, pool.total if oversold else pool.total - used - pool.reserved


def _fits(pool: PagePool, memory_mib: int, pages: int) -> bool:
    memory_kib = memory_mib * _KIB_PER_MIB
    return memory_kib <= pages * pool.size_kib and memory_kib % pool.size_kib == 0
