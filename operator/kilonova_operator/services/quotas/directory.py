"""What a namespace may use: its ServerQuota says so, else the chart's default."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.resources import NAMESPACE, Key
from kilonova_api.server_quota import QUOTA_NAME, ServerQuota
from kilonova_operator.domain.quota import QuotaLimits
from kilonova_operator.domain.quota_status import build_limits

T_co = TypeVar("T_co", covariant=True)


class Index(Protocol[T_co]):
    """What is needed of an informer."""

    def find(self, key: Key) -> T_co | None:
        """Give the value, None when absent."""
        ...

    def items(self) -> Mapping[Key, T_co]:
        """Give all values."""
        ...


@dataclass(frozen=True, slots=True)
class NamespaceQuota:
    """A namespace and its limits.

    Usage is kept by the uid: a namespace that is made again begins with nothing.
    """

    namespace_uid: str
    limits: QuotaLimits


@dataclass(frozen=True, slots=True)
class QuotaDirectory:
    """Limits of namespaces, without a call where the informers know them."""

    quotas: Index[ServerQuota]
    namespaces: Index[str]
    """uids of all namespaces."""
    kube: KubeApi
    default: QuotaLimits

    async def find_limits(self, namespace: str) -> NamespaceQuota | None:
        """Return a namespace's uid and limits; None: there is no such namespace."""
        uid = self.namespaces.find(Key("", namespace))
        if uid is None:  # made a moment ago
            found = await self.kube.find(NAMESPACE, None, namespace)
            if found is None:
                return None
            uid = found["metadata"]["uid"]
        return NamespaceQuota(uid, self._find(namespace))

    def _find(self, namespace: str) -> QuotaLimits:
        quota = self.quotas.find(Key(namespace, QUOTA_NAME))
        return self.default if quota is None else build_limits(quota.spec)
