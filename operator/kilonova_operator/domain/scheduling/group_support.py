"""Policies of groups that no enabled filter or weigher acts on: they are refused."""

from collections.abc import Mapping

from kilonova_operator.domain.errors import KilonovaError
from kilonova_operator.domain.scheduling.options import SchedulingOptions
from kilonova_operator.domain.scheduling.request import Policy

_FILTERS: Mapping[Policy, str] = {
    "Affinity": "ServerGroupAffinityFilter",
    "AntiAffinity": "ServerGroupAntiAffinityFilter",
}
_WEIGHERS: Mapping[Policy, str] = {
    "SoftAffinity": "ServerGroupSoftAffinityWeigher",
    "SoftAntiAffinity": "ServerGroupSoftAntiAffinityWeigher",
}


class UnsupportedPolicy(KilonovaError):
    """A group asks for what this installation has switched off."""

    def __init__(self, policy: Policy, reader: str, option: str) -> None:
        super().__init__(
            f"policy {policy} of the ServerGroup is not supported here: {reader} is "
            f"not among {option}. Create the Server without serverGroupRef, or ask "
            f"an admin to enable it (chart value scheduler.options.{option})."
        )


def find_unsupported(
    policy: Policy, options: SchedulingOptions
) -> UnsupportedPolicy | None:
    """Return why a policy would be forgotten; a site's own rules may act on any.

    Source: nova.scheduler.utils._get_group_details, Nova 34.
    """
    reader = _FILTERS.get(policy)
    if reader is not None and not options.may_enable(reader):
        return UnsupportedPolicy(policy, reader, "enabled_filters")
    weigher = _WEIGHERS.get(policy)
    if weigher is not None and not options.may_weigh(weigher):
        return UnsupportedPolicy(policy, weigher, "weight_classes")
    return None
