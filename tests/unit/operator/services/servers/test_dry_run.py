"""Where would it go: the answer of the scheduler that runs, without a trace."""

from dataclasses import replace
from typing import Any

import pytest

from kilonova_api.admin import (
    LIST_DECISIONS,
    SCHEDULE_DRY_RUN,
    DecisionsAnswer,
    DryRunAnswer,
)
from kilonova_api.flavor import Flavor
from kilonova_api.kube.resources import Key
from kilonova_operator.services.admin_verbs import BadRequest
from support.server_lab import ServerLab
from support.servers import flavor_manifest, server_manifest


@pytest.fixture
async def lab() -> ServerLab:
    made = ServerLab(hosts=("hv1", "hv2", "hv3"))
    await made.run()
    return made


async def dry_run(lab: ServerLab, manifest: dict[str, Any], **more: Any) -> Any:
    verb = lab.operator.admin.get(SCHEDULE_DRY_RUN)
    return DryRunAnswer.model_validate(await verb({"server": manifest} | more))


def add_flavor(lab: ServerLab, name: str, **spec: Any) -> dict[str, Any]:
    """Add a flavor; return a manifest that asks for it."""
    lab.cluster.put(Flavor.resource(), flavor_manifest(name, **spec))
    return server_manifest(flavorRef={"name": name})


async def test_it_names_the_host_that_a_real_server_then_gets(lab: ServerLab) -> None:
    lab.set_room("hv2", 2048)
    for number in range(3):
        answer = await dry_run(lab, server_manifest(f"web-{number}"))
        key = lab.create_server(f"web-{number}")
        await lab.run(seconds=2)
        assert lab.server(key).status.host == answer.host
        assert answer.zone == "az1"


async def test_nothing_is_written(lab: ServerLab) -> None:
    writes = (len(lab.cluster.writes), len(lab.api.writes), len(lab.cell.writes))
    await dry_run(lab, server_manifest())
    await lab.run(seconds=2)
    after = (len(lab.cluster.writes), len(lab.api.writes), len(lab.cell.writes))
    assert after == writes


async def test_hosts_come_best_first_with_weights_that_add_up(lab: ServerLab) -> None:
    lab.set_room("hv2", 2048)
    lab.set_host_state("hv3", "Down")
    answer = await dry_run(lab, server_manifest())
    assert [host.host for host in answer.hosts] == ["hv2", "hv1", "hv3"]
    best, second, down = answer.hosts
    assert best.host == answer.host
    assert best.total > second.total
    assert sum(best.weights.values()) == pytest.approx(best.total)
    assert down.failed is not None
    assert not down.weights


async def test_a_host_that_alone_is_left_was_compared_with_nobody(
    lab: ServerLab,
) -> None:
    for host in ("hv1", "hv3"):
        lab.set_host_state(host, "Down")
    best, *_ = (await dry_run(lab, server_manifest())).hosts
    assert best.host == "hv2"
    assert best.total == sum(best.weights.values()) == 0.0


async def test_only_as_many_hosts_are_told_as_were_asked_for(lab: ServerLab) -> None:
    answer = await dry_run(lab, server_manifest(), hosts=1)
    assert len(answer.hosts) == 1
    assert answer.hosts_not_shown == 2


async def test_where_nothing_fits_the_counts_add_up_and_the_nearest_miss_is_told(
    lab: ServerLab,
) -> None:
    manifest = add_flavor(lab, "huge", vcpus=1, ramMiB=1100)
    answer = await dry_run(lab, manifest)
    assert answer.host is None
    record = answer.scheduling
    assert record.hosts_considered == 3
    assert sum(stage.hosts_removed for stage in record.stages) == 3
    assert record.hosts_left == 0
    assert "76 MiB" in record.nearest_miss


async def test_a_missing_reference_is_told_and_that_it_would_be_waited_for(
    lab: ServerLab,
) -> None:
    answer = await dry_run(lab, server_manifest(flavorRef={"name": "m9.none"}))
    assert answer.problem.reason == "FlavorNotFound"
    assert answer.problem.waits
    assert answer.scheduling is None


async def test_a_missing_network_does_not_hide_where_it_would_go(
    lab: ServerLab,
) -> None:
    nic = {"name": "eth0", "networkRef": {"name": "none"}}
    answer = await dry_run(lab, server_manifest(networks=[nic]))
    assert answer.problem.reason == "NetworkNotFound"
    assert answer.host is not None


