"""A store that went back freezes whatever gives, takes or starts.

The databases hold the flag, so that it outlives the process; each of their
stores refuses by itself. This is the flag's shadow in memory, for decisions
that no database sees: orders to destroy, and starts of what is stopped.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from kilonova_operator.domain.refusals import PlacementFrozen
from kilonova_operator.services.stores import EpochStore

WENT_BACK = "StoreWentBack"
"""Reason of a freeze when the API server's store is older than it was."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """Why a database is frozen."""

    database: str
    reason: str
    message: str


@dataclass(slots=True)
class Freeze:
    """Which databases are frozen, as far as this process knows."""

    _frozen: dict[str, Frozen] = field(default_factory=dict)
    _awaited: dict[str, str] = field(default_factory=dict)
    _on_lifted: list[Callable[[], None]] = field(default_factory=list)

    def on_lifted(self, handler: Callable[[], None]) -> None:
        """Call ``handler`` when a database goes on: what was read of it may be old."""
        self._on_lifted.append(handler)

    @property
    def frozen(self) -> bool:
        """Tell whether any database is frozen."""
        return bool(self._frozen)

    @property
    def all(self) -> tuple[Frozen, ...]:
        """Return what is frozen, by the databases' names."""
        return tuple(self._frozen[name] for name in sorted(self._frozen))

    def check(self) -> None:
        """Raise PlacementFrozen while anything is frozen."""
        for frozen in self._frozen.values():
            raise PlacementFrozen(frozen.database, frozen.reason, frozen.message)

    def note(self, frozen: Frozen) -> None:
        """Note that a database is frozen."""
        self._frozen[frozen.database] = frozen

    def lift(self, database: str) -> None:
        """Note that a database goes on."""
        if self._frozen.pop(database, None) is not None:
            for handler in self._on_lifted:
                handler()

    def note_awaited(self, texts: Mapping[str, str]) -> frozenset[str]:
        """Note by cell whom the sweep waits for; return the cells with news."""
        cells = texts.keys() | self._awaited.keys()
        news = {c for c in cells if texts.get(c) != self._awaited.get(c)}
        self._awaited = dict(texts)
        return frozenset(news)

    def awaited_by(self, cell: str) -> str:
        """Say whom the sweep waits for in a cell; empty if for nobody."""
        return self._awaited.get(cell, "")


async def note_frozen(freeze: Freeze, stores: Mapping[str, EpochStore]) -> None:
    """Note every database whose own flag says that it is frozen."""
    for database, store in stores.items():
        view = await store.read_epoch()
        if view.frozen_reason:
            frozen = Frozen(database, view.frozen_reason, view.frozen_message)
            freeze.note(frozen)
