"""What is kept for a time only: tombstones and history."""

from dataclasses import dataclass
from datetime import timedelta

from kilonova_operator.context import Stores
from kilonova_operator.services.leadership import Leadership
from kilonova_operator.settings import API_DATABASE, Settings


@dataclass(frozen=True, slots=True)
class Retention:
    """Removes what is older than the site keeps it."""

    stores: Stores
    leadership: Leadership
    settings: Settings

    async def run_once(self) -> None:
        """Sweep every database whose term is ours."""
        await self.stores.api.sweep_tombstones(
            self.leadership.term(API_DATABASE),
            older_than=timedelta(days=self.settings.tombstone_days),
        )
        for name, store in self.stores.cells.items():
            term = self.leadership.find_term(name)
            if term is not None:
                age = timedelta(days=self.settings.history_days)
                await store.sweep_history(term, older_than=age)
