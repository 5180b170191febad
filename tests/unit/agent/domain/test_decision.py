"""The decision table: what is wanted and what is, to one step."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilonova_agent.domain.decision import (
    BringUp,
    Build,
    Decision,
    Destroy,
    Follow,
    Hold,
    Seen,
    Stop,
    decide,
    is_first_start,
)
from kilonova_agent.domain.orders import OrderRecord
from kilonova_agent.domain.standing import Standing
from kilonova_agent.drivers.base import Guest, GuestMark, GuestPower
from kilonova_api.instance import Instance
from support.instances import make_instance

UUID = "11111111-2222-4333-8444-555555555555"
THEN = datetime(2026, 1, 1, tzinfo=UTC)
ACCEPTED = Standing(accepted=True, known=True)
BUILT = OrderRecord(1, 1, UUID, 1, "b1", built_at=THEN, launched_at=THEN)


def make_wanted(*, status: dict[str, Any] | None = None, **spec: Any) -> Instance:
    body = make_instance(name=UUID, **spec)
    return Instance.model_validate(body | {"status": status or {}})


def make_guest(
    power: GuestPower = GuestPower.RUNNING, *, generation: int = 1, cluster: str = "c1"
) -> Guest:
    mark = GuestMark(cluster, "shop", "web-0", UUID, generation, 1, "b1")
    return Guest(UUID, f"instance-{UUID}", power, 1, 16, mark)


def make_seen(**changes: Any) -> Seen:
    seen = Seen(
        wanted=make_wanted(),
        guest=None,
        record=None,
        has_root_disk=False,
        standing=ACCEPTED,
        frozen_writer=0,
        agent_version="0.1.0",
    )
    return replace(seen, **changes)


OFF = make_guest(GuestPower.SHUTDOWN)
ON = make_guest()


@pytest.mark.parametrize(
    ("changes", "decision"),
    [
        pytest.param({}, Build(power_on=True), id="new"),
        pytest.param(
            {"wanted": make_wanted(powerState="Stopped")},
            Build(power_on=False),
            id="new, stopped",
        ),
        pytest.param(
            {"record": replace(BUILT, built_at=None, launched_at=None)},
            Build(power_on=True),
            id="killed while the disk was built",
        ),
        pytest.param(
            {"record": replace(BUILT, launched_at=None), "has_root_disk": True},
            BringUp(power_on=True),
            id="killed before it was defined",
        ),
        pytest.param(
            {
                "record": replace(BUILT, launched_at=None),
                "has_root_disk": True,
                "guest": OFF,
            },
            BringUp(power_on=True),
            id="killed between define and start",
        ),
        pytest.param({"record": BUILT, "guest": ON}, Follow(), id="runs"),
        pytest.param({"record": BUILT, "guest": OFF}, Follow(), id="manual, went off"),
        pytest.param(
            {
                "record": BUILT,
                "guest": OFF,
                "wanted": make_wanted(powerState="Running"),
            },
            BringUp(power_on=True),
            id="running, went off",
        ),
        pytest.param(
            {"record": BUILT, "guest": ON, "wanted": make_wanted(powerState="Stopped")},
            Stop(),
            id="stopped, runs",
        ),
        pytest.param(
            {
                "record": BUILT,
                "guest": make_guest(GuestPower.PAUSED),
                "wanted": make_wanted(powerState="Stopped"),
            },
            Stop(),
            id="stopped, paused",
        ),
        pytest.param(
            {
                "record": BUILT,
                "guest": OFF,
                "wanted": make_wanted(powerState="Stopped"),
            },
            Follow(),
            id="stopped, off",
        ),
        pytest.param(
            {"record": BUILT, "has_root_disk": True},
            BringUp(power_on=True),
            id="definition lost while it was on",
        ),
        pytest.param(
            {"record": replace(BUILT, off=True), "has_root_disk": True},
            BringUp(power_on=False),
            id="definition lost while it was off",
        ),
        pytest.param({"guest": ON}, Follow(), id="unremembered guest of ours runs"),
        pytest.param(
            {"record": BUILT, "wanted": make_wanted(buildId="b2")},
            Build(power_on=True),
            id="a new build of a guest that is gone",
        ),
        pytest.param(
            {
                "record": replace(BUILT, destroyed=True),
                "wanted": make_wanted(placementGeneration=2),
            },
            Build(power_on=True),
            id="placed here again after its end",
        ),
    ],
)
def test_life_goes_on_from_wherever_it_stands(
    changes: dict[str, Any], decision: Decision
) -> None:
    assert decide(make_seen(**changes)) == decision


BUILT_STATUS = {"builtAt": "2026-01-01T00:00:00Z", "buildId": "b1"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param(
            {"wanted": make_wanted(minAgentVersion="0.2.0")},
            "AgentTooOld",
            id="order needs a newer agent",
        ),
        pytest.param({"record": BUILT}, "DiskLost", id="built, disk gone"),
        pytest.param(
            {"wanted": make_wanted(status=BUILT_STATUS)},
            "HostReinstalled",
            id="built, and nothing here knows of it",
        ),
        pytest.param(
            {
                "wanted": make_wanted(status=BUILT_STATUS),
                "standing": replace(ACCEPTED, disks="Lost"),
                "has_root_disk": True,
            },
            "DiskLost",
            id="a person says lost",
        ),
        pytest.param(
            {
                "wanted": make_wanted(status=BUILT_STATUS),
                "standing": replace(ACCEPTED, disks="Kept"),
            },
            "DiskLost",
            id="a person says kept, and it is not there",
        ),
        pytest.param(
            {
                "wanted": make_wanted(status=BUILT_STATUS),
                "standing": Standing(accepted=False, known=True),
            },
            "HostReinstalled",
            id="another identity is accepted",
        ),
        pytest.param(
            {"standing": Standing(accepted=False, known=True)},
            "HostReinstalled",
            id="not built yet, another identity is accepted",
        ),
        pytest.param(
            {"record": replace(BUILT, writer=2)}, "OrderFromThePast", id="old writer"
        ),
        pytest.param(
            {"record": replace(BUILT, placement_generation=2), "guest": ON},
            "OrderFromThePast",
            id="old placement",
        ),
        pytest.param(
            {"record": replace(BUILT, server_generation=2), "guest": ON},
            "OrderFromThePast",
            id="old server generation",
        ),
        pytest.param(
            {"guest": make_guest(generation=2)},
            "OrderFromThePast",
            id="the domain is newer than the order",
        ),
        pytest.param(
            {"record": replace(BUILT, destroyed=True)},
            "OrderFromThePast",
            id="destroyed guests stay destroyed",
        ),
        pytest.param({"frozen_writer": 1}, "StoreWentBack", id="frozen"),
        pytest.param(
            {"guest": make_guest(cluster="c2")},
            "DomainExists",
            id="another cluster's guest",
        ),
        pytest.param(
            {"guest": replace(ON, mark=None)}, "DomainExists", id="a foreign domain"
        ),
        pytest.param(
            {
                "guest": ON,
                "record": BUILT,
                "wanted": make_wanted(buildId="b2"),
            },
            "DomainExists",
            id="a new build over a living guest",
        ),
    ],
)
def test_what_is_doubtful_is_left_alone(changes: dict[str, Any], reason: str) -> None:
    decision = decide(make_seen(**changes))

    assert isinstance(decision, Hold)
    assert decision.reason == reason
    assert not decision.silent


def order(generation: int) -> dict[str, Any]:
    return {"placementGeneration": generation, "reason": "ServerDeleted"}


@pytest.mark.parametrize(
    ("changes", "decision"),
    [
        pytest.param({"guest": ON, "record": BUILT}, Destroy(1), id="guest runs"),
        pytest.param({"record": BUILT}, Destroy(1), id="guest gone already"),
        pytest.param(
            {"record": replace(BUILT, destroyed=True)},
            Destroy(1),
            id="killed before the Instance was deleted",
        ),
        pytest.param({}, Destroy(1), id="never heard of"),
    ],
)
def test_a_destroy_order_is_carried_out_from_any_step(
    changes: dict[str, Any], decision: Decision
) -> None:
    seen = make_seen(wanted=make_wanted(destroy=order(1)), **changes)
    assert decide(seen) == decision


@pytest.mark.parametrize("uid", [UUID, "the adopter before"])
@pytest.mark.parametrize(
    ("change", "decision"),
    [
        ({}, Follow()),
        ({"powerState": "Stopped"}, Stop()),
        ({"destroy": order(1)}, Destroy(1)),
    ],
)
def test_an_adopted_guest_obeys_its_new_server_whatever_its_mark_says(
    uid: str, change: dict[str, Any], decision: Decision
) -> None:
    server = {"cluster": "c1", "namespace": "shop", "name": "web-1", "uid": "new"}
    assert ON.mark is not None
    seen = make_seen(
        wanted=make_wanted(server=server, serverGeneration=1, **change),
        guest=replace(ON, mark=replace(ON.mark, uid=uid)),
        record=replace(BUILT, server_uid=uid, server_generation=5),
    )
    assert decide(seen) == decision


def test_a_destroy_order_below_the_domains_generation_is_none() -> None:
    seen = make_seen(
        wanted=make_wanted(placementGeneration=3, destroy=order(2)),
        guest=make_guest(generation=3),
    )
    assert isinstance(decide(seen), Hold)


def test_a_host_that_is_not_accepted_yet_waits_in_silence() -> None:
    seen = make_seen(standing=Standing(accepted=False, known=False))
    decision = decide(seen)
    assert isinstance(decision, Hold)
    assert decision.silent


@pytest.mark.parametrize(
    ("changes", "first"),
    [
        pytest.param({}, True, id="new"),
        pytest.param(
            {"record": replace(BUILT, launched_at=None), "has_root_disk": True},
            True,
            id="its disk is built, and it never ran",
        ),
        pytest.param({"record": BUILT, "has_root_disk": True}, False, id="it ran"),
        pytest.param({"record": BUILT, "guest": ON}, False, id="it runs"),
        pytest.param(
            {"record": BUILT, "wanted": make_wanted(buildId="b2")},
            True,
            id="built anew",
        ),
    ],
)
def test_only_a_guest_that_never_ran_may_have_been_given_to_another_host(
    changes: dict[str, Any],
    first: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    seen = make_seen(**changes)
    assert is_first_start(seen, decide(seen)) == first


generations = st.integers(min_value=1, max_value=3)
seens = st.builds(
    make_seen,
    wanted=st.builds(
        make_wanted,
        placementGeneration=generations,
        serverGeneration=generations,
        writer=generations,
        buildId=st.sampled_from(["b1", "b2"]),
        powerState=st.sampled_from(["Manual", "Running", "Stopped"]),
        destroy=st.none() | st.builds(order, generations),
        status=st.sampled_from([{}, BUILT_STATUS]),
    ),
    guest=st.none()
    | st.builds(
        make_guest,
        st.sampled_from(GuestPower),
        generation=generations,
        cluster=st.sampled_from(["c1", "c2"]),
    ),
    record=st.none()
    | st.builds(
        OrderRecord,
        generations,
        generations,
        st.sampled_from([UUID, "other"]),
        generations,
        st.sampled_from(["b1", "b2"]),
        built_at=st.none() | st.just(THEN),
        launched_at=st.none() | st.just(THEN),
        off=st.booleans(),
        destroyed=st.booleans(),
    ),
    has_root_disk=st.booleans(),
    standing=st.builds(
        Standing,
        accepted=st.booleans(),
        known=st.booleans(),
        disks=st.sampled_from([None, "Kept", "Lost"]),
    ),
    frozen_writer=st.integers(min_value=0, max_value=2),
)


# One property of four parts: to draw what is seen costs more than to judge it.
@settings(deadline=None)  # a busy machine is not a failure
@given(seens)
def test_whatever_is_seen_no_guest_is_lost_doubled_or_stopped_unasked(
    seen: Seen,
) -> None:
    decision = decide(seen)
    if not seen.standing.accepted:
        assert isinstance(decision, Hold), "only an accepted host acts"
    if isinstance(decision, Destroy):
        check_an_order_reaches_it(seen, decision)
    if isinstance(decision, Build):
        assert seen.guest is None
        record = seen.record
        assert record is None or not record.is_built_for(seen.wanted.spec)
    if isinstance(decision, Stop):
        assert seen.wanted.spec.power_state == "Stopped"
        assert seen.guest is not None
        assert seen.guest.mark is not None
        assert seen.guest.mark.cluster == seen.wanted.spec.server.cluster


def check_an_order_reaches_it(seen: Seen, decision: Destroy) -> None:
    destroy = seen.wanted.spec.destroy
    assert destroy is not None
    assert decision.up_to_generation == destroy.placement_generation
    if seen.guest is not None:
        assert seen.guest.mark is not None
        assert seen.guest.mark.placement_generation <= decision.up_to_generation
        assert seen.guest.mark.cluster == seen.wanted.spec.server.cluster
