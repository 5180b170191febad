"""Databases in memory, for tests of what stands around them.

Only what the process shell and its services call; the same tests run against
SQL in integration.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from kilonova_operator.domain.addressing import (
    AddressCount,
    NetworkHolder,
    NetworkRange,
    NetworkRequest,
    build_range,
    find_free_range,
)
from kilonova_operator.domain.epoch import EpochView, NotedTick, Term
from kilonova_operator.domain.inventory import Inventory, ProviderView
from kilonova_operator.domain.placement import (
    CellMapping,
    HostMapping,
    RestoredClaim,
    WitnessedClaim,
)
from kilonova_operator.domain.providers import Provider
from kilonova_operator.domain.quota import UsageDrift
from kilonova_operator.domain.refusals import (
    DatabaseUnavailable,
    HostUnmapped,
    NetworkInUse,
    RangeInUse,
    StaleTerm,
)


@dataclass
class FakeDatabase:
    """What outlives a process: share it between two stores."""

    name: str
    database_id: str = "db-1"
    term: int = 0
    holder: str = ""
    tick: int = 0
    frozen: tuple[str, str] = ("", "")
    available: bool = True
    rows: dict[str, Any] = field(default_factory=dict)


class FakeEpochStore:
    """One process's view of a database."""

    def __init__(self, database: FakeDatabase) -> None:
        self.database = database
        self.tick = 0
        self.closed = False

    async def take_term(
        self,
        role: str,
        holder: str,
        *,
        noted: NotedTick | None = None,
        above: int = 0,
    ) -> Term:
        self._reach()
        db = self.database
        db.term = max(db.term, noted.term if noted else 0, above) + 1
        db.holder = holder
        if noted is not None and db.tick < noted.tick:
            db.frozen = ("DatabaseWentBack", "its tick is behind")
        self._step()
        return Term(db.name, db.database_id, db.term, "nonce", role, holder)

    async def read_epoch(self) -> EpochView:
        self._reach()
        db = self.database
        return EpochView(
            db.database_id, db.term, db.tick, "", db.holder, None, *db.frozen
        )

    async def freeze(self, term: Term, reason: str, message: str) -> None:
        self._write(term)
        self.database.frozen = (reason, message)

    async def unfreeze(self, term: Term) -> None:
        self._write(term)
        self.database.frozen = ("", "")

    async def close(self) -> None:
        self.closed = True

    def _reach(self) -> None:
        if not self.database.available:
            raise DatabaseUnavailable(self.database.name, "connection refused")

    def _write(self, term: Term) -> None:
        self._reach()
        if term.number != self.database.term:
            db = self.database
            raise StaleTerm(db.name, term.number, db.term, db.holder)
        self._step()

    def _step(self) -> None:
        self.database.tick += 1
        self.tick = self.database.tick


class FakeCellStore(FakeEpochStore):
    """A cell's database."""


