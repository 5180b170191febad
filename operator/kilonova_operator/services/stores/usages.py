"""What namespaces use, and whether all sums are right."""

from collections.abc import Sequence
from typing import Protocol

from kilonova_operator.domain.audit import ClaimAudit
from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.quota import NamespaceUsage, Usage, UsageDrift
from kilonova_operator.services.stores.epoch import PAGE_ROWS


class UsagesStore(Protocol):
    """Usage of quotas. It is changed with the Servers it counts, never by itself."""

    async def read_usage(self, namespace_uid: str) -> Usage:
        """Return what a namespace uses; nothing if it is unknown."""
        ...

    async def list_usages(
        self, *, after: str = "", limit: int = PAGE_ROWS
    ) -> Sequence[NamespaceUsage]:
        """List one page of usage by the namespaces' uids, those after ``after``."""
        ...

    async def audit(self, *, limit: int = PAGE_ROWS) -> ClaimAudit:
        """Compare claims, Servers and usage; at most ``limit`` rows of a kind."""
        ...

    async def repair_usages(self, term: Term) -> Sequence[UsageDrift]:
        """Make every usage the sum over living Servers; returns what was wrong."""
        ...
