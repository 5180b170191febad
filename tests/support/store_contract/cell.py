"""The order book and the history."""

from dataclasses import replace
from datetime import timedelta

import pytest

from kilonova_operator.domain.epoch import Owner
from kilonova_operator.domain.order_book import (
    Action,
    ActionEvent,
    Booking,
    InstanceFault,
)
from kilonova_operator.domain.refusals import (
    BookingOutdated,
    DatabaseOwnedByOther,
    PlacementFrozen,
    StaleTerm,
)
from support.databases import Databases, TickingClock, made_server


def made_booking(number: int, *, generation: int = 1, host: str = "hv1") -> Booking:
    return Booking(
        instance_uuid=made_server(number).uid,
        server=made_server(number),
        host=host,
        placement_generation=generation,
        object_generation=2,
        instance_spec={"host": host, "hostname": "wéb"},
        server_spec={"flavorRef": {"name": "m1.small"}, "userData": "x" * 70_000},
        state="BUILD",
    )


def made_action(clock: TickingClock, request_id: str = "req-1") -> Action:
    begun = clock()
    event = ActionEvent("compute__do_build", begun, clock(), "Success", "hv1")
    return Action(
        instance_uuid=made_server(1).uid,
        action="create",
        request_id=request_id,
        started_at=begun,
        requested_by="ann",
        events=(event,),
    )


async def test_the_order_book_keeps_the_last_order_whole(databases: Databases) -> None:
    store = databases.open_cell()
    term = await store.take_term("cell/cell1", "pod-a")
    await store.book_instance(term, made_booking(1))
    moved = made_booking(1, generation=2, host="hv2")
    await store.book_instance(term, moved)
    found = await store.find_instance(moved.instance_uuid)
    assert found is not None
    assert replace(found, booked_at=None) == moved
    assert len(await store.list_instances()) == 1


async def test_an_older_placement_is_not_booked(databases: Databases) -> None:
    store = databases.open_cell()
    term = await store.take_term("cell/cell1", "pod-a")
    await store.book_instance(term, made_booking(1, generation=5))
    with pytest.raises(BookingOutdated, match="4"):
        await store.book_instance(term, made_booking(1, generation=4))


async def test_bookings_are_listed_by_host_and_page(databases: Databases) -> None:
    store = databases.open_cell()
    term = await store.take_term("cell/cell1", "pod-a")
    for number in range(4):
        await store.book_instance(
            term, made_booking(number, host="hv1" if number else "hv2")
        )
    page = await store.list_instances(host="hv1", limit=2)
    rest = await store.list_instances(host="hv1", after=page[-1].instance_uuid)
    assert [b.server for b in (*page, *rest)] == [made_server(n) for n in (1, 2, 3)]


async def test_an_action_recorded_again_replaces_itself(databases: Databases) -> None:
    store = databases.open_cell()
    term = await store.take_term("cell/cell1", "pod-a")
    action = made_action(databases.clock)
    await store.book_instance(term, made_booking(1), action=action)
    done = replace(
        action,
        finished_at=databases.clock(),
        events=(*action.events, replace(action.events[0], event="scheduler")),
    )
    for _ in range(2):
        await store.record_action(term, done)
    later = made_action(databases.clock, "req-2")
    await store.forget_instance(term, action.instance_uuid, action=later)
    assert await store.list_actions(action.instance_uuid) == [later, done]
    assert await store.find_instance(action.instance_uuid) is None


async def test_a_fault_is_recorded_once_and_swept_when_old(
    databases: Databases,
) -> None:
    store = databases.open_cell()
    term = await store.take_term("cell/cell1", "pod-a")
    fault = InstanceFault(
        instance_uuid=made_server(1).uid,
        code=500,
        reason="ImageRejected",
        message="backing file",
        host="hv1",
        happened_at=databases.clock(),
    )
    for _ in range(2):
        await store.record_fault(term, fault)
    await store.record_action(term, made_action(databases.clock))
    assert await store.list_faults(fault.instance_uuid) == [fault]
    assert await store.sweep_history(term, older_than=timedelta(days=1)) == 0
    databases.clock.now += timedelta(days=2)
    assert await store.sweep_history(term, older_than=timedelta(days=1)) == 2
    assert await store.list_faults(fault.instance_uuid) == []
    assert await store.list_actions(fault.instance_uuid) == []


async def test_a_stale_term_books_nothing(databases: Databases) -> None:
    url = databases.cell_url()
    old, new = databases.open_cell(url), databases.open_cell(url)
    stale = await old.take_term("cell/cell1", "pod-a")
    await new.take_term("cell/cell1", "pod-b")
    tick = (await new.read_epoch()).tick
    for write in (
        old.book_instance(stale, made_booking(1)),
        old.forget_instance(stale, made_server(1).uid),
        old.record_action(stale, made_action(databases.clock)),
        old.sweep_history(stale, older_than=timedelta(0)),
    ):
        with pytest.raises(StaleTerm):
            await write
    assert await new.list_instances() == []
    assert (await new.read_epoch()).tick == tick


async def test_a_cells_database_has_an_owner_and_freezes(databases: Databases) -> None:
    url = databases.cell_url()
    store = databases.open_cell(url)
    term = await store.take_term("cell/cell1", "pod-a")
    other = databases.open_cell(url, owner=Owner("cluster-2", "a/b"))
    with pytest.raises(DatabaseOwnedByOther):
        await other.take_term("cell/cell1", "pod-x")
    await store.freeze(term, "DatabaseWentBack", "test")
    with pytest.raises(PlacementFrozen):
        await store.book_instance(term, made_booking(1))
