"""Guests' files: built once, never overwritten, binned whole."""

import errno
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from kilonova_agent.domain.faults import (
    DiskFull,
    GuestFault,
    ImageUnavailable,
    StorageFailed,
)
from kilonova_agent.storage.file_system import HostFileSystem
from kilonova_agent.storage.guest_files import GuestStore
from kilonova_agent.storage.images.cache import CachedImage
from kilonova_api.flavor import FlavorSize
from support.file_systems import FailingFileSystem

UUID = "11111111-2222-4333-8444-555555555555"
GIB = 1024**3
FS = HostFileSystem()


@pytest.fixture
def image(tmp_path: Path) -> CachedImage:
    path = tmp_path / "base.qcow2"
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", str(path), "3M"], check=True
    )
    return CachedImage("base", path, "qcow2", 3 * 1024**2)


def flavor(**sizes: int) -> FlavorSize:
    return FlavorSize.model_validate({"vcpus": 1, "ramMiB": 16, **sizes})


def info(path: Path) -> dict[str, Any]:
    output = subprocess.run(
        ["qemu-img", "info", "--output=json", str(path)],
        check=True,
        capture_output=True,
    ).stdout
    found: dict[str, Any] = orjson.loads(output)
    return found


async def test_the_root_disk_lies_over_the_image_in_a_format_that_is_told(
    tmp_path: Path, image: CachedImage
) -> None:
    store = GuestStore(FS, tmp_path)
    files = store.of(UUID)

    await store.build_disks(files, image, flavor(rootGiB=2))

    root = info(files.root)
    assert root["virtual-size"] == 2 * GIB
    assert root["backing-filename"] == str(image.path)
    assert root["backing-filename-format"] == "qcow2"
    assert store.list_used_images() == {"base"}


async def test_without_a_root_size_the_disk_is_as_big_as_the_image(
    tmp_path: Path, image: CachedImage
) -> None:
    store = GuestStore(FS, tmp_path)
    files = store.of(UUID)

    await store.build_disks(files, image, flavor())

    assert info(files.root)["virtual-size"] == image.virtual_bytes
    assert [disk.path.name for disk in files.list_disks()] == ["disk.qcow2"]


async def test_ephemeral_and_swap_disks_follow_the_root(
    tmp_path: Path, image: CachedImage
) -> None:
    store = GuestStore(FS, tmp_path)
    files = store.of(UUID)

    await store.build_disks(files, image, flavor(ephemeralGiB=1, swapMiB=8))

    names = [(disk.path.name, disk.format) for disk in files.list_disks()]
    assert names == [
        ("disk.qcow2", "qcow2"),
        ("ephemeral.qcow2", "qcow2"),
        ("swap.raw", "raw"),
    ]
    assert info(files.ephemeral)["virtual-size"] == GIB
    assert files.swap.stat().st_size == 8 * 1024**2
    assert b"SWAPSPACE2" in files.swap.read_bytes()[:4096]


async def test_a_disk_that_is_there_is_never_built_again(
    tmp_path: Path, image: CachedImage
) -> None:
    store = GuestStore(FS, tmp_path)
    files = store.of(UUID)
    await store.build_disks(files, image, flavor())
    files.root.write_bytes(b"somebody's data")

    await store.build_disks(files, image, flavor())

    assert files.root.read_bytes() == b"somebody's data"


async def test_a_kill_in_the_middle_leaves_nothing_that_counts(
    tmp_path: Path, image: CachedImage
) -> None:
    store = GuestStore(FS, tmp_path)
    files = store.of(UUID)
    files.folder.mkdir()
    (files.folder / "disk.qcow2.abcd.building").write_bytes(b"half")

    await store.build_disks(files, image, flavor())

    assert sorted(p.name for p in files.folder.iterdir()) == ["disk.qcow2", "image"]


def put_program(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, name: str, says: str
) -> None:
    """Put a program before the real one that says something and fails."""
    folder.mkdir()
    program = folder / name
    program.write_text(f"#!/bin/sh\necho '{says}' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.mark.parametrize("name", ["mkswap", "prlimit"])
@pytest.mark.parametrize(
    ("says", "fault"),
    [("write error: No space left on device", DiskFull), ("Killed", StorageFailed)],
)
async def test_a_program_that_fails_is_the_guests_fault(
    tmp_path: Path,
    image: CachedImage,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    says: str,
    fault: type[GuestFault],
) -> None:
    store = GuestStore(FS, tmp_path)
    put_program(tmp_path / "programs", monkeypatch, name=name, says=says)

    with pytest.raises(fault, match=says):
        await store.build_disks(store.of(UUID), image, flavor(swapMiB=8))

    assert not store.of(UUID).root.exists()


@pytest.mark.parametrize("step", ["create", "rename", "link", "create_sparse"])
@pytest.mark.parametrize(
    ("number", "fault"),
    [
        (errno.ENOSPC, DiskFull),
        (errno.EDQUOT, DiskFull),
        (errno.EROFS, StorageFailed),
        (errno.EIO, StorageFailed),
    ],
)
async def test_a_file_system_that_fails_is_the_guests_fault(
    tmp_path: Path,
    image: CachedImage,
    step: str,
    number: int,
    fault: type[GuestFault],
) -> None:
    fs = FailingFileSystem()
    store = GuestStore(fs, tmp_path)

    with fs.failing(step, number), pytest.raises(fault, match=os.strerror(number)):
        await store.build_disks(store.of(UUID), image, flavor(swapMiB=8))


async def test_an_image_that_is_gone_is_no_full_disk(
    tmp_path: Path, image: CachedImage
) -> None:
    store = GuestStore(FS, tmp_path)
    gone = replace(image, path=tmp_path / "gone.qcow2")

    with pytest.raises(ImageUnavailable, match="downloaded again"):
        await store.build_disks(store.of(UUID), gone, flavor())


def test_a_bin_that_takes_nothing_is_the_guests_fault(tmp_path: Path) -> None:
    fs = FailingFileSystem()
    store = GuestStore(fs, tmp_path)
    store.of(UUID).folder.mkdir()
    store.of(UUID).root.touch()

    with fs.failing("rename", errno.EIO), pytest.raises(StorageFailed):
        store.bin(UUID)


async def test_binned_disks_still_name_their_image(
    tmp_path: Path, image: CachedImage
) -> None:
    store = GuestStore(FS, tmp_path)
    await store.build_disks(store.of(UUID), image, flavor())

    store.bin(UUID)
    store.bin(UUID)

    (entry,) = store.list_binned()
    assert entry.startswith(UUID)
    assert store.list_used_images() == {"base"}
    store.remove_binned(entry)
    assert store.list_used_images() == set()


def test_a_folder_without_a_disk_is_not_worth_a_bin(tmp_path: Path) -> None:
    store = GuestStore(FS, tmp_path)
    store.of(UUID).folder.mkdir()

    store.bin(UUID)

    assert store.list_binned() == []
    assert not store.of(UUID).folder.exists()


def test_a_disk_whose_image_is_unknown_stops_all_removals(tmp_path: Path) -> None:
    store = GuestStore(FS, tmp_path)
    store.of(UUID).folder.mkdir()
    store.of(UUID).root.touch()

    assert store.list_used_images() is None


@pytest.mark.parametrize(
    "name", ["..", "../../etc", "", "x", UUID.replace("-", ""), f"{{{UUID}}}"]
)
def test_only_uuids_become_paths(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"uuid|UUID"):
        GuestStore(FS, tmp_path).of(name)
