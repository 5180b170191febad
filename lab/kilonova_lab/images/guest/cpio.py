"""An initial RAM file system as a cpio archive, without being root.

Format "newc": Documentation/driver-api/early-userspace/buffer-format.rst of
the Linux kernel. Written here so that a device node needs no mknod.
"""

import stat
from collections.abc import Iterable
from dataclasses import dataclass

_TRAILER = "TRAILER!!!"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file, folder or device; ``mode`` has its type too."""

    name: str
    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)


def build_folder(name: str) -> Entry:
    """Return a folder."""
    return Entry(name, stat.S_IFDIR | 0o755)


def build_file(name: str, data: bytes, *, executable: bool = False) -> Entry:
    """Return a plain file."""
    return Entry(name, stat.S_IFREG | (0o755 if executable else 0o644), data)


def build_character_device(name: str, major: int, minor: int) -> Entry:
    """Return a character device."""
    return Entry(name, stat.S_IFCHR | 0o600, device=(major, minor))


def build_archive(entries: Iterable[Entry]) -> bytes:
    """Return the archive; folders must come before what is in them."""
    parts = [_pack(number, entry) for number, entry in enumerate(entries, start=1)]
    return b"".join([*parts, _pack(0, Entry(_TRAILER, 0))])


def _pack(inode: int, entry: Entry) -> bytes:
    name = entry.name.encode() + b"\0"
    size, links, owner = len(entry.data), 1, 0
    major, minor = entry.device
    numbers = (inode, entry.mode, owner, owner, links, 0, size, 0, 0, major, minor)
    header = "070701" + "".join(f"{n:08x}" for n in (*numbers, len(name), 0))
    return _pad(header.encode() + name) + _pad(entry.data)


def _pad(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
