"""Debian's kernel for virtual machines: found, fetched, and what we need of it."""

import lzma
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from kilonova_lab.images.cache import Cache
from kilonova_lab.images.command import run
from kilonova_lab.images.errors import ImageBuildFailed

PACKAGE = "linux-image-cloud-amd64"
"""Has virtio, and a tenth of the modules of the kernel for real machines."""

MODULES = (
    *("button", "evdev"),  # the ACPI power button
    *("virtio_pci", "virtio_blk", "virtio_net", "virtio_balloon", "virtio-rng"),
    *("virtio_console", "virtio_scsi", "qemu_fw_cfg"),
    *("ata_piix", "sr_mod", "sd_mod", "isofs", "ext4"),  # config drive, state
)
"""What the guest loads; each with its dependencies before it."""

APT_TIMEOUT_SECONDS = 300.0
QUICK_TIMEOUT_SECONDS = 60.0

_VERSIONED = re.compile(r"Depends: (linux-image-\S+-cloud-amd64)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Kernel:
    """An unpacked kernel package; since Debian 13 its modules are below /usr."""

    root: Path

    def read_image(self) -> bytes:
        """Return the kernel itself."""
        (image,) = (self.root / "boot").glob("vmlinuz-*")
        return image.read_bytes()

    def find_modules(self) -> dict[str, Path]:
        """Return the path of every module by its normal name."""
        return {
            _normal(path.name.split(".")[0]): path
            for path in self.root.rglob("lib/modules/**/*.ko*")
        }

    def find_built_in(self) -> set[str]:
        """Return the names of what is a module elsewhere and built in here."""
        lists = self.root.rglob("lib/modules/*/modules.builtin")
        paths = (line for path in lists for line in path.read_text().split())
        return {_normal(Path(path).name.split(".")[0]) for path in paths}


def fetch_kernel(cache: Cache) -> Path:
    """Return the kernel's package file, downloaded once.

    Raises:
        ImageBuildFailed: apt does not know it, or its lists are too old.
    """
    listing = run(
        ["apt-cache", "depends", PACKAGE], timeout_seconds=QUICK_TIMEOUT_SECONDS
    )
    found = _VERSIONED.search(listing)
    if found is None:
        raise ImageBuildFailed(
            f"apt does not know {PACKAGE}; renew its lists: sudo apt-get update"
        )
    package = cache.folder("guest") / f"{found[1]}.deb"
    if not package.exists():
        with tempfile.TemporaryDirectory(dir=cache.folder("context")) as folder:
            run(
                ["apt-get", "download", found[1]],
                timeout_seconds=APT_TIMEOUT_SECONDS,
                cwd=Path(folder),
            )
            (downloaded,) = Path(folder).glob("*.deb")
            downloaded.replace(package)
    return package


def unpack_kernel(package: Path, folder: Path) -> Kernel:
    """Unpack a kernel package."""
    run(["dpkg-deb", "-x", package, folder], timeout_seconds=QUICK_TIMEOUT_SECONDS)
    return Kernel(folder)


def order_modules(kernel: Kernel) -> list[Path]:
    """Return the files of MODULES and all they need, in the order to load.

    Raises:
        ImageBuildFailed: the kernel lacks one.
    """
    files, built_in = kernel.find_modules(), kernel.find_built_in()
    ordered: list[Path] = []

    def visit(name: str) -> None:
        if name in built_in:
            return
        if name not in files:
            raise ImageBuildFailed(f"{kernel.root} has no kernel module {name}")
        if files[name] in ordered:
            return
        for needed in _find_dependencies(files[name]):
            visit(needed)
        ordered.append(files[name])

    for module in MODULES:
        visit(_normal(module))
    return ordered


def read_stripped(module: Path, scratch: Path) -> bytes:
    """Return a module without its debug symbols."""
    data = module.read_bytes()
    if module.suffix == ".xz":
        data = lzma.decompress(data)
    scratch.write_bytes(data)
    run(["strip", "--strip-debug", scratch], timeout_seconds=QUICK_TIMEOUT_SECONDS)
    return scratch.read_bytes()


def _find_dependencies(module: Path) -> list[str]:
    words = run(
        ["modinfo", "-F", "depends", module], timeout_seconds=QUICK_TIMEOUT_SECONDS
    )
    return [_normal(word) for word in words.strip().split(",") if word]


def _normal(name: str) -> str:
    return name.replace("-", "_")
