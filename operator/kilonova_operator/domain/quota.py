"""What a namespace uses and may use, counted once per Server."""

from dataclasses import dataclass
from typing import ClassVar

from kilonova_api.names import CELL0


@dataclass(frozen=True, slots=True)
class Usage:
    """Servers and their flavors' amounts; a difference of two may be below 0."""

    instances: int = 0
    cores: int = 0
    ram_mib: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.instances + other.instances,
            self.cores + other.cores,
            self.ram_mib + other.ram_mib,
        )

    def __sub__(self, other: "Usage") -> "Usage":
        return Usage(
            self.instances - other.instances,
            self.cores - other.cores,
            self.ram_mib - other.ram_mib,
        )

    def __bool__(self) -> bool:
        return (self.instances, self.cores, self.ram_mib) != (0, 0, 0)


@dataclass(frozen=True, slots=True)
class QuotaExcess:
    """The first of the three that does not fit."""

    resource: str
    wanted: int
    used: int
    limit: int


@dataclass(frozen=True, slots=True)
class QuotaLimits:
    """What a namespace may use; None is no limit."""

    instances: int | None = None
    cores: int | None = None
    ram_mib: int | None = None

    RESOURCES: ClassVar[tuple[str, ...]] = ("instances", "cores", "ram_mib")

    def find_excess(self, used: Usage, wanted: Usage) -> QuotaExcess | None:
        """Return what ``wanted`` more would exceed.

        What is not raised is not judged: a limit below what is used takes
        nobody new, and stops nobody who is there.
        """
        for resource in self.RESOURCES:
            limit: int | None = getattr(self, resource)
            more, now = getattr(wanted, resource), getattr(used, resource)
            if limit is not None and more > 0 and now + more > limit:
                return QuotaExcess(resource, more, now, limit)
        return None


@dataclass(frozen=True, slots=True)
class NamespaceUsage:
    """The usage kept for one namespace."""

    namespace_uid: str
    usage: Usage


@dataclass(frozen=True, slots=True)
class UsageDrift:
    """A namespace whose kept usage is not the sum over its living Servers."""

    namespace_uid: str
    kept: Usage
    counted: Usage


def count_server(
    *, cell: str, deleted: bool, retained: bool, vcpus: int, ram_mib: int
) -> Usage:
    """Return what one Server counts: nothing in cell0, deleted or retained.

    Where its placements are, and how many, makes no difference: a reschedule
    or a move is neutral.
    """
    if cell == CELL0 or deleted or retained:
        return Usage()
    return Usage(1, vcpus, ram_mib)
