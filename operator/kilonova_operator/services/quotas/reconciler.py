"""One ServerQuota: what its namespace uses, and may use."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.resources import Key
from kilonova_api.server_quota import ServerQuota
from kilonova_operator.domain.quota_status import build_quota_status
from kilonova_operator.services.control.counted_status import CountedStatus
from kilonova_operator.services.control.reconciler import RetryAfter
from kilonova_operator.services.quotas.directory import QuotaDirectory
from kilonova_operator.services.stores import ApiStore

_USE = frozenset({"instances", "cores", "ram_mib", "conditions"})
"""What changes with every Server."""


@dataclass(frozen=True, slots=True)
class QuotaReconciler:
    """Shows what namespaces use."""

    kube: KubeApi
    store: ApiStore
    directory: QuotaDirectory
    status: CountedStatus
    now: Callable[[], datetime]

    async def reconcile(self, key: Key) -> RetryAfter | None:
        """Bring one quota up to date."""
        found = await self.kube.find(ServerQuota.resource(), key.namespace, key.name)
        if found is None:
            return None
        quota = ServerQuota.model_validate(found)
        kept = await self.directory.find_limits(key.namespace)
        if kept is None or quota.metadata.deletion_timestamp is not None:
            return None
        used = await self.store.read_usage(kept.namespace_uid)
        status = build_quota_status(quota, used, now=self.now())
        seen = quota.status.observed_generation == quota.metadata.generation
        return await self.status.write(quota, status, counts=_USE, urgent=not seen)
