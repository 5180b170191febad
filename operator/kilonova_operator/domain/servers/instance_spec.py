"""The order for one host: an Instance's spec, made of what was resolved."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from kilonova_api.flavor import FlavorSize, FlavorSpec
from kilonova_api.flavor_extra_specs import effective_extra_specs
from kilonova_api.image import ImageFile
from kilonova_api.instance_spec import (
    AuthorizedKey,
    InstanceNic,
    InstanceSpec,
    ServerIdentity,
    SharedHold,
    UserDataSecret,
)
from kilonova_api.network import ClusterNetwork
from kilonova_api.server import Server
from kilonova_api.server_spec import ServerNic
from kilonova_operator.domain.servers.build_id import build_build_id
from kilonova_operator.domain.servers.guest_cpus import GuestCpus
from kilonova_operator.domain.servers.hostname import build_hostname
from kilonova_operator.domain.servers.references import (
    AnyNetwork,
    References,
    network_kind,
    resolve_ssh_keys,
    resolve_user_data,
)

MIN_AGENT_VERSION = "0.1.0"
"""Raised when an Instance says something that an older agent would get wrong."""
_DEFAULT_MTU = 1500


@dataclass(frozen=True, slots=True)
class GivenPort:
    """What the API database gave a NIC."""

    network_id: str
    address: str
    mac: str


@dataclass(frozen=True, slots=True)
class GivenPlace:
    """Where the API database put a Server."""

    instance_uuid: str
    cell: str
    host: str
    zone: str | None
    placement_generation: int
    ports: Mapping[str, GivenPort]
    """By the name of the NIC."""
    shared: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """What is claimed of other providers than the host, by name and class."""
    cpus: GuestCpus = field(default_factory=GuestCpus)


@dataclass(frozen=True, slots=True)
class Order:
    """An Instance's spec, and the user data that goes beside it in a Secret."""

    spec: InstanceSpec
    user_data: bytes | None = field(repr=False)


def build_order(
    server: Server,
    found: References,
    place: GivenPlace,
    *,
    cluster_uid: str,
    writer: int,
) -> Order:
    """Build the whole order; ``find_problem`` gave None on the same references.

    Raises:
        ValueError: a reference is missing after all.
    """
    if found.flavor is None or found.image is None:
        raise ValueError(f"Server {server.key} has unresolved references")
    user_data = resolve_user_data(server, found)
    meta, spec = server.metadata, server.spec
    instance = InstanceSpec(
        server=ServerIdentity(
            cluster=cluster_uid,
            namespace=meta.namespace or "",
            name=meta.name,
            uid=meta.uid,
        ),
        cell=place.cell,
        host=place.host,
        zone=place.zone,
        writer=writer,
        placement_generation=place.placement_generation,
        server_generation=meta.generation,
        build_id=build_build_id(place.instance_uuid, place.placement_generation),
        min_agent_version=MIN_AGENT_VERSION,
        power_state=spec.power_state,
        flavor_name=spec.flavor_ref.name,
        flavor=build_flavor_snapshot(found.flavor.spec),
        shared_amounts=tuple(
            SharedHold(provider=provider, resource_class=name, amount=amount)
            for provider, amounts in sorted(place.shared.items())
            for name, amount in sorted(amounts.items())
        ),
        image_name=spec.image_ref.name,
        image=ImageFile.model_validate(found.image.spec.model_dump()),
        networks=tuple(_nic(nic, found, place) for nic in spec.networks),
        hostname=build_hostname(meta.name, meta.uid),
        metadata=spec.metadata,
        ssh_keys=_keys(server, found),
        user_data=_user_data_secret(place.instance_uuid, user_data),
        config_drive=spec.config_drive,
        cpu_set=place.cpus.cpu_set,
        numa=place.cpus.numa,
    )
    return Order(spec=instance, user_data=user_data)


def build_flavor_snapshot(flavor: FlavorSpec) -> FlavorSize:
    """Return the flavor as Servers and Instances keep it: all in extra specs."""
    amounts = flavor.model_dump(include=_AMOUNTS)
    return FlavorSize(**amounts, extra_specs=effective_extra_specs(flavor))


def user_data_secret_name(instance: str) -> str:
    """Return the name of the Secret that holds an Instance's user data."""
    return f"{instance}-user-data"


def sha256_of(data: bytes) -> str:
    """Return the SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


_AMOUNTS = set(FlavorSize.model_fields) - {"extra_specs"}


def _user_data_secret(instance: str, data: bytes | None) -> UserDataSecret | None:
    if data is None:
        return None
    return UserDataSecret(name=user_data_secret_name(instance), sha256=sha256_of(data))


def _keys(server: Server, found: References) -> tuple[AuthorizedKey, ...]:
    return resolve_ssh_keys(server, found)


def _nic(nic: ServerNic, found: References, place: GivenPlace) -> InstanceNic:
    network, port = found.networks[nic.name], place.ports[nic.name]
    if network is None or network.status.cidr is None:
        raise ValueError(f"the network of NIC {nic.name} has no range")
    bridged = network.spec if isinstance(network, ClusterNetwork) else None
    return InstanceNic(
        name=nic.name,
        network_id=port.network_id,
        network=network_label(nic),
        type=network.spec.type,
        bridge=bridged.bridge if bridged else None,
        cidr=network.status.cidr,
        gateway=_gateway(network),
        dns_servers=network.spec.dns_servers,
        address=port.address,
        mac=port.mac,
        mtu=bridged.mtu if bridged else _DEFAULT_MTU,
        port_security=nic.port_security != "Disabled",
    )


def network_label(nic: ServerNic) -> str:
    """Return kind and name of a NIC's network, as status shows them."""
    return f"{network_kind(nic.network_ref)}/{nic.network_ref.name}"


def _gateway(network: AnyNetwork) -> str | None:
    if isinstance(network, ClusterNetwork):
        return network.spec.gateway
    return network.status.gateway
