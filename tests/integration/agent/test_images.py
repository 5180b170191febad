"""The image cache against a real HTTP server and real files of qemu-img."""

import asyncio
import hashlib
import struct
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path
from random import Random
from typing import Any

import pytest

from kilonova_agent.domain.faults import (
    ChecksumMismatch,
    DiskFull,
    ImageRejected,
    ImageTooLarge,
    ImageUnavailable,
    InvalidUrl,
)
from kilonova_agent.storage.file_system import HostFileSystem
from kilonova_agent.storage.images.address_policy import AddressPolicy
from kilonova_agent.storage.images.cache import (
    CachedImage,
    ImageCache,
    ImageDownloading,
    ImageFailed,
    image_name,
)
from kilonova_agent.storage.images.download import Download, DownloadLimits
from kilonova_agent.storage.images.http_source import HttpSource
from kilonova_api.image import ImageFile
from kilonova_api.kube.clock import SystemClock
from support.image_server import ImageServer, image_server, run_qemu_img
from support.waiting import until


@pytest.fixture
async def images(tmp_path: Path) -> AsyncIterator[ImageServer]:
    folder = tmp_path / "served"
    folder.mkdir()
    async with image_server(folder) as running:
        yield running


def make_cache(
    folder: Path, *, max_bytes: int = 10**9, min_free_bytes: int = 0
) -> ImageCache:
    policy = AddressPolicy(allowed=[ip_network("127.0.0.0/8")])
    limits = DownloadLimits(max_bytes, min_free_bytes, timeout_seconds=30)
    return build_cache(folder, HttpSource(policy), limits)


def build_cache(folder: Path, source: HttpSource, limits: DownloadLimits) -> ImageCache:
    fs, clock, random = HostFileSystem(), SystemClock(), Random(1)
    download = Download(source, limits, fs=fs, clock=clock, random=random)
    return ImageCache(folder, download, fs=fs, clock=clock, random=random)


async def fetch(cache: ImageCache, image: dict[str, Any]) -> CachedImage:
    """Wait for an image; ImageFailed when it cannot be had."""
    file = ImageFile.model_validate(image)
    async with asyncio.timeout(30):
        while True:
            try:
                return cache.get(file, waiter="guest")
            except ImageDownloading:
                await asyncio.wait({cache._flights[image_name(file)]})


async def begin(cache: ImageCache, image: dict[str, Any]) -> None:
    """Let a download begin, and kill it in the middle."""
    with pytest.raises(ImageDownloading):
        cache.get(ImageFile.model_validate(image), waiter="guest")
    await until(lambda: bool(part_sizes(cache)), "a part is there")
    await cache.close()


def part_sizes(cache: ImageCache) -> list[int]:
    parts = cache._folder.glob("*.part")
    return [size for part in parts if (size := part.stat().st_size)]


async def fault_of(cache: ImageCache, image: dict[str, Any]) -> Exception:
    with pytest.raises(ImageFailed) as failed:
        await fetch(cache, image)
    return failed.value.fault


async def test_an_image_is_downloaded_once_and_kept_read_only(
    images: ImageServer, tmp_path: Path
) -> None:
    cache = make_cache(tmp_path / "cache")
    image = images.add_disk(size="3M")

    first, second = await asyncio.gather(fetch(cache, image), fetch(cache, image))

    assert first == second
    assert len(images.requests) == 1
    assert first.virtual_bytes == 3 * 1024**2
    assert first.path.stat().st_mode & 0o777 == 0o444
    assert await fetch(make_cache(tmp_path / "cache"), image) == first
    assert len(images.requests) == 1


async def test_a_broken_download_goes_on_where_it_ended(
    images: ImageServer, tmp_path: Path
) -> None:
    content = Random(1).randbytes(5_000_000)
    image = images.add("disk.raw", content)
    images.break_off_after = 2_000_000

    cached = await fetch(make_cache(tmp_path / "cache"), image)

    assert cached.path.read_bytes() == content
    first, *more = [range_ for _, range_ in images.requests]
    assert first == ""
    assert more
    assert all(range_ > "bytes=1000000-" for range_ in more)


async def test_a_killed_agent_leaves_a_part_that_the_next_one_finishes(
    images: ImageServer, tmp_path: Path
) -> None:
    image = images.add("disk.raw", Random(1).randbytes(5_000_000))
    images.break_off_after = 2_000_000
    await begin(make_cache(tmp_path / "cache"), image)
    images.requests.clear()
    images.break_off_after = None

    await fetch(make_cache(tmp_path / "cache"), image)

    assert [range_ != "" for _, range_ in images.requests] == [True]


