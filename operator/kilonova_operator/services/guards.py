"""The list of namespaces that must not be deleted by mistake: they hold Servers.

A policy refuses their deletion; it takes the list as its parameter, from a
ConfigMap that is kept here. A namespace is added at once and taken out after a
while without Servers, so that one Server after another costs no two writes each.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.clock import Clock
from kilonova_api.kube.resources import CONFIG_MAP, Key, KubeObject
from kilonova_api.names import SUPER_FIELD_MANAGER
from kilonova_operator.services.control.reconciler import RetryAfter
from kilonova_operator.services.informers import Informers

GUARDED_NAMESPACES = "kilonova-guarded-namespaces"
"""Name of the ConfigMap; a policy of the chart names it too."""
GUARD_KEY = Key("", GUARDED_NAMESPACES)
"""The one key of the guard's queue: whoever changed, all are looked at."""
KEEP_SECONDS = 30.0
"""A namespace without Servers stays listed so long; the policy's text says so."""
WRITE_SECONDS = 5.0
"""Changes that come sooner after a write wait, and go together."""
_LOOK_SECONDS = 1.0
_HOLDS_SERVERS = "holds Servers"


@dataclass(slots=True)
class NamespaceGuard:
    """Keeps the ConfigMap, one reconcile at a time."""

    kube: KubeApi
    informers: Informers
    namespace: str
    clock: Clock
    _empty_since: dict[str, float] = field(default_factory=dict)
    _looked_at: float | None = None
    _written_at: float | None = None

    async def reconcile(self, _key: Key) -> RetryAfter | None:
        """See to the whole list."""
        wait_seconds = self._left(self._looked_at, _LOOK_SECONDS)
        if wait_seconds:
            return RetryAfter(wait_seconds)
        self._looked_at = self.clock.boottime()
        found = await self.kube.find(CONFIG_MAP, self.namespace, GUARDED_NAMESPACES)
        listed: dict[str, str] = (found or {}).get("data") or {}
        wanted = self._build_list(listed)
        if found is None or wanted != listed:
            wait_seconds = self._left(self._written_at, WRITE_SECONDS)
            if wait_seconds:
                return RetryAfter(wait_seconds)
            await self._write(found, wanted)
        return self._next_look()

    def _build_list(self, listed: Mapping[str, str]) -> dict[str, str]:
        servers = self.informers.servers.items().values()
        holding = {server.namespace for server in servers}
        now, before = self.clock.boottime(), self._empty_since
        empty = {name: before.get(name, now) for name in listed.keys() - holding}
        self._empty_since = empty
        lately = {name for name in empty if self._left(empty[name], KEEP_SECONDS)}
        return dict.fromkeys(sorted(holding | lately), _HOLDS_SERVERS)

    def _next_look(self) -> RetryAfter | None:
        left = [self._left(at, KEEP_SECONDS) for at in self._empty_since.values()]
        kept = [seconds for seconds in left if seconds]
        return RetryAfter(max(_LOOK_SECONDS, min(kept))) if kept else None

    def _left(self, since: float | None, seconds: float) -> float:
        if since is None:
            return 0.0
        return max(0.0, since + seconds - self.clock.boottime())

    async def _write(self, found: KubeObject | None, wanted: dict[str, str]) -> None:
        self._written_at = self.clock.boottime()
        metadata = {"name": GUARDED_NAMESPACES, "namespace": self.namespace}
        body = {"metadata": metadata, "data": wanted}
        if found is None:
            await self.kube.apply_new(
                CONFIG_MAP, body, field_manager=SUPER_FIELD_MANAGER
            )
            return
        await self.kube.apply_existing(
            CONFIG_MAP,
            body,
            uid=found["metadata"]["uid"],
            field_manager=SUPER_FIELD_MANAGER,
        )
