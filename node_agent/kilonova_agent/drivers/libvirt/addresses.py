"""Addresses of domains, as their filters against spoofing have them. Blocks."""

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from ipaddress import AddressValueError, IPv4Address

import libvirt

_PARAMETER = "./devices/interface/filterref/parameter[@name='IP']"


def list_addresses(
    connection: libvirt.virConnect, uuids: Iterable[str]
) -> frozenset[str]:
    """Read the domains' addresses; a domain that is gone has none."""
    found: set[str] = set()
    for uuid in uuids:
        try:
            xml = connection.lookupByUUIDString(uuid).XMLDesc()
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                raise
        else:
            found.update(parse_addresses(xml))
    return frozenset(found)


def parse_addresses(domain_xml: str) -> Iterator[str]:
    """Read the addresses of a domain's XML; what is none is left out."""
    try:
        # The text comes from libvirtd, which parsed it itself before.
        root = ET.fromstring(domain_xml)  # noqa: S314
    except ET.ParseError:
        return
    for parameter in root.iterfind(_PARAMETER):
        try:
            yield str(IPv4Address(parameter.get("value", "")))
        except AddressValueError:
            continue
