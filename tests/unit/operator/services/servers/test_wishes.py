"""Groups, quotas, zones and hints: what a Server may wish of its host."""

import pytest

from kilonova_api.flavor import Flavor
from kilonova_api.kube.resources import Key
from kilonova_operator.domain.scheduling.options import SchedulingOptions
from kilonova_operator.services.servers import together
from kilonova_operator.services.servers.group_members import GroupMembers
from support.server_lab import ServerLab
from support.servers import flavor_manifest

GROUPED = {"serverGroupRef": {"name": "db"}}


def why(lab: ServerLab, key: Key) -> str:
    ready = lab.server(key).status.condition("Ready")
    return "" if ready is None else ready.reason


def hosts(lab: ServerLab, keys: list[Key]) -> list[str | None]:
    return [lab.server(key).status.host for key in keys]


async def place_two_members() -> tuple[ServerLab, list[Key]]:
    """Give both members of a group hosts; a third host stays free."""
    lab = ServerLab(hosts=("hv1", "hv2", "hv3"))
    lab.create_group(minMembers=2)
    keys = [lab.create_server(f"db-{n}", **GROUPED) for n in range(2)]
    await lab.run(seconds=60)
    return lab, keys


async def test_members_of_an_anti_affinity_group_never_share_a_host() -> None:
    lab = ServerLab(hosts=("hv1", "hv2"))
    lab.create_group()
    keys = [lab.create_server(f"db-{n}", **GROUPED) for n in range(3)]
    await lab.run()
    placed = [host for host in hosts(lab, keys) if host]
    assert sorted(placed) == ["hv1", "hv2"]
    (left,) = [key for key in keys if lab.server(key).status.host is None]
    scheduling = lab.server(left).status.scheduling
    assert scheduling is not None
    assert [(s.constraint, s.hosts_removed) for s in scheduling.stages] == [
        ("ServerGroupAntiAffinityFilter", 2)
    ]
    told = lab.server(left).status.condition("Ready")
    assert told is not None
    assert "smaller flavor" not in told.message, "room is not what is missing"
    lab.add_host("hv3")
    await lab.run(seconds=60)
    assert lab.server(left).status.host == "hv3"


async def test_members_of_an_affinity_group_share_a_host_though_others_are_freer() -> (
    None
):
    lab = ServerLab(hosts=("hv1", "hv2", "hv3"))
    lab.create_group(policy="Affinity")
    keys = [lab.create_server(f"db-{n}", **GROUPED) for n in range(4)]
    await lab.run()
    assert len(set(hosts(lab, keys))) == 1
    assert None not in hosts(lab, keys)


async def test_a_policy_that_no_enabled_filter_acts_on_is_refused_and_told() -> None:
    lab = ServerLab(hosts=("hv1", "hv2"))
    lab.create_group()
    lab.restart_operator(SchedulingOptions(enabled_filters=("ComputeFilter",)))
    key = lab.create_server("db-0", **GROUPED)
    await lab.run()
    assert why(lab, key) == "UnsupportedPolicy"
    assert lab.server(key).status.is_true("Stalled")
    lab.restart_operator(SchedulingOptions())
    await lab.run()
    assert lab.server(key).status.host is not None


async def test_a_group_knows_its_members_after_a_restart() -> None:
    lab = ServerLab(hosts=("hv1", "hv2"))
    lab.create_group()
    first = lab.create_server("db-0", **GROUPED)
    await lab.run()
    lab.restart_operator()
    second = lab.create_server("db-1", **GROUPED)
    await lab.run()
    assert sorted(map(str, hosts(lab, [first, second]))) == ["hv1", "hv2"]


async def test_a_deleted_member_makes_room_for_the_next() -> None:
    lab = ServerLab(hosts=("hv1",))
    lab.create_group()
    first = lab.create_server("db-0", **GROUPED)
    await lab.run()
    second = lab.create_server("db-1", **GROUPED)
    await lab.run()
    assert lab.server(second).status.host is None
    lab.delete_server(first)
    await lab.run(seconds=60)
    assert lab.server(second).status.host == "hv1"


