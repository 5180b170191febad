"""What a build asks of a host."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from kilonova_api.flavor import FlavorSize, FlavorSpec
from kilonova_api.flavor_extra_specs import effective_extra_specs
from kilonova_operator.domain.scheduling.resource_request import (
    build_resource_request,
)

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class RequestClass:
    """What many requests have in common: hosts are judged for all of them at once.

    Hashable, so that judgements are kept by it. ``image``, ``image_format`` and
    ``tenant`` are left empty where no rule of the installation reads them: they would
    part requests that are judged alike.
    ``min_agent_version``: of the agent that must build it.
    ``nearby``: a network in which the host's own address must be.
    ``numa``: the guest's NUMA cells (domain.scheduling.numa), None without any.
    """

    amounts: tuple[tuple[str, int], ...]
    flavor: str = ""
    extra_specs: Pairs = ()
    image: str = ""
    image_properties: Pairs = ()
    image_format: str = ""
    tenant: str = ""
    zone: str | None = None
    cell: str | None = None
    required_traits: frozenset[str] = frozenset()
    forbidden_traits: frozenset[str] = frozenset()
    query: str = ""
    nearby: str = ""
    numa: Any = None
    min_agent_version: str = "0.0.0"
    rebuild: bool = False

    def amount(self, resource_class: str) -> int:
        """Return how much of a resource class is asked for; 0 without any."""
        return self._amounts.get(resource_class, 0)

    def find_extra_spec(self, key: str) -> str | None:
        """Return an extra spec's value."""
        return self._extra_specs.get(key)

    def find_image_property(self, key: str) -> str | None:
        """Return an image property's value."""
        return self._image_properties.get(key)

    @cached_property
    def _amounts(self) -> dict[str, int]:
        return dict(self.amounts)

    @cached_property
    def _extra_specs(self) -> dict[str, str]:
        return dict(self.extra_specs)

    @cached_property
    def _image_properties(self) -> dict[str, str]:
        return dict(self.image_properties)


Policy = Literal["Affinity", "AntiAffinity", "SoftAffinity", "SoftAntiAffinity"]


@dataclass(frozen=True, slots=True)
class GroupView:
    """The Server's group, and where its other members are."""

    uid: str
    policy: Policy
    members: Mapping[str, int] = field(default_factory=dict)
    """Members on each host that has some."""
    by_zone: bool = False
    """Domains are availability zones; Nova knows hosts only."""
    max_per_domain: int = 1


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """One guest that needs a host.

    ``ignored_hosts``: hosts that already failed this build. ``forced_host``: an
    admin's choice; pre-filters and capacity still hold, filters do not.
    ``requested_host``: an admin's choice too, but every rule holds.
    ``same_hosts``, ``different_hosts``: hosts of the Servers a hint names, None
    without the hint. ``ignored_hints``: those that count for nothing.
    """

    asked: RequestClass
    ignored_hosts: frozenset[str] = frozenset()
    forced_host: str | None = None
    requested_host: str | None = None
    same_hosts: frozenset[str] | None = None
    different_hosts: frozenset[str] | None = None
    group: GroupView | None = None
    ignored_hints: tuple[str, ...] = ()

    @property
    def amounts(self) -> dict[str, int]:
        """What the guest takes of its host, by resource class."""
        return dict(self.asked.amounts)


def build_amounts(
    flavor: FlavorSize, properties: Mapping[str, str] | None = None
) -> dict[str, int]:
    """Return what a flavor, run with an image, takes of a host.

    Raises:
        MalformedRequest: a word cannot be read; it names the key.
        NumaRequestInvalid: CPU policies cannot be read, or contradict each other.
    """
    specs = list_extra_specs(flavor)
    return dict(build_resource_request(flavor, specs, properties or {}).amounts)


def list_extra_specs(flavor: FlavorSize) -> Mapping[str, str]:
    """Return all extra specs of a flavor, those of its typed fields as well."""
    if isinstance(flavor, FlavorSpec):
        return effective_extra_specs(flavor)
    return flavor.extra_specs


def sort_pairs(values: Mapping[str, str]) -> Pairs:
    """Return a mapping as a request class keeps it."""
    return tuple(sorted(values.items()))
