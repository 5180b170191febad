"""A new system under an old name is hands off until a person accepts it."""

import pytest

from kilonova_api.compute_host_spec import AcceptIdentity
from kilonova_operator.domain.hosts.identity import (
    Identity,
    IdentityVerdict,
    judge_identity,
)

OLD_ID = "11111111-1111-4111-8111-111111111111"
NEW_ID = "22222222-2222-4222-8222-222222222222"
OLD = Identity(OLD_ID, "node-1")


def accept(host_id: str) -> AcceptIdentity:
    return AcceptIdentity(host_id=host_id, disks="Kept")


@pytest.mark.parametrize(
    ("pinned", "reported", "node_uid", "accepted", "verdict", "pin"),
    [
        pytest.param(
            None, None, "node-1", None, "NotSeen", None, id="nothing reported yet"
        ),
        pytest.param(None, OLD, "node-1", None, "First", OLD, id="first sight"),
        pytest.param(
            None,
            OLD,
            "node-2",
            None,
            "NotSeen",
            None,
            id="the report is of a Node that is gone",
        ),
        pytest.param(OLD, OLD, "node-1", None, "Same", OLD, id="as ever"),
        pytest.param(
            OLD, None, "node-1", None, "NotSeen", OLD, id="the report was wiped"
        ),
        pytest.param(OLD, OLD, None, None, "NotSeen", OLD, id="the Node is gone"),
        pytest.param(
            OLD,
            Identity(NEW_ID, "node-1"),
            "node-1",
            None,
            "Changed",
            OLD,
            id="system reinstalled, Node object kept",
        ),
        pytest.param(
            OLD,
            Identity(NEW_ID, "node-2"),
            "node-2",
            None,
            "Changed",
            OLD,
            id="new system and new Node",
        ),
        pytest.param(
            OLD,
            Identity(OLD_ID, "node-2"),
            "node-2",
            None,
            "Changed",
            OLD,
            id="same system, another Node object",
        ),
        pytest.param(
            OLD,
            OLD,
            "node-2",
            accept(OLD_ID),
            "Changed",
            OLD,
            id="accepted, but the new Node's agent has not reported",
        ),
        pytest.param(
            OLD,
            Identity(NEW_ID, "node-2"),
            "node-2",
            accept(NEW_ID),
            "Accepted",
            Identity(NEW_ID, "node-2"),
            id="accepted",
        ),
        pytest.param(
            OLD,
            Identity(NEW_ID, "node-2"),
            "node-2",
            accept(OLD_ID),
            "Changed",
            OLD,
            id="another one was accepted",
        ),
    ],
)
def test_identity_is_judged_by_host_id_and_node_uid(
    pinned: Identity | None,
    reported: Identity | None,
    node_uid: str | None,
    accepted: AcceptIdentity | None,
    verdict: str,
    pin: Identity | None,
) -> None:
    judged = judge_identity(
        pinned, reported=reported, node_uid=node_uid, accepted=accepted
    )
    assert (judged.verdict, judged.pin) == (IdentityVerdict(verdict), pin)
