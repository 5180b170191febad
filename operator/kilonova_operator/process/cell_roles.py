"""The roles of in-cluster cells: each begins as soon as its own database answers.

A cell whose database is down when the process starts holds up nobody else's
work; what happened meanwhile is looked at when its role begins.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass

from kilonova_api.kube.backoff import Backoff
from kilonova_api.kube.errors import KubeError
from kilonova_api.names import CELL0
from kilonova_operator.context import ProcessContext
from kilonova_operator.domain.refusals import DatabaseUnavailable
from kilonova_operator.process.health import Health
from kilonova_operator.services.store_freeze import note_frozen
from kilonova_operator.settings import API_DATABASE

_BACKOFF = Backoff(0.5, 15.0)


@dataclass(frozen=True, slots=True)
class CellRoles:
    """Says when a cell's role may begin."""

    context: ProcessContext
    health: Health

    async def note_frozen(self, own: Collection[str]) -> Mapping[str, bool]:
        """Note every database that is frozen; tell which of our own cells may begin.

        own: the cells whose roles are this process's.
        """
        stores = self.context.stores
        needed = {API_DATABASE: stores.api, CELL0: stores.cells[CELL0]}
        await note_frozen(self.context.freeze, needed)
        for cell, store in stores.cells.items():
            if cell not in {CELL0, *own}:
                # A cell of another process, which sees to it by itself.
                with suppress(DatabaseUnavailable):
                    await note_frozen(self.context.freeze, {cell: store})
        return {cell: await self.is_ready(cell) for cell in own}

    async def is_ready(self, cell: str) -> bool:
        """Tell whether the cell's database answers, and note if it is frozen."""
        if self.context.leadership.find_term(cell) is None:
            self.health.note(_topic(cell), "its database does not answer yet")
            return False
        try:
            store = self.context.stores.cells[cell]
            await note_frozen(self.context.freeze, {cell: store})
        except DatabaseUnavailable as error:
            self.health.note(_topic(cell), str(error))
            return False
        return True

    async def begin_late(
        self,
        cell: str,
        *,
        start: Callable[[], None],
        look_at_everything: Callable[[], Awaitable[None]],
    ) -> None:
        """Start a cell's work once its database answers; no event before reached it."""
        await self.context.leadership.wait_term(cell)
        await self._until(cell, lambda: self.is_ready(cell))
        start()

        async def look() -> bool:
            await look_at_everything()
            return True

        await self._until(cell, look)
        self.health.note(_topic(cell), None)

    async def _until(self, cell: str, attempt: Callable[[], Awaitable[bool]]) -> None:
        clock, random = self.context.clock, self.context.random
        failures = 0
        while True:
            try:
                if await attempt():
                    return
            except KubeError as error:
                self.health.note(_topic(cell), str(error))
            failures += 1
            await clock.sleep(_BACKOFF.delay(failures, random))


def _topic(cell: str) -> str:
    return f"cell {cell}"
