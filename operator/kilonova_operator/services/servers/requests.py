"""From a Server and what it refers to, to what is asked of a host."""

from collections import OrderedDict
from dataclasses import dataclass, field

from kilonova_api.flavor import Flavor
from kilonova_api.flavor_extra_specs import effective_extra_specs
from kilonova_api.server import Server
from kilonova_operator.domain.scheduling.request import (
    BuildRequest,
    RequestClass,
    build_amounts,
    sort_pairs,
)
from kilonova_operator.domain.scheduling.scheduler import SchedulingRules
from kilonova_operator.domain.servers.instance_spec import MIN_AGENT_VERSION
from kilonova_operator.domain.servers.references import AnyImage, References

_MOST_CLASSES = 1024

_ClassKey = tuple[tuple[str, str], tuple[str, str], str | None, str | None]


@dataclass(slots=True)
class RequestBuilder:
    """Builds requests; equal flavors and images share one class, checked once."""

    rules: SchedulingRules
    _classes: OrderedDict[_ClassKey, RequestClass] = field(default_factory=OrderedDict)

    def build(
        self,
        server: Server,
        found: References,
        *,
        tried_hosts: frozenset[str],
        cell: str | None,
    ) -> BuildRequest:
        """Return what is asked for one guest.

        Raises:
            UnsupportedExtraSpec: the flavor asks for what nobody understands.
        """
        if found.flavor is None or found.image is None:
            raise ValueError(f"Server {server.key} has no flavor or no image")
        asked = self._find_class(server, found.flavor, found.image, cell)
        return BuildRequest(asked, ignored_hosts=tried_hosts)

    def _find_class(
        self, server: Server, flavor: Flavor, image: AnyImage, cell: str | None
    ) -> RequestClass:
        zone = server.spec.availability_zone
        key = (_version(flavor), _version(image), zone, cell)
        asked = self._classes.get(key)
        if asked is None:
            asked = self._classes[key] = self._build_class(flavor, image, zone, cell)
            if len(self._classes) > _MOST_CLASSES:
                self._classes.popitem(last=False)
        return asked

    def _build_class(
        self, flavor: Flavor, image: AnyImage, zone: str | None, cell: str | None
    ) -> RequestClass:
        extra_specs = effective_extra_specs(flavor.spec)
        self.rules.check_extra_specs(tuple(extra_specs))
        return RequestClass(
            amounts=tuple(build_amounts(flavor.spec).items()),
            flavor=flavor.metadata.name,
            extra_specs=sort_pairs(extra_specs),
            image_properties=sort_pairs(image.spec.properties),
            zone=zone,
            cell=cell,
            min_agent_version=MIN_AGENT_VERSION,
        )


def _version(obj: Flavor | AnyImage) -> tuple[str, str]:
    meta = obj.metadata
    return meta.uid, meta.resource_version or ""
