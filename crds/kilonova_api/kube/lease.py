"""One holder at a time: a Lease as the election of a leader.

Every write is a PUT of the version last seen, so of two who race one gets a
409. A follower takes over only after the record stood unchanged before its own
eyes for the whole lease time, counted on its own CLOCK_BOOTTIME: no clock is
compared with another machine's. The holder stops believing in itself after two
thirds of that time without a renewal, counted from before the last good one
was asked for, so it has ended before anybody may follow. ``check`` is called
right before each batch of writes, because a process may have slept meanwhile.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Never

from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.clock import Clock, Deadline
from kilonova_api.kube.errors import (
    AlreadyExists,
    Conflict,
    KubeError,
    LeaseLost,
    NotFound,
)
from kilonova_api.kube.lease_record import (
    LeaseName,
    LeaseRecord,
    annotations_of,
    build_lease,
    build_released,
    build_renewed,
    build_taken,
)
from kilonova_api.kube.resources import LEASE, KubeObject

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LeaseSettings:
    """Times of an election. ``duration_seconds`` is what followers wait."""

    duration_seconds: int = 15
    renew_seconds: float = 4.0
    retry_seconds: float = 1.0
    attempt_seconds: float = 4.0
    release_seconds: float = 3.0

    @property
    def patience_seconds(self) -> float:
        """How long the holder goes on without a renewal."""
        return self.duration_seconds * 2 / 3


@dataclass(frozen=True, slots=True)
class TakenLease:
    """What the new holder found: the last holder's notes, and how many held it."""

    transitions: int
    annotations: Mapping[str, str]


