"""The databases as services see them.

Each store is a facade over one database. Every call runs in that database's
bounded executor, is repeated with backoff where the database asks for it, and
ends in ``DatabaseUnavailable`` where it does not answer. Every writing call
takes the ``Term`` of its role: with a stale one it raises ``StaleTerm`` and has
written nothing. Calls marked "frozen" raise ``PlacementFrozen`` while the
database is frozen.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Protocol

from kilonova_operator.domain.addressing import (
    AddressCount,
    NetworkRange,
    NetworkRequest,
)
from kilonova_operator.domain.epoch import EpochView, NotedTick, Term
from kilonova_operator.domain.inventory import Inventory, ProviderView
from kilonova_operator.domain.order_book import Action, Booking, InstanceFault
from kilonova_operator.domain.placement import (
    BuryRequest,
    CellMapping,
    Claim,
    ClaimRequest,
    DecisionRecord,
    HeldClaim,
    HostMapping,
    InstanceMapping,
    Released,
    RestoredClaim,
    ServerRef,
    Tombstone,
    WitnessedClaim,
)

PAGE_ROWS = 500
"""Rows of one page of a list."""


class EpochStore(Protocol):
    """What every database has: an owner, a term, a tick, and a freeze flag."""

    @property
    def tick(self) -> int:
        """The tick as far as this process knows it, without asking the database."""
        ...

    async def take_term(
        self,
        role: str,
        holder: str,
        *,
        noted: NotedTick | None = None,
        above: int = 0,
    ) -> Term:
        """Begin a newer term; every older one is over from here on.

        ``noted`` is what the Lease remembers. Where the database is behind it,
        or is another database, it is frozen in the same transaction; ask
        ``read_epoch`` afterwards. ``above`` is the highest term that objects are
        known to carry; the new one is above both, in any database.

        Raises:
            DatabaseOwnedByOther: another cluster or release owns the database.
        """
        ...

    async def read_epoch(self) -> EpochView:
        """Read the epoch row, freeze flag included."""
        ...

    async def read_tick(self) -> int:
        """Read the tick; every committed write has raised it by one."""
        ...

    async def freeze(self, term: Term, reason: str, message: str) -> None:
        """Stop claims, releases and deletes until ``unfreeze``; may run twice."""
        ...

    async def unfreeze(self, term: Term) -> None:
        """Let claims go on. The tick steps above everything noted before."""
        ...

    async def close(self) -> None:
        """Finish what runs, then close connections and threads."""
        ...


class ApiStore(EpochStore, Protocol):
    """The API database: who holds what."""

    async def note_store_version(self, term: Term, version: int) -> None:
        """Note the resourceVersion that the API server's store has reached."""
        ...

    async def read_store_version(self) -> int:
        """Read the resourceVersion noted last; 0 if none ever was."""
        ...

    # Cells and hosts.

    async def ensure_cell_mapping(
        self, term: Term, name: str, *, enabled: bool = True, database_id: str = ""
    ) -> CellMapping:
        """Make or update a cell's mapping; cell0 has the uuid of zeros."""
        ...

    async def list_cell_mappings(self) -> Sequence[CellMapping]:
        """List all cells, by name."""
        ...

    async def ensure_host_mapping(self, term: Term, host: str, cell: str) -> None:
        """Put a host into a cell.

        Raises:
            HostInOtherCell: it is in another one and holds claims.
        """
        ...

    async def list_host_mappings(self) -> Sequence[HostMapping]:
        """List all hosts, by name."""
        ...

    async def set_inventory(
        self, term: Term, host: str, inventories: Mapping[str, Inventory]
    ) -> ProviderView:
        """Replace a mapped host's inventories; nothing is written if they are so.

        Raises:
            HostUnmapped: ``ensure_host_mapping`` comes first.
        """
        ...

    async def remove_host(self, term: Term, host: str) -> bool:
        """Remove a host's provider and mapping; False while it holds claims."""
        ...

    async def list_provider_views(self) -> Sequence[ProviderView]:
        """List every host with inventories and use, in three statements."""
        ...

    # Placement.

    async def claim(self, term: Term, request: ClaimRequest) -> Claim:
        """Claim host, addresses and mapping together, or nothing (frozen).

        Repeated with the same ``request_id`` it returns the claim that was made.
        An older placement keeps its claim until it is released; NICs keep their
        addresses and MACs.

        Raises:
            ClaimRefused: with its reason; ``another_host_may_do`` tells whether
                the next alternate may succeed.
        """
        ...

    async def bury_in_cell0(self, term: Term, request: BuryRequest) -> InstanceMapping:
        """Map a Server to cell0 with its decision record (frozen).

        Raises:
            DomainExists, ServerIsDeleted: as for a claim.
        """
        ...

    async def find_claim(self, server_uid: str) -> Claim | None:
        """Return the newest placement with its addresses; None in cell0 or unknown."""
        ...

    async def list_claims(self, server_uid: str) -> Sequence[HeldClaim]:
        """List what every placement of a Server still holds, newest first."""
        ...

    async def list_host_claims(self, host: str) -> Sequence[HeldClaim]:
        """List what is held on a host."""
        ...

    async def note_object_generation(
        self, term: Term, server_uid: str, generation: int
    ) -> None:
        """Note the Server's metadata.generation acted on; it never goes back."""
        ...

    async def find_mapping(self, server_uid: str) -> InstanceMapping | None:
        """Return where a Server is."""
        ...

    async def find_mapping_by_instance(
        self, instance_uuid: str
    ) -> InstanceMapping | None:
        """Return the Server of a guest."""
        ...

    async def list_mappings(
        self,
        *,
        cell: str | None = None,
        host: str | None = None,
        after: str = "",
        limit: int = PAGE_ROWS,
    ) -> Sequence[InstanceMapping]:
        """List one page of mappings by Server uid, those after ``after``."""
        ...

    async def hold_by_name(
        self, namespace: str, name: str, *, but_not: str = ""
    ) -> InstanceMapping | None:
        """Return a mapping of this name that holds a host, other than that uid's."""
        ...

    async def adopt(
        self, term: Term, instance_uuid: str, server: ServerRef
    ) -> InstanceMapping:
        """Give a retained guest and all it holds to a new Server (frozen).

        Raises:
            MappingNotFound: no retained guest of that uuid.
        """
        ...

    # Deletion.

    async def record_delete(
        self, term: Term, server: ServerRef, *, retain: bool = False
    ) -> InstanceMapping | None:
        """Write the tombstone and queue the mapping for delete (frozen).

        From here on the Server is never built again. What it holds stays held.
        Returns the mapping, None where the Server never had one (then nothing
        is left to do). ``retain``: the guest goes on and can be adopted.
        """
        ...

    async def release(
        self, term: Term, server_uid: str, placement_generation: int
    ) -> Released:
        """Give back what one placement holds: its domain is proven gone (frozen).

        If the Server's delete is recorded and no placement is left, its
        addresses and rows go in the same transaction. May run twice.
        """
        ...

    async def finish_delete(self, term: Term, server_uid: str) -> bool:
        """Remove rows of a recorded delete that holds no host any more (frozen).

        For Servers in cell0; ``release`` does it for the others. False while a
        placement is still held.
        """
        ...

    async def find_tombstone(self, server_uid: str) -> Tombstone | None:
        """Return the tombstone of a Server whose delete is recorded."""
        ...

    async def sweep_tombstones(self, term: Term, *, older_than: timedelta) -> int:
        """Remove old tombstones of Servers that hold nothing; returns how many."""
        ...

    # Networks.

    async def ensure_network(self, term: Term, request: NetworkRequest) -> NetworkRange:
        """Give a network its range; the same one when called again (frozen).

        Raises:
            RangeInUse, PoolExhausted
        """
        ...

    async def find_network(self, network_id: str) -> NetworkRange | None:
        """Return the range a network holds."""
        ...

    async def release_network(self, term: Term, network_id: str) -> None:
        """Give the range back; may run twice (frozen).

        Raises:
            NetworkInUse: guests still have addresses in it.
        """
        ...

    async def count_addresses(self, network_id: str) -> AddressCount:
        """Count the network's addresses in use and in all."""
        ...

    # Decisions, and repair while frozen.

    async def record_decision(
        self, term: Term, server_uid: str, decision: DecisionRecord
    ) -> None:
        """Keep a decision that ended in neither claim nor burial; the last three."""
        ...

    async def list_decisions(self, server_uid: str) -> Sequence[DecisionRecord]:
        """List the last three decisions, newest first."""
        ...

    async def restore_claim(self, term: Term, witness: WitnessedClaim) -> RestoredClaim:
        """Put back what a witness says is held, over capacity if need be.

        The highest placement generation wins; an equal one changes nothing but
        adds what is missing. A tombstone stands.
        """
        ...


