"""The weighers of soft group policies: together, or apart, where it can be had."""

from dataclasses import dataclass

import numpy as np

from kilonova_operator.domain.scheduling.columns import FloatArray, HostColumns
from kilonova_operator.domain.scheduling.group_domains import count_members
from kilonova_operator.domain.scheduling.request import BuildRequest, Policy


@dataclass(frozen=True, slots=True)
class ServerGroupSoftAffinityWeigher:
    """Members in the host's domain. Source: nova.scheduler.weights.affinity, Nova 34.

    A domain is a host, as in Nova, or a zone where the group asks for it.
    """

    multiplier: float = 1.0
    name = "ServerGroupSoftAffinityWeigher"
    multiplier_key = "soft_affinity_weight_multiplier"
    sign = 1.0
    minval = None

    def weigh_for(
        self, columns: HostColumns, request: BuildRequest
    ) -> FloatArray | None:
        """Return the number of members."""
        return _count(columns, request, "SoftAffinity")


@dataclass(frozen=True, slots=True)
class ServerGroupSoftAntiAffinityWeigher:
    """Members in the host's domain, turned round."""

    multiplier: float = 1.0
    name = "ServerGroupSoftAntiAffinityWeigher"
    multiplier_key = "soft_anti_affinity_weight_multiplier"
    sign = 1.0
    minval = None

    def weigh_for(
        self, columns: HostColumns, request: BuildRequest
    ) -> FloatArray | None:
        """Return minus the number of members."""
        counts = _count(columns, request, "SoftAntiAffinity")
        return None if counts is None else -counts


def _count(
    columns: HostColumns, request: BuildRequest, policy: Policy
) -> FloatArray | None:
    group = request.group
    if group is None or group.policy != policy or not group.members:
        return None
    return count_members(columns, group).astype(np.float64)
