"""Cells: their mappings in the API database, their objects, their counts.

cell0 and the in-cluster cells make themselves at the first start, as the
classic installation makes them by hand; so nobody has to keep them in Git.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from kilonova_api.cell import Cell, CellStatus
from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.clock import Clock
from kilonova_api.kube.errors import AlreadyExists
from kilonova_api.kube.resources import Key
from kilonova_operator.context import Stores
from kilonova_operator.domain.cells import CellFacts, build_cell_conditions
from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.placement import CellMapping
from kilonova_operator.domain.refusals import DatabaseUnavailable
from kilonova_operator.services.control.pacing import CountPacer
from kilonova_operator.services.control.reconciler import RetryAfter
from kilonova_operator.services.informers import BY_CELL, Informers
from kilonova_operator.services.servers.lost_servers import LostNotes
from kilonova_operator.services.store_freeze import Freeze
from kilonova_operator.storage.kubernetes.statuses import StatusWriter

DATABASE_RETRY = RetryAfter(15.0)
_LOOK_AGAIN = RetryAfter(15.0, most_seconds=30.0)
"""A database that went away sends no event; a Cell deleted before our watch of
Cells began sends none either."""


@dataclass(frozen=True, slots=True)
class CellCounts:
    """Counts that a cell's status shows."""

    hosts: int
    servers: int


@dataclass(frozen=True, slots=True)
class CellReconciler:
    """Keeps cells in step with their databases."""

    kube: KubeApi
    stores: Stores
    term: Callable[[], Term]
    informers: Informers
    freeze: Freeze
    lost: LostNotes
    braked_cells: Callable[[], Collection[str]]
    statuses: StatusWriter
    pacer: CountPacer
    clock: Clock
    on_enabled: Callable[[], None]

    async def reconcile(self, key: Key) -> RetryAfter | None:
        """Bring one cell up to date; a configured one is made if it is missing."""
        name = key.name
        configured = name in self.stores.cells
        cell = await self._find(name)
        if cell is None and configured:
            cell = await self._create(name)
        if cell is None:
            return None
        mapping, database_id, problem = None, None, None
        if configured:
            try:
                database_id = await self._read_database_id(name)
                mapping = await self._ensure_mapping(cell, database_id)
            except DatabaseUnavailable as unavailable:
                problem = str(unavailable)
        facts = CellFacts(
            name=name,
            configured=configured,
            database_problem=problem,
            frozen=self._find_frozen(name),
            silent_hosts=name in self.braked_cells(),
            lost_servers=self.lost.find(name),
        )
        again = await self._write(cell, facts, mapping, database_id)
        if problem:
            return DATABASE_RETRY
        return again or (_LOOK_AGAIN if configured else None)

    async def _find(self, name: str) -> Cell | None:
        found = await self.kube.find(Cell.resource(), None, name)
        return None if found is None else Cell.model_validate(found)

    async def _create(self, name: str) -> Cell | None:
        body = {"metadata": {"name": name}, "spec": {"enabled": True}}
        try:
            return Cell.model_validate(await self.kube.create(Cell.resource(), body))
        except AlreadyExists:
            return await self._find(name)

    async def _read_database_id(self, name: str) -> str:
        return (await self.stores.cells[name].read_epoch()).database_id

    async def _ensure_mapping(self, cell: Cell, database_id: str) -> CellMapping:
        name, enabled = cell.metadata.name, cell.spec.enabled
        before = {m.name: m for m in await self.stores.api.list_cell_mappings()}
        known = before.get(name)
        if known is not None and (known.enabled, known.database_id) == (
            enabled,
            database_id,
        ):
            return known
        mapping = await self.stores.api.ensure_cell_mapping(
            self.term(), name, enabled=enabled, database_id=database_id
        )
        if enabled:
            self.on_enabled()
        return mapping

    def _find_frozen(self, name: str) -> tuple[str, str] | None:
        # The API database's freeze holds every cell.
        for frozen in self.freeze.all:
            if frozen.database == name or frozen.database not in self.stores.cells:
                awaited = self.freeze.awaited_by(name)
                return frozen.reason, f"{frozen.message} {awaited}".rstrip()
        return None

    def _count(self, name: str) -> CellCounts:
        hosts = self.informers.compute_hosts.items().values()
        return CellCounts(
            hosts=sum(host.status.cell == name for host in hosts),
            servers=len(self.informers.servers.by_index(BY_CELL, name)),
        )

    async def _write(
        self,
        cell: Cell,
        facts: CellFacts,
        mapping: CellMapping | None,
        database_id: str | None,
    ) -> RetryAfter | None:
        uid, shown = cell.metadata.uid, cell.status
        counts = self._count(facts.name)
        differ = (counts.hosts, counts.servers) != (shown.hosts, shown.servers)
        wait_seconds = self.pacer.left_seconds(uid) if differ else 0.0
        if wait_seconds:
            counts = CellCounts(shown.hosts, shown.servers)
        generation = cell.metadata.generation
        status = CellStatus(
            observed_generation=generation,
            conditions=build_cell_conditions(
                facts,
                current=shown.conditions,
                generation=generation,
                now=self.clock.utcnow(),
            ),
            uuid=mapping.uuid if mapping else shown.uuid,
            database_id=database_id or shown.database_id,
            schema_revision=self.stores.revisions.get(facts.name),
            hosts=counts.hosts,
            servers=counts.servers,
        )
        written = await self.statuses.write(cell, status)
        if written and differ and not wait_seconds:
            self.pacer.note_written(uid)
        return RetryAfter(wait_seconds) if wait_seconds else None
