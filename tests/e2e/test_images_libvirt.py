"""libvirt in a pod: its own end is nobody else's, and what it noted stays."""

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path

import libvirt
import pytest

from kilonova_lab.images import build_images
from kilonova_lab.images.guest import ensure_blank_image
from support.image_container import ImageContainer

SOCKET_FOLDER = "/run/libvirt"
DISKS = "/var/lib/kilonova"
VOLUMES = (SOCKET_FOLDER, DISKS, "/var/lib/libvirt", "/var/cache/libvirt")

NETWORK = """
<network><name>nat0</name><bridge name='nat0'/><forward mode='nat'/>
<ip address='10.99.0.1' netmask='255.255.255.0'>
<dhcp><range start='10.99.0.2' end='10.99.0.9'/></dhcp></ip></network>
"""

DOMAIN = """
<domain type='qemu'><name>{name}</name><memory unit='MiB'>16</memory>
<vcpu>1</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os>
<features><acpi/><tcg><tb-cache unit='MiB'>1</tb-cache></tcg></features><devices>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>
<source file='{disk}'/><target dev='vda' bus='virtio'/></disk>
<controller type='usb' model='none'/>
<interface type='network'><source network='nat0'/>
<filterref filter='clean-traffic'/></interface>
<serial type='file'><source path='{disk}.log' append='on'/></serial>
</devices></domain>
"""


@pytest.fixture(scope="module")
def pod() -> Iterator[ImageContainer]:
    """The libvirt image, running, with a guest and its network."""
    archive = build_images(["libvirt"])["libvirt"].archive
    with ImageContainer(archive, volumes=VOLUMES) as container:
        container.start()
        container.await_condition(lambda: answers(container), "libvirtd")
        start_guest(container)
        yield container


@contextlib.contextmanager
def connect(pod: ImageContainer) -> Iterator[libvirt.virConnect]:
    """Connect as the agent does: through the shared folder."""
    path = pod.volumes[SOCKET_FOLDER] / "libvirt-sock"
    connection = libvirt.open(f"qemu+unix:///system?socket={path}")
    try:
        yield connection
    finally:
        connection.close()


def answers(pod: ImageContainer) -> bool:
    """Tell whether libvirtd answers."""
    try:
        with connect(pod) as connection:
            connection.getLibVersion()
    except libvirt.libvirtError:
        return False
    return True


def start_guest(pod: ImageContainer) -> None:
    """Start a real guest without an operating system on a NAT network."""
    disk = pod.volumes[DISKS] / "disk.qcow2"
    disk.write_bytes(ensure_blank_image().read_bytes())
    with connect(pod) as connection:
        connection.networkDefineXML(NETWORK).create()
        xml = DOMAIN.format(name="guest", disk=f"{DISKS}/disk.qcow2")
        connection.defineXML(xml).create()


def test_sigkill_of_libvirtd_ends_neither_guest_nor_network(
    pod: ImageContainer,
) -> None:
    """QEMU and dnsmasq stay the processes they were, and are found again."""
    before = {name: pod.find_processes(name) for name in ("qemu-system-x86", "dnsmasq")}
    assert all(before.values()), before

    killed = pod.kill("libvirtd")
    pod.await_condition(
        lambda: pod.find_processes("libvirtd") not in ([], [killed]) and answers(pod),
        "the next libvirtd",
    )

    after = {name: pod.find_processes(name) for name in before}
    assert after == before
    with connect(pod) as connection:
        guest = connection.lookupByName("guest")
        # Asks QEMU itself, so it waits until libvirtd has found it again.
        assert len(guest.blockStats("vda")) > 0
        assert guest.info()[0] == libvirt.VIR_DOMAIN_RUNNING
        assert connection.networkLookupByName("nat0").isActive()


def test_a_dead_guest_is_reaped_at_once(pod: ImageContainer) -> None:
    """A zombie would cost every destroy more than a second."""
    with connect(pod) as connection:
        connection.lookupByName("guest").destroy()
        assert pod.find_processes("qemu-system-x86") == []
        connection.lookupByName("guest").create()


def test_guests_can_be_kept_from_spoofing(pod: ImageContainer) -> None:
    """The guest runs behind clean-traffic, so its rules could be made."""
    with connect(pod) as connection:
        names = {item.name() for item in connection.listAllNWFilters()}
        assert "clean-traffic" in names
        assert len(connection.listAllNWFilterBindings()) == 1


def test_definitions_and_host_id_outlive_the_pod(pod: ImageContainer) -> None:
    """What is defined and who the host is lies in the mounted folder."""
    state = pod.volumes["/var/lib/libvirt"]
    host_uuid = (state / "host-uuid").read_text().strip()
    with connect(pod) as connection:
        assert f"<uuid>{host_uuid}</uuid>" in connection.getCapabilities()
    assert uuid.UUID(host_uuid).version == 4

    took_seconds = pod.stop()
    assert took_seconds < 5
    pod.start()
    pod.await_condition(lambda: answers(pod), "libvirtd of the second pod")

    assert (state / "host-uuid").read_text().strip() == host_uuid
    with connect(pod) as connection:
        guest = connection.lookupByName("guest")
        # Until libvirtd has looked for QEMU it repeats what the last one noted.
        pod.await_condition(
            lambda: guest.info()[0] == libvirt.VIR_DOMAIN_SHUTOFF, "the guest's end"
        )
        assert not (Path(pod.root) / "etc/libvirt/qemu/guest.xml").is_file()
