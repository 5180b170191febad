"""The list of namespaces that must not be deleted by mistake: they hold Servers.

A policy refuses their deletion; it takes the list as its parameter, from a
ConfigMap that is kept here. A namespace is added at once and taken out late, so
that one Server after another costs no two writes each.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.clock import Clock
from kilonova_api.kube.resources import CONFIG_MAP, Key, KubeObject
from kilonova_api.names import SUPER_FIELD_MANAGER
from kilonova_operator.services.control.reconciler import RetryAfter
from kilonova_operator.services.informers import BY_NAMESPACE, Informers

GUARDED_NAMESPACES = "kilonova-guarded-namespaces"
"""Name of the ConfigMap; a policy of the chart names it too."""
KEEP_SECONDS = 300.0
_HOLDS_SERVERS = "holds Servers"


@dataclass(slots=True)
class NamespaceGuard:
    """Keeps the ConfigMap; one reconcile at a time sees to the whole list."""

    kube: KubeApi
    informers: Informers
    namespace: str
    clock: Clock
    _empty_since: dict[str, float] = field(default_factory=dict)
    _saw_all: bool = False

    async def reconcile(self, key: Key) -> RetryAfter | None:
        """See to the list; ``key`` names the namespace that changed."""
        found = await self.kube.find(CONFIG_MAP, self.namespace, GUARDED_NAMESPACES)
        listed: dict[str, str] = (found or {}).get("data") or {}
        wanted = self._build_list(listed, key.name)
        if found is None:
            await self._create(wanted)
        elif wanted != listed:
            await self._apply(found, wanted)
        self._saw_all = True
        return self._next_look()

    def _build_list(self, listed: Iterable[str], changed: str) -> dict[str, str]:
        candidates = {*listed, changed}
        if not self._saw_all:  # one write for all, however many there are
            servers = self.informers.servers.items().values()
            candidates.update(server.namespace for server in servers)
        holding = {name for name in candidates if self._holds_servers(name)}
        lately = {name for name in listed if self._held_lately(name, holding)}
        return dict.fromkeys(sorted(holding | lately), _HOLDS_SERVERS)

    def _holds_servers(self, namespace: str) -> bool:
        return bool(self.informers.servers.by_index(BY_NAMESPACE, namespace))

    def _held_lately(self, namespace: str, holding: set[str]) -> bool:
        now = self.clock.boottime()
        if namespace in holding:
            self._empty_since.pop(namespace, None)
            return True
        if now - self._empty_since.setdefault(namespace, now) < KEEP_SECONDS:
            return True
        del self._empty_since[namespace]
        return False

    def _next_look(self) -> RetryAfter | None:
        if not self._empty_since:
            return None
        oldest = min(self._empty_since.values())
        left = oldest + KEEP_SECONDS - self.clock.boottime()
        return RetryAfter(max(1.0, left))

    async def _create(self, wanted: dict[str, str]) -> None:
        await self.kube.apply_new(
            CONFIG_MAP, self._build(wanted), field_manager=SUPER_FIELD_MANAGER
        )

    async def _apply(self, found: KubeObject, wanted: dict[str, str]) -> None:
        await self.kube.apply_existing(
            CONFIG_MAP,
            self._build(wanted),
            uid=found["metadata"]["uid"],
            field_manager=SUPER_FIELD_MANAGER,
        )

    def _build(self, wanted: dict[str, str]) -> KubeObject:
        metadata = {"name": GUARDED_NAMESPACES, "namespace": self.namespace}
        return {"metadata": metadata, "data": wanted}