async def test_a_quota_without_room_is_told_beside_the_host(lab: ServerLab) -> None:
    lab.set_quota(instances=1)
    assert (await dry_run(lab, server_manifest())).problem is None
    lab.create_server("first")
    await lab.run(seconds=2)
    answer = await dry_run(lab, server_manifest())
    assert answer.problem.reason == "QuotaExceeded"
    assert "1 of 1 are used" in answer.problem.message
    assert answer.host is not None


async def test_groups_zones_and_hints_count_as_for_a_real_server(
    lab: ServerLab,
) -> None:
    lab.create_group()
    member = {"serverGroupRef": {"name": "db"}}
    key = lab.create_server("db-0", **member)
    await lab.run(seconds=2)
    taken = lab.server(key).status.host
    answer = await dry_run(lab, server_manifest("db-1", **member))
    failed = {host.host: host.failed for host in answer.hosts}
    assert failed.pop(taken) == "ServerGroupAntiAffinityFilter"
    assert set(failed.values()) == {None}
    elsewhere = await dry_run(lab, server_manifest(availabilityZone="az9"))
    assert elsewhere.host is None
    beside = server_manifest(scheduling={"forcedHost": taken})
    assert (await dry_run(lab, beside)).host == taken


@pytest.mark.parametrize(
    ("key", "word", "reason"),
    [
        ("hw:warp_drive", "on", "UnknownExtraSpec"),
        ("hw:tpm_version", "2.0", "UnsupportedExtraSpec"),
        ("capabilities:free_ram_mb", "=> 8", "MalformedRequest"),
    ],
)
async def test_a_flavor_that_cannot_be_read_is_told(
    lab: ServerLab, key: str, word: str, reason: str
) -> None:
    manifest = add_flavor(lab, "odd", extraSpecs={key: word})
    answer = await dry_run(lab, manifest)
    assert answer.problem.reason == reason


async def test_hints_that_no_filter_reads_are_told_there_and_in_status(
    lab: ServerLab,
) -> None:
    assert (await dry_run(lab, server_manifest())).scheduling.ignored_hints == ()
    hints = {"sameHost": ["web-9"], "query": '[">=", "$free_ram_mb", 1]'}
    answer = await dry_run(lab, server_manifest(schedulingHints=hints))
    assert answer.host is not None
    assert answer.scheduling.ignored_hints == ("sameHost", "query")
    key = lab.create_server(schedulingHints=hints)
    await lab.run(seconds=2)
    shown = lab.server(key).status.scheduling
    assert shown is not None
    assert shown.ignored_hints == ("sameHost", "query")


async def test_a_query_that_cannot_be_read_is_told(lab: ServerLab) -> None:
    answer = await dry_run(lab, server_manifest(schedulingHints={"query": "[~]"}))
    assert answer.problem.reason == "MalformedQuery"


MANIFEST = server_manifest()


@pytest.mark.parametrize(
    ("manifest", "told"),
    [
        ({}, "apiVersion and kind must be"),
        (MANIFEST | {"kind": "Pod"}, "apiVersion and kind must be"),
        (MANIFEST | {"spec": []}, "spec: "),
        (MANIFEST | {"data": {}}, "data: unknown field"),
        (MANIFEST | {"spec": {"flavorRef": {"name": "a"}}}, "spec.imageRef: "),
        (MANIFEST | {"spec": MANIFEST["spec"] | {"flavour": 1}}, "spec.flavour: unkn"),
        (MANIFEST | {"metadata": {"name": "a"}}, "metadata.namespace: "),
        (
            MANIFEST | {"metadata": {"name": "a", "namespace": "../../nodes"}},
            "metadata.namespace: ",
        ),
        (
            MANIFEST | {"metadata": {"name": "A B", "namespace": "shop"}},
            "metadata.name: ",
        ),
    ],
)
async def test_what_is_no_server_is_refused_with_the_place(
    lab: ServerLab, manifest: dict[str, Any], told: str
) -> None:
    with pytest.raises(BadRequest) as refused:
        await dry_run(lab, manifest)
    assert told in str(refused.value)


async def test_what_is_refused_is_not_repeated(lab: ServerLab) -> None:
    secret = {"userData": ["hunter2"]}
    with pytest.raises(BadRequest) as refused:
        await dry_run(lab, MANIFEST | {"spec": MANIFEST["spec"] | secret})
    assert "spec.userData" in str(refused.value)
    assert "hunter2" not in str(refused.value)


