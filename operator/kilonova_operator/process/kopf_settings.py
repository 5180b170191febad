"""kopf's settings: it watches for us and keeps nothing anywhere.

Storages that store nothing save the copying of every body (four tenths of
kopf's time per event) and make sure that no object gets an annotation.
"""

from collections.abc import Iterator
from random import Random
from typing import Any

import kopf

from kilonova_api.kube.backoff import Backoff
from kilonova_api.names import GROUP

_LIST_PAGE = 500
# A worker that lingers holds its object's body; 0.2 s keeps 100,000 objects
# of the first list below 2 KB each.
_WORKER_IDLE_SECONDS = 0.2


class NoDiffBase(kopf.DiffBaseStorage):
    """Remembers no handled state: there are only handlers of single events."""

    def build(self, *, body: Any, extra_fields: Any = None) -> Any:
        """Give the same for every body, so that nothing ever differs."""
        return {}

    def fetch(self, *, body: Any) -> Any:
        """Find what ``build`` gives."""
        return {}

    def store(self, *, body: Any, patch: Any, essence: Any) -> None:
        """Store nothing."""


class NoProgress(kopf.ProgressStorage):
    """Remembers no progress of handlers: ours never retry through kopf."""

    def fetch(self, *, key: Any, body: Any) -> None:
        """Find nothing."""

    def store(self, *, key: Any, record: Any, body: Any, patch: Any) -> None:
        """Store nothing."""

    def purge(self, *, key: Any, body: Any, patch: Any) -> None:
        """Have nothing to remove."""

    def touch(self, *, body: Any, patch: Any, value: Any) -> None:
        """Leave the object alone."""

    def clear(self, *, essence: Any) -> Any:
        """Have nothing to clear."""
        return essence


class EndlessBackoff:
    """Pauses between attempts that never run out: an API server comes back."""

    def __init__(self, backoff: Backoff, random: Random) -> None:
        self._backoff = backoff
        self._random = random

    def __iter__(self) -> Iterator[float]:
        failures = 0
        while True:
            failures += 1
            yield self._backoff.delay(failures, self._random)


def build_kopf_settings(random: Random) -> kopf.OperatorSettings:
    """Return settings for a kopf that only watches."""
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.queueing.idle_timeout = _WORKER_IDLE_SECONDS
    settings.queueing.exit_timeout = 2
    settings.watching.chunk_size = _LIST_PAGE
    # Jitter, so that replicas and kinds do not reconnect in step. The API server
    # takes whole seconds only.
    settings.watching.server_timeout = random.randint(300, 600)
    settings.watching.connect_timeout = 10
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 10
    settings.networking.enforce_retry_after = True
    settings.networking.error_backoffs = EndlessBackoff(Backoff(0.5, 15.0), random)
    settings.persistence.finalizer = f"{GROUP}/kopf"
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.persistence.progress_storage = NoProgress()
    settings.execution.max_workers = 1
    return settings
