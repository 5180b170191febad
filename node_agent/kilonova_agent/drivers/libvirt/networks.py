"""NAT networks on the host: one libvirt network each, with fixed DHCP leases.

A network is made when the first NIC needs it, starts with the host, and is
removed when no domain uses it. All functions block and may be repeated.
"""

import uuid
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network

import libvirt
from jinja2 import Environment

from kilonova_agent.domain.faults import NetworkUnavailable
from kilonova_agent.drivers.libvirt.errors import check_answered
from kilonova_agent.drivers.libvirt.names import (
    NETWORK_PREFIX,
    bridge_name,
    network_name,
)
from kilonova_api.instance_spec import InstanceNic

# The second address of a network is nobody's.
_PLACEHOLDER_MAC = "52:54:00:00:00:02"
_UUID_NAMESPACE = uuid.UUID("6cf70f3a-5c30-5d1c-9d35-3a1f0c7a8c11")


@dataclass(frozen=True, slots=True)
class _Lease:
    mac: str
    address: str


@dataclass(frozen=True, slots=True)
class _Side:
    """One of the two forms libvirt keeps of a network: by what flags it goes.

    It writes one after the other and may die between: each is looked at alone.
    """

    update: int
    read: int


_AS_DEFINED = _Side(
    libvirt.VIR_NETWORK_UPDATE_AFFECT_CONFIG, libvirt.VIR_NETWORK_XML_INACTIVE
)
_AS_IT_RUNS = _Side(libvirt.VIR_NETWORK_UPDATE_AFFECT_LIVE, 0)


def network_uuid(network_id: str) -> str:
    """Return the uuid a network has in libvirt: its own id if that is one."""
    try:
        return str(uuid.UUID(network_id))
    except ValueError:
        return str(uuid.uuid5(_UUID_NAMESPACE, network_id))


def build_network_xml(environment: Environment, nic: InstanceNic) -> str:
    """Build a network's definition, the NIC's lease included."""
    return environment.get_template("network.xml.j2").render(
        nic=nic,
        name=network_name(nic.network_id),
        uuid=network_uuid(nic.network_id),
        bridge=bridge_name(nic.network_id),
        gateway=gateway_of(nic),
        # Without any lease libvirt ends DHCP, and begins it anew with the next:
        # some 40 programs, and a second without DHCP for everybody.
        placeholder=_Lease(_PLACEHOLDER_MAC, str(IPv4Network(nic.cidr)[2])),
        prefix=IPv4Network(nic.cidr).prefixlen,
    )


def gateway_of(nic: InstanceNic) -> str:
    """Return the host's own address on a NAT network."""
    return nic.gateway or str(IPv4Network(nic.cidr)[1])


def ensure_network(
    connection: libvirt.virConnect, environment: Environment, nic: InstanceNic
) -> None:
    """Make the NIC's network exist and run, with the NIC's lease in it.

    Raises:
        NetworkUnavailable: libvirt refuses it, for example because its range
            is in use on this host.
        libvirt.libvirtError: no answer came; the network may be there.
    """
    try:
        network = _find(connection, network_name(nic.network_id))
        if network is None:
            network = connection.networkDefineXML(build_network_xml(environment, nic))
        elif network.UUIDString() != network_uuid(nic.network_id):
            raise NetworkUnavailable(
                f"network {nic.network} cannot be made on this host: libvirt has "
                f"another network named {network.name()}. Remove that one."
            )
        network.setAutostart(True)
        _ensure_active(network)
        _ensure_lease(network, _Lease(nic.mac, nic.address))
    except libvirt.libvirtError as error:
        check_answered(connection, error)
        raise NetworkUnavailable(
            f"network {nic.network} ({nic.cidr}) cannot be made on this host: {error}"
        ) from error


def remove_lease(connection: libvirt.virConnect, nic: InstanceNic) -> None:
    """Forget the NIC's lease, if it is there."""
    network = _find(connection, network_name(nic.network_id))
    if network is None:
        return
    lease = _Lease(nic.mac, nic.address)
    for side in _sides(network):
        if lease in _read_leases(network, side):
            _delete_lease(network, side, lease)


def remove_unused_networks(
    connection: libvirt.virConnect, keep: Iterable[str]
) -> list[str]:
    """Remove our networks that no domain uses and ``keep`` does not name.

    Args:
        connection: where to look.
        keep: ids of networks that a guest may need in a moment.
    """
    used = {network_name(network_id) for network_id in keep}
    for domain in connection.listAllDomains():
        used |= _networks_of(domain)
    removed = []
    for network in connection.listAllNetworks():
        name = network.name()
        if name.startswith(NETWORK_PREFIX) and name not in used:
            if network.isActive():
                network.destroy()
            network.undefine()
            removed.append(name)
    return removed


def _find(connection: libvirt.virConnect, name: str) -> libvirt.virNetwork | None:
    try:
        return connection.networkLookupByName(name)
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_NETWORK:
            return None
        raise


def _ensure_active(network: libvirt.virNetwork) -> None:
    if network.isActive():
        return
    try:
        network.create()
    except libvirt.libvirtError as error:
        # Another guest's NIC can have started it meanwhile.
        if error.get_error_code() != libvirt.VIR_ERR_OPERATION_INVALID:
            raise


def _sides(network: libvirt.virNetwork) -> tuple[_Side, ...]:
    return (_AS_DEFINED, _AS_IT_RUNS) if network.isActive() else (_AS_DEFINED,)


def _ensure_lease(network: libvirt.virNetwork, lease: _Lease) -> None:
    for side in _sides(network):
        present = _read_leases(network, side)
        if lease in present:
            continue
        for stale in present:
            # A MAC and an address belong to one NIC: what clashes is of a guest
            # gone.
            if stale.mac == lease.mac or stale.address == lease.address:
                _delete_lease(network, side, stale)
        _update(network, side, libvirt.VIR_NETWORK_UPDATE_COMMAND_ADD_LAST, lease)


def _delete_lease(network: libvirt.virNetwork, side: _Side, lease: _Lease) -> None:
    _update(network, side, libvirt.VIR_NETWORK_UPDATE_COMMAND_DELETE, lease)


def _update(
    network: libvirt.virNetwork, side: _Side, command: int, lease: _Lease
) -> None:
    element = ET.Element("host", {"mac": lease.mac, "ip": lease.address})
    section = libvirt.VIR_NETWORK_SECTION_IP_DHCP_HOST
    text = ET.tostring(element, encoding="unicode")
    network.update(command, section, -1, text, side.update)


def _read_leases(network: libvirt.virNetwork, side: _Side) -> set[_Lease]:
    text = network.XMLDesc(side.read)
    root = ET.fromstring(text)  # noqa: S314 - libvirtd's own words
    return {
        _Lease(host.get("mac", ""), host.get("ip", ""))
        for host in root.iterfind("ip/dhcp/host")
    }


def _networks_of(domain: libvirt.virDomain) -> set[str]:
    try:
        root = ET.fromstring(domain.XMLDesc(0))  # noqa: S314 - libvirtd's own words
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:  # gone meanwhile
            return set()
        raise
    return {
        source.get("network", "")
        for source in root.iterfind("devices/interface/source")
    }
