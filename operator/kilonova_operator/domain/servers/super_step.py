"""What super does next about a Server: one table, first row that holds.

::

    object there?   from the past -> HANDS_OFF
      deleting:     no row, no tombstone -> RECORD_DELETE -> SETTLE -> LET_GO
      living:       ADD_FINALIZER -> PLACE (or cell0) -> SHOW_PLACEMENT -> FOLLOW

Every row reads stored facts alone, so a process that died anywhere is resumed
by asking again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from kilonova_api.names import CELL0, SERVER_FINALIZER
from kilonova_api.server import Server
from kilonova_operator.domain.placement import InstanceMapping


class SuperStep(StrEnum):
    """The next thing that super does."""

    NOTHING = "Nothing"
    HANDS_OFF = "HandsOff"
    ADD_FINALIZER = "AddFinalizer"
    SUSPENDED = "Suspended"
    PLACE = "Place"
    SHOW_PLACEMENT = "ShowPlacement"
    FOLLOW = "Follow"
    RECORD_DELETE = "RecordDelete"
    RECORD_RETAIN = "RecordRetain"
    SETTLE = "Settle"
    LET_GO = "LetGo"


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """A Server's object, and what the API database says of its uid."""

    server: Server
    mapping: InstanceMapping | None
    tombstoned: bool

    @property
    def deleting(self) -> bool:
        """The object carries a deletionTimestamp."""
        return self.server.metadata.deletion_timestamp is not None

    @property
    def has_finalizer(self) -> bool:
        """The object carries our finalizer."""
        return SERVER_FINALIZER in self.server.metadata.finalizers

    @property
    def retains(self) -> bool:
        """Its guest is to go on when the object is deleted."""
        deletion = self.server.spec.deletion
        return deletion is not None and deletion.policy == "Retain"

    @property
    def placed(self) -> bool:
        """It has a host."""
        return is_placed(self.mapping)

    @property
    def shown(self) -> bool:
        """Status names the placement that the database knows."""
        mapping, status = self.mapping, self.server.status
        if mapping is None:
            return False
        said = (status.cell, status.host, status.placement_generation)
        return said == (mapping.cell, mapping.host, mapping.placement_generation)


def is_placed(mapping: InstanceMapping | None) -> bool:
    """Tell whether a mapping gives a host."""
    return mapping is not None and mapping.cell != CELL0 and mapping.host is not None


def is_from_the_past(facts: ServerFacts) -> bool:
    """Tell whether the object is older than what was acted on.

    That is so after etcd was restored. A Server whose delete is recorded and
    that has no deletionTimestamp came back from the dead; one whose generation
    is below the one acted on forgot an order since.
    """
    mapping = facts.mapping
    if facts.tombstoned:
        return not facts.deleting
    return (
        mapping is not None
        and mapping.object_generation > facts.server.metadata.generation
    )


def next_super_step(facts: ServerFacts) -> SuperStep:
    """Return the step of the first row that holds."""
    return next(step for holds, step in _TABLE if holds(facts))


def _living_guest(facts: ServerFacts) -> bool:
    return facts.placed and not facts.tombstoned


_Row = tuple[Callable[[ServerFacts], bool], SuperStep]
_TABLE: tuple[_Row, ...] = (
    (is_from_the_past, SuperStep.HANDS_OFF),
    # Without our finalizer nothing waits for us: whoever took it off knew, or
    # did not; either way the row stays and no guest is touched.
    (lambda f: f.deleting and not f.has_finalizer, SuperStep.NOTHING),
    (
        lambda f: f.deleting and f.retains and _living_guest(f),
        SuperStep.RECORD_RETAIN,
    ),
    (lambda f: f.deleting and not f.tombstoned, SuperStep.RECORD_DELETE),
    (
        lambda f: f.deleting and f.mapping is not None and not f.mapping.retained,
        SuperStep.SETTLE,
    ),
    (lambda f: f.deleting, SuperStep.LET_GO),
    (lambda f: not f.has_finalizer, SuperStep.ADD_FINALIZER),
    (lambda f: f.placed and not f.shown, SuperStep.SHOW_PLACEMENT),
    (lambda f: f.placed, SuperStep.FOLLOW),
    (lambda f: f.server.spec.suspend, SuperStep.SUSPENDED),
    (lambda f: True, SuperStep.PLACE),
)
