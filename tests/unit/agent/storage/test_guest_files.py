"""Guests' files: built once, never overwritten, binned whole."""

import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest

from kilonova_agent.storage.guest_files import GuestStore
from kilonova_agent.storage.images.cache import CachedImage
from kilonova_api.flavor import FlavorSize

UUID = "11111111-2222-4333-8444-555555555555"
GIB = 1024**3


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
    store = GuestStore(tmp_path)
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
    store = GuestStore(tmp_path)
    files = store.of(UUID)

    await store.build_disks(files, image, flavor())

    assert info(files.root)["virtual-size"] == image.virtual_bytes
    assert [disk.path.name for disk in files.list_disks()] == ["disk.qcow2"]


async def test_ephemeral_and_swap_disks_follow_the_root(
    tmp_path: Path, image: CachedImage
) -> None:
    store = GuestStore(tmp_path)
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
    store = GuestStore(tmp_path)
    files = store.of(UUID)
    await store.build_disks(files, image, flavor())
    files.root.write_bytes(b"somebody's data")

    await store.build_disks(files, image, flavor())

    assert files.root.read_bytes() == b"somebody's data"


async def test_a_kill_in_the_middle_leaves_nothing_that_counts(
    tmp_path: Path, image: CachedImage
) -> None:
    store = GuestStore(tmp_path)
    files = store.of(UUID)
    files.folder.mkdir()
    (files.folder / "disk.qcow2.abcd.building").write_bytes(b"half")

    await store.build_disks(files, image, flavor())

    assert sorted(p.name for p in files.folder.iterdir()) == ["disk.qcow2", "image"]


async def test_binned_disks_still_name_their_image(
    tmp_path: Path, image: CachedImage
) -> None:
    store = GuestStore(tmp_path)
    await store.build_disks(store.of(UUID), image, flavor())

    store.bin(UUID)
    store.bin(UUID)

    (entry,) = store.list_binned()
    assert entry.startswith(UUID)
    assert store.list_used_images() == {"base"}
    store.remove_binned(entry)
    assert store.list_used_images() == set()


def test_a_folder_without_a_disk_is_not_worth_a_bin(tmp_path: Path) -> None:
    store = GuestStore(tmp_path)
    store.of(UUID).folder.mkdir()

    store.bin(UUID)

    assert store.list_binned() == []
    assert not store.of(UUID).folder.exists()


def test_a_disk_whose_image_is_unknown_stops_all_removals(tmp_path: Path) -> None:
    store = GuestStore(tmp_path)
    store.of(UUID).folder.mkdir()
    store.of(UUID).root.touch()

    assert store.list_used_images() is None


@pytest.mark.parametrize(
    "name", ["..", "../../etc", "", "x", UUID.replace("-", ""), f"{{{UUID}}}"]
)
def test_only_uuids_become_paths(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"uuid|UUID"):
        GuestStore(tmp_path).of(name)
