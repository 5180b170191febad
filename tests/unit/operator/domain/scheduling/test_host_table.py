"""What is kept of every host: read back as it was, and never trusted blindly."""

import struct
import zlib
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilonova_operator.domain.scheduling.columns import HostColumns
from kilonova_operator.domain.scheduling.host_table import HostTable
from kilonova_operator.domain.scheduling.prefilters.requested_hosts import NotIgnored
from kilonova_operator.domain.scheduling.roster import (
    MalformedHostRecord,
    Roster,
    unzip,
)
from support.scheduling import (
    made_columns,
    made_facts,
    made_request,
    made_scheduler,
    made_view,
)

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def tables(draw: st.DrawFn) -> HostTable:
    hosts = draw(st.integers(0, 40))
    constraints = draw(st.integers(0, 255))
    weighers = draw(st.integers(0, 20))
    roster = Roster(
        tuple(f"hv{n}" for n in range(hosts)),
        tuple(f"Rule{n}" for n in range(constraints)),
        tuple(f"Weigher{n}" for n in range(weighers)),
    )
    judged = draw(st.lists(st.integers(0, constraints), min_size=hosts, max_size=hosts))
    judgements = np.array(judged, np.uint8)
    passing = int(np.count_nonzero(judgements == 0))
    kept = sorted(draw(st.sets(st.integers(0, weighers - 1)))) if weighers else []
    rows = st.lists(FLOATS, min_size=passing, max_size=passing)
    weights = draw(st.lists(rows, min_size=len(kept), max_size=len(kept)))
    failed = np.flatnonzero(judgements).tolist()
    full = draw(st.dictionaries(st.sampled_from(failed), st.text())) if failed else {}
    return HostTable(
        roster,
        judgements,
        tuple(kept),
        np.array(weights, np.float64).reshape(len(kept), passing),
        found_full=full,
    )


@settings(max_examples=200, deadline=None)
@given(tables())
def test_a_table_is_read_back_as_it_was(table: HostTable) -> None:
    roster = Roster.unpack(table.roster.pack().body)
    read = HostTable.unpack(table.pack(), roster)
    assert roster == table.roster
    assert read.judgements.tolist() == table.judgements.tolist()
    assert read.weighers == table.weighers
    assert read.weights.tolist() == table.weights.tolist()
    assert read.found_full == table.found_full
    assert read.list_verdicts() == table.list_verdicts()


@settings(max_examples=300, deadline=None)
@given(tables(), st.data())
def test_whatever_is_changed_in_it_is_read_or_refused(
    table: HostTable, data: st.DataObject
) -> None:
    plain = bytearray(zlib.decompress(table.pack()))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(plain) - 1))
        plain[place] = data.draw(st.integers(0, 255))
    try:
        read = HostTable.unpack(zlib.compress(bytes(plain)), table.roster)
    except MalformedHostRecord:
        return
    assert len(read.list_verdicts()) == len(table)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused_and_not_worse(body: bytes) -> None:
    roster = Roster(("hv1",), ("Rule",), ("Weigher",))
    for packed in (body, zlib.compress(body)):
        with pytest.raises(MalformedHostRecord):
            HostTable.unpack(packed, roster)
        with pytest.raises(MalformedHostRecord):
            Roster.unpack(packed)


def test_no_more_is_unpacked_than_there_may_be() -> None:
    bomb = zlib.compress(bytes(2_000_000))
    with pytest.raises(MalformedHostRecord, match="more than 1000 bytes"):
        unzip(bomb, 1000)
    assert len(unzip(bomb, 2_000_000)) == 2_000_000
    with pytest.raises(MalformedHostRecord, match="too early or too late"):
        unzip(bomb[:-5], 3_000_000)
    with pytest.raises(MalformedHostRecord, match="too early or too late"):
        unzip(bomb + b"x", 3_000_000)


