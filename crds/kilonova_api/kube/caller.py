"""Retries: one request, as often as it is safe and as long as it is allowed."""

from dataclasses import dataclass, field
from random import Random

import orjson

from kilonova_api.kube.backoff import Backoff
from kilonova_api.kube.clock import Clock, Deadline
from kilonova_api.kube.errors import ServerUnavailable, TooManyRequests, Unreachable
from kilonova_api.kube.resources import KubeObject
from kilonova_api.kube.transport import Request, Transport

# The server itself gives up after 60 s; waiting longer than a quarter of that
# on one connection costs more than asking again on another.
ATTEMPT_SECONDS = 15.0
# Less than this is no attempt: the answer would come too late.
LEAST_ATTEMPT_SECONDS = 0.05
PAUSES = Backoff(first_seconds=0.1, most_seconds=5.0)


@dataclass(frozen=True, slots=True)
class Caller:
    """Sends requests until one is answered or the deadline is near."""

    transport: Transport
    clock: Clock
    random: Random
    timeout_seconds: float
    backoff: Backoff = field(default=PAUSES)

    async def call(
        self, request: Request, *, repeatable: bool, deadline: Deadline | None
    ) -> bytes:
        """Give the body of the answer.

        ``repeatable``: doing it twice is the same as once. Otherwise only a
        request that was not sent, or was turned away by a 429, goes out again.
        """
        deadline = deadline or Deadline.after(self.clock, self.timeout_seconds)
        failures = 0
        while True:
            seconds = min(ATTEMPT_SECONDS, deadline.left())
            if seconds < LEAST_ATTEMPT_SECONDS:
                raise Unreachable(request.call, "no time left to ask", sent=False)
            try:
                return await self.transport.send(request, timeout_seconds=seconds)
            except (Unreachable, TooManyRequests, ServerUnavailable) as error:
                if not (repeatable or _surely_not_done(error)):
                    raise
                failures += 1
                pause = self._pause(error, failures)
                if pause + LEAST_ATTEMPT_SECONDS > deadline.left():
                    raise  # the caller's own backoff takes over
                await self.clock.sleep(pause)

    def _pause(
        self, error: Unreachable | TooManyRequests | ServerUnavailable, failures: int
    ) -> float:
        own = self.backoff.delay(failures, self.random)
        if isinstance(error, Unreachable) or error.retry_after_seconds is None:
            return own
        # All who were turned away together must not come back together.
        return error.retry_after_seconds + own


def _surely_not_done(
    error: Unreachable | TooManyRequests | ServerUnavailable,
) -> bool:
    if isinstance(error, Unreachable):
        return not error.sent
    return isinstance(error, TooManyRequests)


class Asker:
    """What the verbs are built on: a request out, an object back."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def _ask(
        self,
        request: Request,
        *,
        repeatable: bool = True,
        deadline: Deadline | None = None,
    ) -> KubeObject:
        body = await self._caller.call(
            request, repeatable=repeatable, deadline=deadline
        )
        answer: KubeObject = orjson.loads(body)
        return answer
