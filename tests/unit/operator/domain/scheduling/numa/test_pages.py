"""Memory and pages of a guest cell on a host cell."""

from dataclasses import replace

import pytest

from kilonova_operator.domain.scheduling.numa.guest import PageWish
from kilonova_operator.domain.scheduling.numa.pages import (
    MemoryPlace,
    find_memory_place,
    page_use,
)
from kilonova_operator.domain.scheduling.numa.topology import CellState, PagePool
from support.numa import BIG_PAGES, HUGE_PAGES, SMALL_PAGES, made_cell

_HOST = made_cell(
    pages=[(SMALL_PAGES, 262144, 0), (BIG_PAGES, 512, 256), (HUGE_PAGES, 1, 0)]
)
"""1 GiB in small pages, 512 MiB free in big ones, one huge page."""


def _size(host: CellState, mib: int, wish: PageWish | None) -> int | None:
    place = find_memory_place(host, mib, wish=wish, oversold=True)
    return None if place is None else place.page_size_kib


@pytest.mark.parametrize(
    ("mib", "wish", "size"),
    [
        pytest.param(1024, "small", SMALL_PAGES, id="small"),
        pytest.param(1024, "large", HUGE_PAGES, id="the largest first"),
        pytest.param(512, "large", BIG_PAGES, id="what is no multiple of it goes on"),
        pytest.param(514, "large", None, id="large is never small"),
        pytest.param(514, "any", SMALL_PAGES, id="any is"),
        pytest.param(512, 2048, BIG_PAGES, id="a size with room"),
        pytest.param(514, 2048, None, id="a size without room"),
        pytest.param(511, 2048, None, id="a size that does not divide it"),
        pytest.param(512, 64, None, id="a size the host has not"),
    ],
)
def test_pages_are_chosen_by_the_wish(
    mib: int, wish: PageWish, size: int | None
) -> None:
    assert _size(_HOST, mib, wish) == size


def test_unasked_for_pages_are_oversold_unless_cpus_are_dedicated() -> None:
    host = made_cell(pages=[(SMALL_PAGES, 262144, 262144)])
    assert find_memory_place(host, 1024, wish=None, oversold=True) == MemoryPlace(None)
    assert find_memory_place(host, 1024, wish=None, oversold=False) is None
    assert find_memory_place(host, 1025, wish=None, oversold=True) is None


def test_reserved_pages_are_for_no_guest() -> None:
    state = made_cell(pages=[(SMALL_PAGES, 512, 0), (BIG_PAGES, 256, 0)])
    pools = (state.cell.pages[0], PagePool(BIG_PAGES, total=256, reserved=1))
    host = replace(state, cell=replace(state.cell, pages=pools))
    assert _size(host, 510, BIG_PAGES) == BIG_PAGES
    assert _size(host, 512, BIG_PAGES) is None


def test_a_host_that_tells_no_pages_is_judged_by_its_memory() -> None:
    host = made_cell(memory_mib=1024, memory_used_mib=512)
    assert find_memory_place(host, 1024, wish=None, oversold=True) == MemoryPlace(None)
    assert find_memory_place(host, 1024, wish=None, oversold=False) is None
    assert find_memory_place(host, 512, wish="any", oversold=True) is None


def test_memory_takes_pages_of_one_size() -> None:
    assert page_use(_HOST, 512, BIG_PAGES) == [0, 256, 0]
    assert page_use(_HOST, 512, None) == [131072, 0, 0]
    assert page_use(made_cell(), 512, None) == []
