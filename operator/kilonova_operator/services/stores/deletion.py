"""The end of Servers in the API database."""

from datetime import timedelta
from typing import Protocol

from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.placement import (
    InstanceMapping,
    Released,
    ServerRef,
    Tombstone,
)


class DeletionStore(Protocol):
    """Deletes, releases and tombstones."""

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

    async def forget_unplaced(self, term: Term, server_uid: str) -> bool:
        """Remove the rows of a Server in cell0 whose object vanished (frozen).

        Without a tombstone: nobody deleted it. False, and nothing is done, where
        it holds a host.
        """
        ...

    async def find_tombstone(self, server_uid: str) -> Tombstone | None:
        """Return the tombstone of a Server whose delete is recorded."""
        ...

    async def sweep_tombstones(self, term: Term, *, older_than: timedelta) -> int:
        """Remove old tombstones of Servers that hold nothing; returns how many."""
        ...
