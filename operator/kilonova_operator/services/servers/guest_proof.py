"""Proof that a guest is gone from a host: its agent deleted the Instance.

Once its end is ordered nobody else can delete an Instance by itself: the API
server refuses it to every other account, ours included (the chart's policy
``kilonova-host-answers``, which no setting switches off). It is still missing
when a careless hand deleted its namespace or its kind. So its absence counts
only where both have stood there, untouched, since before the order was given.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kilonova_api.instance import Instance
from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.resources import NAMESPACE
from kilonova_api.names import host_namespace
from kilonova_operator.services.servers.crd_health import CrdHealth


@dataclass(frozen=True, slots=True)
class GuestProof:
    """Asks the API server, never a cache."""

    kube: KubeApi
    crds: CrdHealth

    async def is_gone(
        self, host: str, instance: str, *, since: datetime | None
    ) -> bool:
        """Tell whether the guest is proven gone from the host.

        since: when its order was first given; None if it never was, and then
        its absence is proof enough.
        """
        if await self.is_there(host, instance):
            return False
        if since is None:
            return True
        return await self.is_trustworthy(host_namespace(host), since=since)

    async def is_there(self, host: str, instance: str) -> bool:
        """Tell whether the host's Instance exists."""
        resource, namespace = Instance.resource(), host_namespace(host)
        return await self.kube.find(resource, namespace, instance) is not None

    async def is_trustworthy(self, namespace: str, *, since: datetime) -> bool:
        """Tell whether what a namespace lacks was taken out by its agent."""
        if not await self.crds.keeps_instances(since=since):
            return False
        found = await self.kube.find(NAMESPACE, None, namespace)
        return found is not None and _stands_since(found["metadata"], since)


def _stands_since(metadata: Mapping[str, Any], since: datetime) -> bool:
    if "deletionTimestamp" in metadata:
        return False
    created = datetime.fromisoformat(metadata["creationTimestamp"])
    return created <= since
