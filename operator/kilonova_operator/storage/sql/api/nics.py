"""Addresses and MACs of a Server's NICs: given once, kept while it lives. Blocking."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from ipaddress import AddressValueError, IPv4Address
from typing import Any

from sqlalchemy import (
    BindParameter,
    Select,
    bindparam,
    case,
    exists,
    func,
    insert,
    select,
)
from sqlalchemy.orm import Session, aliased

from kilonova_operator.domain.addressing import is_givable
from kilonova_operator.domain.placement import NicClaim, NicRequest
from kilonova_operator.domain.refusals import (
    AddressInUse,
    AddressOutOfRange,
    NetworkUnknown,
    NoAddressLeft,
)
from kilonova_operator.storage.sql.api.address_search import AddressHints, search_order
from kilonova_operator.storage.sql.api.records import network_cidr, nic_of, range_of
from kilonova_operator.storage.sql.api.schema import IpAllocationRow, NetworkRow


class NicAssigner:
    """Gives NICs what they need, inside the transaction of a claim.

    Two claims that choose the same free address or MAC meet at the table's
    keys: one of them runs again.
    """

    def __init__(self, hints: AddressHints, draw_mac: Callable[[], str]) -> None:
        self._hints = hints
        self._draw_mac = draw_mac

    def assign(
        self,
        session: Session,
        server_uid: str,
        nics: Sequence[NicRequest],
        *,
        held: Iterable[str] = (),
    ) -> tuple[NicClaim, ...]:
        """Return every NIC with its address and MAC; those that have them keep them.

        ``held``: addresses of living guests that no row speaks of.

        Raises:
            AddressInUse, AddressOutOfRange, NoAddressLeft, NetworkUnknown
        """
        if not nics:
            return ()
        taken = frozenset(int(IPv4Address(address)) for address in held)
        networks, kept = _read_networks(session, server_uid, nics)
        given = dict(kept)
        # Asked-for addresses first, so that no free choice takes one of them.
        for nic in sorted(nics, key=lambda nic: nic.address is None):
            if nic.name in given:
                continue
            network = networks.get(nic.network_id)
            if network is None:
                raise NetworkUnknown(nic.name, nic.network_id)
            address = self._choose(session, network, nic, taken)
            given[nic.name] = self._write(session, server_uid, nic, address)
        return tuple(given[nic.name] for nic in nics)

    def _choose(
        self,
        session: Session,
        network: NetworkRow,
        nic: NicRequest,
        held: frozenset[int],
    ) -> IPv4Address:
        if nic.address is not None:
            address = _check_fixed(session, network, nic.name, nic.address)
            if int(address) in held:
                raise AddressInUse(nic.name, nic.address, network.name)
            return address
        range_ = range_of(network)
        start = self._hints.next_start(network.network_id)
        for first, last in search_order(range_.pools, start):
            found = _find_free(session, network.network_id, first, last)
            while found in held:
                found = _find_free(session, network.network_id, found + 1, last)
            if found is not None:
                self._hints.note_given(network.network_id, found)
                return IPv4Address(found)
        raise NoAddressLeft(nic.name, network.name, str(range_.cidr))

    def _write(
        self, session: Session, server_uid: str, nic: NicRequest, address: IPv4Address
    ) -> NicClaim:
        mac = self._draw_mac()
        session.execute(
            insert(IpAllocationRow).values(
                network_id=nic.network_id,
                address=int(address),
                server_uid=server_uid,
                nic=nic.name,
                mac=mac,
            )
        )
        return NicClaim(nic.name, nic.network_id, str(address), mac)


def list_nics(session: Session, server_uid: str) -> tuple[NicClaim, ...]:
    """List what a Server's NICs were given, by name."""
    query = select(IpAllocationRow).where(IpAllocationRow.server_uid == server_uid)
    return tuple(
        nic_of(row) for row in session.scalars(query.order_by(IpAllocationRow.nic))
    )


def _read_networks(
    session: Session, server_uid: str, nics: Sequence[NicRequest]
) -> tuple[dict[str, NetworkRow], dict[str, NicClaim]]:
    """Read networks by id and what the Server was given in them, in one statement."""
    asked = {
        "server_uid": server_uid,
        "network_ids": sorted({nic.network_id for nic in nics}),
    }
    rows = session.execute(_select_networks(), asked).all()
    networks = {row[0].network_id: row[0] for row in rows}
    kept = {row[1].nic: nic_of(row[1]) for row in rows if row[1] is not None}
    return networks, kept


def _check_fixed(
    session: Session, network: NetworkRow, nic: str, text: str
) -> IPv4Address:
    try:
        address = IPv4Address(text)
    except AddressValueError:
        address = None
    if address is None or not is_givable(range_of(network), address):
        raise AddressOutOfRange(nic, text, network.name, str(network_cidr(network)))
    key = (network.network_id, int(address))
    if session.get(IpAllocationRow, key) is not None:
        raise AddressInUse(nic, text, network.name)
    return address


def _find_free(session: Session, network_id: str, first: int, last: int) -> int | None:
    """Return the lowest free address of ``first..last``, in one statement."""
    if first > last:
        return None
    asked = {"network_id": network_id, "first": first, "last": last}
    found: int | None = session.scalar(_select_free(), asked)
    return found


@cache
def _select_free() -> Select[Any]:
    taken, after, same = (aliased(IpAllocationRow) for _ in range(3))
    network_id: BindParameter[Any] = bindparam("network_id")
    first: BindParameter[Any] = bindparam("first")
    last: BindParameter[Any] = bindparam("last")
    next_taken = exists().where(
        after.network_id == network_id, after.address == taken.address + 1
    )
    behind_a_taken_one = (
        select(func.min(taken.address + 1))
        .where(
            taken.network_id == network_id,
            taken.address >= first,
            taken.address < last,
            ~next_taken,
        )
        .scalar_subquery()
    )
    first_taken = exists().where(same.network_id == network_id, same.address == first)
    return select(case((first_taken, behind_a_taken_one), else_=first))


@cache
def _select_networks() -> Select[NetworkRow, IpAllocationRow]:
    given = IpAllocationRow
    mine = (given.network_id == NetworkRow.network_id) & (
        given.server_uid == bindparam("server_uid")
    )
    return (
        select(NetworkRow, given)
        .outerjoin(given, mine)
        .where(NetworkRow.network_id.in_(bindparam("network_ids", expanding=True)))
    )