async def test_a_quota_is_told_and_heals_when_it_is_raised() -> None:
    lab = ServerLab()
    lab.set_quota(instances=1)
    keys = [lab.create_server(f"web-{n}") for n in range(2)]
    await lab.run()
    (left,) = [key for key in keys if lab.server(key).status.host is None]
    assert lab.server(left).status.is_true("Reconciling")
    assert why(lab, left) == "QuotaExceeded"
    await lab.run(seconds=200)
    assert lab.server(left).status.is_true("Stalled")
    ready = lab.server(left).status.condition("Ready")
    assert ready is not None
    assert ready.reason == "QuotaExceeded"
    assert "1 of 1 are used" in ready.message
    lab.set_quota(instances=2)
    await lab.run(seconds=60)
    assert lab.server(left).status.host is not None


async def test_a_zone_is_kept_to() -> None:
    lab = ServerLab(hosts=("hv1", "hv2"))
    key = lab.create_server(availabilityZone="az9")
    await lab.run()
    assert why(lab, key) == "NoValidHost"
    other = lab.create_server("web-1", availabilityZone="az1")
    await lab.run()
    assert lab.server(other).status.zone == "az1"


async def test_a_forced_host_is_taken_though_another_is_freer() -> None:
    lab = ServerLab(hosts=("hv1", "hv2"))
    lab.set_room("hv2", 256)
    key = lab.create_server(scheduling={"forcedHost": "hv2"})
    await lab.run()
    assert lab.server(key).status.host == "hv2"


async def test_a_requested_host_that_is_down_is_not_taken() -> None:
    lab = ServerLab(hosts=("hv1", "hv2"))
    lab.set_host_state("hv2", "Down")
    key = lab.create_server(scheduling={"requestedHost": "hv2"})
    await lab.run()
    assert why(lab, key) == "NoValidHost"


async def test_many_that_must_go_together_wait_for_each_other_without_a_claim() -> None:
    lab = ServerLab(hosts=("hv1", "hv2", "hv3"))
    lab.create_group(minMembers=3)
    keys = [lab.create_server(f"db-{n}", **GROUPED) for n in range(2)]
    await lab.run()
    assert [why(lab, key) for key in keys] == ["WaitingForMembers"] * 2
    assert lab.api.claims == {}
    keys.append(lab.create_server("db-2", **GROUPED))
    await lab.run(seconds=60)
    assert sorted(map(str, hosts(lab, keys))) == ["hv1", "hv2", "hv3"]


async def test_many_that_must_go_together_hold_nothing_where_one_fits_nowhere() -> None:
    lab = ServerLab(hosts=("hv1", "hv2"))
    lab.create_group(minMembers=3)
    keys = [lab.create_server(f"db-{n}", **GROUPED) for n in range(3)]
    await lab.run(seconds=200)
    assert hosts(lab, keys) == [None] * 3
    assert lab.api.claims == {}
    assert {why(lab, key) for key in keys} == {"NoValidHost"}
    lab.add_host("hv3")
    await lab.run(seconds=60)
    assert sorted(map(str, hosts(lab, keys))) == ["hv1", "hv2", "hv3"]
    for key in keys:
        scheduling = lab.server(key).status.scheduling
        assert scheduling is not None
        assert scheduling.hosts_left > 0, "of the decision that found its host"


async def test_many_that_lack_room_together_are_told_what_one_of_them_lacks() -> None:
    names = tuple(f"hv{n}" for n in range(5))
    lab = ServerLab(hosts=names)
    big = flavor_manifest("big", ramMiB=700)  # a host holds one
    lab.cluster.put(Flavor.resource(), big)
    lab.create_group(policy="SoftAntiAffinity", minMembers=6)
    wish = {"flavorRef": {"name": "big"}} | GROUPED
    keys = [lab.create_server(f"db-{n}", **wish) for n in range(6)]
    await lab.run(seconds=200)
    assert lab.api.claims == {}
    for key in keys:
        scheduling = lab.server(key).status.scheduling
        assert scheduling is not None
        assert [(s.constraint, s.hosts_removed) for s in scheduling.stages] == [
            ("Capacity:MEMORY_MB", 5)
        ]
        assert scheduling.nearest_miss == "One host lacks 376 MiB of memory."
    lab.add_host("hv5")
    await lab.run(seconds=60)
    assert None not in hosts(lab, keys)


