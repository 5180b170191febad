"""Columns follow their hosts."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kilonova_operator.domain.inventory import MEMORY_MB
from kilonova_operator.domain.scheduling.columns import HostColumns
from kilonova_operator.domain.scheduling.rows import HostRows
from support.scheduling import equal_hosts, made_facts, made_view


def test_a_host_counts_only_when_facts_and_amounts_are_there() -> None:
    columns = HostColumns()
    columns.set_facts(made_facts("hv1"))
    columns.set_provider(made_view("hv2"))
    assert HostRows(columns).mapped.tolist() == [False, False]
    columns.set_provider(made_view("hv1"))
    assert HostRows(columns).mapped.tolist() == [True, False]
    assert columns.flag("held").tolist() == [False, True]


def test_an_older_view_does_not_undo_a_newer_one() -> None:
    columns = equal_hosts(1)
    assert columns.set_provider(made_view("hv0", used=(1, 2048, 20), generation=3))
    assert not columns.set_provider(made_view("hv0", generation=2))
    assert columns.amount("used", MEMORY_MB).tolist() == [2048]


def test_a_disabled_cell_is_disabled_at_once_for_hosts_that_come_later_too() -> None:
    columns = equal_hosts(1)
    columns.set_disabled_cells({"cell1"})
    columns.set_facts(made_facts("hv1"))
    columns.set_facts(made_facts("hv2", cell="cell2"))
    assert HostRows(columns).cell_enabled.tolist() == [False, False, True]
    columns.set_disabled_cells(())
    assert HostRows(columns).cell_enabled.all()


def test_no_hosts_make_empty_columns() -> None:
    columns = HostColumns()
    assert len(HostRows(columns).mapped) == len(HostRows(columns).cell_enabled) == 0
    assert len(HostRows(columns).by_profile(lambda _: True)) == 0


@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "remove"]), st.integers(0, 40)), max_size=80
    )
)
def test_every_host_keeps_its_own_values_whoever_comes_and_goes(
    changes: list[tuple[str, int]],
) -> None:
    columns = HostColumns()
    expected: dict[str, tuple[str, int]] = {}
    for kind, number in changes:
        host = f"hv{number}"
        if kind == "remove":
            columns.remove(host)
            expected.pop(host, None)
            continue
        memory_mb = 1024 * (number + 1)
        columns.set_facts(made_facts(host, cell=f"cell{number % 3}"))
        columns.set_provider(made_view(host, memory_mb=memory_mb, generation=number))
        expected[host] = (f"cell{number % 3}", memory_mb)
    totals = columns.amount("total", MEMORY_MB)
    found = {
        host: (columns.cell_of(host), int(totals[row]))
        for row, host in enumerate(columns.hosts)
    }
    assert found == expected
    assert all(columns.find_row(host) == row for row, host in enumerate(columns.hosts))


def test_a_removed_host_leaves_nothing_to_one_of_its_name() -> None:
    columns = equal_hosts(3)
    columns.set_provider(made_view("hv1", used=(4, 4096, 40), generation=9, claims=2))
    columns.remove("hv1")
    columns.set_facts(replace(made_facts("hv1"), up=False))
    row = columns.find_row("hv1")
    assert row is not None
    assert not columns.flag("provided")[row]
    assert columns.number("claims")[row] == 0
    assert np.count_nonzero(columns.flag("up")) == 2
