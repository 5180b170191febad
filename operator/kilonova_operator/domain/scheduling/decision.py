"""A scheduling decision: hosts best first, and what removed each of the others."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from kilonova_api.server_status import SchedulingRecord, SchedulingStage

_MESSAGE_CHARACTERS = 512


@dataclass(frozen=True, slots=True)
class Rejected:
    """Hosts that failed at one constraint first."""

    constraint: str
    hosts: int
    message: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """Hosts left and hosts rejected; together they are all that were considered."""

    hosts: tuple[str, ...]
    cells: Mapping[str, str]
    """Cell of each host that is left."""
    rejections: tuple[Rejected, ...] = ()

    @property
    def hosts_considered(self) -> int:
        """How many hosts there were in all."""
        return len(self.hosts) + sum(rejected.hosts for rejected in self.rejections)

    def without(self, host: str, constraint: str, message: str = "") -> "Decision":
        """Count a host as rejected after all: its claim was lost or refused."""
        if host not in self.hosts:
            return self
        counted = {rejected.constraint: rejected for rejected in self.rejections}
        before = counted.get(constraint, Rejected(constraint, 0, message))
        counted[constraint] = replace(before, hosts=before.hosts + 1)
        return Decision(
            hosts=tuple(other for other in self.hosts if other != host),
            cells={h: c for h, c in self.cells.items() if h != host},
            rejections=tuple(counted.values()),
        )

    def explain(self) -> str:
        """Return the counts as people read them, most frequent first."""
        ordered = sorted(self.rejections, key=lambda r: (-r.hosts, r.constraint))
        return ", ".join(f"{r.hosts} {r.constraint}" for r in ordered)

    def build_record(self, *, attempts: int = 0) -> SchedulingRecord:
        """Return the decision as Server.status.scheduling shows it."""
        return SchedulingRecord(
            hosts_considered=self.hosts_considered,
            hosts_left=len(self.hosts),
            stages=tuple(self._build_stages()),
            attempts=attempts,
        )

    def _build_stages(self) -> Iterator[SchedulingStage]:
        left = self.hosts_considered
        for rejected in self.rejections:
            left -= rejected.hosts
            yield SchedulingStage(
                constraint=rejected.constraint,
                hosts_removed=rejected.hosts,
                hosts_left=left,
                message=rejected.message[:_MESSAGE_CHARACTERS],
            )
