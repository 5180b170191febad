"""A request's class, made of a flavor, an image and what a Server wishes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from kilonova_api.flavor import FlavorSize
from kilonova_operator.domain.scheduling.extra_spec_match import (
    find_requirement_problem,
)
from kilonova_operator.domain.scheduling.filters.near_host import (
    DEFAULT_CIDR,
    build_nearby,
)
from kilonova_operator.domain.scheduling.flavor_words import MalformedRequest
from kilonova_operator.domain.scheduling.json_query import parse_query
from kilonova_operator.domain.scheduling.numa.constraints import find_guest_topology
from kilonova_operator.domain.scheduling.numa.request import NumaRequest
from kilonova_operator.domain.scheduling.options import SchedulingOptions
from kilonova_operator.domain.scheduling.request import (
    RequestClass,
    list_extra_specs,
    sort_pairs,
)
from kilonova_operator.domain.scheduling.resource_request import (
    build_resource_request,
)

_REQUIRING = ("aggregate_instance_extra_specs", "capabilities")
"""Scopes of extra specs whose values begin with an operator; so do plain keys."""


@dataclass(frozen=True, slots=True)
class ImageAsked:
    """What rules read of an image; ``uid`` is what isolated_images names."""

    uid: str = ""
    format: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a Server asks beside flavor and image.

    ``tenant``: its namespace. ``query``, ``near``, ``cidr``: the hints query,
    build_near_host_ip and cidr.
    """

    tenant: str = ""
    zone: str | None = None
    cell: str | None = None
    query: str = ""
    near: str = ""
    cidr: str = DEFAULT_CIDR
    min_agent_version: str = "0.0.0"
    rebuild: bool = False


def build_request_class(
    flavor_name: str,
    flavor: FlavorSize,
    *,
    image: ImageAsked,
    wishes: Wishes,
    options: SchedulingOptions,
) -> RequestClass:
    """Return the class; what no rule of the site reads is left out of it.

    Raises:
        MalformedRequest: flavor or image cannot be read; it names the key.
        NumaRequestInvalid: the same, of CPUs, NUMA nodes and pages.
        MalformedQuery: the hint query means nothing.
        MalformedAddress: the hint build_near_host_ip is no address.
    """
    specs = list_extra_specs(flavor)
    _check_requirements(specs)
    resources = build_resource_request(flavor, specs, image.properties)
    numa = NumaRequest(flavor.vcpus, flavor.ram_mib, specs, image.properties)
    if wishes.query:
        parse_query(wishes.query)
    return RequestClass(
        amounts=resources.amounts,
        flavor=flavor_name,
        extra_specs=sort_pairs(specs),
        image=image.uid if options.reads_image else "",
        image_properties=sort_pairs(image.properties),
        image_format=image.format if options.reads_image_format else "",
        tenant=wishes.tenant if options.reads_tenant else "",
        zone=wishes.zone,
        cell=wishes.cell,
        required_traits=resources.required_traits,
        forbidden_traits=resources.forbidden_traits,
        query=wishes.query if options.reads_query else "",
        nearby=build_nearby(wishes.near, wishes.cidr) if wishes.near else "",
        numa=find_guest_topology(numa),
        min_agent_version=wishes.min_agent_version,
        rebuild=wishes.rebuild,
    )


def _check_requirements(extra_specs: Mapping[str, str]) -> None:
    """Refuse operators that cannot be read, where keys hold requirements."""
    for key, requirement in extra_specs.items():
        scope, colon, _ = key.partition(":")
        if colon and scope not in _REQUIRING:
            continue
        problem = find_requirement_problem(requirement)
        if problem is not None:
            raise MalformedRequest(key, problem)
