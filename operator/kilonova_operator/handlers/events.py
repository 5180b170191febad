"""What kopf watches for us: each event becomes a key on its kind's feed.

The body is dropped: an event can be late, doubled or lost, and a reconciler
that reads the newest state itself treats all three alike. Nothing here writes,
so kopf needs no finalizer, no annotation and no memory of handled states.
"""

from collections.abc import Mapping
from typing import Any, Protocol, Self

import kopf

from kilonova_api.cell import Cell
from kilonova_api.flavor import Flavor
from kilonova_api.image import ClusterImage, Image
from kilonova_api.kube.resources import Key
from kilonova_api.meta import KubeObject
from kilonova_api.names import GROUP, VERSION
from kilonova_api.network import ClusterNetwork, Network
from kilonova_api.server import Server
from kilonova_api.server_group import ServerGroup
from kilonova_operator.services.control.feeds import FeedKind

WATCHED: Mapping[FeedKind, type[KubeObject]] = {
    FeedKind.SERVERS: Server,
    FeedKind.CELLS: Cell,
    FeedKind.FLAVORS: Flavor,
    FeedKind.IMAGES: Image,
    FeedKind.CLUSTER_IMAGES: ClusterImage,
    FeedKind.NETWORKS: Network,
    FeedKind.CLUSTER_NETWORKS: ClusterNetwork,
    FeedKind.GROUPS: ServerGroup,
}
"""The user-facing kinds, by the feed that their keys go to."""


class Publisher(Protocol):
    """Takes keys from kopf's thread over to where the queues live."""

    def publish(self, kind: FeedKind, key: Key, *, cell: str | None) -> None:
        """Hand over one key; must be safe to call from any thread."""
        ...

    def __copy__(self) -> Self:
        """Return itself: kopf copies its memo once for every object it sees."""
        ...


def build_registry() -> kopf.OperatorRegistry:
    """Return a registry whose handlers publish keys of all watched kinds."""
    registry = kopf.OperatorRegistry()
    for kind, model in WATCHED.items():
        decorate = kopf.on.event(
            GROUP,
            VERSION,
            model.crd.plural,
            id=f"enqueue-{kind}",
            param=kind,
            registry=registry,
        )
        decorate(enqueue)
    return registry


async def enqueue(
    *,
    namespace: str | None,
    name: str,
    status: Mapping[str, Any],
    memo: Any,
    param: Any = None,
    **_: Any,
) -> None:
    """Publish the key of a changed object, on its cell's feed too if it has one."""
    publisher: Publisher = memo
    cell = status.get("cell") if param is FeedKind.SERVERS else None
    publisher.publish(param, Key.of(namespace, name), cell=cell)
