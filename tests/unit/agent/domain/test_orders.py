"""What is remembered of orders."""

from datetime import UTC, datetime
from typing import Any

from kilonova_agent.domain.orders import OrderRecord, begin
from kilonova_api.instance import Instance
from support.instances import make_instance

THEN = datetime(2026, 1, 1, tzinfo=UTC)
UID = "11111111-2222-4333-8444-555555555555"


def spec_of(**spec: Any) -> Instance:
    return Instance.model_validate(make_instance(name=UID, **spec))


def test_a_record_follows_its_orders_and_keeps_its_disk() -> None:
    record = OrderRecord(1, 1, UID, 1, "b1", built_at=THEN, launched_at=THEN)

    moved = record.advance(spec_of(writer=2, serverGeneration=5).spec)

    assert (moved.writer, moved.server_generation) == (2, 5)
    assert moved.built_at == THEN


def test_a_new_build_begins_without_a_disk() -> None:
    record = OrderRecord(1, 1, UID, 1, "b1", built_at=THEN, launched_at=THEN)

    moved = record.advance(spec_of(buildId="b2").spec)

    assert (moved.build_id, moved.built_at, moved.launched_at) == ("b2", None, None)


def test_a_tombstone_gives_way_to_a_new_placement_only() -> None:
    tombstone = OrderRecord(1, 1, UID, 1, "b1", built_at=THEN, destroyed=True)

    assert tombstone.is_past(spec_of().spec)
    again = spec_of(placementGeneration=2).spec
    assert not tombstone.is_past(again)
    assert tombstone.advance(again) == begin(again)


def test_a_tombstone_lets_its_destroy_order_through() -> None:
    tombstone = OrderRecord(1, 1, UID, 1, "b1", destroyed=True)
    order = {"placementGeneration": 1, "reason": "ServerDeleted"}

    assert not tombstone.is_past(spec_of(destroy=order).spec)


ADOPTER = {"cluster": "c1", "namespace": "shop", "name": "web-0", "uid": "new"}


def test_a_new_owners_generations_begin_anew() -> None:
    record = OrderRecord(1, 1, UID, 5, "b1", built_at=THEN)
    adopted = spec_of(server=ADOPTER, serverGeneration=1).spec

    assert record.is_past(spec_of(serverGeneration=1).spec)
    assert not record.is_past(adopted)
    moved = record.advance(adopted)
    assert (moved.server_uid, moved.server_generation) == ("new", 1)
    assert moved.built_at == THEN
    assert not moved.is_past(spec_of(server=ADOPTER, serverGeneration=2).spec)


def test_a_new_owner_does_not_make_an_old_writer_or_placement_count() -> None:
    record = OrderRecord(2, 2, UID, 1, "b1", built_at=THEN)

    newer = spec_of(server=ADOPTER, writer=2, placementGeneration=2).spec
    assert not record.is_past(newer)
    assert record.is_past(spec_of(server=ADOPTER, placementGeneration=2).spec)
    assert record.is_past(spec_of(server=ADOPTER, writer=2).spec)
