"""Rows of groups whose objects are gone: a row wakes nobody, so somebody looks."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.resources import Key
from kilonova_api.names import CELL0
from kilonova_api.server_group import ServerGroup
from kilonova_operator.domain.epoch import Term
from kilonova_operator.services.control.reconciler import RetryAfter
from kilonova_operator.services.stores import ApiStore

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class GroupSweep:
    """Removes rows of groups that have neither object nor members."""

    kube: KubeApi
    store: ApiStore
    term: Callable[[], Term]

    async def reconcile(self, cell: Key) -> RetryAfter | None:
        """Look at every group, once for all cells."""
        if cell.name != CELL0:
            return None
        # Rows first: a group that is made after this is not among them.
        rows = await self._list_rows()
        gone = rows - await self._list_objects() if rows else set()
        for uid in sorted(gone):
            if await self.store.forget_group(self.term(), uid):
                logger.info("group %s is forgotten: its object is gone", uid)
        return RetryAfter(SWEEP_SECONDS)

    async def _list_rows(self) -> set[str]:
        found: list[str] = []
        while page := await self.store.list_groups(after=found[-1] if found else ""):
            found.extend(page)
        return set(found)

    async def _list_objects(self) -> set[str]:
        return {
            obj["metadata"]["uid"]
            async for page in self.kube.pages(ServerGroup.resource())
            for obj in page.items
        }
