"""What aggregates share, as the scheduler sees it.

Providers that share are few, and what is claimed of them is read again before the
next choice; meanwhile a claim that is under way counts.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from kilonova_operator.domain.providers import Provider
from kilonova_operator.domain.scheduling.columns import HostColumns
from kilonova_operator.domain.scheduling.prefilters.capacity import divide_amounts
from kilonova_operator.domain.scheduling.shared_rooms import (
    SharedAmounts,
    build_shared_rooms,
)
from kilonova_operator.services.stores import ApiStore


@dataclass(slots=True)
class SharedStock:
    """Keeps the columns' shared rooms current."""

    api: ApiStore
    columns: HostColumns
    stale: bool = False
    """Something was claimed, given back or written since it was read."""

    def divide(
        self, host: str, amounts: Mapping[str, int]
    ) -> tuple[dict[str, int], SharedAmounts]:
        """Return what is taken of the host, and of what its aggregates share."""
        return divide_amounts(self.columns, host, amounts)

    def take(self, shared: SharedAmounts) -> None:
        """Count a claim that is under way."""
        if shared:
            rooms = self.columns.shared
            self.columns.set_shared(
                room.take(shared.get(room.provider, {})) for room in rooms
            )

    async def read(self, list_under_way: Callable[[], Iterable[SharedAmounts]]) -> None:
        """Read what is shared and what of it is used; count claims under way.

        Those that are under way once it is read: others may come and go meanwhile.
        """
        self.stale = False
        found: list[Provider] = []
        try:
            while page := await self.api.list_providers(
                sharing=True, after=found[-1].name if found else ""
            ):
                found.extend(page)
        except BaseException:
            self.stale = True
            raise
        self.columns.set_shared(build_shared_rooms(found))
        for shared in list_under_way():
            self.take(shared)
