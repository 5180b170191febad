"""Statuses that hold counts: other news goes at once, counts once in a while."""

from dataclasses import dataclass

from kilonova_api.meta import Status
from kilonova_operator.services.control.pacing import CountPacer
from kilonova_operator.services.control.reconciler import RetryAfter
from kilonova_operator.storage.kubernetes.statuses import StatusWriter, WithStatus


@dataclass(frozen=True, slots=True)
class CountedStatus:
    """Writes such statuses of one kind."""

    statuses: StatusWriter
    pacer: CountPacer

    async def write(
        self,
        obj: WithStatus,
        wanted: Status,
        *,
        counts: frozenset[str],
        urgent: bool = False,
    ) -> RetryAfter | None:
        """Show ``wanted``, but for ``counts`` that have to wait.

        Returns when to come again, where they have to. urgent: they go at once,
        since something else changed that they belong to.
        """
        uid, shown = obj.metadata.uid, obj.status
        differ = any(getattr(shown, n) != getattr(wanted, n) for n in counts)
        wait_seconds = 0.0
        if differ and not urgent:
            wait_seconds = self.pacer.left_seconds(uid)
        if wait_seconds:
            wanted = wanted.model_copy(update={n: getattr(shown, n) for n in counts})
        written = await self.statuses.write(obj, wanted)
        if written and differ and not wait_seconds:
            self.pacer.note_written(uid)
        return RetryAfter(wait_seconds) if wait_seconds else None
