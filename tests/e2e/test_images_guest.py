"""The tiny guest, really booted: it is what all other tests of guests stand on."""

import subprocess
from pathlib import Path

import pytest

from kilonova_agent.storage.config_drive import ConfigDriveContent, build_config_drive
from kilonova_api.instance_spec import InstanceSpec
from kilonova_lab.images.guest import (
    MINIMUM_MEMORY_MIB,
    READY_LINE,
    GuestImage,
    ensure_blank_image,
    ensure_guest_image,
)
from support.guests import make_nic
from support.qemu_guest import ADDRESS, MAC, QemuGuest

UUID = "6a7f4c44-1111-4222-8333-123456789abc"
IDENTITY = {"cluster": "c1", "namespace": "shop"}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAITest somebody@there"


@pytest.fixture(scope="module")
def image() -> GuestImage:
    """The guest image of this checkout."""
    return ensure_guest_image()


def make_config_drive(folder: Path, user_data: bytes, *, with_nic: bool) -> Path:
    """Write the config drive that an agent would write."""
    nic = make_nic(address=ADDRESS, mac=MAC).model_dump(by_alias=True)
    network = {"cidr": "10.0.2.0/24", "gateway": "10.0.2.2", "mtu": 1450}
    spec = InstanceSpec.model_validate(
        {
            "server": {**IDENTITY, "name": "web-1", "uid": UUID},
            "cell": "cell1",
            "host": "hv1",
            "writer": 1,
            "placementGeneration": 1,
            "buildId": "b1",
            "minAgentVersion": "0.1.0",
            "powerState": "Running",
            "flavorName": "tiny",
            "flavor": {"vcpus": 1, "ramMiB": 96, "rootGiB": 1},
            "imageName": "tiny",
            "image": {
                "url": "http://images/tiny.qcow2",
                "checksum": f"sha256:{'0' * 64}",
                "format": "qcow2",
            },
            "networks": [{**nic, **network}] if with_nic else [],
            "hostname": "web-1",
            "metadata": {"hostname": "not-this", "uuid": "nor-this"},
            "sshKeys": [{"name": "mine", "publicKey": KEY}],
        }
    )
    drive = folder / "config.iso"
    content = ConfigDriveContent(UUID, spec, user_data, random_seed=bytes(512))
    drive.write_bytes(build_config_drive(content))
    return drive


def make_overlay(image: GuestImage, folder: Path) -> Path:
    """Put a disk of one GiB on the image, as an agent does."""
    disk = folder / "disk"
    create = ("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2")
    subprocess.run([*create, "-b", image.image, disk, "1G"], check=True)
    return disk


def with_drives(disk: Path, config: Path) -> tuple[str, ...]:
    """Attach the disk and the config drive as the agent's domain does."""
    return (
        *("-drive", f"file={disk},if=virtio,format=qcow2"),
        *("-drive", f"file={config},media=cdrom,readonly=on,format=raw"),
    )


def test_a_guest_boots_from_disk_and_obeys_its_config_drive(
    image: GuestImage, tmp_path: Path
) -> None:
    """Name, address, keys, user data, power button; its disk remembers."""
    script = b"#!/bin/sh\necho hello from $(hostname)\nexit 3\n"
    drives = with_drives(
        make_overlay(image, tmp_path),
        make_config_drive(tmp_path, script, with_nic=True),
    )

    with QemuGuest(*drives, memory_mib=MINIMUM_MEMORY_MIB, network=True) as guest:
        ready_seconds = guest.await_line(READY_LINE)
        print(f"disk boot: {ready_seconds:.1f} s, {guest.cpu_seconds():.1f} s of CPU")
        guest.await_line("user-data: ended with 3")
        console = guest.read_console().replace("\r", "").splitlines()
        assert "user-data: hello from web-1" in console
        assert f"public-key: {KEY}" in console
        assert f"hostname=web-1 uuid={UUID} boots=1" in console
        assert f"ip={ADDRESS}" in console
        info = guest.get_info()
        assert info["hostname"] == "web-1"
        assert info["uuid"] == UUID
        assert info["ip"] == ADDRESS
        assert guest.press_power_button() < 15

    with QemuGuest(*drives, memory_mib=MINIMUM_MEMORY_MIB, network=True) as guest:
        guest.await_line("boots=2")


def test_a_guest_boots_the_kernel_directly_and_asks_for_an_address(
    image: GuestImage,
) -> None:
    """Without a disk and a config drive it lives on DHCP."""
    kernel = ("-kernel", image.kernel, "-initrd", image.initrd)
    words = ("-append", "quiet console=tty0 console=ttyS0")
    with QemuGuest(
        *kernel, *words, memory_mib=MINIMUM_MEMORY_MIB, network=True
    ) as guest:
        seconds = guest.await_line(READY_LINE)
        print(f"direct boot: {seconds:.1f} s, {guest.cpu_seconds():.1f} s of CPU")
        assert f"ip={ADDRESS}" in guest.read_console()
        assert guest.get_info()["hostname"] == "tiny"
        assert guest.ask_agent("guest-ping") == {}
        assert guest.ask_agent("guest-sync", id=4711) == 4711
        assert guest.ask_agent("guest-get-host-name") == {"host-name": "tiny"}


def test_user_data_that_is_no_script_is_acknowledged(
    image: GuestImage, tmp_path: Path
) -> None:
    """A guest without any NIC still says what it got."""
    data = b"#cloud-config\npackages: []\n"
    config = make_config_drive(tmp_path, data, with_nic=False)
    drives = with_drives(make_overlay(image, tmp_path), config)
    with QemuGuest(*drives, memory_mib=MINIMUM_MEMORY_MIB) as guest:
        guest.await_line(f"user-data: received {len(data)} bytes, no script")
        assert "ip=none" in guest.read_console()


def test_a_guest_without_a_system_waits_in_the_firmware() -> None:
    """SeaBIOS finds no system on the blank image: 16 MiB are enough."""
    disk = f"file={ensure_blank_image()},if=virtio,format=qcow2,snapshot=on"
    # The firmware talks to the serial console when no screen is there.
    with QemuGuest(
        "-drive", disk, "-vga", "none", "-machine", "graphics=off", memory_mib=16
    ) as guest:
        guest.await_line("No bootable device")
