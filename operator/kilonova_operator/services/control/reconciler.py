"""What a reconciler promises, and how it is registered with the process.

A reconciler gets a key and nothing else. It reads the newest state itself,
decides, writes, and may be killed anywhere: the next call resumes from what is
stored. One call per key runs at a time. An exception means: again, after a
growing pause. It runs only while its process holds the role's Lease.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from kilonova_api.kube.errors import LeaseLost, StoreWentBack
from kilonova_api.kube.resources import Key
from kilonova_operator.domain.refusals import DatabaseWentBack, StaleTerm
from kilonova_operator.services.control.feeds import Feed

FATAL = (LeaseLost, StoreWentBack, StaleTerm, DatabaseWentBack)
"""Errors after which this process may not go on."""


@dataclass(frozen=True, slots=True)
class RetryAfter:
    """Ask to be called again for the same key, though nothing changed."""

    seconds: float
    most_seconds: float | None = None
    """Up to this the pause grows, with jitter, while nothing changes; None: never."""


Reconcile = Callable[[Key], Awaitable[RetryAfter | None]]
"""Bring what one key names closer to what is asked for.

None: settled until something changes. Raises what it cannot handle; FATAL
errors, which end the process, must pass through.
"""


@dataclass(frozen=True, slots=True)
class Controller:
    """A reconciler with its queue: one name for the queue, logs and metrics."""

    name: str
    reconcile: Reconcile
    feeds: tuple[Feed, ...]
    """Where its keys come from. All of them must carry keys of the same kind."""
    workers: int = 4
