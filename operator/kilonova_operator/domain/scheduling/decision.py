"""A scheduling decision: the best host, and what removed each of the others."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from kilonova_api.server_status import SchedulingRecord, SchedulingStage
from kilonova_operator.domain.scheduling.hosts_seen import HostsSeen

_ROOM = "Capacity:"
"""How the constraints of amounts begin."""
_CELLS = "NUMATopologyFilter"
_MESSAGE_CHARACTERS = 512
_REFUSED = "The host passed every rule; when it was claimed, that was no longer so."


@dataclass(frozen=True, slots=True)
class Rejected:
    """Hosts that failed at one constraint first."""

    constraint: str
    hosts: int
    message: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """The best host; hosts left and rejected are all that were considered."""

    host: str | None
    cell: str = ""
    hosts_left: int = 0
    rejections: tuple[Rejected, ...] = ()
    nearest_miss: str | None = None
    """Where no host is left: what the one lacks that came nearest."""
    seen: HostsSeen | None = None
    """All hosts as they were then, where somebody keeps them."""
    found_full: Mapping[str, str] = field(default_factory=dict)
    """Hosts whose claim was refused before, and what they failed there."""
    ignored_hints: tuple[str, ...] = ()
    """Hints of the Server that count for nothing."""

    @property
    def hosts_considered(self) -> int:
        """How many hosts there were in all."""
        return self.hosts_left + sum(rejected.hosts for rejected in self.rejections)

    @property
    def lacks_room(self) -> bool:
        """Whether some host failed at nothing before its amounts or NUMA cells."""
        return any(
            rejected.constraint.startswith(_ROOM) or rejected.constraint == _CELLS
            for rejected in self.rejections
        )

    def recount(self, moved: Mapping[str, str], *, counted_as: str) -> "Decision":
        """Count hosts by what their claim failed, not as left out beforehand.

        A constraint that no host failed before comes last: claims are made after all
        rules. moved: for each such host what it failed; ``counted_as`` is the
        constraint under which they were left out.
        """
        counts = {rejected.constraint: rejected for rejected in self.rejections}
        before = counts.get(counted_as)
        for constraint in moved.values():
            if before is None or before.hosts == 0:
                break
            before = replace(before, hosts=before.hosts - 1)
            counts[counted_as] = before
            same = counts.get(constraint, Rejected(constraint, 0, _REFUSED))
            counts[constraint] = replace(same, hosts=same.hosts + 1)
        left = tuple(rejected for rejected in counts.values() if rejected.hosts)
        return replace(self, rejections=left, found_full=dict(moved))

    def explain(self) -> str:
        """Return the counts as people read them, most frequent first."""
        ordered = sorted(self.rejections, key=lambda r: (-r.hosts, r.constraint))
        return ", ".join(f"{r.hosts} {r.constraint}" for r in ordered)

    def build_record(self, *, attempts: int = 0) -> SchedulingRecord:
        """Return the decision as Server.status.scheduling shows it."""
        return SchedulingRecord(
            hosts_considered=self.hosts_considered,
            hosts_left=self.hosts_left,
            stages=tuple(self._build_stages()),
            nearest_miss=self.nearest_miss,
            attempts=attempts,
            ignored_hints=self.ignored_hints,
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
