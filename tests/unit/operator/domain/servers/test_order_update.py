from dataclasses import replace
from typing import Any

import pytest

from kilonova_operator.domain.servers.order_update import (
    build_confirmation,
    build_repeat,
    build_update,
)
from support.servers import condition, make_instance, make_server

from .test_super_step import PLACED


@pytest.mark.parametrize(
    ("spec", "changed"),
    [
        ({}, {}),
        ({"powerState": "Stopped"}, {"power_state": "Stopped"}),
        ({"deletion": {"protected": True}}, {}),
        ({"userData": "new"}, {}),
    ],
)
def test_only_what_a_running_guest_can_take_changes_its_order(
    spec: dict[str, Any], changed: dict[str, Any]
) -> None:
    old = make_instance().spec
    server = make_server(metadata={"generation": 4}, **spec)
    update = build_update(old, server, PLACED, writer=7)
    if not changed:
        assert update is None
        return
    wanted = changed | {"server_generation": 4, "writer": 7}
    assert update == old.model_copy(update=wanted)


def test_new_metadata_changes_the_order() -> None:
    server = make_server(metadata={"generation": 2})
    spec = server.spec.model_copy(update={"metadata": {"role": "db"}})
    changed = server.model_copy(update={"spec": spec})
    update = build_update(make_instance().spec, changed, PLACED, writer=7)
    assert update is not None
    assert update.metadata == {"role": "db"}


def test_a_stale_leaders_update_carries_its_own_term() -> None:
    instance = make_instance(writer=9)
    server = make_server(powerState="Stopped")
    update = build_update(instance.spec, server, PLACED, writer=7)
    assert update is not None
    assert update.writer == 7, "the API server refuses it: writer must not go back"


@pytest.mark.parametrize("reason", ["StoreWentBack", "OrderFromThePast"])
def test_an_agent_that_doubts_an_order_is_told_again_by_the_new_leader(
    reason: str,
) -> None:
    status = {"conditions": [condition("Stalled", "True", reason)]}
    instance, server = make_instance(status=status), make_server()
    said = build_confirmation(instance, server, PLACED, writer=7)
    assert said is not None
    assert said.writer == 7
    again = make_instance(status=status, writer=7)
    assert build_confirmation(again, server, PLACED, writer=7) is None


def test_an_agent_that_does_not_doubt_is_not_told_again() -> None:
    assert build_confirmation(make_instance(), make_server(), PLACED, writer=7) is None


def test_a_repeated_order_keeps_its_build_and_follows_its_owner() -> None:
    old = make_instance().spec
    owner = replace(PLACED.server, uid="new")
    repeated = build_repeat(old, owner, writer=7)
    assert repeated.build_id == old.build_id
    assert (repeated.server.uid, repeated.writer) == ("new", 7)
