"""Policies of server groups, judged under the groups' rows. Blocking."""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    Update,
    bindparam,
    or_,
    select,
    tuple_,
    update,
)

from kilonova_operator.domain.groups import (
    HARD_POLICIES,
    GroupClaim,
    GroupTopology,
    find_violation,
)
from kilonova_operator.domain.placement import ClaimRequest
from kilonova_operator.domain.refusals import ConcurrentUpdate, GroupViolated
from kilonova_operator.storage.sql.api.schema import GroupMemberRow, ServerGroupRow
from kilonova_operator.storage.sql.bulk import insert_rows
from kilonova_operator.storage.sql.transactions import TransactionLost

_TOPOLOGIES: tuple[GroupTopology, ...] = ("Host", "Zone")


class GroupBook:
    """Groups of a batch, and where their members hold claims.

    The generations are read first: members that come after them are of a newer
    generation, and the swap fails.
    """

    def __init__(
        self, connection: Connection, requests: Sequence[ClaimRequest]
    ) -> None:
        self._groups = {r.group.group_uid: r.group for r in requests if r.group}
        self._generations: dict[str, int] = {}
        self._members: dict[str, dict[str, set[str]]] = {}
        self._joined: set[str] = set()
        if self._groups:
            rows = connection.execute(_select_groups(), {"uids": sorted(self._groups)})
            self._generations = {row.group_uid: row.generation for row in rows}
            for topology in _TOPOLOGIES:
                self._read_members(connection, requests, topology)

    def check(self, request: ClaimRequest) -> None:
        """Refuse a host whose domain the policy forbids.

        Raises:
            GroupViolated
        """
        group = request.group
        if group is None or group.policy not in HARD_POLICIES:
            return
        domain = group.domain_of(request.host, request.zone)
        others = {
            name: len(servers - {request.server.uid})
            for name, servers in self._members.get(group.group_uid, {}).items()
        }
        why = find_violation(group, domain, others)
        if why is not None:
            raise GroupViolated(group, domain, why)

    def join(self, request: ClaimRequest) -> None:
        """Count a member: the next one finds it there."""
        group = request.group
        if group is None:
            return
        domain = group.domain_of(request.host, request.zone)
        servers = self._members.setdefault(group.group_uid, {})
        servers.setdefault(domain, set()).add(request.server.uid)
        self._joined.add(group.group_uid)

    def swap(self, connection: Connection) -> None:
        """Step the generations of groups that were joined, if they are as read.

        Raises:
            TransactionLost: another member was faster.
        """
        pairs = sorted(
            (u, g) for u, g in self._generations.items() if u in self._joined
        )
        if pairs:
            uids = [uid for uid, _ in pairs]
            swapped = connection.execute(_swap(), {"uids": uids, "pairs": pairs})
            if swapped.rowcount != len(pairs):
                raise TransactionLost(ConcurrentUpdate(f"of group {uids[0]}"))
        new = sorted(self._joined - self._generations.keys())
        rows = [_columns(self._groups[uid]) for uid in new]
        insert_rows(connection, ServerGroupRow, rows)

    def _read_members(
        self,
        connection: Connection,
        requests: Iterable[ClaimRequest],
        topology: GroupTopology,
    ) -> None:
        judged = [
            (request.group, request.group.domain_of(request.host, request.zone))
            for request in requests
            if request.group is not None
            and request.group.topology == topology
            and request.group.policy in HARD_POLICIES
        ]
        if not judged:
            return
        asked = {
            "groups": sorted({group.group_uid for group, _ in judged}),
            "domains": sorted({domain for _, domain in judged}),
            "everywhere": sorted(
                {group.group_uid for group, _ in judged if group.policy == "Affinity"}
            ),
        }
        for uid, server_uid, domain in connection.execute(
            _select_members(topology), asked
        ):
            servers = self._members.setdefault(uid, {})
            servers.setdefault(domain, set()).add(server_uid)


def _columns(group: GroupClaim) -> dict[str, Any]:
    return {
        "group_uid": group.group_uid,
        "generation": 1,
        "policy": group.policy,
        "topology": group.topology,
        "max_per_domain": group.max_per_domain,
    }


@cache
def _select_groups() -> Select[str, int]:
    row = ServerGroupRow
    return select(row.group_uid, row.generation).where(
        row.group_uid.in_(bindparam("uids", expanding=True))
    )


@cache
def _select_members(topology: GroupTopology) -> Select[str, str, str]:
    """Select members in the domains that are asked for; of Affinity in all."""
    row = GroupMemberRow
    domain = row.host if topology == "Host" else row.zone
    return select(row.group_uid, row.server_uid, domain).where(
        row.group_uid.in_(bindparam("groups", expanding=True)),
        or_(
            domain.in_(bindparam("domains", expanding=True)),
            row.group_uid.in_(bindparam("everywhere", expanding=True)),
        ),
    )


@cache
def _swap() -> Update:
    row = ServerGroupRow
    pair = tuple_(row.group_uid, row.generation)
    return (
        update(row)
        .where(row.group_uid.in_(bindparam("uids", expanding=True)))
        .where(pair.in_(bindparam("pairs", expanding=True)))
        .values(generation=row.generation + 1)
    )
