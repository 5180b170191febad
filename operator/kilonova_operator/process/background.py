"""Work that comes round by itself, beside what changes ask for."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Never

from kilonova_api.kube.clock import Clock
from kilonova_api.kube.errors import KubeError
from kilonova_operator.domain.errors import KilonovaError
from kilonova_operator.services.control.reconciler import FATAL

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rounds:
    """Repeats work at about equal pauses; a failure waits for the next round."""

    clock: Clock
    random: Random

    async def repeat(
        self, name: str, work: Callable[[], Awaitable[None]], *, seconds: float
    ) -> Never:
        """Work every ``seconds``, with jitter, until cancelled.

        Raises what must end the process; a bug is logged with its trace.
        """
        while True:
            await self.clock.sleep(seconds * (0.9 + self.random.random() / 5))
            try:
                await work()
            except FATAL:
                raise
            except (KubeError, KilonovaError) as error:
                logger.warning("%s: not done this time: %s", name, error)
            except Exception:
                logger.exception("%s: not done this time", name)
