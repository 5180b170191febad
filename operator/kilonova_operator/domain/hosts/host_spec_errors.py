"""What a ComputeHost's spec says that cannot be. The last good inventory stays."""

from kilonova_operator.domain.errors import KilonovaError


class HostSpecRefused(KilonovaError):
    """A field of spec contradicts another one, or the host."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"spec.{field}: {problem}")


class CpuSetInvalid(HostSpecRefused):
    """A text is no set of processors."""


class CpuSetsOverlap(HostSpecRefused):
    """A processor would be given whole to one guest, and shared by others."""


class CpuNotThere(HostSpecRefused):
    """The host has no such processor."""


class PagesNotThere(HostSpecRefused):
    """The host has no such pages, or not as many."""
