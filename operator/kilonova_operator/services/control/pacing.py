"""Counts in a status are news, but not urgent: at most one write in a while."""

from dataclasses import dataclass, field

from kilonova_api.kube.clock import Clock


@dataclass(slots=True)
class CountPacer:
    """Tells when an object's counts may be written again."""

    clock: Clock
    interval_seconds: float
    _written_at: dict[str, float] = field(default_factory=dict)

    def left_seconds(self, uid: str) -> float:
        """Return how long the counts have to wait; 0 when they may go now."""
        written_at = self._written_at.get(uid)
        if written_at is None:
            return 0.0
        due = written_at + self.interval_seconds
        return max(0.0, due - self.clock.boottime())

    def note_written(self, uid: str) -> None:
        """Note that counts were written just now."""
        self._written_at[uid] = self.clock.boottime()

    def forget(self, uid: str) -> None:
        """Drop an object that is gone."""
        self._written_at.pop(uid, None)
