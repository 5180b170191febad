"""The filter against spoofing: a guest sends only from its own MAC and address.

The definition is ours alone, since a host may lack libvirt's examples. Each NIC
that refers to it gives it MAC and IP as parameters. DHCP requests pass, DHCP
answers do not; anything but IPv4 and ARP is dropped.

All rules stand in the root chain: libvirt runs one program for each rule, and
several more for each chain of its own, at every start of a guest.
"""

import uuid
import xml.etree.ElementTree as ET
from typing import Final

import libvirt

from kilonova_agent.drivers.libvirt.names import PORT_SECURITY_FILTER

_UUID_NAMESPACE = uuid.UUID("0b0c7d36-98dc-5c5c-8f6b-6f1f3a8f5b0e")

# A rule without a protocol means every frame; <all/> would be one of iptables'.
PORT_SECURITY: Final = f"""
<filter name="{PORT_SECURITY_FILTER}" chain="root">
  <rule action="drop" direction="out" priority="-800">
    <mac match="no" srcmacaddr="$MAC"/>
  </rule>
  <rule action="drop" direction="out" priority="-790">
    <ip protocol="udp" srcportstart="67"/>
  </rule>
  <rule action="accept" direction="out" priority="-780"><ip srcipaddr="$IP"/></rule>
  <rule action="accept" direction="out" priority="-770">
    <ip srcipaddr="0.0.0.0" dstipaddr="255.255.255.255" protocol="udp"
        srcportstart="68" dstportstart="67"/>
  </rule>
  <rule action="drop" direction="out" priority="-760">
    <arp match="no" arpsrcmacaddr="$MAC"/>
  </rule>
  <rule action="accept" direction="out" priority="-750">
    <arp arpsrcipaddr="$IP"/>
  </rule>
  <rule action="accept" direction="out" priority="-740">
    <arp arpsrcipaddr="0.0.0.0"/>
  </rule>
  <rule action="accept" direction="in" priority="-730"><mac protocolid="ipv4"/></rule>
  <rule action="accept" direction="in" priority="-720"><mac protocolid="arp"/></rule>
  <rule action="drop" direction="inout" priority="1000"/>
</filter>
"""


def ensure_filter(connection: libvirt.virConnect) -> None:
    """Define the filter as this version knows it.

    libvirt puts a changed definition on all running guests at once, and leaves
    an equal one alone.
    """
    connection.nwfilterDefineXML(build_filter_xml())


def build_filter_xml() -> str:
    """Build the definition with a uuid of its own; libvirt would make one up."""
    root = ET.fromstring(PORT_SECURITY)  # noqa: S314 - our own constant
    uuid_element = ET.Element("uuid")
    uuid_element.text = str(uuid.uuid5(_UUID_NAMESPACE, PORT_SECURITY_FILTER))
    root.insert(0, uuid_element)
    return ET.tostring(root, encoding="unicode")
