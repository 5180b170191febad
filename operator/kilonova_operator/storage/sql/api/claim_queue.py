"""Group commit: claims that wait for the database are made in one transaction.

::

    claim ──> waiting ──> batch ──> one transaction ──> each caller its answer
                 ▲                        │
                 └── gathers meanwhile ───┘

One batch is under way at a time, so claims never race with each other. While
it commits, the next one gathers; a claim that finds nobody is made at once.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from kilonova_operator.domain.epoch import Term
from kilonova_operator.domain.placement import Claim, ClaimRequest
from kilonova_operator.domain.refusals import (
    ClaimRefused,
    ConcurrentUpdate,
    DatabaseUnavailable,
)
from kilonova_operator.storage.sql.api.claiming.claimer import NothingClaimed, Outcome
from kilonova_operator.storage.sql.transactions import ConflictsPersist

MOST_TOGETHER = 64
"""Claims of one batch: more gain little, and a refusal of time costs all of them."""
MOST_WAITING = 1000
MOST_MEMBERS = 1000
"""Claims that are made together or not at all."""
BATCH_CONFLICTS = 4
"""Races a batch may lose before its claims are made one by one."""

Run = Callable[..., Awaitable[list[Outcome]]]
"""``run(term, requests, together=..., conflicts=...)``: one transaction."""


@dataclass(eq=False, slots=True)
class _Job:
    """A caller that waits: one request, or some that belong together."""

    term: Term
    requests: tuple[ClaimRequest, ...]
    together: bool
    answer: asyncio.Future[list[Outcome]]
    keys: frozenset[str] = field(init=False)
    """What no two requests of a batch may have in common."""

    def __post_init__(self) -> None:
        self.keys = frozenset(
            key
            for request in self.requests
            for key in (request.server.uid, str(request.server))
        )


class ClaimQueue:
    """Gathers claims and hands out their answers."""

    def __init__(self, database: str, run: Run) -> None:
        self._database = database
        self._run = run
        self._jobs: deque[_Job] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def claim(self, term: Term, request: ClaimRequest) -> Claim:
        """Make one claim.

        Raises:
            ClaimRefused, DatabaseUnavailable
        """
        (outcome,) = await self._wait(term, (request,), together=False)
        if isinstance(outcome, ClaimRefused):
            raise outcome
        return outcome

    async def claim_all(
        self, term: Term, requests: Sequence[ClaimRequest]
    ) -> tuple[Claim, ...]:
        """Make all claims, or none of them.

        Raises:
            MemberRefused, DatabaseUnavailable
        """
        if len(requests) > MOST_MEMBERS:
            raise ValueError(f"{len(requests)} claims at once, {MOST_MEMBERS} may be")
        if len({request.server.uid for request in requests}) != len(requests):
            raise ValueError("two of the claims are for the same Server")
        if not requests:
            return ()
        outcomes = await self._wait(term, tuple(requests), together=True)
        return tuple(outcome for outcome in outcomes if isinstance(outcome, Claim))

    async def _wait(
        self, term: Term, requests: tuple[ClaimRequest, ...], *, together: bool
    ) -> list[Outcome]:
        if len(self._jobs) >= MOST_WAITING:
            raise DatabaseUnavailable(
                self._database, f"{len(self._jobs)} claims wait for it"
            )
        loop = asyncio.get_running_loop()
        job = _Job(term, requests, together, loop.create_future())
        self._jobs.append(job)
        if self._worker is None or self._worker.done():
            self._worker = loop.create_task(self._work())
        return await job.answer

    async def _work(self) -> None:
        while self._jobs:
            batch = self._take()
            try:
                await self._make(batch)
            except BaseException as error:
                _fail(batch, error)
                if not isinstance(error, Exception):
                    _fail(self._jobs, error)
                    self._jobs.clear()
                    raise
            # Callers that were answered may have the next claim ready.
            await asyncio.sleep(0)

    def _take(self) -> list[_Job]:
        """Take what may share a transaction: one term, and no Server twice."""
        batch: list[_Job] = []
        left: list[_Job] = []
        keys: set[str] = set()
        while self._jobs and len(batch) < MOST_TOGETHER:
            job = self._jobs.popleft()
            if job.answer.done():  # its caller waits no more
                continue
            if batch and not _fits(batch[0], job, keys):
                left.append(job)
                continue
            batch.append(job)
            keys |= job.keys
            if job.together:
                break
        self._jobs.extendleft(reversed(left))
        return batch

    async def _make(self, batch: Sequence[_Job]) -> None:
        if not batch:
            return
        requests = [request for job in batch for request in job.requests]
        alone = len(batch) == 1
        try:
            outcomes = await self._run(
                batch[0].term,
                requests,
                together=batch[0].together,
                conflicts=None if alone else BATCH_CONFLICTS,
            )
        except NothingClaimed as nothing:
            outcomes = nothing.outcomes
        except (ConcurrentUpdate, ConflictsPersist):
            if alone:
                raise
            await self._make_one_by_one(batch)
            return
        if alone:
            _answer(batch[0], outcomes)
            return
        for job, outcome in zip(batch, outcomes, strict=True):
            _answer(job, [outcome])

    async def _make_one_by_one(self, batch: Sequence[_Job]) -> None:
        """Find the claim that no transaction takes, and make the others."""
        for job in batch:
            try:
                await self._make([job])
            except (ConcurrentUpdate, ConflictsPersist) as lost:
                _fail([job], lost)


def _fits(first: _Job, job: _Job, keys: set[str]) -> bool:
    same_kind = job.term == first.term and not job.together
    return same_kind and keys.isdisjoint(job.keys)


def _answer(job: _Job, outcomes: list[Outcome]) -> None:
    if not job.answer.done():
        job.answer.set_result(outcomes)


def _fail(jobs: Sequence[_Job] | deque[_Job], error: BaseException) -> None:
    for job in jobs:
        if not job.answer.done():
            job.answer.set_exception(error)