async def test_a_file_that_changed_on_the_server_is_not_joined(
    images: ImageServer, tmp_path: Path
) -> None:
    images.add("disk.raw", Random(1).randbytes(5_000_000))
    old = images.image_of("disk.raw", format_="raw")
    images.break_off_after = 2_000_000
    await begin(make_cache(tmp_path / "cache"), old)
    images.break_off_after = None
    new = images.add("disk.raw", Random(2).randbytes(5_000_000))
    part = next((tmp_path / "cache").glob("*.part"))
    renamed = ImageFile.model_validate(new)
    # The same URL now means other bytes: the half must not survive in the whole.
    part.rename(part.with_name(f"{image_name(renamed)}.part"))
    note = next((tmp_path / "cache").glob("*.part.json"))
    note.rename(note.with_name(f"{image_name(renamed)}.part.json"))

    cached = await fetch(make_cache(tmp_path / "cache"), new)

    assert cached.path.read_bytes() == Random(2).randbytes(5_000_000)


async def test_a_part_that_was_damaged_costs_one_more_download(
    images: ImageServer, tmp_path: Path
) -> None:
    image = images.add("disk.raw", Random(1).randbytes(5_000_000))
    images.break_off_after = 2_000_000
    await begin(make_cache(tmp_path / "cache"), image)
    part = next((tmp_path / "cache").glob("*.part"))
    part.write_bytes(b"x" * 50_000)
    images.break_off_after = None

    cached = await fetch(make_cache(tmp_path / "cache"), image)

    assert cached.path.read_bytes() == Random(1).randbytes(5_000_000)


async def test_another_checksum_never_becomes_a_disk(
    images: ImageServer, tmp_path: Path
) -> None:
    image = images.add_disk() | {"checksum": f"sha256:{'1' * 64}"}

    fault = await fault_of(make_cache(tmp_path / "cache"), image)

    assert isinstance(fault, ChecksumMismatch)
    assert list((tmp_path / "cache").iterdir()) == []


async def test_sha512_is_taken_too(images: ImageServer, tmp_path: Path) -> None:
    image = images.add_disk()
    content = (images.folder / "blank.qcow2").read_bytes()
    image["checksum"] = f"sha512:{hashlib.sha512(content).hexdigest()}"

    assert (await fetch(make_cache(tmp_path / "cache"), image)).path.exists()


async def test_a_file_beyond_the_limit_is_refused_before_it_is_taken(
    images: ImageServer, tmp_path: Path
) -> None:
    image = images.add("disk.raw", bytes(100_000))

    fault = await fault_of(make_cache(tmp_path / "cache", max_bytes=99_999), image)

    assert isinstance(fault, ImageTooLarge)


async def test_a_host_without_room_says_so(images: ImageServer, tmp_path: Path) -> None:
    image = images.add("disk.raw", bytes(100_000))

    fault = await fault_of(make_cache(tmp_path / "c", min_free_bytes=2**60), image)

    assert isinstance(fault, DiskFull)


@pytest.mark.parametrize(("status", "final"), [(404, True), (403, True), (503, False)])
async def test_a_server_that_refuses_is_unavailable(
    images: ImageServer, tmp_path: Path, status: int, *, final: bool
) -> None:
    image = images.add_disk()
    images.statuses["blank.qcow2"] = status

    fault = await fault_of(make_cache(tmp_path / "cache"), image)

    assert isinstance(fault, ImageUnavailable)
    assert str(status) in str(fault)
    assert (len(images.requests) == 1) is final


async def test_nobody_at_the_address_is_unavailable(tmp_path: Path) -> None:
    image = {
        "url": "http://127.0.0.1:9/x.raw",
        "checksum": f"sha256:{'0' * 64}",
        "format": "raw",
    }

    fault = await fault_of(make_cache(tmp_path / "cache"), image)

    assert isinstance(fault, ImageUnavailable)


async def test_a_redirect_into_the_cluster_is_refused(
    images: ImageServer, tmp_path: Path
) -> None:
    image = images.add_disk()
    images.redirects["blank.qcow2"] = "http://169.254.169.254/latest/meta-data"

    fault = await fault_of(make_cache(tmp_path / "cache"), image)

    assert isinstance(fault, InvalidUrl)
    assert "169.254.169.254" in str(fault)


async def test_a_redirect_to_another_scheme_is_refused(
    images: ImageServer, tmp_path: Path
) -> None:
    image = images.add_disk()
    images.redirects["blank.qcow2"] = "file:///etc/shadow"

    assert isinstance(await fault_of(make_cache(tmp_path / "cache"), image), InvalidUrl)


