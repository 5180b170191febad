from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from kilonova_operator.domain.placement import InstanceMapping, ServerRef
from kilonova_operator.domain.servers.super_step import (
    ServerFacts,
    SuperStep,
    is_from_the_past,
    next_super_step,
)
from support.servers import CREATED, SERVER_UID, make_server

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PLACED = InstanceMapping(
    server=ServerRef(SERVER_UID, "shop", "web-0"),
    instance_uuid=SERVER_UID,
    cell="cell1",
    host="hv1",
    placement_generation=1,
    object_generation=1,
    attempt=1,
    tried_hosts=(),
    queued_for_delete=False,
    retained=False,
    created_at=NOW,
    updated_at=NOW,
)
PARKED = replace(PLACED, cell="cell0", host=None)
QUEUED = replace(PLACED, queued_for_delete=True)
RETAINED = replace(PLACED, retained=True)
SHOWN = {"cell": "cell1", "host": "hv1", "placementGeneration": 1}
DELETING = {"deletionTimestamp": CREATED}
RETAIN = {"policy": "Retain"}


def facts(
    mapping: InstanceMapping | None = None,
    *,
    tombstoned: bool = False,
    metadata: dict[str, Any] | None = None,
    status: dict[str, Any] | None = None,
    **spec: Any,
) -> ServerFacts:
    server = make_server(metadata=metadata, status=status, **spec)
    return ServerFacts(server=server, mapping=mapping, tombstoned=tombstoned)


@pytest.mark.parametrize(
    ("given", "step"),
    [
        pytest.param(
            facts(metadata={"finalizers": []}),
            SuperStep.ADD_FINALIZER,
            id="held before anything is made for it",
        ),
        pytest.param(facts(), SuperStep.PLACE, id="new"),
        pytest.param(facts(PARKED), SuperStep.PLACE, id="parked is tried again"),
        pytest.param(facts(suspend=True), SuperStep.SUSPENDED, id="suspended"),
        pytest.param(facts(PLACED), SuperStep.SHOW_PLACEMENT, id="killed after claim"),
        pytest.param(facts(PLACED, status=SHOWN), SuperStep.FOLLOW, id="placed"),
        pytest.param(
            facts(PLACED, status=SHOWN, suspend=True),
            SuperStep.FOLLOW,
            id="suspended after it was placed",
        ),
        pytest.param(
            facts(PLACED, metadata=DELETING), SuperStep.RECORD_DELETE, id="deleted"
        ),
        pytest.param(
            facts(metadata=DELETING), SuperStep.RECORD_DELETE, id="deleted, never had"
        ),
        pytest.param(
            facts(PLACED, metadata=DELETING, deletion=RETAIN),
            SuperStep.RECORD_RETAIN,
            id="deleted, guest retained",
        ),
        pytest.param(
            facts(PARKED, metadata=DELETING, deletion=RETAIN),
            SuperStep.RECORD_DELETE,
            id="nothing to retain",
        ),
        pytest.param(
            facts(QUEUED, tombstoned=True, metadata=DELETING),
            SuperStep.SETTLE,
            id="killed after the delete was recorded",
        ),
        pytest.param(
            facts(RETAINED, tombstoned=True, metadata=DELETING),
            SuperStep.LET_GO,
            id="killed after the guest was retained",
        ),
        pytest.param(
            facts(tombstoned=True, metadata=DELETING),
            SuperStep.LET_GO,
            id="killed after the release",
        ),
        pytest.param(
            facts(tombstoned=True), SuperStep.HANDS_OFF, id="back from the dead"
        ),
        pytest.param(
            facts(replace(PLACED, object_generation=2), status=SHOWN),
            SuperStep.HANDS_OFF,
            id="an order was forgotten since",
        ),
        pytest.param(
            facts(PLACED, metadata=DELETING | {"finalizers": ["other"]}),
            SuperStep.NOTHING,
            id="finalizer stripped by a careless hand",
        ),
    ],
)
def test_next_step_follows_from_what_is_stored(
    given: ServerFacts, step: SuperStep
) -> None:
    assert next_super_step(given) is step


def test_a_newer_object_is_not_from_the_past() -> None:
    newer = facts(PLACED, metadata={"generation": 5})
    assert not is_from_the_past(newer)


@pytest.mark.parametrize("deleting", [False, True])
@pytest.mark.parametrize("finalizer", [False, True])
@pytest.mark.parametrize("suspend", [False, True])
@pytest.mark.parametrize("tombstoned", [False, True])
@pytest.mark.parametrize("mapping", [None, PARKED, PLACED, QUEUED, RETAINED])
def test_a_delete_is_recorded_only_for_an_object_that_is_being_deleted(
    mapping: InstanceMapping | None,
    *,
    deleting: bool,
    finalizer: bool,
    suspend: bool,
    tombstoned: bool,
) -> None:
    metadata: dict[str, Any] = DELETING if deleting else {}
    if not finalizer:
        metadata = metadata | {"finalizers": []}
    step = next_super_step(
        facts(mapping, tombstoned=tombstoned, metadata=metadata, suspend=suspend)
    )
    ends = {SuperStep.RECORD_DELETE, SuperStep.RECORD_RETAIN, SuperStep.SETTLE}
    assert deleting or step not in ends
    assert not (tombstoned and step is SuperStep.PLACE)
