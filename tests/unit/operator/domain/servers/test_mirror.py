"""What a Server says of itself, from what its host says of the guest."""

from datetime import UTC, datetime
from typing import Any

import pytest

from kilonova_api.server_status import ServerStatus
from kilonova_operator.domain.servers.mirror import MirrorFacts, build_mirror
from support.servers import condition, make_instance, make_server

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CURRENT = MirrorFacts(order_is_current=True)
PLACED = {"cell": "cell1", "host": "hv1"}
RUNS = PLACED | {
    "observedGeneration": 1,
    "state": "ACTIVE",
    "conditions": [condition("Ready", "True", "Running")],
}


def mirror(
    said: dict[str, Any],
    *,
    known: dict[str, Any] | None = None,
    facts: MirrorFacts = CURRENT,
    **spec: Any,
) -> ServerStatus | None:
    server = make_server(status=known or PLACED, **spec)
    write = build_mirror(server, make_instance(status=said), facts, now=NOW)
    return write.status if write else None


def held(reason: str) -> dict[str, Any]:
    """What an agent says that keeps its hands off an order it knows nothing of."""
    return {
        "observedGeneration": 1,
        "conditions": [
            condition("Ready", "False", reason, "why"),
            condition("Stalled", "True", reason, "why"),
        ],
    }


def ready_of(status: ServerStatus | None) -> tuple[str, str]:
    assert status is not None, "nothing is shown"
    ready = status.condition("Ready")
    assert ready is not None
    return ready.status, ready.reason


HOLDS = (
    "DomainExists",
    "AgentTooOld",
    "OrderFromThePast",
    "StoreWentBack",
    "HostReinstalled",
)


@pytest.mark.parametrize("reason", HOLDS)
def test_a_first_build_that_is_held_shows_why(reason: str) -> None:
    shown = mirror(held(reason))
    assert ready_of(shown) == ("False", reason)
    assert shown is not None
    assert shown.is_true("Stalled")
    assert (shown.state, shown.why) == ("BUILD", reason)


@pytest.mark.parametrize("reason", HOLDS)
def test_a_held_order_of_a_guest_that_ran_keeps_the_state_that_is_known(
    reason: str,
) -> None:
    shown = mirror(held(reason), known=RUNS)
    assert ready_of(shown) == ("False", reason)
    assert shown is not None
    assert shown.state == "ACTIVE"


def test_a_host_that_has_said_nothing_yet_changes_nothing() -> None:
    assert mirror({}) is None
    assert mirror({"conditions": [condition("Ready", "False", "Building")]}) is None


def test_a_host_that_is_down_shows_though_it_never_said_anything() -> None:
    shown = mirror({}, facts=MirrorFacts(order_is_current=True, host_is_down=True))
    assert ready_of(shown) == ("Unknown", "HostDown")
    assert shown is not None
    assert shown.state == "BUILD"


@pytest.mark.parametrize(
    ("state", "wanted", "ready"),
    [
        ("ACTIVE", "Manual", ("True", "Running")),
        ("ACTIVE", "Stopped", ("False", "Stopping")),
        ("SHUTOFF", "Manual", ("True", "Stopped")),
        ("SHUTOFF", "Running", ("False", "Starting")),
        ("BUILD", "Manual", ("False", "Building")),
    ],
)
def test_ready_is_what_the_guest_does_held_against_what_is_wanted(
    state: str, wanted: str, ready: tuple[str, str]
) -> None:
    shown = mirror({"observedGeneration": 1, "state": state}, powerState=wanted)
    assert ready_of(shown) == ready
    assert shown is not None
    assert shown.state == state


def test_a_fault_is_shown_with_its_reason() -> None:
    fault = {"reason": "NoDisk", "message": "full"}
    shown = mirror({"observedGeneration": 1, "state": "ERROR", "fault": fault})
    assert ready_of(shown) == ("False", "NoDisk")
    assert shown is not None
    assert shown.is_true("Stalled")
    assert shown.fault is not None


def test_what_the_host_has_not_followed_yet_is_not_observed() -> None:
    said = {"observedGeneration": 1, "state": "ACTIVE"}
    behind = MirrorFacts(order_is_current=False)
    shown = mirror(said, known=RUNS | {"observedGeneration": 0}, facts=behind)
    assert shown is not None
    assert shown.observed_generation == 0
    suspended = mirror(said, known=RUNS, facts=behind, suspend=True)
    assert suspended is not None
    assert suspended.observed_generation == 1
    assert suspended.is_true("Suspended")


def test_user_data_that_changed_after_the_build_is_told() -> None:
    facts = MirrorFacts(order_is_current=True, user_data_changed=True)
    shown = mirror({"observedGeneration": 1, "state": "ACTIVE"}, facts=facts)
    assert ready_of(shown) == ("True", "Running")
    assert shown is not None
    assert shown.is_true("UserDataChanged")
