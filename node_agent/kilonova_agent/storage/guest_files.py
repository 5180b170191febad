"""A guest's files on the host, and the bin that destroyed guests go to.

::

    instances/<uuid>/image            name of the base image its disk lies over
    instances/<uuid>/disk.qcow2       root disk: the last disk to appear
    instances/<uuid>/ephemeral.qcow2  second disk, if the flavor has one
    instances/<uuid>/swap.raw         swap disk, if the flavor has one
    instances/<uuid>/disk.config      config drive, made anew at each start
    instances/<uuid>/console.log      what the guest said on its serial port
    bin/<uuid>.<random>               the folder of a destroyed guest

A disk is made under a temporary name and gets its own by a link, which fails
where a disk is: nothing here can overwrite one.
"""

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from uuid import UUID

from kilonova_agent.drivers.base import GuestDisk
from kilonova_agent.storage.durable import link_once, write_durably
from kilonova_agent.storage.file_system import FileSystem
from kilonova_agent.storage.images import qemu_img
from kilonova_agent.storage.images.cache import CachedImage
from kilonova_agent.storage.storage_faults import telling_faults
from kilonova_api.flavor import FlavorSize

_GIB = 1024**3
_MIB = 1024**2
BUILDING_SUFFIX = ".building"
CONSOLE_MOST_BYTES = 4 * _MIB

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GuestFiles:
    """Where one guest's files are."""

    folder: Path

    @property
    def root(self) -> Path:
        """The root disk."""
        return self.folder / "disk.qcow2"

    @property
    def ephemeral(self) -> Path:
        """The second disk."""
        return self.folder / "ephemeral.qcow2"

    @property
    def swap(self) -> Path:
        """The swap disk."""
        return self.folder / "swap.raw"

    @property
    def config_drive(self) -> Path:
        """The config drive."""
        return self.folder / "disk.config"

    @property
    def console_log(self) -> Path:
        """The serial console's log."""
        return self.folder / "console.log"

    @property
    def image_note(self) -> Path:
        """The file that names the base image."""
        return self.folder / "image"

    def list_disks(self) -> tuple[GuestDisk, ...]:
        """List the disks that are there, in the guest's order. Blocks."""
        disks = [GuestDisk(self.root, "qcow2")]
        if self.ephemeral.exists():
            disks.append(GuestDisk(self.ephemeral, "qcow2"))
        if self.swap.exists():
            disks.append(GuestDisk(self.swap, "raw"))
        return tuple(disks)


class GuestStore:
    """All guests' files under the state directory. Methods that are sync block."""

    def __init__(self, fs: FileSystem, state_dir: Path) -> None:
        self._fs = fs
        self._instances = state_dir / "instances"
        self._bin = state_dir / "bin"
        for folder in (self._instances, self._bin):
            fs.make_folder(folder)

    def of(self, uuid: str) -> GuestFiles:
        """Return a guest's files; ValueError when the uuid is none."""
        if str(UUID(uuid)) != uuid:
            raise ValueError(f"{uuid!r} is not a uuid in its usual spelling")
        return GuestFiles(self._instances / uuid)

    async def build_disks(
        self, files: GuestFiles, image: CachedImage, flavor: FlavorSize
    ) -> None:
        """Build the disks that are missing; the root disk comes last.

        Raises:
            ImageUnavailable: the image is not there any more.
            DiskFull, StorageFailed: this host cannot make them.
        """
        with telling_faults("making the guest's disks"):
            await self._build_disks(files, image, flavor)

    async def _build_disks(
        self, files: GuestFiles, image: CachedImage, flavor: FlavorSize
    ) -> None:
        await asyncio.to_thread(self._prepare, files, image.name)
        if flavor.ephemeral_gib and not files.ephemeral.exists():
            temporary = _temporary(files.ephemeral)
            size = flavor.ephemeral_gib * _GIB
            await qemu_img.create_empty(temporary, virtual_bytes=size)
            await asyncio.to_thread(link_once, self._fs, temporary, files.ephemeral)
        if flavor.swap_mib and not files.swap.exists():
            await self._build_swap(files.swap, flavor.swap_mib * _MIB)
        if not files.root.exists():
            temporary = _temporary(files.root)
            await qemu_img.create_overlay(
                temporary,
                base=image.path,
                base_format=image.format,
                virtual_bytes=flavor.root_gib * _GIB or image.virtual_bytes,
            )
            await asyncio.to_thread(link_once, self._fs, temporary, files.root)

    def write_config_drive(self, files: GuestFiles, content: bytes) -> None:
        """Replace the config drive by a new one."""
        write_durably(self._fs, files.config_drive, content)

    def _prepare(self, files: GuestFiles, image_name: str) -> None:
        """Make the folder, name the base in it, clear what failed half-made."""
        self._fs.make_folder(files.folder)
        for left in files.folder.glob(f"*{BUILDING_SUFFIX}"):
            self._fs.unlink(left)
        if not files.root.exists():
            write_durably(self._fs, files.image_note, image_name.encode())

    async def _build_swap(self, path: Path, size: int) -> None:
        temporary = _temporary(path)
        await asyncio.to_thread(self._fs.create_sparse, temporary, size)
        await qemu_img.run_program("mkswap", "--label", "swap1", str(temporary))
        await asyncio.to_thread(link_once, self._fs, temporary, path)

    def cut_console_logs(
        self, *, most_bytes: int = CONSOLE_MOST_BYTES, kept_bytes: int = _MIB
    ) -> None:
        """Keep the end of every console log that has grown too long.

        A guest may print for ever. Where virtlogd writes the logs, it turns them
        over by itself before they are as long as this.
        """
        for path in self._instances.glob("*/console.log"):
            try:
                if path.lstat().st_size > most_bytes:
                    self._fs.keep_end(path, kept_bytes)
            except FileNotFoundError:  # the guest was destroyed meanwhile
                continue
            except OSError as error:
                log.warning("the console log %s grows on: %s", path, error)

    def bin(self, uuid: str) -> None:
        """Move a guest's files to the bin; what never became a disk just goes.

        Raises:
            DiskFull, StorageFailed: this host cannot move them.
        """
        folder = self.of(uuid).folder
        if folder.exists():
            with telling_faults("moving the guest's files to the bin"):
                self._bin_folder(folder)

    def _bin_folder(self, folder: Path) -> None:
        if GuestFiles(folder).root.exists():
            self._fs.rename(folder, self._bin / f"{folder.name}.{token_hex(4)}")
            self._fs.sync(self._bin)
        else:
            self._fs.remove_tree(folder)
        self._fs.sync(self._instances)

    def list_binned(self) -> list[str]:
        """List the entries of the bin."""
        return sorted(path.name for path in self._bin.iterdir())

    def remove_binned(self, entry: str) -> None:
        """Remove one entry of the bin for good."""
        self._fs.remove_tree(self._bin / entry)

    def list_used_images(self) -> set[str] | None:
        """List the base images that disks lie over; None when that is unknown."""
        used: set[str] = set()
        for parent in (self._instances, self._bin):
            for folder in parent.iterdir():
                try:
                    used.add((folder / "image").read_text().strip())
                except FileNotFoundError:
                    if (folder / "disk.qcow2").exists():
                        return None
                except NotADirectoryError:
                    continue
        return used


def _temporary(path: Path) -> Path:
    return path.with_name(f"{path.name}.{token_hex(4)}{BUILDING_SUFFIX}")
