"""Domain XML: from a guest's definition to libvirt's text, and its mark back."""

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from typing import Any, Final, Literal

from jinja2 import Environment, PackageLoader, StrictUndefined

from kilonova_agent.domain.tuning import CpuShare, GuestTuning
from kilonova_agent.drivers.base import (
    GuestDefinition,
    GuestMark,
    VirtType,
)
from kilonova_agent.drivers.libvirt.names import (
    HOST_PORTS_FILTER,
    METADATA_NAMESPACE,
    NAT_PORT_SECURITY_FILTER,
    PORT_SECURITY_FILTER,
    domain_name,
    network_name,
)
from kilonova_agent.drivers.libvirt.networks import gateway_of
from kilonova_api.cpu_set import format_cpu_set
from kilonova_api.instance_spec import InstanceNic

# QEMU's own default makes a small emulated guest hold 240 MiB; 8 makes it thrash.
TCG_TB_CACHE_MIB: Final = 32

CpuMode = Literal["host-model", "host-passthrough", "maximum", "custom"]


@dataclass(frozen=True, slots=True)
class GuestCpu:
    """The CPU a guest sees; ``model`` counts for mode custom only."""

    mode: CpuMode
    model: str = ""


@dataclass(frozen=True, slots=True)
class Platform:
    """What is alike for all guests of a host."""

    virt_type: VirtType
    arch: str
    cpu: GuestCpu
    disk_cache: str = "none"
    page_size_kib: int = 4
    """Its smallest pages."""


def default_cpu(virt_type: VirtType) -> GuestCpu:
    """Build the CPU for guests: the host's with KVM, a plain one without."""
    if virt_type == "kvm":
        return GuestCpu("host-model")
    return GuestCpu("custom", "qemu64")


def make_environment() -> Environment:
    """Build the template environment: everything escaped, nothing undefined."""
    environment = Environment(
        loader=PackageLoader("kilonova_agent.drivers.libvirt", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
    )
    environment.filters["cpus"] = format_cpu_set
    return environment


def build_domain_xml(
    environment: Environment, guest: GuestDefinition, platform: Platform
) -> str:
    """Build the definition of a guest."""
    return environment.get_template("domain.xml.j2").render(
        guest=guest,
        name=domain_name(guest.uuid),
        namespace=METADATA_NAMESPACE,
        virt_type=platform.virt_type,
        arch=platform.arch,
        cpu=platform.cpu,
        disk_cache=platform.disk_cache,
        tb_cache_mib=TCG_TB_CACHE_MIB,
        disks=[
            {"path": disk.path, "format": disk.format, "target": f"vd{letter}"}
            for disk, letter in zip(guest.disks, "abcdefgh", strict=False)
        ],
        nics=[_build_nic(nic) for nic in guest.nics],
        **_build_tuning(guest.tuning, platform),
    )


def _build_tuning(tuning: GuestTuning, platform: Platform) -> dict[str, Any]:
    # libvirt backs no memory by pages of the smallest size, nor did anyone ask.
    large_pages = [
        (number, cell.page_size_kib)
        for number, cell in enumerate(tuning.cells)
        if cell.page_size_kib is not None
        and cell.page_size_kib > platform.page_size_kib
    ]
    return {
        "tuning": tuning,
        "large_pages": large_pages,
        "host_cells": frozenset(cell.host_cell for cell in tuning.cells),
        "tunes_cpus": bool(
            tuning.pins
            or tuning.emulator
            or tuning.realtime
            or tuning.share != CpuShare()
        ),
    }


def _build_nic(nic: InstanceNic) -> dict[str, Any]:
    is_nat = nic.type == "NAT"
    return {
        "type": "network" if is_nat else "bridge",
        "source": network_name(nic.network_id) if is_nat else nic.bridge,
        "mac": nic.mac,
        "mtu": nic.mtu,
        "filter": _choose_filter(nic),
    }


def _choose_filter(nic: InstanceNic) -> dict[str, Any] | None:
    """Choose what stands between the NIC and the host; None: nothing does."""
    parameters: dict[str, str] = {}
    if nic.port_security:
        parameters |= {"MAC": nic.mac, "IP": nic.address}
    if nic.type == "NAT":
        parameters |= {"GATEWAY": gateway_of(nic)}
        name = NAT_PORT_SECURITY_FILTER if nic.port_security else HOST_PORTS_FILTER
    else:
        name = PORT_SECURITY_FILTER
    return {"name": name, "parameters": parameters} if parameters else None


def parse_mark(metadata_xml: str) -> GuestMark | None:
    """Read a domain's metadata element; None when it makes no sense."""
    try:
        # The text comes from libvirtd, which parsed it itself before.
        root = ET.fromstring(metadata_xml)  # noqa: S314
    except ET.ParseError:
        return None

    def text(tag: str) -> str:
        # libvirt takes the namespace off what it gives back.
        qualified = root.findtext(f"{{{METADATA_NAMESPACE}}}{tag}", "")
        return root.findtext(tag) or qualified

    try:
        return GuestMark(
            cluster=text("cluster"),
            namespace=text("namespace"),
            name=text("name"),
            uid=text("uid"),
            placement_generation=int(text("placementGeneration")),
            server_generation=int(text("serverGeneration")),
            build_id=text("buildId"),
        )
    except ValueError:
        return None