def test_another_rosters_table_is_refused() -> None:
    roster = Roster(("hv1", "hv2"), ("Rule",), ())
    table = HostTable(roster, np.array([0, 1], np.uint8), (), np.zeros((0, 1)))
    with pytest.raises(MalformedHostRecord, match="2 hosts, not 1"):
        HostTable.unpack(table.pack(), Roster(("hv1",), ("Rule",), ()))
    with pytest.raises(MalformedHostRecord, match="has no name"):
        HostTable.unpack(table.pack(), Roster(("hv1", "hv2"), (), ()))


def test_what_announces_too_much_is_refused_before_it_is_made() -> None:
    huge = struct.pack("<4sIIBI", b"KNH1", 1, 2**32 - 1, 255, 2**32 - 1)
    with pytest.raises(MalformedHostRecord, match="not what it announces"):
        HostTable.unpack(zlib.compress(huge), Roster(("hv1",), (), ()))


def test_the_same_names_have_the_same_digest_and_others_another() -> None:
    one = Roster(("a", "b"), ("Rule",), ("Weigher",))
    same = Roster(("a", "b"), ("Rule",), ("Weigher",))
    assert one.pack() == same.pack()
    assert one.pack().digest != Roster(("a,b",), ("Rule",), ("Weigher",)).pack().digest


def drawn_columns(hosts: int) -> HostColumns:
    random = Random(3)
    return made_columns(
        *(
            (
                made_facts(f"hv{n}", up=random.random() > 0.2),
                made_view(
                    f"hv{n}",
                    used=(random.randrange(8), random.randrange(32000), 0),
                ),
            )
            for n in range(hosts)
        )
    )


def test_what_a_decision_saw_stays_when_its_hosts_change() -> None:
    columns = drawn_columns(50)
    scheduler, request = made_scheduler(columns), made_request()
    before = scheduler.explain(request)
    decision = scheduler.select(request, keeps_hosts=True)
    assert decision.seen is not None
    columns.consume(str(decision.host), {"VCPU": 1, "MEMORY_MB": 4096})
    columns.remove("hv3")
    columns.set_facts(made_facts("hv99"))
    assert scheduler.explain(request) != before
    table = decision.seen.build_table(decision.found_full)
    assert table.list_verdicts() == before
    assert before[0].host == decision.host
    read = HostTable.unpack(table.pack(), decision.seen.roster)
    for told, kept in zip(before, read.list_verdicts(), strict=True):
        assert (told.host, told.failed) == (kept.host, kept.failed)
        assert kept.weights == pytest.approx(told.weights, rel=1e-6)
        assert kept.total == pytest.approx(told.total, rel=1e-6)


def test_its_hosts_add_up_to_the_counts_of_the_decision() -> None:
    decision = made_scheduler(drawn_columns(50)).select(
        made_request(), keeps_hosts=True
    )
    assert decision.seen is not None
    verdicts = decision.seen.build_table({}).list_verdicts()
    for rejected in decision.rejections:
        failed = [v for v in verdicts if v.failed == rejected.constraint]
        assert len(failed) == rejected.hosts
    assert sum(v.failed is None for v in verdicts) == decision.hosts_left
    assert len(verdicts) == decision.hosts_considered


def test_a_host_whose_claim_was_refused_is_told_by_what_it_failed_there() -> None:
    columns = drawn_columns(20)
    scheduler = made_scheduler(columns)
    first = str(scheduler.select(made_request()).host)
    request = made_request(ignored_hosts=frozenset({first}))
    decision = scheduler.select(request, keeps_hosts=True).recount(
        {first: "CapacityExceeded"}, counted_as=NotIgnored.name
    )
    assert decision.seen is not None
    table = decision.seen.build_table(decision.found_full)
    read = HostTable.unpack(table.pack(), table.roster)
    failed = {v.host: v.failed for v in read.list_verdicts()}
    assert failed[first] == "CapacityExceeded"
    assert NotIgnored.name not in failed.values()


def test_only_the_best_are_told_where_that_is_asked_for() -> None:
    scheduler, request = made_scheduler(drawn_columns(50)), made_request()
    every = scheduler.explain(request)
    assert scheduler.explain(request, most=5) == every[:5]
    assert scheduler.explain(request, most=49) == every[:49]
    assert scheduler.explain(request, most=0) == []
