"""One decision: who is left, who is not and why."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilonova_operator.domain.inventory import (
    DISK_GB,
    MEMORY_MB,
    RESOURCE_CLASSES,
    VCPU,
)
from kilonova_operator.domain.scheduling.columns import HostColumns
from kilonova_operator.domain.scheduling.decision import Decision
from kilonova_operator.domain.scheduling.defaults import build_default_rules
from kilonova_operator.domain.scheduling.extra_spec_check import UnsupportedExtraSpec
from kilonova_operator.domain.scheduling.request import BuildRequest
from support.scheduling import (
    SMALL,
    equal_hosts,
    made_columns,
    made_facts,
    made_request,
    made_scheduler,
    made_view,
)


def select(columns: HostColumns, request: BuildRequest) -> Decision:
    return made_scheduler(columns).select(request)


def reasons(columns: HostColumns, request: BuildRequest) -> dict[str, int]:
    rejections = select(columns, request).rejections
    return {rejected.constraint: rejected.hosts for rejected in rejections}


@pytest.mark.parametrize(
    ("facts", "view", "constraint"),
    [
        pytest.param({"cell": None}, {}, "HostUnmapped", id="no cell"),
        pytest.param({"held": True}, {}, "HostHeld", id="held"),
        pytest.param({"up": False}, {}, "ComputeFilter", id="silent"),
        pytest.param({"agent_version": "1.2.2"}, {}, "AgentTooOld", id="old agent"),
        pytest.param({"agent_version": "x"}, {}, "AgentTooOld", id="strange version"),
        pytest.param({}, {"vcpus": 2}, "Capacity:VCPU", id="fewer cores than asked"),
        pytest.param(
            {}, {"used": (0, 31000, 0)}, "Capacity:MEMORY_MB", id="memory is taken"
        ),
        pytest.param({}, {"used": (0, 0, 481)}, "Capacity:DISK_GB", id="disk is taken"),
    ],
)
def test_a_rejected_host_counts_for_the_constraint_it_failed(
    facts: dict[str, object], view: dict[str, int], constraint: str
) -> None:
    columns = made_columns(
        (made_facts("good"), made_view("good")),
        (made_facts("bad", **facts), made_view("bad", **view)),  # type: ignore[arg-type]
    )
    request = made_request(
        {VCPU: 4, MEMORY_MB: 2048, DISK_GB: 20}, min_agent_version="1.2.3"
    )
    decision = select(columns, request)
    assert decision.host == "good"
    assert reasons(columns, request) == {constraint: 1}


def test_a_host_with_many_faults_counts_once() -> None:
    columns = made_columns(
        (made_facts("bad", held=True, up=False), made_view("bad", memory_mb=600))
    )
    assert reasons(columns, SMALL) == {"HostHeld": 1}


def test_the_message_says_what_was_asked_for() -> None:
    columns = made_columns((made_facts("bad"), made_view("bad", memory_mb=2048)))
    decision = select(columns, SMALL)
    record = decision.build_record(attempts=2)
    assert record.stages[0].constraint == "Capacity:MEMORY_MB"
    assert "2048 MEMORY_MB are needed" in record.stages[0].message
    assert (record.hosts_considered, record.hosts_left, record.attempts) == (1, 0, 2)


def test_tried_and_forced_hosts_are_told_apart() -> None:
    columns = equal_hosts(4)
    tried = replace(SMALL, ignored_hosts=frozenset({"hv0", "hv9"}))
    assert reasons(columns, tried) == {"AlreadyTried": 1}
    (stage,) = select(columns, tried).build_record().stages
    assert "hv" not in stage.message, "tenants read it"
    forced = replace(SMALL, forced_host="hv2")
    assert select(columns, forced).host == "hv2"
    assert reasons(columns, replace(SMALL, forced_host="hv9")) == {"NotForcedHost": 4}


def test_a_forced_host_skips_filters_but_not_capacity() -> None:
    columns = made_columns((made_facts("hv0", up=False), made_view("hv0")))
    forced = replace(SMALL, forced_host="hv0")
    assert select(columns, forced).host == "hv0"
    big = made_request({VCPU: 17}, forced_host="hv0")
    assert reasons(columns, big) == {"Capacity:VCPU": 1}


def test_a_cell_that_is_asked_for_leaves_the_others_out() -> None:
    columns = equal_hosts(2)
    columns.set_facts(made_facts("hv2", cell="cell2"))
    columns.set_provider(made_view("hv2"))
    assert reasons(columns, made_request(cell="cell2")) == {"CellDisabled": 2}


def test_an_extra_spec_nobody_understands_is_named() -> None:
    bag = {"hw:pmu": "true", "capabilities:vcpus_total": "8"}
    with pytest.raises(UnsupportedExtraSpec, match="hw:pmu") as refused:
        build_default_rules().check_extra_specs(bag)
    assert refused.value.keys == ("hw:pmu",)
    assert refused.value.reason == "UnsupportedExtraSpec"


def test_the_order_is_by_score_and_stable_between_equals() -> None:
    columns = equal_hosts(4)
    columns.set_provider(made_view("hv1", used=(1, 2048, 20), generation=2))
    assert made_scheduler(columns).rank(SMALL) == ["hv0", "hv2", "hv3", "hv1"]
    assert select(columns, SMALL).host == "hv0"


def test_one_of_the_best_is_chosen_where_a_subset_is_set() -> None:
    columns = equal_hosts(5)
    scheduler = made_scheduler(columns, host_subset_size=3)
    chosen = {scheduler.select(SMALL).host for _ in range(40)}
    assert chosen == {"hv0", "hv1", "hv2"}


def test_one_of_the_equal_best_is_chosen_where_they_are_shuffled() -> None:
    columns = equal_hosts(3)
    columns.set_provider(made_view("hv0", used=(1, 2048, 20), generation=2))
    scheduler = made_scheduler(columns, shuffle_best_same_weighed_hosts=True)
    assert {scheduler.select(SMALL).host for _ in range(40)} == {"hv1", "hv2"}


def test_a_lost_claim_counts_for_what_its_host_lacked() -> None:
    tried = replace(SMALL, ignored_hosts=frozenset({"hv0", "hv1"}))
    lost = {"hv1": "Capacity:VCPU"}
    decision = select(equal_hosts(3), tried).recount(lost, counted_as="AlreadyTried")
    assert decision.host == "hv2"
    assert decision.hosts_considered == 3
    assert decision.explain() == "1 AlreadyTried, 1 Capacity:VCPU"


def test_what_claims_alone_failed_comes_last_and_says_so() -> None:
    columns = equal_hosts(4)
    columns.set_facts(made_facts("hv3", up=False))
    tried = replace(SMALL, ignored_hosts=frozenset({"hv0", "hv1"}))
    lost = {"hv0": "Capacity:VCPU", "hv1": "ComputeFilter"}
    decision = select(columns, tried).recount(lost, counted_as="AlreadyTried")
    down, full = decision.build_record().stages
    assert (down.constraint, down.hosts_removed, down.hosts_left) == (
        "ComputeFilter",
        2,
        2,
    )
    assert (full.constraint, full.hosts_removed, full.hosts_left) == (
        "Capacity:VCPU",
        1,
        decision.hosts_left,
    )
    assert "when it was claimed" in full.message
    assert down.message != full.message


def test_no_hosts_is_a_decision_too() -> None:
    decision = select(HostColumns(), SMALL)
    assert (decision.host, decision.hosts_considered) == (None, 0)


hosts = st.fixed_dictionaries(
    {
        "cell": st.sampled_from([None, "cell1", "cell2"]),
        "up": st.booleans(),
        "held": st.booleans(),
        "agent_version": st.sampled_from(["0.9.0", "1.2.3", "10.0.0"]),
    }
)
amounts = st.tuples(st.integers(0, 70), st.integers(0, 40000), st.integers(0, 600))
requests = st.builds(
    lambda wanted, specs, properties, tried: made_request(
        dict(zip(RESOURCE_CLASSES, wanted, strict=True)),
        extra_specs=specs,
        image_properties=properties,
        min_agent_version="1.0.0",
        ignored_hosts=tried,
    ),
    st.tuples(st.integers(1, 20), st.integers(1, 40000), st.integers(0, 600)),
    st.dictionaries(
        st.just("capabilities:free_ram_mb"), st.sampled_from([">= 1000", "<= 9000"])
    ),
    st.dictionaries(st.just("hw_architecture"), st.sampled_from(["x86_64", "aarch64"])),
    st.frozensets(st.sampled_from(["hv0", "hv1", "hv7"])),
)


@settings(deadline=None)
@given(st.lists(st.tuples(hosts, amounts), max_size=12), requests)
def test_the_counts_always_add_up_and_who_is_left_fits(
    given_hosts: list[tuple[dict[str, object], tuple[int, int, int]]],
    request: BuildRequest,
) -> None:
    views = {
        f"hv{n}": made_view(f"hv{n}", used=used)
        for n, (_, used) in enumerate(given_hosts)
    }
    columns = made_columns(
        *(
            (made_facts(f"hv{n}", **facts), views[f"hv{n}"])
            for n, (facts, _) in enumerate(given_hosts)
        )
    )
    scheduler = made_scheduler(columns)
    record = scheduler.select(request).build_record()
    rejected = sum(stage.hosts_removed for stage in record.stages)
    assert record.hosts_considered == len(given_hosts)
    assert record.hosts_left + rejected == len(given_hosts)
    assert len({s.constraint for s in record.stages}) == len(record.stages)
    assert len(scheduler.rank(request)) == record.hosts_left
    for host in scheduler.rank(request):
        assert views[host].find_shortfall(request.amounts) is None
        assert host not in request.ignored_hosts
