"""Build the tiny guest, or find it built.

A bootable image of 13 MB, from Debian's cloud kernel and busybox: it boots in
seconds even where QEMU has to emulate the processor, takes its name, address,
keys and user data from a config drive, and answers on its console.
"""

import gzip
import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kilonova_lab.folders import build_cache_folder
from kilonova_lab.images.cache import Cache, keep_newest, unfinished
from kilonova_lab.images.command import need_programs, run
from kilonova_lab.images.errors import ImageBuildFailed
from kilonova_lab.images.guest import cpio, kernel
from kilonova_lab.images.guest.disk import BootFiles, build_blank_disk, build_disk
from kilonova_lab.images.inputs import hash_files, source_files

READY_LINE = "===== TINY GUEST READY ====="
"""The guest's last line on its consoles before it runs user data."""

MINIMUM_MEMORY_MIB = 96

BUSYBOX = Path("/usr/bin/busybox")

KEPT_IMAGES = 2

PROGRAMS = {
    "apt-cache": "apt",
    "busybox": "busybox-static",
    "dpkg-deb": "dpkg",
    "mcopy": "mtools",
    "mkfs.ext4": "e2fsprogs",
    "mkfs.fat": "dosfstools",
    "modinfo": "kmod",
    "qemu-img": "qemu-utils",
    "sfdisk": "fdisk",
    "strip": "binutils",
    "syslinux": "syslinux",
}

_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class GuestImage:
    """The guest in the cache.

    Attributes:
        image: the disk, compressed qcow2, format 3.
        kernel: the same kernel for a boot without a disk.
        initrd: the same initial RAM file system.
        sha256: of the image file, as an Image's checksum wants it.
        release: the kernel's package.
    """

    image: Path
    kernel: Path
    initrd: Path
    sha256: str
    release: str


def ensure_guest_image(
    *, cache: Cache | None = None, progress: Callable[[str], None] = lambda _: None
) -> GuestImage:
    """Return the guest image, built if it is not there yet.

    Raises:
        LabError: says what is missing or which program failed.
    """
    cache = cache or Cache(build_cache_folder())
    need_programs(PROGRAMS)
    _need_static_busybox()
    files = [path for path in source_files(_HERE) if path.name != "__init__.py"]
    busybox = hashlib.sha256(BUSYBOX.read_bytes()).hexdigest()
    key = hash_files(files, relative_to=_HERE, more=(busybox,))[:12]
    folder = cache.folder("guest") / f"tiny-{key}"
    if not folder.exists():
        with cache.locked("guest"):
            cache.ensure_folder(folder, lambda place: _build(cache, place, progress))
            keep_newest(list(folder.parent.glob("tiny-*")), KEPT_IMAGES)
    note = json.loads((folder / "image.json").read_text())
    paths = {name: folder / note[name] for name in ("image", "kernel", "initrd")}
    return GuestImage(**paths, sha256=note["sha256"], release=note["release"])


def ensure_blank_image(*, size_mib: int = 16, cache: Cache | None = None) -> Path:
    """Return an empty qcow2 image, for real guests without a system.

    With 16 MiB of memory such a guest takes some 25 MiB of the host's and no
    time: SeaBIOS finds nothing to boot and waits.
    """
    cache = cache or Cache(build_cache_folder())
    path = cache.folder("guest") / f"blank-{size_mib}.qcow2"
    if not path.exists():
        with cache.locked("guest"), unfinished(path) as place:
            build_blank_disk(place, size_mib=size_mib)
    return path


def build_initrd(unpacked: kernel.Kernel, scratch: Path) -> bytes:
    """Return the compressed initial RAM file system."""
    files = _HERE / "files"
    modules = kernel.order_modules(unpacked)
    names = [path.name.split(".")[0] for path in modules]
    folders = ("bin", "dev", "etc", "etc/acpi", "etc/acpi/PWRF", "modules", "root")
    plain = {"udhcpc.sh": "etc/udhcpc.sh", "guest-agent": "etc/guest-agent"}
    entries = [
        *(cpio.build_folder(name) for name in folders),
        cpio.build_character_device("dev/console", 5, 1),
        cpio.build_file("bin/busybox", BUSYBOX.read_bytes(), executable=True),
        cpio.build_file("etc/inittab", (files / "inittab").read_bytes()),
        cpio.build_file("etc/passwd", b"root::0:0:root:/root:/bin/sh\n"),
        cpio.build_file("modules/order", "".join(f"{n}\n" for n in names).encode()),
        *(
            cpio.build_file(f"modules/{name}.ko", kernel.read_stripped(path, scratch))
            for name, path in zip(names, modules, strict=True)
        ),
        *(
            cpio.build_file(place, (files / name).read_bytes(), executable=True)
            for name, place in {
                **plain,
                "power-button": "etc/acpi/PWRF/00000080",
                "init": "init",
            }.items()
        ),
    ]
    return gzip.compress(cpio.build_archive(entries), compresslevel=9, mtime=0)


def _build(cache: Cache, place: Path, progress: Callable[[str], None]) -> None:
    package = kernel.fetch_kernel(cache)
    progress(f"guest: building the tiny guest on {package.stem}")
    with tempfile.TemporaryDirectory(dir=cache.folder("context")) as folder:
        scratch = Path(folder)
        unpacked = kernel.unpack_kernel(package, scratch / "kernel")
        boot = BootFiles(
            kernel=unpacked.read_image(),
            initrd=build_initrd(unpacked, scratch / "module.ko"),
            loader_config=(_HERE / "files" / "syslinux.cfg").read_bytes(),
        )
        image = place / "tiny.qcow2"
        build_disk(boot, image, scratch)
    (place / "vmlinuz").write_bytes(boot.kernel)
    (place / "initrd.img").write_bytes(boot.initrd)
    sha256 = hashlib.sha256(image.read_bytes()).hexdigest()
    names = {"image": image.name, "kernel": "vmlinuz", "initrd": "initrd.img"}
    note = {**names, "sha256": sha256, "release": package.stem}
    (place / "image.json").write_text(json.dumps(note))


def _need_static_busybox() -> None:
    """Check that busybox runs where there is no library.

    Raises:
        ImageBuildFailed: it is Debian's small one.
    """
    linked = run(["sh", "-c", f"ldd {BUSYBOX} 2>&1 || true"], timeout_seconds=10.0)
    if "not a dynamic executable" not in linked:
        raise ImageBuildFailed(
            f"{BUSYBOX} needs libraries; the guest needs the one without: "
            "sudo apt-get install --no-install-recommends busybox-static"
        )