class LeaseElector:
    """Acquire, then hold until lost or released."""

    def __init__(
        self,
        kube: KubeApi,
        name: LeaseName,
        *,
        clock: Clock,
        random: Random,
        settings: LeaseSettings | None = None,
        notes: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """``notes``: annotations to write with each renewal and the release."""
        self._kube = kube
        self._name = name
        self._clock = clock
        self._random = random
        self._settings = settings or LeaseSettings()
        self._notes = notes
        self._observed: LeaseRecord | None = None
        self._observed_at = 0.0
        self._lease: KubeObject | None = None
        self._renewed_at = 0.0

    @property
    def holder(self) -> str:
        """Who held the Lease when it was last read; empty for nobody."""
        return self._observed.holder if self._observed else ""

    def left_seconds(self) -> float:
        """Give for how long this process may still act; 0 when it may not."""
        if self._lease is None:
            return 0.0
        ends_at = self._renewed_at + self._settings.patience_seconds
        return max(0.0, ends_at - self._clock.boottime())

    def check(self) -> None:
        """Raise LeaseLost unless this process holds the Lease at this moment."""
        if not self.left_seconds():
            raise LeaseLost(str(self._name), "it is not held, or was not renewed")

    async def acquire(self) -> TakenLease:
        """Return once this process is the holder; waits as long as it takes."""
        while True:
            try:
                taken = await self._try_to_take()
            except KubeError as error:
                logger.warning("Lease %s: cannot be taken now: %s", self._name, error)
                taken = None
            if taken is not None:
                return taken
            await self._pause()

    async def observe(self) -> Never:
        """Look at the holder until cancelled, and take nothing.

        How long the Lease stood still counts from here: who has to take it after
        another one then need not wait once more.
        """
        while True:
            try:
                found = await self._find()
            except KubeError as error:
                logger.info("Lease %s: cannot be read now: %s", self._name, error)
            else:
                if found is not None:
                    self._observe(LeaseRecord.of(found))
            await self._pause()

    async def hold(self) -> Never:
        """Renew until cancelled.

        Raises:
            LeaseLost: end the process, at once and without a write.
        """
        while True:
            due = self._renewed_at + self._settings.renew_seconds
            await self._clock.sleep(due - self._clock.boottime())
            await self._renew()

    async def release(self) -> None:
        """Stop being the holder and say so, with the last notes.

        Where that fails, followers wait.
        """
        lease, self._lease = self._lease, None
        if lease is None:
            return
        released = build_released(lease, self._notes(), now=self._clock.utcnow())
        deadline = Deadline.after(self._clock, self._settings.release_seconds)
        try:
            await self._kube.replace(LEASE, released, deadline=deadline)
        except KubeError as error:
            logger.warning("Lease %s: not released: %s", self._name, error)

    async def _try_to_take(self) -> TakenLease | None:
        asked_at = self._clock.boottime()
        found = await self._find()
        if found is None:
            # Deleted by a careless hand: its holder may well be alive.
            if self._observed is not None and not self._stood_still():
                return None
            return await self._create(asked_at)
        self._observe(LeaseRecord.of(found))
        if not (self._is_free() or self._stood_still()):
            return None
        duration = self._settings.duration_seconds
        taken = build_taken(
            found,
            self._name.identity,
            duration_seconds=duration,
            now=self._clock.utcnow(),
        )
        try:
            lease = await self._kube.replace(LEASE, taken, deadline=self._attempt())
        except (Conflict, NotFound):
            return None  # somebody was faster
        return self._took(lease, asked_at, annotations_of(found))

    async def _create(self, asked_at: float) -> TakenLease | None:
        duration = self._settings.duration_seconds
        now = self._clock.utcnow()
        body = build_lease(self._name, duration_seconds=duration, now=now)
        try:
            lease = await self._kube.create(LEASE, body, deadline=self._attempt())
        except AlreadyExists:
            return None
        return self._took(lease, asked_at, {})

    def _took(
        self, lease: KubeObject, asked_at: float, annotations: Mapping[str, str]
    ) -> TakenLease:
        self._lease, self._renewed_at = lease, asked_at
        record = LeaseRecord.of(lease)
        self._observe(record)
        logger.info("Lease %s: held by %s", self._name, self._name.identity)
        return TakenLease(record.transitions, annotations)

    def _observe(self, record: LeaseRecord) -> None:
        if record != self._observed:
            self._observed, self._observed_at = record, self._clock.boottime()

    def _is_free(self) -> bool:
        return self.holder in {"", self._name.identity}

    def _stood_still(self) -> bool:
        # The holder counts on its own duration, whatever ours is.
        theirs = self._observed.duration_seconds if self._observed else 0
        wait = max(theirs, self._settings.duration_seconds)
        return self._clock.boottime() - self._observed_at >= wait

    async def _pause(self) -> None:
        jitter = 0.75 + self._random.random() / 2
        await self._clock.sleep(self._settings.retry_seconds * jitter)

    async def _renew(self) -> None:
        while True:
            self.check()
            asked_at = self._clock.boottime()
            try:
                await self._renew_once(asked_at)
            except LeaseLost:
                raise
            except KubeError as error:
                logger.warning("Lease %s: not renewed: %s", self._name, error)
                pause = min(self._settings.retry_seconds, self.left_seconds())
                await self._clock.sleep(pause)
            else:
                return

    async def _renew_once(self, asked_at: float) -> None:
        if self._lease is None:
            raise LeaseLost(str(self._name), "it is not held")
        renewed = build_renewed(self._lease, self._notes(), now=self._clock.utcnow())
        try:
            lease = await self._kube.replace(LEASE, renewed, deadline=self._attempt())
        except (Conflict, NotFound):
            # Perhaps our own write, whose answer was lost: the next try tells.
            await self._adopt()
            raise
        self._lease, self._renewed_at = lease, asked_at
        self._observe(LeaseRecord.of(lease))

    async def _adopt(self) -> None:
        found = await self._find()
        if found is None:
            duration = self._settings.duration_seconds
            now = self._clock.utcnow()
            body = build_lease(self._name, duration_seconds=duration, now=now)
            found = await self._kube.create(LEASE, body, deadline=self._attempt())
        holder = LeaseRecord.of(found).holder
        if holder != self._name.identity:
            self._lease = None
            raise LeaseLost(str(self._name), f"{holder or 'nobody'} holds it")
        self._lease = found

    async def _find(self) -> KubeObject | None:
        namespace, name = self._name.namespace, self._name.name
        return await self._kube.find(LEASE, namespace, name, deadline=self._attempt())

    def _attempt(self) -> Deadline:
        seconds = self._settings.attempt_seconds
        if self._lease is not None:
            seconds = min(seconds, self.left_seconds())
        return Deadline.after(self._clock, seconds)
