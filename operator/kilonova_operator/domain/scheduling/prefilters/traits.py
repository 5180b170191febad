"""Traits that a host must have, or must not."""

from kilonova_operator.domain.scheduling.columns import BoolArray
from kilonova_operator.domain.scheduling.interfaces import FactsAlone
from kilonova_operator.domain.scheduling.request import BuildRequest, RequestClass
from kilonova_operator.domain.scheduling.rows import HostRows

_SCOPE = "trait:"


class RequiredTraits(FactsAlone):
    """Leave out hosts without every trait that flavor and image require.

    Source: placement.objects.research_context, Placement 16.
    """

    name = "RequiredTraits"

    def understands(self, extra_spec: str) -> bool:
        """Claim the keys that name a trait."""
        return extra_spec.startswith(_SCOPE)

    def applies(self, asked: RequestClass) -> bool:
        """Look only where a trait is required."""
        return bool(asked.required_traits)

    def mask(self, hosts: HostRows, asked: RequestClass) -> BoolArray:
        """Pass hosts that have all of them."""
        return hosts.by_traits(lambda traits: asked.required_traits <= traits)

    def explain(self, request: BuildRequest) -> str:
        """Name the traits."""
        return f"The host must have {_list(request.asked.required_traits)}."


class ForbiddenTraits(FactsAlone):
    """Leave out hosts with any trait that the flavor forbids."""

    name = "ForbiddenTraits"

    def understands(self, extra_spec: str) -> bool:
        """Claim the keys that name a trait."""
        return extra_spec.startswith(_SCOPE)

    def applies(self, asked: RequestClass) -> bool:
        """Look only where a trait is forbidden."""
        return bool(asked.forbidden_traits)

    def mask(self, hosts: HostRows, asked: RequestClass) -> BoolArray:
        """Pass hosts that have none of them."""
        return hosts.by_traits(asked.forbidden_traits.isdisjoint)

    def explain(self, request: BuildRequest) -> str:
        """Name the traits."""
        return f"The host must not have {_list(request.asked.forbidden_traits)}."


def _list(traits: frozenset[str]) -> str:
    return ", ".join(sorted(traits))
