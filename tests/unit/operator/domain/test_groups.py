"""Policies of server groups, on members that hold claims."""

import pytest

from kilonova_operator.domain.groups import (
    GroupClaim,
    GroupPolicy,
    GroupTopology,
    find_violation,
)


@pytest.mark.parametrize(
    ("policy", "most", "others", "allowed"),
    [
        pytest.param("AntiAffinity", 1, {}, True, id="apart: nobody"),
        pytest.param("AntiAffinity", 1, {"b": 3}, True, id="apart: elsewhere"),
        pytest.param("AntiAffinity", 1, {"a": 1}, False, id="apart: here"),
        pytest.param("AntiAffinity", 2, {"a": 1}, True, id="apart: room for one"),
        pytest.param("AntiAffinity", 2, {"a": 2}, False, id="apart: full"),
        pytest.param("Affinity", 1, {}, True, id="together: nobody"),
        pytest.param("Affinity", 1, {"b": 0}, True, id="together: itself alone"),
        pytest.param("Affinity", 1, {"a": 2}, True, id="together: here"),
        pytest.param("Affinity", 1, {"b": 1}, False, id="together: elsewhere"),
        # Nova's filter passes any host of the group's.
        pytest.param("Affinity", 1, {"a": 1, "b": 1}, True, id="together: both"),
        pytest.param("SoftAffinity", 1, {"b": 1}, True, id="soft: elsewhere"),
        pytest.param("SoftAntiAffinity", 1, {"a": 9}, True, id="soft: here"),
    ],
)
def test_a_policy_is_judged_on_members_of_the_domain(
    policy: GroupPolicy, most: int, others: dict[str, int], *, allowed: bool
) -> None:
    group = GroupClaim("g", policy, max_per_domain=most)
    assert (find_violation(group, "a", others) is None) is allowed


@pytest.mark.parametrize(("topology", "domain"), [("Host", "hv1"), ("Zone", "az1")])
def test_a_domain_is_a_host_or_its_zone(topology: GroupTopology, domain: str) -> None:
    assert GroupClaim("g", "Affinity", topology).domain_of("hv1", "az1") == domain
