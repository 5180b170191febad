"""Ranges of networks. Blocking; ``ensure_network`` runs alone (see Database)."""

from ipaddress import IPv4Network

from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from kilonova_operator.domain.addressing import (
    AddressCount,
    NetworkHolder,
    NetworkRange,
    NetworkRequest,
    build_range,
    find_free_range,
)
from kilonova_operator.domain.refusals import NetworkInUse, PoolExhausted, RangeInUse
from kilonova_operator.storage.sql.api.records import network_cidr, range_of
from kilonova_operator.storage.sql.api.schema import IpAllocationRow, NetworkRow


def find_network(session: Session, network_id: str) -> NetworkRange | None:
    """Return the range a network holds."""
    row = session.get(NetworkRow, network_id)
    return None if row is None else range_of(row)


def ensure_network(session: Session, request: NetworkRequest) -> NetworkRange:
    """Give a network its range, or return the one it has.

    What was left behind under its name is its own: the object was lost without
    our finalizer and made again, and its guests are still plugged in.

    Raises:
        RangeInUse, PoolExhausted
    """
    held = find_network(session, request.network_id)
    if held is not None:
        return held
    others = list(session.scalars(select(NetworkRow).order_by(NetworkRow.first)))
    left_behind = _find_left_behind(session, request, others)
    if left_behind is not None:
        return range_of(left_behind)
    if request.cidr is not None:
        _check_free(request, request.cidr, others)
        cidr = request.cidr
    else:
        cidr = _take_from_pool(request, others)
    range_ = build_range(request, cidr)
    session.execute(insert(NetworkRow).values(**_columns(request, range_)))
    return range_


def list_networks(session: Session, *, after: str, limit: int) -> list[NetworkHolder]:
    """List who holds ranges, by id."""
    rows = session.execute(
        select(NetworkRow.network_id, NetworkRow.name)
        .where(NetworkRow.network_id > after)
        .order_by(NetworkRow.network_id)
        .limit(limit)
    )
    return [NetworkHolder(network_id, name) for network_id, name in rows]


def release_network(session: Session, network_id: str) -> None:
    """Give a range back.

    Raises:
        NetworkInUse: it still gives addresses.
    """
    row = session.get(NetworkRow, network_id)
    if row is None:
        return
    used = _count(session, network_id)
    if used:
        raise NetworkInUse(row.name, used)
    session.execute(
        delete(NetworkRow).where(NetworkRow.network_id == network_id),
        execution_options={"synchronize_session": False},
    )


def count_addresses(session: Session, network_id: str) -> AddressCount:
    """Count a network's addresses; 0 of 0 if it has no range."""
    range_ = find_network(session, network_id)
    total = 0 if range_ is None else range_.addresses_total
    return AddressCount(used=_count(session, network_id), total=total)


def _find_left_behind(
    session: Session, request: NetworkRequest, others: list[NetworkRow]
) -> NetworkRow | None:
    fitting = [
        row
        for row in others
        if (row.type, row.name, row.bridge)
        == (request.type, request.name, request.bridge)
        and request.cidr in (None, network_cidr(row))
    ]
    return max(fitting, key=lambda row: _count(session, row.network_id), default=None)


def _count(session: Session, network_id: str) -> int:
    query = select(func.count()).where(IpAllocationRow.network_id == network_id)
    return session.scalar(query) or 0


def _check_free(
    request: NetworkRequest, cidr: IPv4Network, others: list[NetworkRow]
) -> None:
    if request.type == "NAT":
        for forbidden in request.forbidden:
            if cidr.overlaps(forbidden):
                holder = f"{forbidden}, which the cluster's nodes, Pods or Services use"
                raise RangeInUse(request.name, str(cidr), holder)
    for other in others:
        if cidr.overlaps(network_cidr(other)) and not _apart(request, other):
            holder = f"{network_cidr(other)} of {other.name}"
            raise RangeInUse(request.name, str(cidr), holder)


def _apart(request: NetworkRequest, other: NetworkRow) -> bool:
    """Tell whether two networks never meet: they are different bridges of the hosts."""
    both_bridges = request.type == other.type == "Bridge"
    return both_bridges and request.bridge != other.bridge


def _take_from_pool(request: NetworkRequest, others: list[NetworkRow]) -> IPv4Network:
    taken = [network_cidr(other) for other in others]
    pool = request.pool
    if pool is not None:
        found = find_free_range(
            pool, request.pool_prefix_length, [*taken, *request.forbidden]
        )
        if found is not None:
            return found
    raise PoolExhausted(request.name, str(pool))


def _columns(request: NetworkRequest, range_: NetworkRange) -> dict[str, object]:
    return {
        "network_id": request.network_id,
        "type": request.type,
        "name": request.name,
        "bridge": request.bridge,
        "first": int(range_.cidr[0]),
        "last": int(range_.cidr[-1]),
        "gateway": None if range_.gateway is None else int(range_.gateway),
        "pools": [[int(pool.first), int(pool.last)] for pool in range_.pools],
    }
