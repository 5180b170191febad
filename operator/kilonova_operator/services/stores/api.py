"""The API database: all of its parts."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.host_records import HostRecord
from kilonova_operator.domain.placement import (
    DecisionRecord,
    RestoredClaim,
    WitnessedClaim,
)
from kilonova_operator.services.stores.deletion import DeletionStore
from kilonova_operator.services.stores.epoch import EpochStore
from kilonova_operator.services.stores.groups import GroupsStore
from kilonova_operator.services.stores.hosts import HostsStore
from kilonova_operator.services.stores.networks import NetworksStore
from kilonova_operator.services.stores.placement import PlacementStore
from kilonova_operator.services.stores.providers import ProvidersStore
from kilonova_operator.services.stores.usages import UsagesStore


class ApiStore(
    EpochStore,
    HostsStore,
    ProvidersStore,
    PlacementStore,
    GroupsStore,
    UsagesStore,
    DeletionStore,
    NetworksStore,
    Protocol,
):
    """The API database: who holds what."""

    async def note_store_version(self, term: Term, version: int) -> None:
        """Note the resourceVersion that the API server's store has reached."""
        ...

    async def read_store_version(self) -> int:
        """Read the resourceVersion noted last; 0 if none ever was."""
        ...

    async def record_decision(
        self, term: Term, server_uid: str, decision: DecisionRecord
    ) -> None:
        """Keep a decision that ended in neither claim nor burial; the last three."""
        ...

    async def list_decisions(self, server_uid: str) -> Sequence[DecisionRecord]:
        """List the last three decisions, newest first."""
        ...

    async def keep_hosts(self, term: Term, records: Sequence[HostRecord]) -> None:
        """Keep the hosts of decisions, as long as the decisions; may run twice.

        Those of a decision that is not kept are passed over.
        """
        ...

    async def list_hosts_kept(self, server_uid: str) -> Sequence[HostRecord]:
        """List the hosts of the last decisions about a Server, newest first."""
        ...

    async def sweep_rosters(self, term: Term, *, older_than: timedelta) -> int:
        """Remove names of hosts that nothing refers to; returns how many lists."""
        ...

    async def restore_claim(self, term: Term, witness: WitnessedClaim) -> RestoredClaim:
        """Put back what a witness says is held, over capacity if need be.

        The highest placement generation wins; an equal one changes nothing but
        adds what is missing. A tombstone stands.
        """
        ...
