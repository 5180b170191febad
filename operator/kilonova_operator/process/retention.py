"""What is kept for a time only: tombstones, history, names of hosts."""

import logging
from dataclasses import dataclass
from datetime import timedelta

from kilonova_operator.context import Stores
from kilonova_operator.services.control.server_time import ServerTime
from kilonova_operator.services.leadership import Leadership
from kilonova_operator.settings import API_DATABASE, Settings

logger = logging.getLogger(__name__)

_ROSTERS_UNUSED = timedelta(hours=1)
"""Whoever is about to write by them is done long before."""


@dataclass(frozen=True, slots=True)
class Retention:
    """Removes what is older than the site keeps it, by a clock that is right."""

    stores: Stores
    leadership: Leadership
    settings: Settings
    time: ServerTime

    async def run_once(self) -> None:
        """Sweep every database whose term is ours, unless our clock is off.

        Ages are measured by the wall clock: one that stands in the future would
        take tombstones of yesterday for old ones.
        """
        skew = self.time.find_skew()
        if skew is not None:
            logger.warning("tombstones and history are not swept: %s", skew)
            return
        await self.stores.api.sweep_tombstones(
            self.leadership.term(API_DATABASE),
            older_than=timedelta(days=self.settings.tombstone_days),
        )
        await self.stores.api.sweep_rosters(
            self.leadership.term(API_DATABASE), older_than=_ROSTERS_UNUSED
        )
        for name, store in self.stores.cells.items():
            term = self.leadership.find_term(name)
            if term is not None:
                age = timedelta(days=self.settings.history_days)
                await store.sweep_history(term, older_than=age)
