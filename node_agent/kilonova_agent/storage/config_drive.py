"""The config drive: Nova's tree of metadata on an ISO 9660 image ``config-2``.

Paths, names and fields as in nova.api.metadata.base and nova.virt.configdrive,
Nova 34. The host name carries no domain. Building is pure but for randomness,
which is passed in.
"""

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any, Final

import orjson
import pycdlib

from kilonova_api.instance_spec import InstanceNic, InstanceSpec

VOLUME_LABEL: Final = "config-2"
RANDOM_SEED_BYTES: Final = 512
VERSIONS: Final = (
    "2012-08-10",
    "2013-04-04",
    "2013-10-17",
    "2015-10-15",
    "2016-06-30",
    "2016-10-06",
    "2017-02-22",
    "2018-08-27",
    "2020-10-14",
    "2025-04-04",
    "latest",
)
_EC2_VERSIONS = ("2009-04-04", "latest")
_RANDOM_SEED_SINCE = "2013-04-04"
_VENDOR_DATA_SINCE = "2013-10-17"
_NETWORK_DATA_SINCE = "2015-10-15"
_PROJECT_SINCE = "2015-10-15"
_DEVICES_SINCE = "2016-06-30"
_VENDOR_DATA2_SINCE = "2016-10-06"
_DEDICATED_CPUS_SINCE = "2020-10-14"


@dataclass(frozen=True, slots=True)
class ConfigDriveContent:
    """What the drive tells the guest."""

    uuid: str
    spec: InstanceSpec
    user_data: bytes | None
    random_seed: bytes


def build_config_drive(content: ConfigDriveContent) -> bytes:
    """Build the ISO image."""
    iso = pycdlib.PyCdlib()
    iso.new(
        interchange_level=4,
        joliet=3,
        rock_ridge="1.09",
        vol_ident=VOLUME_LABEL,
        sys_ident="LINUX",
        set_size=1,
    )
    made: set[str] = set()
    for path, data in build_files(content):
        for folder in _parents(path):
            if folder not in made:
                made.add(folder)
                name = folder.rpartition("/")[2]
                iso.add_directory(folder, rr_name=name, joliet_path=folder)
        name = path.rpartition("/")[2]
        iso.add_fp(io.BytesIO(data), len(data), path, rr_name=name, joliet_path=path)
    out = io.BytesIO()
    iso.write_fp(out)
    iso.close()
    return out.getvalue()


def build_files(content: ConfigDriveContent) -> Iterator[tuple[str, bytes]]:
    """Build the files of the drive, path by path."""
    for version in VERSIONS:
        root = f"/openstack/{version}"
        yield f"{root}/meta_data.json", _dump(build_meta_data(content, version))
        if content.user_data is not None:
            yield f"{root}/user_data", content.user_data
        if version >= _VENDOR_DATA_SINCE:
            yield f"{root}/vendor_data.json", _dump({})
        if version >= _NETWORK_DATA_SINCE:
            yield f"{root}/network_data.json", _dump(build_network_data(content.spec))
        if version >= _VENDOR_DATA2_SINCE:
            yield f"{root}/vendor_data2.json", _dump({})
    for version in _EC2_VERSIONS:
        yield f"/ec2/{version}/meta-data.json", _dump(_build_ec2(content))
        if content.user_data is not None:
            yield f"/ec2/{version}/user-data", content.user_data


def build_meta_data(content: ConfigDriveContent, version: str) -> dict[str, Any]:
    """Build meta_data.json as of a version; "latest" sorts after all dates."""
    spec = content.spec
    data: dict[str, Any] = {
        "uuid": content.uuid,
        "hostname": spec.hostname,
        "name": spec.server.name,
        "launch_index": 0,
        "availability_zone": spec.zone or "",
    }
    if spec.metadata:
        data["meta"] = dict(spec.metadata)
    if spec.ssh_keys:
        data["public_keys"] = {key.name: key.public_key for key in spec.ssh_keys}
        data["keys"] = [
            {"name": key.name, "type": "ssh", "data": key.public_key}
            for key in spec.ssh_keys
        ]
    if version >= _RANDOM_SEED_SINCE:
        data["random_seed"] = base64.b64encode(content.random_seed).decode()
    if version >= _PROJECT_SINCE:
        data["project_id"] = spec.server.namespace
    if version >= _DEVICES_SINCE:
        data["devices"] = []
    if version >= _DEDICATED_CPUS_SINCE:
        data["dedicated_cpus"] = []
    return data


def build_network_data(spec: InstanceSpec) -> dict[str, Any]:
    """Build network_data.json: each NIC with its fixed address."""
    servers = {server: None for nic in spec.networks for server in nic.dns_servers}
    return {
        "links": [
            {
                "id": nic.name,
                "vif_id": nic.name,
                "type": "bridge",
                "mtu": nic.mtu,
                "ethernet_mac_address": nic.mac,
            }
            for nic in spec.networks
        ],
        "networks": [
            _build_network(nic, has_default_route=index == 0)
            for index, nic in enumerate(spec.networks)
        ],
        "services": [{"type": "dns", "address": server} for server in servers],
    }


def _build_network(nic: InstanceNic, *, has_default_route: bool) -> dict[str, Any]:
    # Only the first NIC's gateway: two default routes make replies take the wrong one.
    routes = []
    if nic.gateway and has_default_route:
        default = {"network": "0.0.0.0", "netmask": "0.0.0.0"}  # noqa: S104 - a route
        routes.append({**default, "gateway": nic.gateway})
    return {
        "id": f"network-{nic.name}",
        "link": nic.name,
        "type": "ipv4",
        "network_id": nic.network_id,
        "ip_address": nic.address,
        "netmask": str(IPv4Network(nic.cidr).netmask),
        "routes": routes,
        "services": [
            {"type": "dns", "address": address} for address in nic.dns_servers
        ],
    }


def _build_ec2(content: ConfigDriveContent) -> dict[str, Any]:
    spec = content.spec
    # The classic form of Nova's EC2 ids: 8 hex digits, stable for a guest.
    data: dict[str, Any] = {
        "instance-id": f"i-{content.uuid.replace('-', '')[:8]}",
        "hostname": spec.hostname,
        "local-hostname": spec.hostname,
        "instance-type": spec.flavor_name,
        "placement": {"availability-zone": spec.zone or ""},
        "security-groups": [],
    }
    if spec.networks:
        data["local-ipv4"] = spec.networks[0].address
    if spec.ssh_keys:
        data["public-keys"] = {
            str(index): {"openssh-key": key.public_key, "_name": f"{index}={key.name}"}
            for index, key in enumerate(spec.ssh_keys)
        }
    return data


def _parents(path: str) -> Iterator[str]:
    parts = path.strip("/").split("/")[:-1]
    for count in range(1, len(parts) + 1):
        yield "/" + "/".join(parts[:count])


def _dump(data: dict[str, Any]) -> bytes:
    return orjson.dumps(data)
