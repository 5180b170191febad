"""What is kept of earlier requests is what a scheduler without memory would say."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kilonova_operator.domain.inventory import MEMORY_MB, VCPU
from kilonova_operator.domain.scheduling.aggregates import (
    AggregateFacts,
    build_aggregate_set,
)
from kilonova_operator.domain.scheduling.change_log import ChangeLog
from kilonova_operator.domain.scheduling.columns import HostColumns
from support.scheduling import made_facts, made_request, made_scheduler, made_view

NAMES = [f"hv{number}" for number in range(6)]
REQUESTS = [
    made_request({VCPU: 1, MEMORY_MB: 1024}),
    made_request({VCPU: 4, MEMORY_MB: 8192}),
    made_request({VCPU: 1}, extra_specs={"capabilities:free_ram_mb": ">= 9000"}),
    made_request({VCPU: 1}, cell="cell2"),
    made_request({VCPU: 1}, ignored_hosts=frozenset({"hv0", "hv3"})),
    made_request({VCPU: 1}, forced_host="hv1"),
]
COUNTING = build_aggregate_set(
    [AggregateFacts("a", (("ram_weight_multiplier", "-2"),))]
)

names = st.sampled_from(NAMES)
steps = st.one_of(
    st.tuples(
        st.just("facts"),
        names,
        st.fixed_dictionaries(
            {
                "up": st.booleans(),
                "held": st.sampled_from([False, False, True]),
                "cell": st.sampled_from(["cell1", "cell2", None]),
                "aggregates": st.sampled_from([build_aggregate_set([]), COUNTING]),
            }
        ),
    ),
    st.tuples(
        st.just("view"),
        names,
        st.fixed_dictionaries(
            {
                "used": st.tuples(
                    st.integers(0, 40), st.integers(0, 32000), st.integers(0, 500)
                ),
                "vcpus": st.sampled_from([8, 16]),
            }
        ),
    ),
    st.tuples(
        st.just("consume"), names, st.fixed_dictionaries({VCPU: st.integers(0, 4)})
    ),
    st.tuples(
        st.just("number"),
        names,
        st.tuples(st.sampled_from(["failed_builds", "io_ops"]), st.integers(0, 2)).map(
            lambda pair: {pair[0]: pair[1]}
        ),
    ),
    st.tuples(st.just("remove"), names, st.just({})),
    st.tuples(
        st.just("disable"), st.sampled_from(["cell1", "cell2", "-"]), st.just({})
    ),
    st.tuples(st.just("ask"), st.sampled_from(range(len(REQUESTS))), st.just({})),
)


def change(columns: HostColumns, what: str, name: str, values: dict[str, Any]) -> None:
    if what == "facts":
        columns.set_facts(made_facts(name, **values))
    elif what == "view":
        columns.set_provider(made_view(name, **values))
    elif what == "consume":
        columns.consume(name, values)
    elif what == "number":
        for number, value in values.items():
            columns.set_number(name, number, value)  # type: ignore[arg-type]
    elif what == "remove":
        columns.remove(name)
    else:
        columns.set_disabled_cells([name])


@settings(max_examples=40, deadline=None)
@given(st.lists(steps, min_size=5, max_size=60))
def test_decisions_with_memory_equal_decisions_without(
    script: Sequence[tuple[str, Any, dict[str, Any]]],
) -> None:
    columns = HostColumns()
    for name in NAMES[:3]:
        columns.set_facts(made_facts(name))
        columns.set_provider(made_view(name))
    remembering = made_scheduler(columns)
    for what, name, values in script:
        if what != "ask":
            change(columns, what, name, values)
            continue
        request = REQUESTS[name]
        fresh = made_scheduler(columns)
        assert remembering.select(request) == fresh.select(request)
        assert remembering.rank(request) == fresh.rank(request)
        assert remembering.explain(request) == fresh.explain(request)


def test_a_reader_that_was_away_too_long_looks_at_everything() -> None:
    log = ChangeLog()
    place = log.place
    for row in range(100_000):
        log.note(row % 7)
    assert log.list_since(place) is None
    place = log.place
    log.note(3)
    log.note(1)
    log.note(3)
    changed = log.list_since(place)
    assert changed is not None
    assert changed.tolist() == [1, 3]
    log.note_everything()
    assert log.list_since(place) is None
