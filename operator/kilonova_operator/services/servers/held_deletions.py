"""The condition on a Cell that says how many deletions its brake holds."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kilonova_api.cell import Cell
from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.clock import Clock
from kilonova_api.kube.errors import NotFound
from kilonova_api.names import cell_field_manager
from kilonova_operator.domain.conditions import Judgement, build_condition
from kilonova_operator.services.servers.brake import (
    DELETIONS_HELD,
    RELEASE_DELETIONS_ANNOTATION,
)
from kilonova_operator.services.servers.duty import Duty

# Held Servers are looked at every 30 s: after twice that, all have said so.
_ALL_SAID_SECONDS = 60.0


@dataclass(slots=True)
class HeldDeletions:
    """Shows on the Cell whether the brake holds; two writes an incident.

    The number is not in the text: it would be written with every deletion. A
    condition that a former leader left stays until every Server that waits has
    had time to say so.
    """

    kube: KubeApi
    cell: str
    duty: Duty
    clock: Clock
    now: Callable[[], datetime]
    _held: set[str] = field(default_factory=set)
    _shown: bool | None = None
    _began_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._began_at = self.clock.boottime()

    async def hold(self, server_uid: str) -> None:
        """Note a Server whose deletion waits."""
        self._held.add(server_uid)
        await self.refresh()

    async def let(self, server_uid: str) -> None:
        """Note that a Server's deletion does not wait (any more)."""
        if server_uid in self._held:
            self._held.discard(server_uid)
            await self.refresh()

    async def refresh(self) -> None:
        """Make the Cell's condition say what is so."""
        wanted = bool(self._held)
        if self._shown == wanted or (not wanted and not self._all_have_said()):
            return
        found = await self.kube.find(Cell.resource(), None, self.cell)
        if found is None:
            return
        cell = Cell.model_validate(found)
        if cell.status.is_true(DELETIONS_HELD) != wanted:
            await self._write(cell, held=wanted)
        self._shown = wanted

    def _all_have_said(self) -> bool:
        return self.clock.boottime() - self._began_at >= _ALL_SAID_SECONDS

    async def _write(self, cell: Cell, *, held: bool) -> None:
        self.duty.check()
        name = cell.metadata.name
        status: dict[str, Any] = {"conditions": [self._build(cell)] if held else []}
        try:
            await self.kube.apply_existing(
                Cell.resource(),
                {"metadata": {"name": name}, "status": status},
                uid=cell.metadata.uid,
                field_manager=cell_field_manager(name),
                subresource="status",
            )
        except NotFound:
            return

    def _build(self, cell: Cell) -> dict[str, Any]:
        text = (
            "Unusually many guests are being deleted; the rest waits for a person. If "
            "it is meant: kubectl annotate --overwrite cell "
            f"{cell.metadata.name} {RELEASE_DELETIONS_ANNOTATION}=$(date -u +%FT%TZ)"
        )
        return build_condition(
            DELETIONS_HELD,
            Judgement("True", DELETIONS_HELD, text),
            current=cell.status.condition(DELETIONS_HELD),
            generation=cell.metadata.generation,
            now=self.now(),
        ).wire()
