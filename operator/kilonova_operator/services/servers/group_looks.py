"""What a look at a group found a moment ago: one look serves all its members.

Each of N members that do not fit is woken by each change, and comes back by
itself. If each read all the others, that were N² reads a round. So what was refused
is told to all who were counted in it, for some seconds, and what was read is not
read again meanwhile. Capacity, the group, its members or a member that was not
ready then: any change of these is reason for a new look at once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Generic, TypeVar

from kilonova_api.kube.clock import Clock
from kilonova_api.server import Server
from kilonova_api.server_group import ServerGroup
from kilonova_operator.domain.servers.references import Problem, References
from kilonova_operator.services.control.waiting import Waiting
from kilonova_operator.services.informers import ServerSummary

SHARED_SECONDS = 10.0
"""How long a refusal is shared; what cannot wake us is seen after it."""
_JITTER = 0.2
_MOST_GROUPS = 1000

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Ready:
    """A member that could be placed now."""

    server: Server
    found: References


@dataclass(frozen=True, slots=True)
class MemberRead:
    """A member as it was read."""

    name: str
    read_at: float
    generation: int
    result: Ready | Problem


@dataclass(frozen=True, slots=True)
class Scene:
    """What an outcome depends on, as far as we are told of its changes."""

    group_uid: str
    group_generation: int
    members: frozenset[tuple[str, int]]
    """uid and generation of those without a host."""
    capacity_rounds: int


@dataclass(frozen=True, slots=True)
class _Look(Generic[R]):
    scene: Scene
    ends_at: float
    ready: frozenset[tuple[str, int]]
    reads: Mapping[str, MemberRead]
    refused: R | None


@dataclass(slots=True)
class GroupLooks(Generic[R]):
    """The last look at each group whose members got no hosts."""

    clock: Clock
    random: Random
    waiting: Waiting
    _looks: dict[str, _Look[R]] = field(default_factory=dict)

    def see(self, group: ServerGroup, members: Iterable[ServerSummary]) -> Scene:
        """Return what there is now; before anything is read."""
        return Scene(
            group.metadata.uid,
            group.metadata.generation,
            frozenset((member.uid, member.generation) for member in members),
            self.waiting.capacity_rounds,
        )

    def find_refused(self, scene: Scene, server: Server) -> R | None:
        """Return what this Server was refused with others; None: look anew."""
        look = self._looks.get(scene.group_uid)
        if look is None or look.scene != scene or not self._holds(look):
            return None
        own = server.metadata.uid, server.metadata.generation
        return look.refused if own in look.ready else None

    def find_read(self, group_uid: str, member: ServerSummary) -> MemberRead | None:
        """Return a member as it was read a moment ago."""
        look = self._looks.get(group_uid)
        known = None if look is None else look.reads.get(member.uid)
        if known is None or known.generation != member.generation:
            return None
        is_old = self.clock.boottime() - known.read_at >= SHARED_SECONDS
        return None if is_old else known

    def keep(
        self, scene: Scene, reads: Mapping[str, MemberRead], refused: R | None
    ) -> None:
        """Keep what came of a look; ``refused`` None: what is not to be shared."""
        for uid, look in tuple(self._looks.items()):
            if not self._holds(look):
                del self._looks[uid]
        self._looks.pop(scene.group_uid, None)
        if len(self._looks) >= _MOST_GROUPS:
            del self._looks[next(iter(self._looks))]
        seconds = SHARED_SECONDS * self.random.uniform(1 - _JITTER, 1 + _JITTER)
        self._looks[scene.group_uid] = _Look(
            scene,
            self.clock.boottime() + seconds,
            frozenset(
                (uid, read.generation)
                for uid, read in reads.items()
                if isinstance(read.result, Ready)
            ),
            reads,
            refused,
        )

    def forget(self, group_uid: str) -> None:
        """Drop what is known of a group: its members were placed."""
        self._looks.pop(group_uid, None)

    def _holds(self, look: _Look[R]) -> bool:
        return self.clock.boottime() < look.ends_at
