"""Usage and audit for coroutines."""

from collections.abc import Sequence
from functools import partial

from kilonova_operator.domain.audit import ClaimAudit
from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.quota import NamespaceUsage, Usage, UsageDrift
from kilonova_operator.services.stores import PAGE_ROWS
from kilonova_operator.storage.sql.api import audits
from kilonova_operator.storage.sql.parts import StorePart


class UsagesPart(StorePart):
    """What namespaces use, and whether all sums are right."""

    async def read_usage(self, namespace_uid: str) -> Usage:
        """Return what a namespace uses."""
        return await self._database.read(
            partial(audits.read_usage, namespace_uid=namespace_uid)
        )

    async def list_usages(
        self, *, after: str = "", limit: int = PAGE_ROWS
    ) -> Sequence[NamespaceUsage]:
        """List one page of usage."""
        return await self._database.read(
            partial(audits.list_usages, after=after, limit=limit)
        )

    async def audit(self, *, limit: int = PAGE_ROWS) -> ClaimAudit:
        """Compare claims, Servers and usage."""
        return await self._database.read(partial(audits.audit, limit=limit))

    async def repair_usages(self, term: Term) -> Sequence[UsageDrift]:
        """Make every usage the sum over living Servers."""
        # Alone: no Server comes or goes between the sum and its row.
        return await self._database.write(
            term, audits.repair_usages, while_frozen=True, alone=True
        )