async def test_endless_redirects_end(images: ImageServer, tmp_path: Path) -> None:
    image = images.add_disk()
    images.redirects["blank.qcow2"] = "/blank.qcow2"

    assert isinstance(await fault_of(make_cache(tmp_path / "cache"), image), InvalidUrl)
    assert len(images.requests) == 6


async def test_a_good_redirect_is_followed(images: ImageServer, tmp_path: Path) -> None:
    image = images.add_disk()
    images.redirects["moved.qcow2"] = "/blank.qcow2"
    image["url"] = f"{images.url}/moved.qcow2"

    assert (await fetch(make_cache(tmp_path / "cache"), image)).path.exists()


async def test_a_name_that_means_this_host_is_refused(tmp_path: Path) -> None:
    limits = DownloadLimits(10**9, 0, timeout_seconds=30)
    cache = build_cache(tmp_path / "cache", HttpSource(AddressPolicy()), limits)
    image = {
        "url": "http://localhost:6443/x.raw",
        "checksum": f"sha256:{'0' * 64}",
        "format": "raw",
    }

    fault = await fault_of(cache, image)

    assert isinstance(fault, InvalidUrl)
    assert "localhost" in str(fault)


def _with_backing_file(path: Path) -> None:
    run_qemu_img(
        *("create", "-q", "-u", "-f", "qcow2", "-b", "/etc/shadow", "-F", "raw"),
        *(str(path), "1M"),
    )


def _with_data_file(path: Path) -> None:
    run_qemu_img(
        *("create", "-q", "-f", "qcow2", "-o", f"data_file={path}.data"),
        *(str(path), "1M"),
    )


def _with_extended_l2(path: Path) -> None:
    run_qemu_img("create", "-q", "-f", "qcow2", "-o", "extended_l2=on", str(path), "1M")


def _encrypted(path: Path) -> None:
    run_qemu_img(
        *("create", "-q", "-f", "qcow2", "--object", f"secret,id=s,data={'x' * 16}"),
        *("-o", "encrypt.format=aes,encrypt.key-secret=s", str(path), "1M"),
    )


def _with_snapshot(path: Path) -> None:
    run_qemu_img("create", "-q", "-f", "qcow2", str(path), "1M")
    run_qemu_img("snapshot", "-c", "one", str(path))


def _cut_off(path: Path) -> None:
    run_qemu_img("create", "-q", "-f", "qcow2", str(path), "1M")
    path.write_bytes(path.read_bytes()[:50])


def _with_huge_tables(path: Path) -> None:
    run_qemu_img("create", "-q", "-f", "qcow2", str(path), "1M")
    content = bytearray(path.read_bytes())
    struct.pack_into(">I", content, 36, 0xFFFFFFFF)  # L1 entries
    path.write_bytes(content)


def _vmdk(path: Path) -> None:
    run_qemu_img("create", "-q", "-f", "vmdk", str(path), "1M")


@pytest.mark.parametrize(
    "make",
    [
        _with_backing_file,
        _with_data_file,
        _with_extended_l2,
        _encrypted,
        _with_snapshot,
        _cut_off,
        _with_huge_tables,
        _vmdk,
    ],
)
async def test_a_hostile_qcow2_is_rejected(
    images: ImageServer, tmp_path: Path, make: Any
) -> None:
    make(images.folder / "bad")
    image = images.image_of("bad", format_="qcow2")

    fault = await fault_of(make_cache(tmp_path / "cache"), image)

    assert isinstance(fault, ImageRejected)
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("format_", ["qcow2", "vmdk", "vdi", "vhdx", "qed", "vpc"])
async def test_a_raw_image_that_is_something_else_is_rejected(
    images: ImageServer, tmp_path: Path, format_: str
) -> None:
    run_qemu_img("create", "-q", "-f", format_, str(images.folder / "bad"), "1M")

    fault = await fault_of(
        make_cache(tmp_path / "cache"), images.image_of("bad", format_="raw")
    )

    assert isinstance(fault, ImageRejected)


async def test_compressed_and_old_qcow2_are_taken(
    images: ImageServer, tmp_path: Path
) -> None:
    raw = images.folder / "disk.raw"
    raw.write_bytes(Random(1).randbytes(10_000) + bytes(1_000_000))
    cache = make_cache(tmp_path / "cache")
    for options in ("compat=0.10", "compat=1.1", "compression_type=zstd"):
        out = images.folder / f"{options}.qcow2"
        run_qemu_img(
            *("convert", "-c", "-O", "qcow2", "-o", options, str(raw), str(out))
        )
        cached = await fetch(cache, images.image_of(out.name, format_="qcow2"))
        assert cached.path.exists()
