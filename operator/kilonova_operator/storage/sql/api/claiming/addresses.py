"""Addresses and MACs for the NICs of a batch: chosen in memory. Blocking.

A Server's NICs get both once and keep them while it lives. The rows of the
networks are read for update, so that two batches never choose in one network at
once; the table's keys decide all the same.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from ipaddress import AddressValueError, IPv4Address

from sqlalchemy import Connection, Select, bindparam, select

from kilonova_operator.domain.addressing import NetworkRange, is_givable
from kilonova_operator.domain.placement import ClaimRequest, NicClaim, NicRequest
from kilonova_operator.domain.refusals import (
    AddressInUse,
    AddressOutOfRange,
    NetworkUnknown,
    NoAddressLeft,
)
from kilonova_operator.storage.sql.api.address_search import AddressHints, search_order
from kilonova_operator.storage.sql.api.records import nic_of, range_of
from kilonova_operator.storage.sql.api.schema import IpAllocationRow, NetworkRow
from kilonova_operator.storage.sql.bulk import Prepared, asked, insert_rows, one_of

_ROW = IpAllocationRow
_FIXED = Prepared(
    select(_ROW.network_id, _ROW.address).where(
        one_of(_ROW.network_id, "ids"), one_of(_ROW.address, "addresses")
    )
)
_USED = Prepared(
    select(_ROW.address).where(
        _ROW.network_id == asked("id"),
        _ROW.address.between(asked("first"), asked("last")),
    )
)
_MACS = Prepared(select(_ROW.mac).where(one_of(_ROW.mac, "macs")))

_FIRST_WINDOW = 256
"""Addresses of which the used ones are read at once; doubled while all are used."""

Given = dict[str, IPv4Address | NicClaim]
"""By NIC name: the address it gets, or what it has already."""


@dataclass(frozen=True, slots=True)
class NicAssigner:
    """What outlives a batch: where to search next, and the source of MACs."""

    hints: AddressHints
    draw_mac: Callable[[], str]

    def open_book(
        self,
        connection: Connection,
        requests: Sequence[ClaimRequest],
        *,
        placed: Iterable[str],
    ) -> "AddressBook":
        """Read the networks of the requests, and what ``placed`` Servers have."""
        book = AddressBook(connection, self)
        book.read(requests, placed)
        return book


@dataclass(slots=True)
class _Network:
    """A network and what is given in it."""

    name: str
    range_: NetworkRange
    free: Iterator[int]
    taken: set[int] = field(default_factory=set)
    """Fixed addresses that are used, and all that this batch gave."""
    returned: list[int] = field(default_factory=list)
    """Looked at, and not given after all."""

    def next_free(self, held: frozenset[int]) -> int | None:
        """Return a free address; what somebody unknown has is left for later."""
        for place, address in enumerate(self.returned):
            if address not in held and address not in self.taken:
                return self.returned.pop(place)
        for address in self.free:
            if address in held:
                self.returned.append(address)
            elif address not in self.taken:
                return address
        return None


class AddressBook:
    """Addresses of one batch."""

    def __init__(self, connection: Connection, assigner: NicAssigner) -> None:
        self._connection = connection
        self._assigner = assigner
        self._networks: dict[str, _Network] = {}
        self._kept: dict[tuple[str, str], NicClaim] = {}
        self._new: list[tuple[str, NicRequest, IPv4Address]] = []

    def read(self, requests: Sequence[ClaimRequest], placed: Iterable[str]) -> None:
        """Read networks, fixed addresses and what Servers have already."""
        nics = [nic for request in requests for nic in request.nics]
        if not nics:
            return
        ids = sorted({nic.network_id for nic in nics})
        for row in self._connection.execute(_select_networks(), {"ids": ids}):
            range_ = range_of(row)
            free = self._find_free(range_)
            self._networks[row.network_id] = _Network(row.name, range_, free)
        fixed = sorted({number for nic in nics if (number := _parse(nic.address))})
        if fixed:
            for network_id, address in _FIXED.rows(
                self._connection, ids=ids, addresses=fixed
            ):
                self._networks[network_id].taken.add(address)
        uids = sorted(placed)
        if uids:
            found = self._connection.execute(_select_kept(), {"uids": uids})
            self._kept = {
                (row.server_uid, row.nic): nic_of(row)
                for row in found
                if row.network_id in self._networks
            }

    def assign(self, request: ClaimRequest) -> Given:
        """Choose for every NIC of a request, or for none.

        Raises:
            AddressInUse, AddressOutOfRange, NoAddressLeft, NetworkUnknown
        """
        held = frozenset(int(IPv4Address(text)) for text in request.held_addresses)
        given: Given = {}
        new: list[tuple[str, NicRequest, IPv4Address]] = []
        try:
            # Asked-for addresses first, so that no free choice takes one of them.
            for nic in sorted(request.nics, key=lambda nic: nic.address is None):
                kept = self._kept.get((request.server.uid, nic.name))
                if kept is not None:
                    given[nic.name] = kept
                    continue
                given[nic.name] = address = self._choose(nic, held)
                new.append((request.server.uid, nic, address))
        except Exception:
            for _, nic, address in new:
                self._return(nic, int(address))
            raise
        self._new += new
        return given

    def write(self) -> dict[tuple[str, str], NicClaim]:
        """Write what was chosen, with MACs; returns it by Server uid and NIC."""
        if not self._new:
            return {}
        macs = self._draw_macs(len(self._new))
        claims = {
            (uid, nic.name): NicClaim(nic.name, nic.network_id, str(address), mac)
            for (uid, nic, address), mac in zip(self._new, macs, strict=True)
        }
        rows = [
            {
                "network_id": nic.network_id,
                "address": int(address),
                "server_uid": uid,
                "nic": nic.name,
                "mac": claims[uid, nic.name].mac,
            }
            for uid, nic, address in self._new
        ]
        insert_rows(self._connection, IpAllocationRow, rows)
        return claims

    def _choose(self, nic: NicRequest, held: frozenset[int]) -> IPv4Address:
        network = self._networks.get(nic.network_id)
        if network is None:
            raise NetworkUnknown(nic.name, nic.network_id)
        if nic.address is not None:
            return _take_fixed(network, nic.name, nic.address, held)
        address = network.next_free(held)
        if address is not None:
            network.taken.add(address)
            self._assigner.hints.note_given(nic.network_id, address)
            return IPv4Address(address)
        raise NoAddressLeft(nic.name, network.name, str(network.range_.cidr))

    def _return(self, nic: NicRequest, address: int) -> None:
        network = self._networks[nic.network_id]
        network.taken.discard(address)
        if nic.address is None:
            network.returned.append(address)

    def _find_free(self, range_: NetworkRange) -> Iterator[int]:
        """Give free addresses, each once, from the hint on round the range."""
        start = self._assigner.hints.start(range_.network_id)
        window = _FIRST_WINDOW
        for begin, end in search_order(range_.pools, start):
            first = begin
            while first <= end:
                last = min(first + window - 1, end)
                rows = _USED.rows(
                    self._connection, id=range_.network_id, first=first, last=last
                )
                used = {row[0] for row in rows}
                yield from (a for a in range(first, last + 1) if a not in used)
                first, window = last + 1, window * 2

    def _draw_macs(self, count: int) -> list[str]:
        """Draw MACs that nobody has: of 2**24, one in 170 is taken at 100,000 NICs."""
        macs: set[str] = set()
        while len(macs) < count:
            drawn: set[str] = set()
            while len(macs) + len(drawn) < count:
                drawn |= {self._assigner.draw_mac()} - macs
            used = _MACS.rows(self._connection, macs=sorted(drawn))
            macs |= drawn - {row[0] for row in used}
        return sorted(macs)


def list_nics(connection: Connection, server_uid: str) -> tuple[NicClaim, ...]:
    """List what a Server's NICs were given, by name."""
    rows = connection.execute(_select_kept(), {"uids": [server_uid]})
    return tuple(nic_of(row) for row in sorted(rows, key=lambda row: row.nic))


def _take_fixed(
    network: _Network, nic: str, text: str, held: frozenset[int]
) -> IPv4Address:
    number, range_ = _parse(text), network.range_
    if number is None or not is_givable(range_, IPv4Address(number)):
        raise AddressOutOfRange(nic, text, network.name, str(range_.cidr))
    if number in network.taken or number in held:
        raise AddressInUse(nic, text, network.name)
    network.taken.add(number)
    return IPv4Address(number)


def _parse(text: str | None) -> int | None:
    try:
        return None if text is None else int(IPv4Address(text))
    except AddressValueError:
        return None


@cache
def _select_networks() -> Select[str, str, int, int, int | None, list[list[int]]]:
    row = NetworkRow
    columns = (row.network_id, row.name, row.first, row.last, row.gateway, row.pools)
    return (
        select(*columns)
        .where(row.network_id.in_(bindparam("ids", expanding=True)))
        .order_by(row.network_id)
        .with_for_update()
    )


@cache
def _select_kept() -> Select[str, str, int, str, str]:
    row = IpAllocationRow
    columns = (row.server_uid, row.network_id, row.address, row.nic, row.mac)
    return select(*columns).where(row.server_uid.in_(bindparam("uids", expanding=True)))
