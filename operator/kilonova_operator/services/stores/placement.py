"""Where Servers are, in the API database."""

from collections.abc import Collection, Sequence
from typing import Protocol

from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.placement import (
    BuryRequest,
    Claim,
    ClaimRequest,
    HeldClaim,
    InstanceMapping,
    NumaHold,
    Placement,
    ServerRef,
)
from kilonova_operator.services.stores.epoch import PAGE_ROWS


class PlacementStore(Protocol):
    """Claims and mappings of Servers."""

    async def claim(self, term: Term, request: ClaimRequest) -> Claim:
        """Claim host, addresses, quota and mapping together, or nothing (frozen).

        Claims that wait are committed together; a refusal concerns its own alone.
        Repeated with the same ``request_id`` it returns the claim that was made.
        An older placement keeps its claim until it is released; NICs keep their
        addresses and MACs.

        Raises:
            ClaimRefused: with its reason; ``another_host_may_do`` tells whether
                the next alternate may succeed.
        """
        ...

    async def claim_all(
        self, term: Term, requests: Sequence[ClaimRequest]
    ) -> Sequence[Claim]:
        """Claim for many Servers in one transaction, or for none (frozen).

        They are judged in order, each seeing what the former were given.

        Raises:
            MemberRefused: which Server was refused, and why.
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

    async def list_held_claims(
        self, *, host: str | None = None, after: str = "", limit: int = PAGE_ROWS
    ) -> Sequence[HeldClaim]:
        """List what ``limit`` Servers after ``after`` hold, by uid, of one host or all.

        Never empty before the last page.
        """
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
        """Return the row that has a guest, whichever Server's it is by now."""
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

    async def list_placements(
        self, *, after: str = "", limit: int = PAGE_ROWS
    ) -> Sequence[Placement]:
        """List one page of Servers that have a host, by uid."""
        ...

    async def list_numa_placements(
        self, hosts: Collection[str] | None = None
    ) -> Sequence[NumaHold]:
        """List what guests hold of the NUMA cells of hosts; of all if none is named."""
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
