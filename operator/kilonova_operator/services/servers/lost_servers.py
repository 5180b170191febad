"""Servers that only a row of an older database knows: marked, named, ended.

The sweep marks them while the database is frozen. From then on no order of
theirs is given again. The Cell names them until each is adopted by a new Server
of its name, or a person says that all were deleted.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.resources import Key
from kilonova_api.server import Server
from kilonova_operator.domain.placement import InstanceMapping, ServerRef
from kilonova_operator.domain.servers.lost import (
    END_LOST_ANNOTATION,
    build_lost,
    describe_lost,
    is_marked_lost,
)
from kilonova_operator.services.control.feeds import FeedKind, Feeds
from kilonova_operator.services.persons_word import find_word
from kilonova_operator.services.servers.crd_health import CrdHealth
from kilonova_operator.services.servers.duty import Duty
from kilonova_operator.services.servers.instance_view import InstanceView
from kilonova_operator.services.stores import ApiStore

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class LostNotes:
    """What a Cell's condition says of lost Servers."""

    _texts: dict[str, str] = field(default_factory=dict)

    def note(self, cell: str, text: str) -> bool:
        """Note what is said of a cell; tell whether that is news."""
        if self._texts.get(cell, "") == text:
            return False
        self._texts[cell] = text
        return True

    def find(self, cell: str) -> str:
        """Return what is said of a cell; empty if it lost none."""
        return self._texts.get(cell, "")


@dataclass(frozen=True, slots=True)
class LostServers:
    """Knows lost Servers, and ends them at a person's word."""

    kube: KubeApi
    api: ApiStore
    duty: Duty
    crds: CrdHealth
    instances: InstanceView
    server_uids: Callable[[], frozenset[str]]
    notes: LostNotes
    feeds: Feeds
    now: Callable[[], datetime]

    async def mark(self) -> None:
        """Mark every row that neither an object nor an Instance speaks of."""
        living, after = self.server_uids(), ""
        while rows := await self.api.list_mappings(after=after):
            after = rows[-1].server.uid
            for row in rows:
                if self._is_unheard(row, living) and not await self._is_marked(row):
                    self.duty.check()
                    term = self.duty.term()
                    await self.api.record_decision(term, row.server.uid, build_lost())

    async def is_lost(self, row: InstanceMapping) -> bool:
        """Tell whether a row was marked, and still nothing speaks of it."""
        unheard = self._is_unheard(row, self.server_uids())
        return unheard and await self._is_marked(row)

    async def tell(self, cell: str, lost: Sequence[InstanceMapping]) -> None:
        """End the lost Servers of a cell at a person's word; name those that stay."""
        servers = tuple(row.server for row in lost)
        if servers and await self._may_end(cell):
            servers = tuple([s for s in servers if not await self._end(s)])
        if self.notes.note(cell, describe_lost(cell, servers)):
            self.feeds.publish(FeedKind.CELLS, Key("", cell))

    def _is_unheard(self, row: InstanceMapping, living: frozenset[str]) -> bool:
        ends = row.queued_for_delete or row.retained
        uid = row.server.uid
        placed = row.host is not None
        known = uid in living or bool(self.instances.of_server(uid))
        return placed and not ends and not known

    async def _is_marked(self, row: InstanceMapping) -> bool:
        return is_marked_lost(await self.api.list_decisions(row.server.uid))

    async def _may_end(self, cell: str) -> bool:
        word = await find_word(self.kube, cell, END_LOST_ANNOTATION, now=self.now())
        return word is not None and await self.crds.believes_deletes()

    async def _end(self, server: ServerRef) -> bool:
        """Record the delete, unless the object is there after all."""
        found = await self.kube.find(Server.resource(), server.namespace, server.name)
        if found is not None and _uid(found) == server.uid:
            return False
        self.duty.check_changes()
        logger.warning("lost Server %s is ended by a person's word", server)
        mapping = await self.api.record_delete(self.duty.term(), server)
        cell = mapping.cell if mapping else None
        key = Key.of(server.namespace, server.name)
        self.feeds.publish(FeedKind.SERVERS, key, cell=cell)
        return True


def _uid(obj: Mapping[str, Mapping[str, str]]) -> str:
    return obj["metadata"]["uid"]
