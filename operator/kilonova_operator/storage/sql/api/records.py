"""Rows as the values that services know, and back."""

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, summarize_address_range
from itertools import groupby
from typing import Any

from sqlalchemy import Row

from kilonova_operator.domain.addressing import AddressPool, NetworkRange
from kilonova_operator.domain.placement import (
    HeldClaim,
    InstanceMapping,
    NicClaim,
    ServerRef,
    Tombstone,
)
from kilonova_operator.storage.sql.api.numa_placements import find_placement
from kilonova_operator.storage.sql.api.schema import (
    InstanceMappingRow,
    IpAllocationRow,
    NetworkRow,
    TombstoneRow,
)


def server_columns(server: ServerRef) -> dict[str, Any]:
    """Return a Server's identity as columns."""
    return {
        "server_uid": server.uid,
        "namespace": server.namespace,
        "name": server.name,
        "namespace_uid": server.namespace_uid,
    }


def server_of(row: InstanceMappingRow | TombstoneRow) -> ServerRef:
    """Return the Server a row speaks of."""
    return ServerRef(
        uid=row.server_uid,
        namespace=row.namespace,
        name=row.name,
        namespace_uid=row.namespace_uid,
    )


def mapping_of(row: InstanceMappingRow) -> InstanceMapping:
    """Return a mapping."""
    return InstanceMapping(
        server=server_of(row),
        instance_uuid=row.instance_uuid,
        cell=row.cell,
        host=row.host,
        placement_generation=row.placement_generation,
        object_generation=row.object_generation,
        attempt=row.attempt,
        tried_hosts=tuple(row.tried_hosts),
        queued_for_delete=row.queued_for_delete,
        retained=row.retained,
        created_at=row.created_at,
        updated_at=row.updated_at,
        group_uid=row.group_uid,
        zone=row.zone,
        vcpus=row.vcpus,
        ram_mib=row.ram_mib,
    )


def tombstone_of(row: TombstoneRow) -> Tombstone:
    """Return a tombstone."""
    return Tombstone(server=server_of(row), deleted_at=row.deleted_at)


def nic_of(row: IpAllocationRow | Row[*tuple[Any, ...]]) -> NicClaim:
    """Return what a NIC was given."""
    return NicClaim(
        name=row.nic,
        network_id=row.network_id,
        address=str(IPv4Address(row.address)),
        mac=row.mac,
    )


def network_cidr(row: NetworkRow | Row[*tuple[Any, ...]]) -> IPv4Network:
    """Return a network's range; rows only hold whole ones."""
    first, last = IPv4Address(row.first), IPv4Address(row.last)
    return next(iter(summarize_address_range(first, last)))


def range_of(row: NetworkRow | Row[*tuple[Any, ...]]) -> NetworkRange:
    """Return a network's range with its layout."""
    return NetworkRange(
        network_id=row.network_id,
        cidr=network_cidr(row),
        gateway=None if row.gateway is None else IPv4Address(row.gateway),
        pools=tuple(
            AddressPool(IPv4Address(first), IPv4Address(last))
            for first, last in row.pools
        ),
    )


def held_claims_of(rows: Iterable[Sequence[Any]]) -> tuple[HeldClaim, ...]:
    """Gather rows into claims, a placement a claim.

    They are (uid, generation, provider, whether it is a host, class, used, place in
    NUMA cells), in the order of ``placements.select_claims``.
    """
    return tuple(
        _build_held(uid, generation, list(group))
        for (uid, generation), group in groupby(rows, key=lambda row: (row[0], row[1]))
    )


def _build_held(uid: str, generation: int, rows: list[Sequence[Any]]) -> HeldClaim:
    by_provider: dict[str, dict[str, int]] = {}
    for row in rows:
        by_provider.setdefault(row[2], {})[row[4]] = row[5]
    host = next((row[2] for row in rows if row[3]), "")
    return HeldClaim(
        server_uid=uid,
        placement_generation=generation,
        host=host,
        amounts=by_provider.pop(host, {}),
        shared=by_provider,
        numa=find_placement(rows[0][6]),
    )
