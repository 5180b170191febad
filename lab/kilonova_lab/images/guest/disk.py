"""The guest's disk: boot sector, a FAT with the kernel, an ext4 for its state.

Made from plain files by programs that write into an image at an offset: no
loop device, no mount, no root.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from kilonova_lab.images.command import run

SECTOR_BYTES = 512
DISK_MIB = 33
BOOT_START_SECTOR, BOOT_SECTORS = 2048, 49152
STATE_START_SECTOR, STATE_SECTORS = 51200, 16384
STATE_LABEL = "state"

MASTER_BOOT_RECORD = Path("/usr/lib/SYSLINUX/mbr.bin")
BOOT_CODE_BYTES = 440
"""What follows in the first sector is the partition table."""

TIMEOUT_SECONDS = 120.0

_FIXED_TIME = 946684800  # a FAT knows no time before 1980
_REPRODUCIBLE = {
    "SOURCE_DATE_EPOCH": str(_FIXED_TIME),
    "E2FSPROGS_FAKE_TIME": str(_FIXED_TIME),
    "TZ": "UTC",
    "MTOOLS_SKIP_CHECK": "1",
}
_STATE_UUID = "74696e79-0000-4000-8000-000000000001"


@dataclass(frozen=True, slots=True)
class BootFiles:
    """What the boot partition holds."""

    kernel: bytes
    initrd: bytes
    loader_config: bytes


def build_disk(files: BootFiles, image: Path, scratch: Path) -> None:
    """Write the disk as a compressed qcow2 image."""
    raw = scratch / "disk.raw"
    with raw.open("wb") as handle:
        handle.truncate(DISK_MIB << 20)
    _partition(raw, scratch)
    _fill_boot_partition(raw, files, scratch)
    _install_loader(raw)
    _make_state_partition(raw)
    _run("qemu-img", "convert", "-O", "qcow2", "-c", raw, image)


def build_blank_disk(image: Path, *, size_mib: int) -> None:
    """Write an empty qcow2 image: a guest with it finds nothing to boot."""
    _run("qemu-img", "create", "-q", "-f", "qcow2", image, f"{size_mib}M")


def _partition(raw: Path, scratch: Path) -> None:
    table = scratch / "partitions"
    table.write_text(
        "label: dos\nlabel-id: 0x74696e79\n"
        f"start={BOOT_START_SECTOR},size={BOOT_SECTORS},type=e,bootable\n"
        f"start={STATE_START_SECTOR},size={STATE_SECTORS},type=83\n"
    )
    _run("sh", "-c", 'sfdisk --quiet "$1" < "$2"', "sh", raw, table)


def _fill_boot_partition(raw: Path, files: BootFiles, scratch: Path) -> None:
    kib = str(BOOT_SECTORS * SECTOR_BYTES // 1024)
    label = ("-F", "16", "-i", "54494e59", "-n", "TINYBOOT", "--invariant")
    _run("mkfs.fat", *label, "--offset", str(BOOT_START_SECTOR), raw, kib)
    contents = {
        "vmlinuz": files.kernel,
        "initrd.img": files.initrd,
        "syslinux.cfg": files.loader_config,
    }
    for name, data in contents.items():
        path = scratch / name
        path.write_bytes(data)
        os.utime(path, (_FIXED_TIME, _FIXED_TIME))
        place = f"{raw}@@{BOOT_START_SECTOR * SECTOR_BYTES}"
        _run("mcopy", "-o", "-m", "-i", place, path, "::")


def _install_loader(raw: Path) -> None:
    offset = str(BOOT_START_SECTOR * SECTOR_BYTES)
    _run("syslinux", "--install", "--offset", offset, raw)
    with raw.open("r+b") as handle:
        handle.write(MASTER_BOOT_RECORD.read_bytes()[:BOOT_CODE_BYTES])


def _make_state_partition(raw: Path) -> None:
    offset = STATE_START_SECTOR * SECTOR_BYTES
    kib = str(STATE_SECTORS * SECTOR_BYTES // 1024)
    identity = ("-L", STATE_LABEL, "-U", _STATE_UUID)
    options = f"offset={offset},hash_seed={_STATE_UUID}"
    plain = ("-O", "^has_journal", "-m", "0", "-E", options)
    _run("mkfs.ext4", "-q", "-F", *identity, *plain, raw, kib)


def _run(*argv: str | Path) -> None:
    run(argv, timeout_seconds=TIMEOUT_SECONDS, environment=_REPRODUCIBLE)