async def test_a_member_that_cannot_be_read_is_told_of_itself_alone() -> None:
    lab = ServerLab(hosts=("hv1", "hv2", "hv3"))
    lab.create_group(minMembers=2)
    odd = flavor_manifest("odd", extraSpecs={"hw:pmu": "true"})
    lab.cluster.put(Flavor.resource(), odd)
    good = lab.create_server("db-0", **GROUPED)
    bad = lab.create_server("db-1", flavorRef={"name": "odd"}, **GROUPED)
    await lab.run(seconds=1)
    assert (why(lab, good), why(lab, bad)) == (
        "WaitingForMembers",
        "UnsupportedExtraSpec",
    )
    ready = lab.server(good).status.condition("Ready")
    assert ready is not None
    assert "db-1: UnsupportedExtraSpec" in ready.message
    assert lab.api.claims == {}
    lab.create_server("db-2", **GROUPED)
    await lab.run(seconds=60)
    assert len(lab.api.claims) == 2, "the two that can be built go together"


async def test_a_member_whose_address_is_taken_is_told_of_itself_alone() -> None:
    lab = ServerLab(hosts=("hv1", "hv2", "hv3"))
    nic = {"name": "eth0", "networkRef": {"name": "private"}}
    taken = [nic | {"fixedAddress": "10.20.0.9"}]
    other = lab.create_server("other", networks=taken)
    await lab.run(seconds=10)
    lab.create_group(minMembers=2)
    good = lab.create_server("db-0", **GROUPED)
    bad = lab.create_server("db-1", networks=taken, **GROUPED)
    await lab.run(seconds=1)
    assert why(lab, good) == "WaitingForMembers"
    ready = lab.server(good).status.condition("Ready")
    assert ready is not None
    assert "db-1: AddressInUse" in ready.message
    assert why(lab, bad) == "AddressInUse"
    assert len(lab.api.claims) == 1
    lab.delete_server(other)
    await lab.run(seconds=120)
    assert sorted(map(bool, hosts(lab, [good, bad]))) == [True, True]


async def test_who_waits_for_members_is_stalled_after_the_groups_own_time() -> None:
    lab = ServerLab()
    lab.create_group(minMembers=2, scheduleTimeoutSeconds=300)
    key = lab.create_server("db-0", **GROUPED)
    await lab.run(seconds=250)
    status = lab.server(key).status
    assert status.is_true("Reconciling"), status.wire()
    await lab.run(seconds=100)
    assert lab.server(key).status.is_true("Stalled")


async def test_members_wait_for_hosts_as_long_as_their_group_says() -> None:
    lab = ServerLab(hosts=("hv1",))
    lab.create_group(minMembers=2, scheduleTimeoutSeconds=300)
    keys = [lab.create_server(f"db-{n}", **GROUPED) for n in range(2)]
    await lab.run(seconds=250)
    assert why(lab, keys[0]) == "NoValidHost"
    assert all(lab.server(key).status.is_true("Reconciling") for key in keys)
    await lab.run(seconds=100)
    assert all(lab.server(key).status.is_true("Stalled") for key in keys)


async def test_more_members_than_go_at_once_are_placed_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(together, "_MOST_TOGETHER", 2)
    lab = ServerLab(hosts=("hv1", "hv2", "hv3"))
    lab.create_group(minMembers=2)
    keys = [lab.create_server(f"db-{n}", **GROUPED) for n in range(3)]
    await lab.run(seconds=60)
    assert sorted(map(str, hosts(lab, keys))) == ["hv1", "hv2", "hv3"]


async def test_a_member_that_comes_later_is_placed_by_itself() -> None:
    lab, _ = await place_two_members()
    late = lab.create_server("db-2", **GROUPED)
    await lab.run()
    assert lab.server(late).status.host is not None


