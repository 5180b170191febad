"""Server groups as the database judges them: on who holds claims, and where.

Source: nova.compute.manager._validate_instance_group_policy, Nova 34, which
looks again on the host after the choice. Here the claim itself is refused, under
the group's row, so that no race can violate the policy. Domains may be zones: a
meant addition to Nova, whose groups know hosts only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from kilonova_api.server_group import ServerGroup

GroupPolicy = Literal["Affinity", "AntiAffinity", "SoftAffinity", "SoftAntiAffinity"]
GroupTopology = Literal["Host", "Zone"]

HARD_POLICIES: frozenset[GroupPolicy] = frozenset({"Affinity", "AntiAffinity"})


@dataclass(frozen=True, slots=True)
class GroupClaim:
    """The group that a claim is made for.

    ``max_per_domain`` is for AntiAffinity alone (max_server_per_host in Nova).
    """

    group_uid: str
    policy: GroupPolicy
    topology: GroupTopology = "Host"
    max_per_domain: int = 1

    def domain_of(self, host: str, zone: str) -> str:
        """Return the domain of a host; hosts without a zone are one zone."""
        return host if self.topology == "Host" else zone


@dataclass(frozen=True, slots=True)
class GroupMember:
    """One placement of a member that still holds a claim."""

    group_uid: str
    server_uid: str
    host: str
    zone: str


def build_group_claim(group: ServerGroup | None) -> GroupClaim | None:
    """Return what a claim of a member is judged by; None without a group."""
    if group is None:
        return None
    return GroupClaim(
        group_uid=group.metadata.uid,
        policy=group.spec.policy,
        topology=group.spec.topology,
        max_per_domain=group.spec.max_per_domain or 1,
    )


def find_violation(
    group: GroupClaim, domain: str, others: Mapping[str, int]
) -> str | None:
    """Return why one more member in ``domain`` would violate the policy.

    others: members by domain, without the one that is placed. Every member
    counts that holds a claim, until its guest is proven gone.
    """
    here = others.get(domain, 0)
    if group.policy == "AntiAffinity" and here >= group.max_per_domain:
        return f"{here} members are there, {group.max_per_domain} may be"
    elsewhere = [name for name, count in others.items() if count and name != domain]
    if group.policy == "Affinity" and elsewhere and not here:
        return "all members are elsewhere"
    return None
