"""Networks that were refused a range, and are told when one became free."""

from collections.abc import Callable
from dataclasses import dataclass, field

from kilonova_api.kube.resources import Key
from kilonova_operator.services.control.feeds import FeedKind


@dataclass(slots=True)
class RefusedNetworks:
    """Those who wait for a range, whichever kind holds it."""

    wake: Callable[[FeedKind, Key], None]
    _waiting: dict[tuple[FeedKind, Key], None] = field(default_factory=dict)

    def note(self, kind: FeedKind, key: Key) -> None:
        """Note that a network was refused."""
        self._waiting[kind, key] = None

    def range_freed(self) -> None:
        """Let all of them ask again, the longest waiting first."""
        waiting, self._waiting = self._waiting, {}
        for kind, key in waiting:
            self.wake(kind, key)
