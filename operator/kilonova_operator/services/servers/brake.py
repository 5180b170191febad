"""The brake on deletions of one cell."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from kilonova_api.cell import Cell
from kilonova_api.instance import Instance
from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.clock import Clock
from kilonova_api.kube.resources import NAMESPACE
from kilonova_api.names import GROUP
from kilonova_operator.domain.servers.brake import (
    BrakeSettings,
    destroys_left,
    is_young,
)

RELEASE_DELETIONS_ANNOTATION = f"{GROUP}/release-deletions"
"""On a Cell: a time; deletes recorded before it are meant and go on."""
DELETIONS_HELD = "DeletionsHeld"
"""Condition of the Cell, and of each Server that waits."""
DELETION_BRAKE_ANNOTATION = f"{GROUP}/deletion-brake"
"""On a namespace: "off" lets its Servers be deleted in any number."""


@dataclass(slots=True)
class DeletionBrake:
    """Lets destroys through until they are unusually many.

    A guest younger than the window neither counts nor waits: what is made and
    deleted by the minute is nobody's years of work. A guest counts once it is
    let through, before its order is written: several are ended at a time. An
    order that fails is tried again without counting again. Counts are in
    memory; a new leader that finds the Cell's condition begins with the brake
    on, or every restart would let some more through.
    """

    kube: KubeApi
    cell: str
    clock: Clock
    now: Callable[[], datetime]
    count_guests: Callable[[], int]
    settings: BrakeSettings = field(default_factory=BrakeSettings)
    _let: dict[str, float] = field(default_factory=dict)
    """Guests that count, and since when."""
    _inherited: bool = False

    async def lets(
        self,
        instance: Instance,
        *,
        placed_at: datetime | None,
        deleted_at: datetime | None,
    ) -> bool:
        """Tell whether a guest may be ordered destroyed now, and count it.

        placed_at: when it was first given a host. deleted_at: when its Server's
        delete was recorded.
        """
        if self._is_young(instance, placed_at):
            return True
        await self._inherit()
        self._expire()
        guest = f"{instance.spec.host}/{instance.metadata.name}"
        if guest in self._let:
            return True
        if self._count_left() <= 0 and not (
            await self._is_released(deleted_at)
            or await self._is_exempt(instance.spec.server.namespace)
        ):
            return False
        self._let.setdefault(guest, self.clock.boottime())
        return True

    def _count_left(self) -> int:
        return destroys_left(len(self._let), self.count_guests(), self.settings)

    async def _inherit(self) -> None:
        """Begin where the last leader stopped."""
        if self._inherited:
            return
        found = await self.kube.find(Cell.resource(), None, self.cell)
        if found and Cell.model_validate(found).status.is_true(DELETIONS_HELD):
            now = self.clock.boottime()
            self._let |= {f"former {n}": now for n in range(self._count_left())}
        self._inherited = True

    def _is_young(self, instance: Instance, placed_at: datetime | None) -> bool:
        # An Instance that was lost and given again is younger than its guest.
        status, created_at = instance.status, instance.metadata.creation_timestamp
        return is_young(
            (created_at, placed_at, status.built_at, status.launched_at),
            now=self.now(),
            settings=self.settings,
        )

    def _expire(self) -> None:
        oldest = self.clock.boottime() - self.settings.window_seconds
        self._let = {guest: at for guest, at in self._let.items() if at >= oldest}

    async def _is_released(self, deleted_at: datetime | None) -> bool:
        cell = await self.kube.find(Cell.resource(), None, self.cell)
        annotations = (cell or {}).get("metadata", {}).get("annotations") or {}
        until = parse_time(annotations.get(RELEASE_DELETIONS_ANNOTATION, ""))
        return deleted_at is not None and until is not None and deleted_at <= until

    async def _is_exempt(self, namespace: str) -> bool:
        found = await self.kube.find(NAMESPACE, None, namespace)
        annotations = (found or {}).get("metadata", {}).get("annotations") or {}
        return str(annotations.get(DELETION_BRAKE_ANNOTATION, "")).lower() == "off"


def parse_time(text: str) -> datetime | None:
    """Read an annotation's time, UTC where it names no zone; None if it is none."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
