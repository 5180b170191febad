"""Taking over a living guest whose former Server is gone."""

from dataclasses import dataclass

from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.resources import Key
from kilonova_api.names import ADOPT_ANNOTATION
from kilonova_api.server import Server
from kilonova_operator.domain.placement import InstanceMapping
from kilonova_operator.domain.servers.server_ref import build_server_ref
from kilonova_operator.services.control.feeds import Feed, FeedKind, Feeds
from kilonova_operator.services.servers.duty import Duty
from kilonova_operator.services.servers.instance_view import InstanceView
from kilonova_operator.services.servers.numa_stock import NumaStock
from kilonova_operator.services.servers.placements import PlacementIndex
from kilonova_operator.services.stores import ApiStore


@dataclass(frozen=True, slots=True)
class Adopter:
    """Gives a guest to the new Server of its name that asks for it."""

    kube: KubeApi
    api: ApiStore
    duty: Duty
    instances: InstanceView
    placements: PlacementIndex
    numa: NumaStock
    feeds: Feeds

    async def adopt(self, server: Server, holder: InstanceMapping) -> bool:
        """Adopt the guest that holds the Server's name, if its annotation says so.

        Only a guest of the same namespace and name, whose own Server object is
        gone: a tenant must not reach for anybody else's. False: nothing done.
        """
        wanted = server.metadata.annotations.get(ADOPT_ANNOTATION)
        if wanted != holder.instance_uuid or holder.queued_for_delete:
            return False
        self.duty.check_changes()
        if not holder.retained:
            # Its object vanished without us. From here on the row says that the
            # guest is nobody's; the cell takes the old Instance away.
            await self.api.record_delete(self.duty.term(), holder.server, retain=True)
        if self.instances.of_server(holder.server.uid):
            key = Key.of(server.metadata.namespace, server.metadata.name)
            self.feeds.publish_to(Feed(FeedKind.SERVERS, holder.cell), key)
            return False
        adopted = await self.api.adopt(
            self.duty.term(), holder.instance_uuid, build_server_ref(server)
        )
        self.placements.remove(holder.server.uid)
        if adopted.host is not None:
            self.placements.add(server.metadata.uid, adopted.host, adopted.group_uid)
            self.numa.stale.add(adopted.host)
        return True
