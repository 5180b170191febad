"""Looks every minute whether the API server's store went back.

kopf's watch would stay deaf for ever after a restore, and nobody would notice:
its stream answers 200 and says nothing. So super lists one object and compares
versions, and notes the highest one in the API database, where a start after
the restore finds it.
"""

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Never, Protocol

from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.clock import Clock
from kilonova_api.kube.errors import KubeError, StoreWentBack
from kilonova_api.server import Server
from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.refusals import DatabaseUnavailable


class StoreVersionNotes(Protocol):
    """Where the highest version is kept."""

    async def note_store_version(self, term: Term, version: int) -> None:
        """Keep the version; it may be lower than the one that is kept."""
        ...

    async def read_store_version(self) -> int:
        """Return the version that was kept last; 0 for none."""
        ...


async def read_version(kube: KubeApi) -> int:
    """Return the store's version as a fresh list shows it."""
    pages = kube.pages(Server.resource(), limit=1)
    async with aclosing(pages):
        return int((await anext(pages)).resource_version)


@dataclass(slots=True)
class StoreWatch:
    """Remembers the highest version and ends the process when it goes back."""

    kube: KubeApi
    notes: StoreVersionNotes
    term: Callable[[], Term]
    clock: Clock
    interval_seconds: float
    on_problem: Callable[[str | None], None]
    highest: int = 0

    async def run(self) -> Never:
        """Look and note until cancelled; raises StoreWentBack."""
        while True:
            await self.clock.sleep(self.interval_seconds)
            try:
                await self.look()
            except StoreWentBack:
                raise
            except (KubeError, DatabaseUnavailable) as error:
                self.on_problem(str(error))
            else:
                self.on_problem(None)

    async def look(self) -> None:
        """Look once; raises StoreWentBack."""
        version = await read_version(self.kube)
        if version < self.highest:
            raise StoreWentBack("Server list", seen=self.highest, got=version)
        self.highest = version
        await self.notes.note_store_version(self.term(), version)
