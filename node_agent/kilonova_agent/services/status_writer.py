"""Writing ``Instance.status``: only what changed, one writer at a time a guest."""

import asyncio
import logging
from dataclasses import dataclass
from weakref import WeakValueDictionary

from kilonova_agent.domain.orders import OrderRecord
from kilonova_agent.domain.status import Report, build_status, may_go_elsewhere
from kilonova_api.instance import Instance, InstanceStatus
from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.clock import Clock
from kilonova_api.kube.errors import Conflict, NotFound
from kilonova_api.names import AGENT_FIELD_MANAGER

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Written:
    """Our last write of a status, and the version that it made."""

    uid: str
    version: str
    status: InstanceStatus


class StatusWriter:
    """Applies statuses and remembers the last ones, which informers show late."""

    def __init__(self, kube: KubeApi, clock: Clock, *, agent_version: str) -> None:
        self._kube = kube
        self._clock = clock
        self._agent_version = agent_version
        self._last: dict[str, _Written] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def write(
        self, wanted: Instance, report: Report, record: OrderRecord | None
    ) -> None:
        """Write a report unless the status says so already.

        An Instance that is gone gets nothing.

        Raises:
            Conflict: it changed since it was read, or is another one of that name,
                of which this report says nothing; look again.
        """
        name = wanted.metadata.name
        lock = self._locks.setdefault(name, asyncio.Lock())
        async with lock:
            last = self.get_last(wanted)
            status = build_status(
                wanted.model_copy(update={"status": last}),
                report,
                record=record,
                agent_version=self._agent_version,
                now=self._clock.utcnow().replace(microsecond=0),
            )
            if status == last:
                return
            try:
                await self._apply(wanted, status, version=self._get_version(wanted))
            except NotFound as error:
                log.info("status of %s is not written: %s", wanted.key, error)

    async def take_back(self, wanted: Instance) -> bool:
        """Take back that the build may go elsewhere; False: it has, or might have.

        Written over the very version that was read: an order to end that was
        given since, on what we said, stands.
        """
        last = self.get_last(wanted)
        if not may_go_elsewhere(last):
            return True
        trying = last.model_copy(update={"power_state": None})
        try:
            await self._apply(wanted, trying, version=wanted.metadata.resource_version)
        except (NotFound, Conflict) as error:
            log.info("%s: not tried again: %s", wanted.key, error)
            return False
        return True

    def get_last(self, wanted: Instance) -> InstanceStatus:
        """Give the newest status known: our last write, or what was read."""
        written = self._find_written(wanted)
        return written.status if written else wanted.status

    def forget(self, name: str) -> None:
        """Hear that the Instance is gone."""
        self._last.pop(name, None)

    def _get_version(self, wanted: Instance) -> str:
        """Give the newest version known, which informers show late too."""
        written, read = self._find_written(wanted), wanted.metadata.resource_version
        if written is None:
            return read
        return max(written.version, read, key=lambda version: int(version or 0))

    def _find_written(self, wanted: Instance) -> _Written | None:
        written = self._last.get(wanted.metadata.name)
        is_of_it = written is not None and written.uid == wanted.metadata.uid
        return written if is_of_it else None

    async def _apply(
        self, wanted: Instance, status: InstanceStatus, *, version: str
    ) -> None:
        meta = wanted.metadata
        made = await self._kube.apply_existing(
            Instance.resource(),
            {
                "metadata": {"name": meta.name, "namespace": meta.namespace},
                "status": status.wire(),
            },
            uid=meta.uid,
            field_manager=AGENT_FIELD_MANAGER,
            subresource="status",
            resource_version=version,
        )
        self._last[meta.name] = _Written(
            meta.uid, made["metadata"]["resourceVersion"], status
        )
