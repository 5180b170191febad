"""An agent without a hypervisor: it keeps the agent's rules over made-up domains.

Rules: only ``spec.destroy`` destroys, and only up to its generation; a missing
Instance orders nothing; a disk is built once for each build id.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kilonova_api.instance import Instance
from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.errors import NotFound
from kilonova_api.kube.resources import SECRET
from kilonova_api.names import AGENT_FIELD_MANAGER, host_namespace
from kilonova_api.server_status import Fault

STAMP = "2026-01-01T00:00:10Z"


@dataclass
class FakeDomain:
    """A guest on the host."""

    placement_generation: int
    build_id: str
    running: bool


@dataclass
class FakeHost:
    """What outlives the agent's process."""

    name: str
    domains: dict[str, FakeDomain] = field(default_factory=dict)
    disks_built: list[tuple[str, str]] = field(default_factory=list)
    """Guest and build id of every disk ever made."""
    starts: list[str] = field(default_factory=list)
    destroyed: list[str] = field(default_factory=list)


@dataclass
class FakeAgent:
    """Looks at one Instance at a time; called again on every change."""

    host: FakeHost
    kube: KubeApi
    find_fault: Callable[[Instance], Fault | None] = lambda instance: None
    built_at: str = STAMP
    """When new guests are said to be built: about now, by the test's clock."""

    @property
    def namespace(self) -> str:
        return host_namespace(self.host.name)

    async def reconcile(self, name: str) -> bool:
        """Act on one Instance; False: something is missing, look again."""
        obj = await self.kube.find(Instance.resource(), self.namespace, name)
        if obj is None:
            return True
        instance = Instance.model_validate(obj)
        domain = self.host.domains.get(name)
        order = instance.spec.destroy
        if order is not None:
            await self._destroy(instance, domain, order.placement_generation)
            return True
        if domain is None and not await self._build(instance):
            return False
        await self._follow(instance)
        return True

    async def _destroy(
        self, instance: Instance, domain: FakeDomain | None, generation: int
    ) -> None:
        name = instance.metadata.name
        if domain is not None:
            if domain.placement_generation > generation:
                return
            del self.host.domains[name]
            self.host.destroyed.append(name)
        try:
            await self.kube.delete(
                Instance.resource(),
                self.namespace,
                name,
                uid=instance.metadata.uid,
                resource_version=instance.metadata.resource_version,
            )
        except NotFound:
            return

    async def _build(self, instance: Instance) -> bool:
        name, spec = instance.metadata.name, instance.spec
        if (name, spec.build_id) in self.host.disks_built:
            await self._report(
                instance,
                state="ERROR",
                fault=Fault(reason="DiskLost", message="The disk is gone."),
            )
            return True
        if fault := self.find_fault(instance):
            await self._report(instance, state="ERROR", fault=fault)
            return True
        if spec.user_data is not None:
            secret = await self.kube.find(SECRET, self.namespace, spec.user_data.name)
            if secret is None:
                return False
        self.host.disks_built.append((name, spec.build_id))
        self.host.domains[name] = FakeDomain(
            spec.placement_generation, spec.build_id, running=False
        )
        if spec.power_state != "Stopped":
            self._start(name)
        return True

    async def _follow(self, instance: Instance) -> None:
        name, wanted = instance.metadata.name, instance.spec.power_state
        domain = self.host.domains.get(name)
        if domain is None:
            return
        domain.placement_generation = instance.spec.placement_generation
        if wanted == "Running" and not domain.running:
            self._start(name)
        if wanted == "Stopped":
            domain.running = False
        await self._report(instance, state="ACTIVE" if domain.running else "SHUTOFF")

    def _start(self, name: str) -> None:
        self.host.domains[name].running = True
        self.host.starts.append(name)

    async def _report(
        self, instance: Instance, *, state: str, fault: Fault | None = None
    ) -> None:
        domain = self.host.domains.get(instance.metadata.name)
        shown = instance.status.model_dump(
            mode="json", by_alias=True, exclude_none=True
        )
        status: dict[str, Any] = {
            "observedGeneration": instance.metadata.generation,
            "state": state,
            "placementGeneration": instance.spec.placement_generation,
            "buildId": instance.spec.build_id,
        }
        if domain is not None:
            status["builtAt"] = status["launchedAt"] = shown.get(
                "builtAt", self.built_at
            )
            status["powerState"] = "Running" if domain.running else "Shutdown"
        if fault is not None:
            status["fault"] = fault.wire()
            status.setdefault("powerState", "Shutdown")
        same = all(shown.get(key) == value for key, value in status.items())
        if same and ("fault" in shown) == ("fault" in status):
            return
        meta = instance.metadata
        await self.kube.apply_existing(
            Instance.resource(),
            {
                "metadata": {"name": meta.name, "namespace": meta.namespace},
                "status": status,
            },
            uid=meta.uid,
            field_manager=AGENT_FIELD_MANAGER,
            subresource="status",
        )
