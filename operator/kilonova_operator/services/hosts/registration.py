"""What must exist before a host's agent can work: account, mailbox, rights.

All of it is made from the Node, and made again when a careless hand removes it.
Nothing is ever deleted here: guests may live on a host whose Node is gone.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from kilonova_api.compute_host import ComputeHost
from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.errors import AlreadyExists, NotFound
from kilonova_api.kube.resources import (
    NAMESPACE,
    ROLE_BINDING,
    SERVICE_ACCOUNT,
    Key,
    KubeObject,
    Resource,
)
from kilonova_api.names import HOST_NAMESPACE_LABEL, HOSTS_NAMESPACE, host_namespace
from kilonova_operator.domain.errors import KilonovaError
from kilonova_operator.services.informers import Informers
from kilonova_operator.storage.kubernetes.host_objects import (
    AGENT_BINDING,
    CONDUCTOR_BINDING,
    build_binding,
    build_host_account,
    build_host_namespace,
    build_hosts_namespace,
    host_label,
)


class HostNamespaceTaken(KilonovaError):
    """Somebody else made the namespace, and may hold rights in it."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"namespace {host_namespace(host)} exists and is not ours: host {host} "
            "gets no Instances there. Look who made it, and delete it."
        )


@dataclass(frozen=True, slots=True)
class RightsPolicy:
    """Which ClusterRoles are bound to whom in a host's namespace."""

    agent_role: str
    conductor_role: str
    conductor_account: tuple[str, str]
    """Namespace and name of the operator's own ServiceAccount."""


@dataclass(slots=True)
class HostRegistrar:
    """Makes a host's objects where they are missing."""

    kube: KubeApi
    informers: Informers
    rights: RightsPolicy
    _bound: set[tuple[str, str]] = field(default_factory=set)
    """Host and namespace uid: whose bindings were seen to be there."""

    async def ensure(self, host: str) -> None:
        """Make what is missing of the host's account, namespace and rights.

        Raises:
            HostNamespaceTaken: the namespace's name belongs to somebody else.
        """
        await self._ensure_account(host)
        namespace_uid = await self._ensure_namespace(host)
        if (host, namespace_uid) not in self._bound:
            for binding in self._build_bindings(host):
                await self._ensure_binding(binding)
            self._bound.add((host, namespace_uid))

    async def ensure_compute_host(self, host: str) -> bool:
        """Make the ComputeHost if there is none; tell whether it was made."""
        if self.informers.compute_hosts.find(Key("", host)) is not None:
            return False
        body: KubeObject = {"metadata": {"name": host}, "spec": {}}
        return await self._create(ComputeHost.resource(), body)

    def look_again(self) -> None:
        """Forget whose bindings were seen: each is looked for once more."""
        self._bound.clear()

    async def _ensure_account(self, host: str) -> None:
        if self.informers.host_accounts.find(Key(HOSTS_NAMESPACE, host)) is not None:
            return
        account = build_host_account(host)
        try:
            await self._create(SERVICE_ACCOUNT, account)
        except NotFound:
            await self._create(NAMESPACE, build_hosts_namespace())
            await self._create(SERVICE_ACCOUNT, account)

    async def _ensure_namespace(self, host: str) -> str:
        name = host_namespace(host)
        known = self.informers.host_namespaces.find(Key("", name))
        if known is not None:
            return known
        await self._create(NAMESPACE, build_host_namespace(host))
        found = await self.kube.get(NAMESPACE, None, name)
        labels = found["metadata"].get("labels", {})
        if labels.get(HOST_NAMESPACE_LABEL) != host_label(host):
            raise HostNamespaceTaken(host)
        uid: str = found["metadata"]["uid"]
        return uid

    async def _ensure_binding(self, binding: KubeObject) -> None:
        namespace, name = Key.of_object(binding)
        if await self.kube.find(ROLE_BINDING, namespace, name) is None:
            await self._create(ROLE_BINDING, binding)

    def _build_bindings(self, host: str) -> Iterable[KubeObject]:
        return (
            build_binding(
                host,
                AGENT_BINDING,
                cluster_role=self.rights.agent_role,
                account=(HOSTS_NAMESPACE, host),
            ),
            build_binding(
                host,
                CONDUCTOR_BINDING,
                cluster_role=self.rights.conductor_role,
                account=self.rights.conductor_account,
            ),
        )

    async def _create(self, resource: Resource, body: KubeObject) -> bool:
        try:
            await self.kube.create(resource, body)
        except AlreadyExists:
            return False
        return True
