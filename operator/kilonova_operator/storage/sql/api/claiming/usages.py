"""What namespaces use, raised and given back with their Servers. Blocking."""

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, delete, select

from kilonova_operator.domain.placement import (
    ClaimRequest,
    WitnessedClaim,
    build_quota_amounts,
)
from kilonova_operator.domain.quota import Usage, count_server
from kilonova_operator.domain.refusals import QuotaExceeded
from kilonova_operator.storage.sql.api.schema import (
    InstanceMappingRow,
    NamespaceUsageRow,
)
from kilonova_operator.storage.sql.bulk import Prepared, insert_rows, one_of

_ROW = NamespaceUsageRow
_READ = Prepared(
    select(_ROW.namespace_uid, _ROW.instances, _ROW.cores, _ROW.ram_mib)
    .where(one_of(_ROW.namespace_uid, "uids"))
    .order_by(_ROW.namespace_uid)
    .with_for_update()
)
_DELETE = Prepared(delete(_ROW).where(one_of(_ROW.namespace_uid, "uids")))

Change = Mapping[str, Usage]
"""What is added, by the namespace's uid."""


class UsageBook:
    """Usage of namespaces, read for update: nobody else changes it meanwhile."""

    def __init__(self, connection: Connection, namespace_uids: Iterable[str]) -> None:
        uids = sorted(set(namespace_uids))
        rows = _READ.rows(connection, uids=uids) if uids else ()
        self._read = {row[0]: Usage(*row[1:]) for row in rows}
        self._now = dict(self._read)

    def check(self, request: ClaimRequest, change: Change) -> None:
        """Refuse what the namespace's quota has no room for.

        Raises:
            QuotaExceeded
        """
        wanted = change.get(request.server.namespace_uid)
        if request.quota is None or wanted is None:
            return
        used = self._now.get(request.server.namespace_uid, Usage())
        excess = request.quota.find_excess(used, wanted)
        if excess is not None:
            raise QuotaExceeded(request.server.namespace, excess)

    def add(self, change: Change) -> None:
        """Count a change."""
        for uid, usage in change.items():
            self._now[uid] = self._now.get(uid, Usage()) + usage

    def write(self, connection: Connection) -> None:
        """Write what changed. A row that came meanwhile ends in a duplicate key."""
        changed = {
            uid: usage
            for uid, usage in self._now.items()
            if usage != self._read.get(uid, Usage())
        }
        known = sorted(uid for uid in changed if uid in self._read)
        if known:
            _DELETE.change(connection, uids=known)
        rows = [
            {
                "namespace_uid": uid,
                "instances": usage.instances,
                "cores": usage.cores,
                "ram_mib": usage.ram_mib,
            }
            for uid, usage in sorted(changed.items())
        ]
        insert_rows(connection, NamespaceUsageRow, rows)


def change_usage(connection: Connection, change: Change) -> None:
    """Change the kept usage of namespaces; an empty change touches nothing."""
    if change:
        book = UsageBook(connection, change)
        book.add(change)
        book.write(connection)


def counted_of(row: InstanceMappingRow) -> tuple[str, Usage]:
    """Return what a mapping counts, and in which namespace."""
    usage = count_server(
        cell=row.cell,
        deleted=row.queued_for_delete,
        retained=row.retained,
        vcpus=row.vcpus,
        ram_mib=row.ram_mib,
    )
    return row.namespace_uid, usage


def usage_of_claim(claim: ClaimRequest | WitnessedClaim) -> Usage:
    """Return what the Server counts once the claim is made, or put back."""
    vcpus, ram_mib = build_quota_amounts(claim.amounts)
    return Usage(
        1,
        vcpus if claim.vcpus is None else claim.vcpus,
        ram_mib if claim.ram_mib is None else claim.ram_mib,
    )


def build_change(
    before: tuple[str, Usage] | None, after: tuple[str, Usage] | None
) -> dict[str, Usage]:
    """Return what changes for whom, from (namespace uid, usage) to another.

    A namespace whose uid nobody knows is not counted.
    """
    change: dict[str, Usage] = {}
    if before is not None:
        change[before[0]] = Usage() - before[1]
    if after is not None:
        change[after[0]] = change.get(after[0], Usage()) + after[1]
    return {uid: usage for uid, usage in change.items() if uid and usage}
