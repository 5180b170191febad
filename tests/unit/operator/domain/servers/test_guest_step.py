from dataclasses import replace

import pytest

from kilonova_api.instance import Instance
from kilonova_operator.domain.placement import InstanceMapping
from kilonova_operator.domain.servers.guest_step import (
    SERVER_DELETED,
    SERVER_MOVED,
    GuestFate,
    decide_fate,
    find_current,
    is_ahead,
    plan_endings,
)
from support.servers import make_instance

from .test_super_step import PARKED, PLACED, QUEUED, RETAINED

DESTROY = {"placementGeneration": 1, "reason": SERVER_DELETED}


@pytest.mark.parametrize(
    ("mapping", "tombstoned", "fate"),
    [
        pytest.param(None, False, GuestFate.UNKNOWN, id="no row proves nothing"),
        pytest.param(None, True, GuestFate.ENDS, id="released, a stray is left"),
        pytest.param(PLACED, False, GuestFate.LIVES, id="placed here"),
        pytest.param(PARKED, False, GuestFate.UNKNOWN, id="parked in cell0"),
        pytest.param(QUEUED, True, GuestFate.ENDS, id="delete recorded"),
        pytest.param(RETAINED, True, GuestFate.RETAINED, id="retained"),
        pytest.param(
            replace(PLACED, cell="cell2"), False, GuestFate.UNKNOWN, id="another cell's"
        ),
    ],
)
def test_fate_is_judged_by_row_and_tombstone(
    mapping: InstanceMapping | None, fate: GuestFate, *, tombstoned: bool
) -> None:
    judged = decide_fate(mapping, tombstoned=tombstoned, adopted=False, cell="cell1")
    assert judged is fate


def test_a_guest_that_another_server_adopted_is_not_ended_with_its_former_one() -> None:
    judged = decide_fate(None, tombstoned=True, adopted=True, cell="cell1")
    assert judged is GuestFate.RETAINED


@pytest.mark.parametrize("fate", [GuestFate.UNKNOWN, GuestFate.RETAINED])
def test_nobody_is_ended_without_a_recorded_delete_or_a_move(fate: GuestFate) -> None:
    assert plan_endings(fate, None, (make_instance(),)) == ()


def test_the_current_guest_of_a_living_server_is_never_ended() -> None:
    assert plan_endings(GuestFate.LIVES, PLACED, (make_instance(),)) == ()


def test_a_deleted_servers_guests_are_ended_at_the_newest_generation() -> None:
    newest = replace(QUEUED, placement_generation=3)
    old = make_instance(host="hv2", generation=2)
    (ending,) = plan_endings(GuestFate.ENDS, newest, (old,))
    assert (ending.placement_generation, ending.reason) == (3, SERVER_DELETED)


def test_an_order_to_end_is_not_given_twice() -> None:
    told = make_instance(destroy=DESTROY)
    assert plan_endings(GuestFate.ENDS, QUEUED, (told,)) == ()


def test_a_former_placement_is_ended_at_its_own_generation() -> None:
    moved = replace(PLACED, host="hv2", placement_generation=2)
    former, current = make_instance(), make_instance(host="hv2", generation=2)
    (ending,) = plan_endings(GuestFate.LIVES, moved, (current, former))
    assert ending.instance is former
    assert (ending.placement_generation, ending.reason) == (1, SERVER_MOVED)


def test_a_new_claim_of_the_same_host_keeps_its_instance() -> None:
    again = replace(PLACED, placement_generation=2)
    instance = make_instance(generation=1)
    assert plan_endings(GuestFate.LIVES, again, (instance,)) == ()
    assert find_current(again, (instance,)) is instance


@pytest.mark.parametrize(
    ("instance", "ahead"),
    [(make_instance(generation=1), False), (make_instance(generation=2), True)],
)
def test_a_host_that_was_told_more_than_the_row_knows_is_ahead(
    instance: Instance, *, ahead: bool
) -> None:
    assert is_ahead(PLACED, (instance,)) is ahead
