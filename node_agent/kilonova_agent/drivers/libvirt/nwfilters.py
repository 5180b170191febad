"""Filters against spoofing: a guest sends only from its own MAC and address.

The definitions are ours alone, since a host may lack libvirt's examples. Each
NIC that refers to the outer filter gives it MAC and IP as parameters. DHCP
requests pass, DHCP answers do not; anything but IPv4 and ARP is dropped.
"""

import uuid
import xml.etree.ElementTree as ET
from typing import Final

import libvirt

from kilonova_agent.drivers.libvirt.names import PORT_SECURITY_FILTER

_UUID_NAMESPACE = uuid.UUID("0b0c7d36-98dc-5c5c-8f6b-6f1f3a8f5b0e")

_NO_MAC_SPOOFING = """
<filter name="kilonova-no-mac-spoofing" chain="mac" priority="-800">
  <rule action="return" direction="out" priority="350">
    <mac match="yes" srcmacaddr="$MAC"/>
  </rule>
  <rule action="drop" direction="out" priority="500"><mac/></rule>
</filter>
"""
_NO_IP_SPOOFING = """
<filter name="kilonova-no-ip-spoofing" chain="ipv4-kn" priority="-710">
  <rule action="drop" direction="out" priority="50">
    <ip protocol="udp" srcportstart="67"/>
  </rule>
  <rule action="return" direction="out" priority="100">
    <ip srcipaddr="0.0.0.0" dstipaddr="255.255.255.255" protocol="udp"
        srcportstart="68" dstportstart="67"/>
  </rule>
  <rule action="return" direction="out" priority="500"><ip srcipaddr="$IP"/></rule>
  <rule action="drop" direction="out" priority="1000"><ip/></rule>
</filter>
"""
_NO_ARP_SPOOFING = """
<filter name="kilonova-no-arp-spoofing" chain="arp-kn" priority="-520">
  <rule action="drop" direction="out" priority="300">
    <arp match="no" arpsrcmacaddr="$MAC"/>
  </rule>
  <rule action="return" direction="out" priority="400">
    <arp arpsrcipaddr="$IP"/>
  </rule>
  <rule action="return" direction="out" priority="410">
    <arp arpsrcipaddr="0.0.0.0"/>
  </rule>
  <rule action="drop" direction="out" priority="1000"><arp/></rule>
</filter>
"""
_PORT_SECURITY = f"""
<filter name="{PORT_SECURITY_FILTER}" chain="root">
  <filterref filter="kilonova-no-mac-spoofing"/>
  <filterref filter="kilonova-no-ip-spoofing"/>
  <filterref filter="kilonova-no-arp-spoofing"/>
  <rule action="accept" direction="inout" priority="-650">
    <mac protocolid="ipv4"/>
  </rule>
  <rule action="accept" direction="inout" priority="-500">
    <mac protocolid="arp"/>
  </rule>
  <rule action="drop" direction="inout" priority="1000"/>
</filter>
"""
# In the order of definition: a filter refers to those before it.
FILTERS: Final = (_NO_MAC_SPOOFING, _NO_IP_SPOOFING, _NO_ARP_SPOOFING, _PORT_SECURITY)


def ensure_filters(connection: libvirt.virConnect) -> None:
    """Define the filters as this version knows them.

    libvirt puts a changed definition on all running guests at once, and leaves
    an equal one alone.
    """
    for text in FILTERS:
        connection.nwfilterDefineXML(build_filter_xml(text))


def build_filter_xml(text: str) -> str:
    """Build a definition with a uuid of its own: without it libvirt makes one up."""
    root = ET.fromstring(text)  # noqa: S314 - our own constant
    uuid_element = ET.Element("uuid")
    uuid_element.text = str(uuid.uuid5(_UUID_NAMESPACE, root.get("name", "")))
    root.insert(0, uuid_element)
    return ET.tostring(root, encoding="unicode")
