"""From a Server and what it refers to, to what is asked of a host."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from kilonova_api.flavor import Flavor
from kilonova_api.kube.resources import Key
from kilonova_api.scheduling import SchedulingHints, ServerScheduling
from kilonova_api.server import Server
from kilonova_api.server_group import ServerGroup
from kilonova_operator.domain.scheduling.build_class import (
    ImageAsked,
    Wishes,
    build_request_class,
)
from kilonova_operator.domain.scheduling.extra_spec_check import (
    UnknownExtraSpec,
    UnsupportedExtraSpec,
)
from kilonova_operator.domain.scheduling.filters.near_host import MalformedAddress
from kilonova_operator.domain.scheduling.flavor_words import MalformedRequest
from kilonova_operator.domain.scheduling.group_support import (
    UnsupportedPolicy,
    find_unsupported,
)
from kilonova_operator.domain.scheduling.hints import list_ignored_hints
from kilonova_operator.domain.scheduling.json_query import MalformedQuery
from kilonova_operator.domain.scheduling.numa.request import NumaRequestInvalid
from kilonova_operator.domain.scheduling.options import SchedulingOptions
from kilonova_operator.domain.scheduling.request import (
    BuildRequest,
    GroupView,
    RequestClass,
    list_extra_specs,
)
from kilonova_operator.domain.scheduling.scheduler import SchedulingRules
from kilonova_operator.domain.servers.instance_spec import MIN_AGENT_VERSION
from kilonova_operator.domain.servers.references import AnyImage, References
from kilonova_operator.services.servers.placements import PlacementIndex

UNREADABLE = (
    UnknownExtraSpec,
    UnsupportedExtraSpec,
    MalformedRequest,
    NumaRequestInvalid,
    MalformedQuery,
    MalformedAddress,
    UnsupportedPolicy,
)
"""What a request raises that cannot be built: no host is asked."""
_MOST_CLASSES = 1024
_NO_HINTS = SchedulingHints()
_NO_WORD = ServerScheduling()

_ClassKey = tuple[tuple[str, str], tuple[str, str], Wishes]


class KnownServer(Protocol):
    """What is needed of another Server."""

    @property
    def uid(self) -> str:
        """Its uid."""
        ...


class ServerIndex(Protocol):
    """What is needed of the informer of Servers."""

    def find(self, key: Key) -> KnownServer | None:
        """Give the Server, None when absent."""
        ...


@dataclass(slots=True)
class RequestBuilder:
    """Builds requests; equal flavors, images and wishes share one class."""

    rules: SchedulingRules
    options: SchedulingOptions
    placements: PlacementIndex
    servers: ServerIndex
    _classes: OrderedDict[_ClassKey, RequestClass] = field(default_factory=OrderedDict)

    def build(
        self,
        server: Server,
        found: References,
        *,
        tried_hosts: frozenset[str] = frozenset(),
        cell: str | None = None,
    ) -> BuildRequest:
        """Return what is asked for one guest.

        Raises:
            UnknownExtraSpec: the flavor has a key that means nothing to Nova.
            UnsupportedExtraSpec: the flavor asks for what nobody understands.
            MalformedRequest, NumaRequestInvalid: flavor or image cannot be read.
            MalformedQuery, MalformedAddress: a hint of the Server cannot be read.
            UnsupportedPolicy: no enabled rule acts on the policy of its group.
        """
        if found.flavor is None or found.image is None:
            raise ValueError(f"Server {server.key} has no flavor or no image")
        hints = server.spec.scheduling_hints or _NO_HINTS
        word = server.spec.scheduling or _NO_WORD
        different = self._find_hosts(server, hints.different_host)
        return BuildRequest(
            self._find_class(found.flavor, found.image, _build_wishes(server, cell)),
            ignored_hosts=tried_hosts,
            forced_host=word.forced_host,
            requested_host=word.requested_host,
            same_hosts=self._find_hosts(server, hints.same_host),
            different_hosts=different,
            group=self._view_group(server, found.group),
            ignored_hints=list_ignored_hints(
                hints, self.options, different_hosts=different
            ),
        )

    def _find_class(
        self, flavor: Flavor, image: AnyImage, wishes: Wishes
    ) -> RequestClass:
        key = (_version(flavor), _version(image), wishes)
        asked = self._classes.get(key)
        if asked is None:
            asked = self._classes[key] = self._build_class(flavor, image, wishes)
            if len(self._classes) > _MOST_CLASSES:
                self._classes.popitem(last=False)
        return asked

    def _build_class(
        self, flavor: Flavor, image: AnyImage, wishes: Wishes
    ) -> RequestClass:
        self.rules.check_extra_specs(list_extra_specs(flavor.spec))
        return build_request_class(
            flavor.metadata.name,
            flavor.spec,
            image=ImageAsked(
                image.metadata.uid, image.spec.format, image.spec.properties
            ),
            wishes=wishes,
            options=self.options,
        )

    def _find_hosts(
        self, server: Server, names: Iterable[str]
    ) -> frozenset[str] | None:
        """Return the hosts of the Servers that a hint names; None without names."""
        hosts = set()
        for name in (names := tuple(names)):
            other = self.servers.find(Key.of(server.metadata.namespace, name))
            host = self.placements.find_host(other.uid) if other else None
            if host is not None:
                hosts.add(host)
        return frozenset(hosts) if names else None

    def _view_group(
        self, server: Server, group: ServerGroup | None
    ) -> GroupView | None:
        if group is None:
            return None
        uid, spec = group.metadata.uid, group.spec
        unsupported = find_unsupported(spec.policy, self.options)
        if unsupported is not None:
            raise unsupported
        return GroupView(
            uid=uid,
            policy=spec.policy,
            members=self.placements.count_members(uid, but_not=server.metadata.uid),
            by_zone=spec.topology == "Zone",
            max_per_domain=spec.max_per_domain or 1,
        )


def _build_wishes(server: Server, cell: str | None) -> Wishes:
    hints = server.spec.scheduling_hints or _NO_HINTS
    near = hints.near_host
    return Wishes(
        tenant=server.metadata.namespace or "",
        zone=server.spec.availability_zone,
        cell=cell,
        query=hints.query or "",
        near=near.address if near else "",
        cidr=f"/{near.prefix_length}" if near else "",
        min_agent_version=MIN_AGENT_VERSION,
    )


def _version(obj: Flavor | AnyImage) -> tuple[str, str]:
    meta = obj.metadata
    return meta.uid, meta.resource_version or ""
