"""Builders of small real guests: 16 MiB without an operating system."""

import subprocess
import uuid
from pathlib import Path

from kilonova_agent.drivers.base import GuestDefinition, GuestDisk, GuestMark
from kilonova_api.instance_spec import InstanceNic


def make_nic(
    *,
    name: str = "eth0",
    network_id: str = "0a1b2c3d-0000-4000-8000-000000000001",
    address: str = "10.20.0.5",
    mac: str = "fa:16:3e:00:00:05",
    type_: str = "NAT",
    bridge: str | None = None,
    port_security: bool = True,
    dns_servers: tuple[str, ...] = (),
) -> InstanceNic:
    """Build a NIC on a NAT network."""
    return InstanceNic.model_validate(
        {
            "name": name,
            "networkId": network_id,
            "network": "Network shop/private",
            "type": type_,
            "bridge": bridge,
            "cidr": "10.20.0.0/24",
            "gateway": "10.20.0.1",
            "dnsServers": dns_servers,
            "address": address,
            "mac": mac,
            "portSecurity": port_security,
        }
    )


def make_guest(
    folder: Path,
    *,
    uuid_: str | None = None,
    generation: int = 1,
    nics: tuple[InstanceNic, ...] = (),
) -> GuestDefinition:
    """Build a guest with an empty disk in ``folder``."""
    guest_uuid = uuid_ or str(uuid.uuid4())
    folder.mkdir(parents=True, exist_ok=True)
    disk = folder / f"{guest_uuid}.qcow2"
    if not disk.exists():
        subprocess.run(
            ["qemu-img", "create", "-q", "-f", "qcow2", str(disk), "1M"], check=True
        )
    return GuestDefinition(
        uuid=guest_uuid,
        mark=GuestMark(
            cluster="c1",
            namespace="shop",
            name="web-0",
            uid=guest_uuid,
            placement_generation=generation,
            server_generation=1,
            build_id="b1",
        ),
        vcpus=1,
        memory_mib=16,
        disks=(GuestDisk(disk, "qcow2"),),
        config_drive=None,
        nics=nics,
        console_log=folder / f"{guest_uuid}.log",
    )
