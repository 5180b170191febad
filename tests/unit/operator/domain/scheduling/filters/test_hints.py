"""Filters by what a request hints at, by the rules of Nova 34."""

import pytest

from kilonova_operator.domain.scheduling.filters.near_host import (
    MalformedAddress,
    SimpleCIDRAffinityFilter,
    build_nearby,
)
from kilonova_operator.domain.scheduling.filters.other_hosts import (
    DifferentHostFilter,
    SameHostFilter,
)
from kilonova_operator.domain.scheduling.filters.server_group import (
    ServerGroupAffinityFilter,
    ServerGroupAntiAffinityFilter,
)
from kilonova_operator.domain.scheduling.request import BuildRequest, GroupView, Policy
from support.judging import passing
from support.scheduling import SMALL, made_columns, made_facts, made_request, made_view

HOSTS = made_columns(
    (made_facts("a", zone="east", address="10.0.0.1"), made_view("a")),
    (made_facts("b", zone="east", address="10.0.1.1"), made_view("b")),
    (made_facts("c", zone="west", address="fd00::1"), made_view("c")),
    (made_facts("d"), made_view("d")),
)
EVERYONE = ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("hosts", "same", "different"),
    [
        pytest.param(None, EVERYONE, EVERYONE, id="no hint"),
        pytest.param({"b", "gone"}, ["b"], ["a", "c", "d"], id="one host"),
        pytest.param(set(), [], EVERYONE, id="Servers without a host"),
    ],
)
def test_hints_name_the_hosts_of_other_servers(
    hosts: set[str] | None, same: list[str], different: list[str]
) -> None:
    named = None if hosts is None else frozenset(hosts)
    assert passing(SameHostFilter(), HOSTS, made_request(same_hosts=named)) == same
    request = made_request(different_hosts=named)
    assert passing(DifferentHostFilter(), HOSTS, request) == different


@pytest.mark.parametrize(
    ("nearby", "expected"),
    [
        pytest.param("", EVERYONE, id="no hint"),
        pytest.param(build_nearby("10.0.0.200"), ["a"], id="/24 by default"),
        pytest.param(build_nearby("10.0.0.200", "/16"), ["a", "b"], id="wider"),
        pytest.param(build_nearby("10.0.0.200", "32"), [], id="nobody"),
        pytest.param(build_nearby("fd00::9", "/64"), ["c"], id="IPv6"),
    ],
)
def test_a_host_is_near_an_address_by_its_own(nearby: str, expected: list[str]) -> None:
    request = made_request(nearby=nearby)
    assert passing(SimpleCIDRAffinityFilter(), HOSTS, request) == expected


@pytest.mark.parametrize(("address", "cidr"), [("nowhere", "/24"), ("10.0.0.1", "/x")])
def test_what_is_no_network_is_said_at_once(address: str, cidr: str) -> None:
    with pytest.raises(MalformedAddress, match="build_near_host_ip"):
        build_nearby(address, cidr)


def in_group(
    policy: Policy, members: dict[str, int], *, by_zone: bool = False, most: int = 1
) -> BuildRequest:
    return made_request(group=GroupView("g", policy, members, by_zone, most))


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        pytest.param(SMALL, EVERYONE, id="no group"),
        pytest.param(in_group("Affinity", {"a": 1}), EVERYONE, id="another policy"),
        pytest.param(in_group("AntiAffinity", {}), EVERYONE, id="no members"),
        pytest.param(in_group("AntiAffinity", {"a": 1}), ["b", "c", "d"], id="one"),
        pytest.param(
            in_group("AntiAffinity", {"a": 1, "b": 2}, most=2),
            ["a", "c", "d"],
            id="up to the limit",
        ),
        pytest.param(
            in_group("AntiAffinity", {"a": 1, "gone": 1}, by_zone=True),
            ["c", "d"],
            id="zone",
        ),
        pytest.param(
            in_group("AntiAffinity", {"a": 1, "b": 1, "d": 1}, by_zone=True, most=2),
            ["c", "d"],
            id="members of a zone count together",
        ),
    ],
)
def test_members_keep_apart(request_: BuildRequest, expected: list[str]) -> None:
    assert passing(ServerGroupAntiAffinityFilter(), HOSTS, request_) == expected


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        pytest.param(SMALL, EVERYONE, id="no group"),
        pytest.param(in_group("AntiAffinity", {"a": 1}), EVERYONE, id="another policy"),
        pytest.param(in_group("Affinity", {"a": 0}), EVERYONE, id="no members"),
        pytest.param(in_group("Affinity", {"b": 3}), ["b"], id="their host"),
        pytest.param(in_group("Affinity", {"gone": 1}), [], id="their host is gone"),
        pytest.param(
            in_group("Affinity", {"b": 3}, by_zone=True), ["a", "b"], id="their zone"
        ),
        pytest.param(
            in_group("Affinity", {"d": 1}, by_zone=True), ["d"], id="hosts without one"
        ),
    ],
)
def test_members_keep_together(request_: BuildRequest, expected: list[str]) -> None:
    assert passing(ServerGroupAffinityFilter(), HOSTS, request_) == expected


def test_the_reason_names_the_domain() -> None:
    apart = ServerGroupAntiAffinityFilter()
    assert "The host holds 1" in apart.explain(in_group("AntiAffinity", {"a": 1}))
    zone = in_group("AntiAffinity", {"a": 1}, by_zone=True, most=2)
    assert "The zone holds 2" in apart.explain(zone)