async def test_the_last_decisions_are_told_newest_first(lab: ServerLab) -> None:
    key = lab.create_server()
    await lab.run(seconds=2)
    server = lab.server(key)
    verb = lab.operator.admin.get(LIST_DECISIONS)
    answer = DecisionsAnswer.model_validate(await verb({"uid": server.metadata.uid}))
    (decision,) = answer.decisions
    assert decision.outcome == "Claimed"
    assert decision.host == server.status.host
    assert decision.record["hostsConsidered"] == 3


async def read_decisions(lab: ServerLab, key: Key, **more: int) -> DecisionsAnswer:
    """Ask for what the database keeps about a Server."""
    verb = lab.operator.admin.get(LIST_DECISIONS)
    uid = lab.server(key).metadata.uid
    return DecisionsAnswer.model_validate(await verb({"uid": uid} | more))


async def test_a_decision_that_found_no_host_keeps_what_each_failed(
    lab: ServerLab,
) -> None:
    manifest = add_flavor(lab, "huge", vcpus=1, ramMiB=1100)
    key = lab.create_server(flavorRef=manifest["spec"]["flavorRef"])
    await lab.run(seconds=2)
    (decision,) = (await read_decisions(lab, key)).decisions
    assert decision.outcome == "NoValidHost"
    assert {host.host: host.failed for host in decision.hosts} == dict.fromkeys(
        ("hv1", "hv2", "hv3"), "Capacity:MEMORY_MB"
    )
    assert "hosts" not in decision.record
    shown = lab.server(key).status.scheduling
    assert shown is not None
    assert "hv1" not in str(shown.wire())


async def test_a_decision_that_found_a_host_keeps_every_host_and_weight(
    lab: ServerLab,
) -> None:
    lab.set_host_state("hv3", "Down")
    key = lab.create_server()
    await lab.run(seconds=2)
    (decision,) = (await read_decisions(lab, key)).decisions
    best, second, down = decision.hosts
    assert best.host == decision.host == lab.server(key).status.host
    assert best.total is not None
    assert second.total is not None
    assert best.total >= second.total
    assert sum(best.weights.values()) == pytest.approx(best.total)
    assert (down.host, down.failed) == ("hv3", "ComputeFilter")
    assert decision.hosts_not_kept is None
    (first,) = (await read_decisions(lab, key, hosts=1)).decisions
    assert first.hosts == decision.hosts[:1]
    assert first.hosts_not_shown == 2


async def test_hosts_that_are_not_there_are_told_with_the_reason(
    lab: ServerLab,
) -> None:
    key = lab.create_server()
    await lab.run(seconds=2)
    (uid,) = lab.api.decisions
    kept = dict(lab.api.hosts_kept)
    lab.api.hosts_kept.clear()
    (decision,) = (await read_decisions(lab, key)).decisions
    assert decision.hosts == ()
    assert "the operator ended before it wrote them" in str(decision.hosts_not_kept)
    (moment,) = kept
    lab.api.hosts_kept[moment] = replace(kept[moment], table=b"x")
    (decision,) = (await read_decisions(lab, key)).decisions
    assert "cannot be read" in str(decision.hosts_not_kept)
    entry = lab.api.decisions[uid][0]
    record = {**entry.record, "hostsNotKept": "there was no room"}
    lab.api.decisions[uid] = [replace(entry, record=record, decided_at=None)]
    (decision,) = (await read_decisions(lab, key)).decisions
    assert decision.hosts_not_kept == "there was no room"
    assert "hostsNotKept" not in decision.record


async def test_members_placed_together_have_their_hosts_kept_each(
    lab: ServerLab,
) -> None:
    lab.create_group(minMembers=2)
    keys = [
        lab.create_server(f"db-{n}", serverGroupRef={"name": "db"}) for n in range(2)
    ]
    await lab.run(seconds=5)
    told = [(await read_decisions(lab, key)).decisions[0] for key in keys]
    assert [len(decision.hosts) for decision in told] == [3, 3]
    taken, second = (decision.host for decision in told)
    failed = {host.host: host.failed for host in told[1].hosts}
    assert failed[str(taken)] == "ServerGroupAntiAffinityFilter"
    assert failed[str(second)] is None
