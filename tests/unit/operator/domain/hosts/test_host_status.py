"""The first thing that stands in a host's way is its reason."""

from dataclasses import replace
from typing import Any

import pytest

from kilonova_api.compute_host import ComputeHost
from kilonova_operator.domain.conditions import stalled
from kilonova_operator.domain.hosts.host_status import (
    HostFacts,
    decide_scheduling,
    judge_host,
)
from kilonova_operator.domain.hosts.identity import IdentityVerdict
from kilonova_operator.domain.hosts.nodes import NodeSummary

NODE = NodeSummary(
    name="hv1",
    uid="u",
    hypervisor=True,
    cell=None,
    zone=None,
    cordoned=False,
    kept_cpu_millis=0,
    kept_memory_mib=0,
)


def build_host(spec: Any = None, **agent: Any) -> ComputeHost:
    report = {
        "hostId": "11111111-1111-4111-8111-111111111111",
        "agentVersion": "0.1.0",
        **agent,
    }
    return ComputeHost.model_validate(
        {"metadata": {"name": "hv1"}, "spec": spec or {}, "status": {"agent": report}}
    )


GOOD = HostFacts(
    host=build_host(),
    node=NODE,
    identity=IdentityVerdict.SAME,
    heartbeat="Up",
    cell="cell1",
)
WITHOUT_LIBVIRT = build_host(
    conditions=[
        {
            "type": "Ready",
            "status": "False",
            "reason": "LibvirtUnavailable",
            "message": "no socket",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
    ]
)


@pytest.mark.parametrize(
    ("facts", "status", "reason", "takes"),
    [
        pytest.param(GOOD, "True", "Up", True, id="all is well"),
        pytest.param(
            replace(GOOD, node=replace(NODE, cordoned=True)),
            "True",
            "Cordoned",
            False,
            id="cordoned: nothing new, nothing wrong",
        ),
        pytest.param(
            replace(GOOD, identity=IdentityVerdict.CHANGED, heartbeat="Down"),
            "False",
            "IdentityChanged",
            False,
            id="another system, whatever else",
        ),
        pytest.param(
            replace(GOOD, refusal=stalled("CellNotFound", "no cell")),
            "False",
            "CellNotFound",
            False,
            id="refused cell",
        ),
        pytest.param(
            replace(GOOD, node=None), "False", "NodeGone", False, id="no Node"
        ),
        pytest.param(
            replace(GOOD, node=replace(NODE, hypervisor=False)),
            "False",
            "NotAHypervisor",
            False,
            id="label taken off",
        ),
        pytest.param(
            replace(GOOD, identity=IdentityVerdict.NOT_SEEN),
            "False",
            "WaitingForAgent",
            False,
            id="no report",
        ),
        pytest.param(
            replace(GOOD, heartbeat="Down"),
            "False",
            "HeartbeatLost",
            False,
            id="silent",
        ),
        pytest.param(
            replace(GOOD, heartbeat="Unknown"),
            "Unknown",
            "WaitingForHeartbeat",
            False,
            id="not heard yet",
        ),
        pytest.param(
            replace(GOOD, host=WITHOUT_LIBVIRT),
            "False",
            "LibvirtUnavailable",
            False,
            id="the agent's own word",
        ),
    ],
)
def test_a_host_is_judged_by_what_forbids_most(
    facts: HostFacts,
    status: str,
    reason: str,
    takes: bool,  # noqa: FBT001 - pytest passes it by name
) -> None:
    judgement = judge_host(facts)
    assert (judgement.status, judgement.reason) == (status, reason)
    assert (decide_scheduling(facts, judgement) == "Enabled") is takes


def test_a_host_without_its_node_is_down_however_loud_it_beats() -> None:
    assert replace(GOOD, node=None).state == "Down"


def test_an_admins_word_closes_a_host_and_is_told_with_its_reason() -> None:
    host = build_host({"disabled": True, "disabledReason": "BIOS 2.4, CHG-4711"})
    facts = replace(GOOD, host=host)
    judgement = judge_host(facts)
    assert (judgement.status, judgement.reason) == ("True", "Disabled")
    assert "BIOS 2.4, CHG-4711" in judgement.message
    assert decide_scheduling(facts, judgement) == "Disabled"


def test_a_disabled_host_that_is_down_is_disabled_all_the_same() -> None:
    facts = replace(GOOD, host=build_host({"disabled": True}), heartbeat="Down")
    judgement = judge_host(facts)
    assert judgement.reason == "HeartbeatLost"
    assert decide_scheduling(facts, judgement) == "Disabled"


def test_a_host_that_is_forced_down_is_down_however_loud_it_beats() -> None:
    facts = replace(GOOD, host=build_host({"forcedDown": True}))
    judgement = judge_host(facts)
    assert facts.state == "Down"
    assert (judgement.status, judgement.reason) == ("False", "ForcedDown")
    assert decide_scheduling(facts, judgement) == "Held"
