"""Claims, burials and mappings for coroutines."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy.orm import Session

from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.host_records import HostRecord
from kilonova_operator.domain.placement import (
    BuryRequest,
    Claim,
    ClaimRequest,
    DecisionRecord,
    HeldClaim,
    InstanceMapping,
    NumaHold,
    Placement,
    RestoredClaim,
    ServerRef,
    WitnessedClaim,
)
from kilonova_operator.services.stores import PAGE_ROWS
from kilonova_operator.storage.sql.api import (
    decisions,
    host_records,
    mappings,
    numa_placements,
    placements,
    repair,
)
from kilonova_operator.storage.sql.api.burial import bury
from kilonova_operator.storage.sql.api.claim_queue import ClaimQueue
from kilonova_operator.storage.sql.api.claiming.addresses import NicAssigner
from kilonova_operator.storage.sql.api.claiming.claimer import Claimer, Outcome
from kilonova_operator.storage.sql.database import Database
from kilonova_operator.storage.sql.parts import StorePart


class PlacementPart(StorePart):
    """Who holds what."""

    def __init__(
        self,
        database: Database,
        utcnow: Callable[[], datetime],
        *,
        nics: NicAssigner,
    ) -> None:
        super().__init__(database, utcnow)
        self._claimer = Claimer(nics=nics, utcnow=utcnow)
        self._queue = ClaimQueue(database.name, self._make_claims)

    async def claim(self, term: Term, request: ClaimRequest) -> Claim:
        """Claim host, addresses and mapping together, or nothing."""
        return await self._queue.claim(term, request)

    async def claim_all(
        self, term: Term, requests: Sequence[ClaimRequest]
    ) -> Sequence[Claim]:
        """Make all claims in one transaction, or none."""
        return await self._queue.claim_all(term, requests)

    async def _make_claims(
        self,
        term: Term,
        requests: Sequence[ClaimRequest],
        *,
        together: bool,
        conflicts: int | None,
    ) -> list[Outcome]:
        claim = partial(self._claimer.claim, requests=requests, together=together)
        return await self._database.write(term, claim, conflicts=conflicts)

    async def bury_in_cell0(self, term: Term, request: BuryRequest) -> InstanceMapping:
        """Map a Server to cell0."""
        return await self._database.write(
            term, partial(bury, request=request, now=self._utcnow())
        )

    async def find_claim(self, server_uid: str) -> Claim | None:
        """Return the newest placement."""
        return await self._database.read(
            partial(placements.find_claim, server_uid=server_uid)
        )

    async def list_claims(self, server_uid: str) -> Sequence[HeldClaim]:
        """List what a Server holds."""
        return await self._database.read(
            partial(placements.list_claims, server_uid=server_uid)
        )

    async def list_held_claims(
        self, *, host: str | None = None, after: str = "", limit: int = PAGE_ROWS
    ) -> Sequence[HeldClaim]:
        """List one page of what Servers hold."""
        return await self._database.read(
            partial(placements.list_held_claims, host=host, after=after, limit=limit)
        )

    async def find_mapping(self, server_uid: str) -> InstanceMapping | None:
        """Return where a Server is."""
        return await self._database.read(
            partial(mappings.find_mapping, server_uid=server_uid)
        )

    async def find_mapping_by_instance(
        self, instance_uuid: str
    ) -> InstanceMapping | None:
        """Return the row that has a guest, whichever Server's it is by now."""
        return await self._database.read(
            partial(mappings.find_mapping_by_instance, instance_uuid=instance_uuid)
        )

    async def list_mappings(
        self,
        *,
        cell: str | None = None,
        host: str | None = None,
        after: str = "",
        limit: int = PAGE_ROWS,
    ) -> Sequence[InstanceMapping]:
        """List one page of mappings."""
        return await self._database.read(
            partial(
                mappings.list_mappings, cell=cell, host=host, after=after, limit=limit
            )
        )

    async def list_placements(
        self, *, after: str = "", limit: int = PAGE_ROWS
    ) -> Sequence[Placement]:
        """List one page of Servers that have a host."""
        return await self._database.read(
            partial(placements.list_placements, after=after, limit=limit)
        )

    async def list_numa_placements(
        self, hosts: Collection[str] | None = None
    ) -> Sequence[NumaHold]:
        """List what guests hold of hosts' NUMA cells."""
        return await self._database.read(
            partial(numa_placements.list_placements, hosts=hosts)
        )

    async def hold_by_name(
        self, namespace: str, name: str, *, but_not: str = ""
    ) -> InstanceMapping | None:
        """Return a mapping of this name that holds a host."""

        def find(session: Session) -> InstanceMapping | None:
            return mappings.find_holder(session, namespace, name, but_not=but_not)

        return await self._database.read(find)

    async def adopt(
        self, term: Term, instance_uuid: str, server: ServerRef
    ) -> InstanceMapping:
        """Give a retained guest to a new Server."""
        now = self._utcnow()

        def adopt(session: Session) -> InstanceMapping:
            return repair.adopt(session, instance_uuid, server, now=now)

        return await self._database.write(term, adopt)

    async def record_decision(
        self, term: Term, server_uid: str, decision: DecisionRecord
    ) -> None:
        """Keep a decision."""
        now = self._utcnow()

        def add(session: Session) -> None:
            decisions.add_decision(session, server_uid, decision, now=now)

        await self._database.write(term, add, while_frozen=True)

    async def list_decisions(self, server_uid: str) -> Sequence[DecisionRecord]:
        """List the last decisions."""
        return await self._database.read(
            partial(decisions.list_decisions, server_uid=server_uid)
        )

    async def keep_hosts(self, term: Term, records: Sequence[HostRecord]) -> None:
        """Keep the hosts of decisions."""
        keep = partial(host_records.keep_records, records=records, now=self._utcnow())
        await self._database.write(term, keep, while_frozen=True)

    async def list_hosts_kept(self, server_uid: str) -> Sequence[HostRecord]:
        """List the hosts of the last decisions."""
        return await self._database.read(
            partial(host_records.list_records, server_uid=server_uid)
        )

    async def sweep_rosters(self, term: Term, *, older_than: timedelta) -> int:
        """Remove names that nothing refers to."""
        before = self._utcnow() - older_than
        sweep = partial(host_records.sweep_rosters, before=before)
        return await self._database.write(term, sweep, while_frozen=True)

    async def restore_claim(self, term: Term, witness: WitnessedClaim) -> RestoredClaim:
        """Put back what a witness says is held."""
        return await self._database.write(
            term,
            partial(repair.restore_claim, witness=witness, now=self._utcnow()),
            while_frozen=True,
        )
