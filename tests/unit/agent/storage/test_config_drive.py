"""The config drive's tree, read back as a guest reads it."""

import io
import json
from typing import Any

import pycdlib
import pytest

from kilonova_agent.storage.config_drive import (
    VERSIONS,
    ConfigDriveContent,
    build_config_drive,
)
from kilonova_api.instance_spec import InstanceSpec
from support.instances import make_instance, make_nic_body

UUID = "11111111-2222-4333-8444-555555555555"
KEY = "ssh-ed25519 AAAA ann@laptop"
SEED = bytes(range(256)) * 2


class Drive:
    """A config drive as a guest mounts it."""

    def __init__(self, content: bytes) -> None:
        self.iso = pycdlib.PyCdlib()
        self.iso.open_fp(io.BytesIO(content))

    @property
    def label(self) -> str:
        label: bytes = self.iso.pvd.volume_identifier
        return label.decode().strip()

    def read(self, path: str) -> bytes:
        out = io.BytesIO()
        self.iso.get_file_from_iso_fp(out, rr_path=path)
        return out.getvalue()

    def read_json(self, path: str) -> Any:
        return json.loads(self.read(path))

    def names(self, path: str) -> set[str]:
        children = self.iso.list_children(rr_path=path)
        names = {c.rock_ridge.name().decode() for c in children if c.rock_ridge}
        return names - {"", ".", ".."}


def make_drive(*, user_data: bytes | None = b"#!/bin/sh\n", **spec: Any) -> Drive:
    body = make_instance(name=UUID, **spec)["spec"]
    content = ConfigDriveContent(
        UUID, InstanceSpec.model_validate(body), user_data, SEED
    )
    return Drive(build_config_drive(content))


def test_the_label_and_versions_are_novas() -> None:
    drive = make_drive()
    assert drive.label == "config-2"
    assert drive.names("/openstack") == set(VERSIONS)
    assert drive.names("/") == {"openstack", "ec2"}


@pytest.mark.parametrize(
    ("version", "names"),
    [
        ("2012-08-10", {"meta_data.json", "user_data"}),
        ("2013-10-17", {"meta_data.json", "user_data", "vendor_data.json"}),
        (
            "latest",
            {
                "meta_data.json",
                "user_data",
                "vendor_data.json",
                "vendor_data2.json",
                "network_data.json",
            },
        ),
    ],
)
def test_each_version_has_the_files_it_had(version: str, names: set[str]) -> None:
    assert make_drive().names(f"/openstack/{version}") == names


def test_metadata_names_the_guest_its_keys_and_its_project() -> None:
    drive = make_drive(
        zone="az1",
        metadata={"tier": "web"},
        sshKeys=[{"name": "ann", "publicKey": KEY}],
    )

    data = drive.read_json("/openstack/latest/meta_data.json")

    assert data["uuid"] == UUID
    assert (data["hostname"], data["name"]) == ("web-0", "web-0")
    assert (data["availability_zone"], data["project_id"]) == ("az1", "shop")
    assert data["meta"] == {"tier": "web"}
    assert data["public_keys"] == {"ann": KEY}
    assert data["keys"] == [{"name": "ann", "type": "ssh", "data": KEY}]
    assert data["launch_index"] == 0
    assert len(data["random_seed"]) > 512


def test_old_versions_lack_what_came_later() -> None:
    data = make_drive().read_json("/openstack/2012-08-10/meta_data.json")
    assert {"random_seed", "project_id", "devices"}.isdisjoint(data)


def test_network_data_gives_each_nic_its_fixed_address() -> None:
    second = make_nic_body(
        name="eth1", address="10.20.0.6", mac="fa:16:3e:00:00:06", mtu=1400
    ) | {"name": "eth1"}
    drive = make_drive(networks=[make_nic_body(dnsServers=["9.9.9.9"]), second])

    data = drive.read_json("/openstack/latest/network_data.json")

    assert [link["ethernet_mac_address"] for link in data["links"]] == [
        "fa:16:3e:00:00:05",
        "fa:16:3e:00:00:06",
    ]
    first, other = data["networks"]
    assert (first["ip_address"], first["netmask"]) == ("10.20.0.5", "255.255.255.0")
    assert first["type"] == "ipv4"
    assert first["routes"][0]["gateway"] == "10.20.0.1"
    assert other["routes"] == []
    assert other["link"] == "eth1"
    assert data["services"] == [{"type": "dns", "address": "9.9.9.9"}]


def test_user_data_is_given_as_it_is_or_not_at_all() -> None:
    data = b"#!/bin/sh\n\0\xff"
    assert make_drive(user_data=data).read("/openstack/latest/user_data") == data
    assert make_drive(user_data=data).read("/ec2/latest/user-data") == data
    none = make_drive(user_data=None)
    assert "user_data" not in none.names("/openstack/latest")


def test_hostile_values_stay_values() -> None:
    hostile = '"}, "admin_pass": "x'
    drive = make_drive(metadata={hostile: hostile})
    data = drive.read_json("/openstack/latest/meta_data.json")
    assert data["meta"] == {hostile: hostile}
    assert "admin_pass" not in data
