"""One ServerGroup: its members, counted from the Servers that name it."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.resources import Key
from kilonova_api.network import ClusterNetwork, Network
from kilonova_api.server_group import ServerGroup, ServerGroupStatus
from kilonova_operator.domain.group_status import (
    Member,
    build_group_status,
    find_deadline,
    spreads,
)
from kilonova_operator.domain.scheduling.group_support import find_unsupported
from kilonova_operator.domain.scheduling.options import SchedulingOptions
from kilonova_operator.services.control.counted_status import CountedStatus
from kilonova_operator.services.control.reconciler import RetryAfter
from kilonova_operator.services.control.waiting import Reference
from kilonova_operator.services.informers import BY_GROUP, Informers, ServerSummary

_MEMBERS = frozenset(
    {
        "members",
        "placed_members",
        "placed",
        "domain_count",
        "zones",
        "domains",
        "conditions",
    }
)
"""What changes with every Server."""
_NETWORKS: dict[str, type[Network | ClusterNetwork]] = {
    "Network": Network,
    "ClusterNetwork": ClusterNetwork,
}


@dataclass(frozen=True, slots=True)
class GroupReconciler:
    """Shows who is in groups, and where."""

    kube: KubeApi
    informers: Informers
    status: CountedStatus
    options: SchedulingOptions
    now: Callable[[], datetime]

    async def reconcile(self, key: Key) -> RetryAfter | None:
        """Bring one group up to date."""
        found = await self.kube.find(ServerGroup.resource(), key.namespace, key.name)
        if found is None:
            return None
        group = ServerGroup.model_validate(found)
        if group.metadata.deletion_timestamp is not None:
            return None
        servers = self._list_members(key)
        local = await self._find_host_local(servers) if spreads(group) else frozenset()
        now = self.now()
        members = [Member(server.host, server.zone) for server in servers]
        unsupported = find_unsupported(group.spec.policy, self.options)
        wanted = build_group_status(
            group, members, local, unsupported=unsupported, now=now
        )
        shown = group.status
        again = await self.status.write(
            group, wanted, counts=_MEMBERS, urgent=_is_urgent(shown, wanted)
        )
        deadline = find_deadline(group, wanted.waiting_since)
        if deadline is None or deadline <= now:
            return again
        left = (deadline - now).total_seconds()
        return RetryAfter(left if again is None else min(left, again.seconds))

    def _list_members(self, key: Key) -> list[ServerSummary]:
        servers = self.informers.servers.by_index(BY_GROUP, key)
        return [server for server in servers if not server.deleting]

    async def _find_host_local(
        self, servers: Iterable[ServerSummary]
    ) -> Collection[str]:
        """Return networks that several members share and that end at the host."""
        uses = Counter(network for server in servers for network in server.networks)
        shared = sorted(
            (network for network, count in uses.items() if count > 1),
            key=lambda network: (network.kind, network.key),
        )
        return [
            f"{network.kind} {network.key.name}"
            for network in shared
            if await self._ends_at_host(network)
        ]

    async def _ends_at_host(self, network: Reference) -> bool:
        kind, (namespace, name) = _NETWORKS[network.kind], network.key
        found = await self.kube.find(kind.resource(), namespace or None, name)
        return found is not None and found.get("status", {}).get("reach") == "host"


def _is_urgent(shown: ServerGroupStatus, wanted: ServerGroupStatus) -> bool:
    """Tell what others act on: a group without members may be deleted."""
    return (
        shown.observed_generation != wanted.observed_generation
        or shown.waiting_since != wanted.waiting_since
        or bool(shown.members) != bool(wanted.members)
    )
