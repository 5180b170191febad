"""Reading what a Server refers to."""

import asyncio
from base64 import b64decode
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from kilonova_api.flavor import Flavor
from kilonova_api.image import ClusterImage, Image
from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.errors import Forbidden
from kilonova_api.kube.resources import SECRET, Key
from kilonova_api.meta import KubeObject, SecretKeyRef
from kilonova_api.network import ClusterNetwork, Network
from kilonova_api.server import Server
from kilonova_api.server_group import ServerGroup
from kilonova_api.server_spec import NetworkRef
from kilonova_operator.domain.servers.references import (
    AnyImage,
    AnyNetwork,
    References,
    SecretValue,
    network_kind,
    secret_refs,
)
from kilonova_operator.services.control.waiting import Reference

_KINDS: dict[str, type[KubeObject]] = {
    kind.__name__: kind
    for kind in (
        Flavor,
        Image,
        ClusterImage,
        Network,
        ClusterNetwork,
        ServerGroup,
    )
}
T = TypeVar("T", bound=KubeObject)


def list_references(server: Server) -> frozenset[Reference]:
    """Return what a Server waits for; Secrets cannot be watched."""
    spec, namespace = server.spec, server.metadata.namespace
    named = [
        ("Flavor", spec.flavor_ref.name),
        (spec.image_ref.kind, spec.image_ref.name),
    ]
    named += [(network_kind(n.network_ref), n.network_ref.name) for n in spec.networks]
    if spec.server_group_ref is not None:
        named.append((ServerGroup.__name__, spec.server_group_ref.name))
    return frozenset(
        Reference(
            kind, Key(namespace or "" if _KINDS[kind].crd.namespaced else "", name)
        )
        for kind, name in named
    )


@dataclass(frozen=True, slots=True)
class ReferenceReader:
    """Reads flavor, image, networks, group and Secrets from the API server."""

    kube: KubeApi

    async def read(self, server: Server) -> References:
        """Read everything a Server refers to; what is missing is None."""
        spec, namespace = server.spec, server.metadata.namespace or ""
        # One after another each would cost a round trip of the build's time.
        (flavor, image, group, secrets), networks = await asyncio.gather(
            asyncio.gather(
                self._find(Flavor, "", spec.flavor_ref.name),
                self._find_image(namespace, spec.image_ref.kind, spec.image_ref.name),
                self._find_group(server),
                self.read_secrets(namespace, secret_refs(server)),
            ),
            asyncio.gather(
                *(self._find_network(namespace, n.network_ref) for n in spec.networks)
            ),
        )
        return References(
            flavor=flavor,
            image=image,
            networks={
                nic.name: network
                for nic, network in zip(spec.networks, networks, strict=True)
            },
            secrets=secrets,
            group=group,
        )

    async def read_secrets(
        self, namespace: str, refs: Iterable[SecretKeyRef]
    ) -> dict[tuple[str, str], SecretValue]:
        """Read Secret keys, each Secret once."""
        found: dict[tuple[str, str], SecretValue] = {}
        secrets: dict[str, dict[str, str] | None] = {}
        forbidden: set[str] = set()
        for ref in refs:
            if ref.name not in secrets:
                try:
                    secrets[ref.name] = await self._read_secret(namespace, ref.name)
                except Forbidden:
                    secrets[ref.name] = None
                    forbidden.add(ref.name)
            found[ref.name, ref.key] = _secret_value(
                secrets[ref.name], ref.key, readable=ref.name not in forbidden
            )
        return found

    async def _read_secret(self, namespace: str, name: str) -> dict[str, str] | None:
        obj = await self.kube.find(SECRET, namespace, name)
        return None if obj is None else obj.get("data") or {}

    async def _find_image(
        self, namespace: str, kind: str, name: str
    ) -> AnyImage | None:
        if kind == "Image":
            return await self._find(Image, namespace, name)
        return await self._find(ClusterImage, "", name)

    async def _find_group(self, server: Server) -> ServerGroup | None:
        ref, namespace = server.spec.server_group_ref, server.metadata.namespace
        if ref is None:
            return None
        return await self._find(ServerGroup, namespace or "", ref.name)

    async def _find_network(self, namespace: str, ref: NetworkRef) -> AnyNetwork | None:
        if network_kind(ref) == "Network":
            return await self._find(Network, namespace, ref.name)
        return await self._find(ClusterNetwork, "", ref.name)

    async def _find(self, kind: type[T], namespace: str, name: str) -> T | None:
        obj = await self.kube.find(kind.resource(), namespace or None, name)
        return None if obj is None else kind.model_validate(obj)


def _secret_value(
    data: dict[str, str] | None, key: str, *, readable: bool
) -> SecretValue:
    if data is None or key not in data:
        return SecretValue(
            secret_exists=data is not None, value=None, readable=readable
        )
    return SecretValue(secret_exists=True, value=b64decode(data[key]))
