"""Where the search for an address begins."""

from ipaddress import IPv4Address
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from kilonova_operator.domain.addressing import AddressPool
from kilonova_operator.storage.sql.api.address_search import AddressHints, search_order
from kilonova_operator.storage.sql.api.macs import draw_mac

pools = st.lists(
    st.tuples(st.integers(0, 200), st.integers(0, 20)), min_size=1, max_size=3
).map(
    lambda pairs: [
        AddressPool(IPv4Address(first), IPv4Address(first + more))
        for first, more in pairs
    ]
)


@given(pools, st.integers(0, 255))
def test_every_address_is_searched_once_from_the_start_on(
    pools: list[AddressPool], start: int
) -> None:
    searched = [
        address
        for first, last in search_order(pools, start)
        for address in range(first, last + 1)
    ]
    wanted = [
        address
        for pool in pools
        for address in range(int(pool.first), int(pool.last) + 1)
    ]
    assert sorted(searched) == sorted(wanted)
    later = [address >= start for address in searched]
    assert later == sorted(later, reverse=True)


def test_a_search_begins_behind_the_highest_address_that_was_given() -> None:
    hints = AddressHints()
    assert hints.start("net") == 0
    hints.note_given("net", 10)
    hints.note_given("net", 4)
    assert hints.start("net") == 11
    assert hints.start("other") == 0


def test_macs_have_openstacks_prefix_and_24_random_bits() -> None:
    drawn = {draw_mac(Random(number)) for number in range(100)}
    assert len(drawn) == 100
    assert all(len(mac) == 17 and mac.startswith("fa:16:3e:") for mac in drawn)
