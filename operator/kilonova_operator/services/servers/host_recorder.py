"""The hosts of each decision, written into the database a moment after it.

::

    room? ── no ──> the decision's record says that its hosts are not kept
      │ yes
    decision, with copies of what it saw ──> claim or burial, with the record
                                                 │ done
    table built and packed in a thread  <── waits here, bounded
      │ one, then a rest
    some in one write, then a rest

No decision waits for this. The work takes a share of the time, however many hosts
there are, and in steps so short that a claim beside one is hardly slower; what comes
faster for long finds no room. A process that ends loses what waits: those decisions
are told without hosts.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from weakref import WeakSet

from kilonova_api.kube.clock import Clock
from kilonova_api.kube.resources import Key
from kilonova_operator.domain.host_records import HostRecord
from kilonova_operator.domain.placement import DecisionRecord
from kilonova_operator.domain.refusals import DatabaseUnavailable
from kilonova_operator.domain.scheduling.decision import Decision
from kilonova_operator.domain.scheduling.hosts_seen import HostsSeen
from kilonova_operator.domain.scheduling.roster import PackedRoster, Roster
from kilonova_operator.services.control.reconciler import RetryAfter
from kilonova_operator.services.servers.duty import Duty
from kilonova_operator.services.stores import ApiStore

HOSTS_NOT_KEPT = "hostsNotKept"
"""Where a record says why there are no hosts to it."""

MOST_WAITING = 1000
MOST_BYTES = 64 << 20
"""Of columns copied for decisions that are not yet written: 200 with 10,000 hosts."""
_BATCH_RECORDS = 64
_BATCH_BYTES = 256 << 10
"""Of packed tables that are written together."""
_REST, _REST_WHEN_FULL = 2.0, 8.0
"""Rest per time of work. When decisions come faster than they can be written, most
go without their hosts anyway, and claims need the time more."""
_LEAST_REST_SECONDS = 0.05

_WAKE = Key("", "hosts")


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A decision that is in the database, without its hosts."""

    server_uid: str
    decided_at: datetime
    seen: HostsSeen
    decision: Decision

    @property
    def key(self) -> tuple[str, datetime]:
        """Return what names the decision."""
        return self.server_uid, self.decided_at


@dataclass(slots=True)
class HostRecorder:
    """Keeps the hosts of decisions; its queue's one key means: something waits."""

    api: ApiStore
    duty: Duty
    clock: Clock
    wake: Callable[[Key], None]
    most_bytes: int = MOST_BYTES
    _alive: WeakSet[HostsSeen] = field(default_factory=WeakSet)
    """What was copied, wherever it is: claims under way have some, too."""
    _size_bytes: int = 1
    """Of one of them; all are about alike."""
    _waiting: OrderedDict[tuple[str, datetime], _Waiting] = field(
        default_factory=OrderedDict
    )
    _batch: list[HostRecord] = field(default_factory=list)
    """Packed, and still waiting to be written."""
    _rests_until: float = 0.0
    _packed: tuple[Roster, PackedRoster] | None = None

    def may_keep(self, server_uid: str) -> bool:
        """Tell whether a decision about to be made can have its hosts kept.

        Where there is no room, a Server's newest decision takes that of the one
        before, if it still waits.
        """
        if self._has_room():
            return True
        older = next((key for key in self._waiting if key[0] == server_uid), None)
        if older is None:
            return False
        del self._waiting[older]
        return True

    def count(self, decision: Decision) -> Decision:
        """Count what a decision just copied, until nobody has it any more."""
        if decision.seen is not None:
            self._size_bytes = max(1, decision.seen.size_bytes)
            self._alive.add(decision.seen)
        return decision

    def build_entry(
        self, outcome: str, decision: Decision, *, attempts: int = 0
    ) -> DecisionRecord:
        """Return a decision as its claim or burial keeps it, without the hosts."""
        record = decision.build_record(attempts=attempts).wire()
        if decision.seen is None:
            record[HOSTS_NOT_KEPT] = (
                f"{len(self._alive)} decisions before it waited to be written with "
                "their hosts, and there is no room for more"
            )
        now = self.clock.utcnow()
        return DecisionRecord(outcome, record, host=decision.host, decided_at=now)

    def keep(
        self, server_uid: str, entry: DecisionRecord | None, decision: Decision
    ) -> None:
        """Keep the hosts of a decision; its ``entry`` is in the database now."""
        if entry is None or entry.decided_at is None or decision.seen is None:
            return
        waiting = _Waiting(server_uid, entry.decided_at, decision.seen, decision)
        self._waiting[waiting.key] = waiting
        self.wake(_WAKE)

    async def reconcile(self, _key: Key) -> RetryAfter | None:
        """Pack one of those that wait, or write what is packed; and rest."""
        left = self._rests_until - self.clock.boottime()
        if left > 0:
            return RetryAfter(left)
        following = self._find_unpacked()
        if following is None and not self._batch:
            return None
        began = self.clock.boottime()
        pause = _REST if self._has_room() else _REST_WHEN_FULL
        if following is None or self._is_batch_full():
            await self._write()
            least = _LEAST_REST_SECONDS
        else:
            await self._pack(following)
            least = 0.0
        ended = self.clock.boottime()
        rest = max(least, pause * (ended - began))
        self._rests_until = ended + rest
        return RetryAfter(rest) if self._waiting else None

    async def _pack(self, waiting: _Waiting) -> None:
        try:
            self._batch.append(await asyncio.to_thread(self._build, waiting))
        except Exception:
            self._waiting.pop(waiting.key, None)
            raise

    async def _write(self) -> None:
        batch = [record for record in self._batch if _key_of(record) in self._waiting]
        try:
            self.duty.check()
            if batch:
                await self.api.keep_hosts(self.duty.term(), batch)
        except DatabaseUnavailable:
            raise  # They wait on: what comes now finds less room.
        except Exception:
            self._forget_batch()
            raise
        self._forget_batch()

    def _forget_batch(self) -> None:
        for record in self._batch:
            self._waiting.pop(_key_of(record), None)
        self._batch.clear()

    def _find_unpacked(self) -> _Waiting | None:
        packed = {_key_of(record) for record in self._batch}
        return next(
            (waiting for key, waiting in self._waiting.items() if key not in packed),
            None,
        )

    def _is_batch_full(self) -> bool:
        size = sum(len(record.table) for record in self._batch)
        return size >= _BATCH_BYTES or len(self._batch) >= _BATCH_RECORDS

    def _has_room(self) -> bool:
        most = min(MOST_WAITING, self.most_bytes // self._size_bytes)
        return len(self._alive) < max(1, most)

    def _build(self, waiting: _Waiting) -> HostRecord:
        return HostRecord(
            server_uid=waiting.server_uid,
            decided_at=waiting.decided_at,
            roster=self._pack_roster(waiting.seen.roster),
            table=waiting.seen.build_table(waiting.decision.found_full).pack(),
        )

    def _pack_roster(self, roster: Roster) -> PackedRoster:
        """Pack a roster; while no host comes or goes it is the same object."""
        if self._packed is None or self._packed[0] is not roster:
            self._packed = (roster, roster.pack())
        return self._packed[1]


def _key_of(record: HostRecord) -> tuple[str, datetime]:
    return record.server_uid, record.decided_at