class FakeApiStore(FakeEpochStore):
    """The API database, as far as hosts, cells and networks go.

    It knows neither groups nor providers beside hosts.
    """

    async def list_groups(self, *, after: str = "", limit: int = 500) -> Sequence[str]:
        self._reach()
        return []

    async def list_providers(
        self, *, sharing: bool = False, after: str = "", limit: int = 500
    ) -> Sequence[Provider]:
        self._reach()
        return []

    @property
    def _cells(self) -> dict[str, CellMapping]:
        table: dict[str, CellMapping] = self.database.rows.setdefault("cells", {})
        return table

    @property
    def _hosts(self) -> dict[str, str]:
        table: dict[str, str] = self.database.rows.setdefault("hosts", {})
        return table

    @property
    def inventories(self) -> dict[str, Mapping[str, Inventory]]:
        table: dict[str, Mapping[str, Inventory]] = self.database.rows.setdefault(
            "inventories", {}
        )
        return table

    @property
    def claimed(self) -> dict[str, dict[str, int]]:
        """What is claimed of hosts, by resource class."""
        table: dict[str, dict[str, int]] = self.database.rows.setdefault("claimed", {})
        return table

    @property
    def network_names(self) -> dict[str, str]:
        table: dict[str, str] = self.database.rows.setdefault("network_names", {})
        return table

    @property
    def networks(self) -> dict[str, NetworkRange]:
        table: dict[str, NetworkRange] = self.database.rows.setdefault("networks", {})
        return table

    @property
    def used_addresses(self) -> dict[str, int]:
        table: dict[str, int] = self.database.rows.setdefault("used_addresses", {})
        return table

    @property
    def restored(self) -> list[WitnessedClaim]:
        found: list[WitnessedClaim] = self.database.rows.setdefault("restored", [])
        return found

    async def ensure_cell_mapping(
        self, term: Term, name: str, *, enabled: bool = True, database_id: str = ""
    ) -> CellMapping:
        wanted = CellMapping(name, f"uuid-of-{name}", enabled, database_id)
        if self._cells.get(name) != wanted:
            self._write(term)
            self._cells[name] = wanted
        return wanted

    async def list_cell_mappings(self) -> Sequence[CellMapping]:
        self._reach()
        return sorted(self._cells.values(), key=lambda cell: cell.name)

    async def ensure_host_mapping(self, term: Term, host: str, cell: str) -> None:
        self._write(term)
        self._hosts[host] = cell

    async def list_host_mappings(self) -> Sequence[HostMapping]:
        self._reach()
        return [HostMapping(host, cell) for host, cell in sorted(self._hosts.items())]

    async def set_inventory(
        self, term: Term, host: str, inventories: Mapping[str, Inventory]
    ) -> ProviderView:
        self._reach()
        if host not in self._hosts:
            raise HostUnmapped(host)
        if self.inventories.get(host) != inventories:
            self._write(term)
            self.inventories[host] = inventories
        return self._build_view(host)

    def _build_view(self, host: str) -> ProviderView:
        return ProviderView(
            host,
            self._hosts[host],
            self.database.tick,
            self.inventories[host],
            used=self.claimed.get(host, {}),
        )

    async def list_provider_views(
        self, hosts: Collection[str] | None = None
    ) -> Sequence[ProviderView]:
        self._reach()
        return [
            self._build_view(host)
            for host in self.inventories
            if hosts is None or host in hosts
        ]

    async def ensure_network(self, term: Term, request: NetworkRequest) -> NetworkRange:
        self._reach()
        known = self.networks.get(request.network_id)
        if known is not None:
            return known
        cidr = request.cidr
        for network_id, name in self.network_names.items():
            if name == request.name and cidr in (None, self.networks[network_id].cidr):
                return self.networks[network_id]
        if cidr is None:
            assert request.pool is not None
            taken = [known.cidr for known in self.networks.values()]
            cidr = find_free_range(
                request.pool, request.pool_prefix_length, [*taken, *request.forbidden]
            )
            assert cidr is not None
        for other in (*(n.cidr for n in self.networks.values()), *request.forbidden):
            if other.overlaps(cidr) and request.type == "NAT":
                raise RangeInUse(request.name, str(cidr), str(other))
        self._write(term)
        self.networks[request.network_id] = build_range(request, cidr)
        self.network_names[request.network_id] = request.name
        return self.networks[request.network_id]

    async def find_network(self, network_id: str) -> NetworkRange | None:
        self._reach()
        return self.networks.get(network_id)

    async def list_networks(
        self, *, after: str = "", limit: int = 500
    ) -> Sequence[NetworkHolder]:
        self._reach()
        held = sorted(self.network_names.items())
        return [NetworkHolder(*pair) for pair in held if pair[0] > after][:limit]

    async def release_network(self, term: Term, network_id: str) -> None:
        self._write(term)
        if used := self.used_addresses.get(network_id, 0):
            raise NetworkInUse(network_id, used)
        self.networks.pop(network_id, None)
        self.network_names.pop(network_id, None)

    async def count_addresses(self, network_id: str) -> AddressCount:
        self._reach()
        used = self.used_addresses.get(network_id, 0)
        return AddressCount(used, self.networks[network_id].addresses_total)

    async def restore_claim(self, term: Term, witness: WitnessedClaim) -> RestoredClaim:
        self._write(term)
        self.restored.append(replace(witness))
        return RestoredClaim(changed=True)

    async def repair_usages(self, term: Term) -> Sequence[UsageDrift]:
        self._write(term)
        return ()

    async def note_store_version(self, term: Term, version: int) -> None:
        self._write(term)
        self.database.rows["store_version"] = version

    async def read_store_version(self) -> int:
        self._reach()
        return int(self.database.rows.get("store_version", 0))
