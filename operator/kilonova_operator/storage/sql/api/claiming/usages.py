"""What namespaces use, raised and given back with their Servers. Blocking."""

from collections.abc import Iterable, Mapping
from functools import cache

from sqlalchemy import (
    Connection,
    Delete,
    Select,
    bindparam,
    delete,
    select,
)

from kilonova_operator.domain.placement import ClaimRequest, build_quota_amounts
from kilonova_operator.domain.quota import Usage, count_server
from kilonova_operator.domain.refusals import QuotaExceeded
from kilonova_operator.storage.sql.api.schema import (
    InstanceMappingRow,
    NamespaceUsageRow,
)
from kilonova_operator.storage.sql.bulk import insert_rows

Change = Mapping[str, Usage]
"""What is added, by the namespace's uid."""


class UsageBook:
    """Usage of namespaces, read for update: nobody else changes it meanwhile."""

    def __init__(self, connection: Connection, namespace_uids: Iterable[str]) -> None:
        asked = sorted(set(namespace_uids))
        rows = connection.execute(_select(), {"uids": asked}).all() if asked else ()
        self._read = {row.namespace_uid: Usage(*row[1:]) for row in rows}
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
            connection.execute(_delete(), {"uids": known})
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


def usage_of_request(request: ClaimRequest) -> Usage:
    """Return what the Server counts once the claim is made."""
    vcpus, ram_mib = build_quota_amounts(request.amounts)
    return Usage(
        1,
        vcpus if request.vcpus is None else request.vcpus,
        ram_mib if request.ram_mib is None else request.ram_mib,
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


@cache
def _select() -> Select[str, int, int, int]:
    row = NamespaceUsageRow
    return (
        select(row.namespace_uid, row.instances, row.cores, row.ram_mib)
        .where(row.namespace_uid.in_(bindparam("uids", expanding=True)))
        .order_by(row.namespace_uid)
        .with_for_update()
    )


@cache
def _delete() -> Delete:
    uid = NamespaceUsageRow.namespace_uid
    return delete(NamespaceUsageRow).where(uid.in_(bindparam("uids", expanding=True)))
