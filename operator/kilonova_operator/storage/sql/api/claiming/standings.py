"""Reading who the Servers are: their mappings, tombstones and names. Blocking."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select, union_all
from sqlalchemy.orm import Session

from kilonova_operator.domain.placement import ClaimRequest, ServerRef
from kilonova_operator.domain.refusals import (
    AlreadyPlaced,
    DomainExists,
    ServerIsDeleted,
)
from kilonova_operator.storage.sql.api.schema import InstanceMappingRow, TombstoneRow
from kilonova_operator.storage.sql.bulk import Prepared, one_of, pair_of

_ROW = InstanceMappingRow
# Apart, for each has its own index: an OR of both would read the whole table.
_KNOWN = Prepared(
    union_all(
        select(_ROW.server_uid).where(one_of(_ROW.server_uid, "uids")),
        select(_ROW.server_uid).where(pair_of(_ROW.namespace, _ROW.name, "names")),
    )
)
_STONES = Prepared(
    select(TombstoneRow.server_uid).where(one_of(TombstoneRow.server_uid, "uids"))
)


@dataclass(frozen=True, slots=True)
class Standing:
    """What the rows say of a Server: its own, its tombstone, its name's holder."""

    mapping: InstanceMappingRow | None
    deleted: bool
    holder: InstanceMappingRow | None

    def check_buildable(self, server: ServerRef) -> None:
        """Refuse what must not be built.

        Raises:
            ServerIsDeleted, DomainExists
        """
        queued = self.mapping is not None and (
            self.mapping.queued_for_delete or self.mapping.retained
        )
        if self.deleted or queued:
            raise ServerIsDeleted(server)
        if self.holder is not None and self.holder.host is not None:
            raise DomainExists(server, self.holder.instance_uuid, self.holder.host)

    def check_claimable(self, request: ClaimRequest) -> None:
        """Refuse what must not be built, or has a host that the claim knows not of.

        A claim takes a Server off its host only as the attempt after the one that
        failed there: else whoever decided on it looked before the host was given,
        and a running guest would be ended.

        Raises:
            ServerIsDeleted, DomainExists, AlreadyPlaced
        """
        self.check_buildable(request.server)
        made = self.mapping
        if made is None or made.host is None:
            return
        if request.attempt <= made.attempt:
            raise AlreadyPlaced(request.server, made.host, made.attempt)


def read_standing(session: Session, server: ServerRef) -> Standing:
    """Read what the rows say of one Server."""
    return read_standings(session, [server])[server.uid]


def read_standings(
    session: Session, servers: Sequence[ServerRef]
) -> dict[str, Standing]:
    """Read what the rows say of Servers, by uid; new ones take two statements."""
    connection = session.connection()
    uids = [server.uid for server in servers]
    known = _KNOWN.rows(
        connection,
        uids=uids,
        names=sorted({(server.namespace, server.name) for server in servers}),
    )
    found = _read_mappings(session, {row[0] for row in known}) if known else ()
    stones = {row[0] for row in _STONES.rows(connection, uids=uids)}
    by_uid = {row.server_uid: row for row in found}
    named = _by_name(found)
    return {
        server.uid: Standing(
            mapping=by_uid.get(server.uid),
            deleted=server.uid in stones,
            holder=_find_other(named.get((server.namespace, server.name), ()), server),
        )
        for server in servers
    }


def _read_mappings(session: Session, uids: set[str]) -> Sequence[InstanceMappingRow]:
    query = select(_ROW).where(_ROW.server_uid.in_(sorted(uids)))
    return session.scalars(query).all()


def _by_name(
    rows: Iterable[InstanceMappingRow],
) -> dict[tuple[str, str], list[InstanceMappingRow]]:
    named: dict[tuple[str, str], list[InstanceMappingRow]] = {}
    for row in rows:
        if row.host is not None:
            named.setdefault((row.namespace, row.name), []).append(row)
    return named


def _find_other(
    holders: Iterable[InstanceMappingRow], server: ServerRef
) -> InstanceMappingRow | None:
    others = (holder for holder in holders if holder.server_uid != server.uid)
    return next(others, None)
