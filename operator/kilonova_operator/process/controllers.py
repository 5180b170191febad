"""Runs controllers: a queue each, fed by feeds, under the Lease of their role."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from kilonova_api.kube.clock import Clock
from kilonova_api.kube.errors import KubeError
from kilonova_api.kube.resources import Key
from kilonova_api.kube.workqueue import QueueFull, QueueSettings, WorkQueue
from kilonova_operator.domain.errors import KilonovaError
from kilonova_operator.process.supervisor import Supervisor
from kilonova_operator.services.control.feeds import Feeds
from kilonova_operator.services.control.reconciler import FATAL, Controller
from kilonova_operator.services.leadership import Leadership

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ControllerRunner:
    """Starts queues and gives them time to finish."""

    feeds: Feeds
    leadership: Leadership
    supervisor: Supervisor
    clock: Clock
    random: Random

    def start(self, role: str, controllers: Sequence[Controller]) -> "RunningQueues":
        """Start the controllers of a role whose Lease is held."""
        queues = [self._start_one(role, controller) for controller in controllers]
        return RunningQueues(tuple(queues))

    def _start_one(self, role: str, controller: Controller) -> WorkQueue[Key]:
        async def reconcile(key: Key) -> None:
            self.leadership.check(role)
            again = await controller.reconcile(key)
            if again is not None:
                queue.add_after(key, again.seconds, most_seconds=again.most_seconds)

        queue = WorkQueue(
            controller.name,
            reconcile,
            clock=self.clock,
            random=self.random,
            settings=QueueSettings(workers=controller.workers, fatal=FATAL),
            on_error=_Complaint(controller.name),
        )
        for feed in controller.feeds:
            self.feeds.subscribe(feed, _Adder(queue))
        self.supervisor.start(queue.run(), f"queue {controller.name}")
        return queue


@dataclass(frozen=True, slots=True)
class RunningQueues:
    """Queues of one role."""

    queues: tuple[WorkQueue[Key], ...]

    async def stop(self, *, grace_seconds: float) -> int:
        """Start nothing more; return how many reconciles were cut off."""
        cut_off = await asyncio.gather(
            *(queue.stop(grace_seconds=grace_seconds) for queue in self.queues)
        )
        return sum(cut_off)


@dataclass(frozen=True, slots=True)
class _Adder:
    queue: WorkQueue[Key]

    def __call__(self, key: Key) -> None:
        try:
            self.queue.add(key)
        except QueueFull:
            # Whatever is on top of so many keys is found by the next start.
            logger.exception("queue %s is full: %s is dropped", self.queue.name, key)


@dataclass(frozen=True, slots=True)
class _Complaint:
    """Logs what failed: a planned refusal in one line, a bug with its trace."""

    controller: str

    def __call__(self, key: Key, error: Exception, failures: int) -> None:
        planned = isinstance(error, KubeError | KilonovaError)
        logger.warning(
            "%s: %s failed %d times in a row: %s: %s",
            self.controller,
            key,
            failures,
            type(error).__name__,
            error,
            exc_info=None if planned else error,
        )
