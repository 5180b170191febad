"""The filters of guests' NICs: against spoofing, and before the host's own ports.

Port security: a guest sends only from its own MAC and address. DHCP requests
pass, DHCP answers do not; anything but IPv4 and ARP is dropped.

Host ports: a NAT network's gateway is the host itself, with all that listens on
every address there. It answers a guest's DHCP, DNS and ICMP, and nothing else
below port 32768, whether the NIC has port security or not. From there on, where
Linux takes the ports of outgoing connections from (ip_local_port_range), all
passes: there arrive a guest's answers to its host, and the filters know no
connections (nwfilter's that do need br_netfilter). What listens up there is open
to guests, and a host that takes its ports from further down cannot connect to
its own guests from those.

The definitions are ours alone, since a host may lack libvirt's examples. Each
NIC that refers to one gives it MAC, IP and GATEWAY as parameters. All rules
stand in the root chain: libvirt runs one program for each rule, and several
more for each chain of its own, at every start of a guest.
"""

import uuid
import xml.etree.ElementTree as ET
from typing import Final

import libvirt

from kilonova_agent.drivers.libvirt.names import (
    HOST_PORTS_FILTER,
    NAT_PORT_SECURITY_FILTER,
    PORT_SECURITY_FILTER,
)

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


# It only drops, so that it stands before the rules of port security and takes
# none of their work: what it lets through they still judge. DNS is 53, DHCP 67;
# NodePorts end right below the host's ephemeral ports.
HOST_PORTS: Final = f"""
<filter name="{HOST_PORTS_FILTER}" chain="root">
  <rule action="drop" direction="out" priority="-799">
    <ip dstipaddr="$GATEWAY" protocol="tcp" dstportstart="0" dstportend="52"/>
  </rule>
  <rule action="drop" direction="out" priority="-798">
    <ip dstipaddr="$GATEWAY" protocol="tcp" dstportstart="54" dstportend="32767"/>
  </rule>
  <rule action="drop" direction="out" priority="-797">
    <ip dstipaddr="$GATEWAY" protocol="udp" dstportstart="0" dstportend="52"/>
  </rule>
  <rule action="drop" direction="out" priority="-796">
    <ip dstipaddr="$GATEWAY" protocol="udp" dstportstart="54" dstportend="66"/>
  </rule>
  <rule action="drop" direction="out" priority="-795">
    <ip dstipaddr="$GATEWAY" protocol="udp" dstportstart="68" dstportend="32767"/>
  </rule>
</filter>
"""

NAT_PORT_SECURITY: Final = f"""
<filter name="{NAT_PORT_SECURITY_FILTER}" chain="root">
  <filterref filter="{HOST_PORTS_FILTER}"/>
  <filterref filter="{PORT_SECURITY_FILTER}"/>
</filter>
"""

# Those that others refer to come first.
FILTERS: Final = (PORT_SECURITY, HOST_PORTS, NAT_PORT_SECURITY)


def ensure_filters(connection: libvirt.virConnect) -> None:
    """Define the filters as this version knows them.

    libvirt puts a changed definition on all running guests at once, and leaves
    an equal one alone.
    """
    for definition in FILTERS:
        connection.nwfilterDefineXML(build_filter_xml(definition))


def build_filter_xml(definition: str) -> str:
    """Build the definition with a uuid of its own; libvirt would make one up."""
    root = ET.fromstring(definition)  # noqa: S314 - our own constant
    uuid_element = ET.Element("uuid")
    uuid_element.text = str(uuid.uuid5(_UUID_NAMESPACE, root.get("name", "")))
    root.insert(0, uuid_element)
    return ET.tostring(root, encoding="unicode")
