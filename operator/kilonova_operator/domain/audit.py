"""What an audit of the API database finds; nothing on a healthy one."""

from dataclasses import dataclass

from kilonova_operator.domain.placement import HeldClaim, InstanceMapping
from kilonova_operator.domain.quota import UsageDrift


@dataclass(frozen=True, slots=True)
class ClaimAudit:
    """Where claims, Servers and usage disagree.

    ``claims_of_nobody``: no mapping speaks of their Server. ``unclaimed``: the
    mapping has a host whose amounts nobody holds, and its delete is not
    recorded. ``usage_drift``: what is kept differs from the sum of Servers.
    """

    claims_of_nobody: tuple[HeldClaim, ...] = ()
    unclaimed: tuple[InstanceMapping, ...] = ()
    usage_drift: tuple[UsageDrift, ...] = ()

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not (self.claims_of_nobody or self.unclaimed or self.usage_drift)