class CellStore(EpochStore, Protocol):
    """A cell's database: the order book and the history."""

    async def book_instance(
        self, term: Term, booking: Booking, *, action: Action | None = None
    ) -> None:
        """Book the last order about a guest, with the action it belongs to (frozen).

        Raises:
            BookingOutdated: a newer placement generation is booked.
        """
        ...

    async def find_instance(self, instance_uuid: str) -> Booking | None:
        """Return the last order about a guest."""
        ...

    async def list_instances(
        self, *, host: str | None = None, after: str = "", limit: int = PAGE_ROWS
    ) -> Sequence[Booking]:
        """List one page of bookings by uuid, those after ``after``."""
        ...

    async def count_instances(self) -> int:
        """Count the bookings."""
        ...

    async def forget_instance(
        self, term: Term, instance_uuid: str, *, action: Action | None = None
    ) -> None:
        """Remove a guest's booking; its history stays until swept (frozen)."""
        ...

    async def record_action(self, term: Term, action: Action) -> None:
        """Write or complete an action with its events."""
        ...

    async def list_actions(self, instance_uuid: str) -> Sequence[Action]:
        """List a guest's actions, newest first."""
        ...

    async def record_fault(self, term: Term, fault: InstanceFault) -> None:
        """Write a guest's failure."""
        ...

    async def list_faults(self, instance_uuid: str) -> Sequence[InstanceFault]:
        """List a guest's failures, newest first."""
        ...

    async def sweep_history(self, term: Term, *, older_than: timedelta) -> int:
        """Remove actions and faults older than that; returns how many."""
        ...
