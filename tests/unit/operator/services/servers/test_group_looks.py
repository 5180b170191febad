"""Members that are placed together share what was read, and what was refused."""

from collections import Counter
from typing import Any

import pytest

from kilonova_api.kube.resources import Key
from support.server_lab import ServerLab

GROUPED = {"serverGroupRef": {"name": "db"}}
_MEMBERS = 12


class Reads:
    """Counts what is read of the API server, by kind and name."""

    def __init__(self, lab: ServerLab, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: Counter[tuple[str, str]] = Counter()
        find = lab.cluster.find

        async def count(resource: Any, namespace: Any, name: str, **rest: Any) -> Any:
            self.seen[resource.kind, name] += 1
            return await find(resource, namespace, name, **rest)

        monkeypatch.setattr(lab.cluster, "find", count)

    def take_servers(self) -> int:
        """Return how often Servers were read since the last time."""
        count = sum(n for (kind, _), n in self.seen.items() if kind == "Server")
        self.seen.clear()
        return count


async def create_group_that_does_not_fit() -> tuple[ServerLab, list[Key]]:
    """More members than hosts, all of which looked for one in vain."""
    lab = ServerLab(hosts=("hv1", "hv2"))
    lab.create_group(minMembers=_MEMBERS)
    keys = [lab.create_server(f"db-{n}", **GROUPED) for n in range(_MEMBERS)]
    await lab.run(seconds=20)
    return lab, keys


def hosts(lab: ServerLab, keys: list[Key]) -> list[str | None]:
    return [lab.server(key).status.host for key in keys]


async def test_a_round_of_members_that_do_not_fit_reads_each_a_few_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lab, _ = await create_group_that_does_not_fit()
    reads = Reads(lab, monkeypatch)
    await lab.run(seconds=60)
    # Two rounds of 30 s: each member reads itself, and one look or two read all.
    assert _MEMBERS <= reads.take_servers() <= 12 * _MEMBERS < 2 * _MEMBERS**2
    lab.set_host_state("hv1", "Up")
    await lab.run()
    assert _MEMBERS <= reads.take_servers() <= 6 * _MEMBERS


async def test_members_that_share_a_refusal_are_placed_once_there_is_room() -> None:
    lab, keys = await create_group_that_does_not_fit()
    assert hosts(lab, keys) == [None] * _MEMBERS
    for number in range(3, _MEMBERS + 1):
        lab.add_host(f"hv{number}")
        await lab.run()
    await lab.run(seconds=2)
    assert len(set(hosts(lab, keys)) - {None}) == _MEMBERS


async def test_a_deleted_or_a_new_member_is_reason_to_look_again_at_once() -> None:
    lab = ServerLab(hosts=("hv1", "hv2"))
    lab.create_group(minMembers=2)
    keys = [
        lab.create_server("db-0", **GROUPED),
        lab.create_server("db-1", availabilityZone="az9", **GROUPED),
    ]
    await lab.run(seconds=20)
    assert hosts(lab, keys) == [None, None]
    keys.append(lab.create_server("db-2", **GROUPED))
    lab.delete_server(keys.pop(1))
    await lab.run(seconds=1)
    assert sorted(map(str, hosts(lab, keys))) == ["hv1", "hv2"]


async def test_who_was_not_ready_with_the_others_is_not_told_what_they_were() -> None:
    lab = ServerLab(hosts=("hv1", "hv2"))
    lab.create_group(minMembers=2)
    first = lab.create_server("db-0", **GROUPED)
    second = lab.create_server("db-1", suspend=True, **GROUPED)
    await lab.run(seconds=1)
    assert hosts(lab, [first, second]) == [None, None]
    lab.change_server(second, suspend=False)
    await lab.run(seconds=1)
    assert sorted(map(str, hosts(lab, [first, second]))) == ["hv1", "hv2"]
