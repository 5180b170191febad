"""Policies of server groups, judged under the groups' rows. Blocking."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Connection,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute

from kilonova_operator.domain.groups import (
    HARD_POLICIES,
    GroupClaim,
    GroupTopology,
    find_violation,
)
from kilonova_operator.domain.placement import ClaimRequest
from kilonova_operator.domain.refusals import ConcurrentUpdate, GroupViolated
from kilonova_operator.storage.sql.api.schema import GroupMemberRow, ServerGroupRow
from kilonova_operator.storage.sql.bulk import Prepared, insert_rows, one_of, pair_of
from kilonova_operator.storage.sql.transactions import TransactionLost

_GROUP, _MEMBER = ServerGroupRow, GroupMemberRow
_GROUPS = Prepared(
    select(_GROUP.group_uid, _GROUP.generation).where(one_of(_GROUP.group_uid, "uids"))
)
_SWAP = Prepared(
    update(_GROUP)
    .where(pair_of(_GROUP.group_uid, _GROUP.generation, "pairs"))
    .values(generation=_GROUP.generation + literal_column("1"))
)


def _prepare_members(domain: InstrumentedAttribute[str]) -> Prepared:
    """Select members in the domains that are asked for; of Affinity in all."""
    return Prepared(
        select(_MEMBER.group_uid, _MEMBER.server_uid, domain).where(
            one_of(_MEMBER.group_uid, "groups"),
            or_(one_of(domain, "domains"), one_of(_MEMBER.group_uid, "everywhere")),
        )
    )


_MEMBERS: Mapping[GroupTopology, Prepared] = {
    "Host": _prepare_members(_MEMBER.host),
    "Zone": _prepare_members(_MEMBER.zone),
}


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
            rows = _GROUPS.rows(connection, uids=sorted(self._groups))
            self._generations = dict(rows)
            for topology in _MEMBERS:
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
        if pairs and _SWAP.change(connection, pairs=pairs) != len(pairs):
            raise TransactionLost(ConcurrentUpdate(f"of group {pairs[0][0]}"))
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
        everywhere = {g.group_uid for g, _ in judged if g.policy == "Affinity"}
        for uid, server_uid, domain in _MEMBERS[topology].rows(
            connection,
            groups=sorted({group.group_uid for group, _ in judged}),
            domains=sorted({domain for _, domain in judged}),
            everywhere=sorted(everywhere),
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