async def test_a_member_that_comes_after_a_restart_moves_no_other() -> None:
    lab, keys = await place_two_members()
    before = hosts(lab, keys)
    lab.restart_operator()
    late = lab.create_server("db-2", **GROUPED)
    await lab.run(seconds=120)
    assert hosts(lab, keys) == before
    assert [lab.server(key).status.placement_generation for key in keys] == [1, 1]
    assert lab.server(late).status.host is not None


async def test_where_not_all_fit_the_oldest_that_suffice_go_first() -> None:
    lab = ServerLab(hosts=("hv1", "hv2", "hv3", "hv4"))
    lab.create_group(minMembers=3)
    names = ("e", "d", "c", "b", "a")  # the oldest is the last by name
    keys = []
    for name in names:
        keys.append(lab.create_server(name, **GROUPED))
        await lab.clock.advance(5)
    await lab.run(seconds=5)
    placed = hosts(lab, keys)
    assert None not in placed[:3], placed
    assert sum(host is not None for host in placed) == 4, placed
    lab.add_host("hv5")
    await lab.run(seconds=5)
    assert None not in hosts(lab, keys)


async def test_one_that_cannot_be_placed_does_not_stop_enough_others() -> None:
    lab = ServerLab(hosts=("hv1", "hv2", "hv3"))
    nic = {"name": "eth0", "networkRef": {"name": "private"}}
    taken = [nic | {"fixedAddress": "10.20.0.9"}]
    lab.create_server("other", networks=taken)
    await lab.run(seconds=10)
    lab.create_group(minMembers=2)
    bad = lab.create_server("db-0", networks=taken, **GROUPED)
    good = [lab.create_server(f"db-{n}", **GROUPED) for n in (1, 2)]
    await lab.run(seconds=5)
    assert None not in hosts(lab, good)
    assert why(lab, bad) == "AddressInUse"


async def test_a_quota_for_no_more_than_are_needed_stops_only_the_others() -> None:
    lab = ServerLab(hosts=("hv1", "hv2", "hv3"))
    lab.set_quota(instances=2)
    lab.create_group(minMembers=2)
    keys = [lab.create_server(f"db-{n}", **GROUPED) for n in range(3)]
    await lab.run(seconds=5)
    assert [bool(host) for host in hosts(lab, keys)] == [True, True, False]
    assert why(lab, keys[2]) == "QuotaExceeded"


async def test_members_that_run_count_for_one_that_comes_in_anothers_place() -> None:
    lab = ServerLab(hosts=("hv1", "hv2", "hv3"))
    lab.create_group(minMembers=3)
    keys = [lab.create_server(f"db-{n}", **GROUPED) for n in range(3)]
    await lab.run(seconds=60)
    lab.delete_server(keys.pop())
    await lab.run(seconds=60)
    late = lab.create_server("db-9", **GROUPED)
    await lab.run(seconds=5)
    assert lab.server(late).status.host is not None


async def test_members_that_were_looked_at_before_they_got_a_host_keep_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lab, keys = await place_two_members()
    before = hosts(lab, keys)
    lab.restart_operator()
    look, too_early = GroupMembers.is_placed, list(keys)

    async def look_late(members: GroupMembers, uid: str) -> bool:
        if too_early:
            too_early.pop()
            return False
        return await look(members, uid)

    monkeypatch.setattr(GroupMembers, "is_placed", look_late)
    late = lab.create_server("db-2", **GROUPED)
    await lab.run(seconds=60)
    assert not too_early
    assert hosts(lab, keys) == before
    assert len(lab.api.claims) == 3
    assert lab.server(late).status.host is not None


@pytest.mark.parametrize("kill_after", range(0, 40, 3))
async def test_killed_anywhere_a_group_is_placed_once(
    kill_after: int,
) -> None:
    lab = ServerLab(hosts=("hv1", "hv2", "hv3"))
    lab.create_group(minMembers=3)
    keys = [lab.create_server(f"db-{n}", **GROUPED) for n in range(3)]
    for _ in range(kill_after):
        await lab.step()
    lab.restart_operator()
    await lab.run(seconds=120)
    assert sorted(map(str, hosts(lab, keys))) == ["hv1", "hv2", "hv3"]
    assert len(lab.api.claims) == 3
