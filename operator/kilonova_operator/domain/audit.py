"""What an audit of the API database finds; nothing on a healthy one."""

from dataclasses import dataclass

from kilonova_operator.domain.placement import HeldClaim, InstanceMapping
from kilonova_operator.domain.quota import UsageDrift


@dataclass(frozen=True, slots=True)
class CpuClash:
    """CPUs of a host that two placements were given, each as uid/generation."""

    host: str
    first: str
    second: str
    cpus: str

    def __str__(self) -> str:
        return (
            f"CPU {self.cpus} of host {self.host} belongs to placement {self.first} "
            f"and to {self.second}"
        )


@dataclass(frozen=True, slots=True)
class ClaimAudit:
    """Where claims, Servers and usage disagree.

    ``claims_of_nobody``: no mapping speaks of their Server. ``unclaimed``: the
    mapping has a host whose amounts nobody holds, and its delete is not
    recorded. ``usage_drift``: what is kept differs from the sum of Servers.
    ``cpu_clashes``: dedicated CPUs that were given twice.
    """

    claims_of_nobody: tuple[HeldClaim, ...] = ()
    unclaimed: tuple[InstanceMapping, ...] = ()
    usage_drift: tuple[UsageDrift, ...] = ()
    cpu_clashes: tuple[CpuClash, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not (
            self.claims_of_nobody
            or self.unclaimed
            or self.usage_drift
            or self.cpu_clashes
        )

    def describe(self) -> tuple[str, ...]:
        """Say everything that was found, a line each."""
        return (
            *(
                f"claim of nobody: Server uid {claim.server_uid}, placement "
                f"{claim.placement_generation}, host {claim.host}, "
                f"{dict(claim.amounts)}"
                for claim in self.claims_of_nobody
            ),
            *(
                f"placed without a claim: Server {mapping.server} "
                f"(uid {mapping.server.uid}), host {mapping.host}"
                for mapping in self.unclaimed
            ),
            *(
                f"usage of namespace uid {drift.namespace_uid}: {drift.kept} is "
                f"kept, its Servers have {drift.counted}"
                for drift in self.usage_drift
            ),
            *(f"given twice: {clash}" for clash in self.cpu_clashes),
        )
