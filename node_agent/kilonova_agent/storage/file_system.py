"""The agent's own changes of the host's files, one method for each single step.

Orders, images and guests' files are written by these methods alone, so that a
test can end the agent between any two of them. Reading needs no such seam. All
methods block.
"""

import errno
import os
import shutil
import stat
from pathlib import Path
from typing import BinaryIO, Protocol

# QEMU runs as another user and must get through to its files.
FOLDER_MODE = 0o711
FILE_MODE = 0o600


class FileSystem(Protocol):
    """Single changes of files; each is done, or raises OSError."""

    def make_folder(self, folder: Path) -> None:
        """Make a folder, and those above it, where there is none."""
        ...

    def create(self, path: Path, content: bytes, *, mode: int = FILE_MODE) -> None:
        """Make a new file, on disk when this returns; FileExistsError if there."""
        ...

    def create_sparse(self, path: Path, size: int) -> None:
        """Make a new file of zeros that takes no room; FileExistsError if there."""
        ...

    def open_part(self, path: Path, offset: int) -> BinaryIO:
        """Open a file, made if missing, that ends at ``offset`` and is appended to."""
        ...

    def append(self, part: BinaryIO, chunk: bytes) -> None:
        """Append to a file of ``open_part``."""
        ...

    def keep_end(self, path: Path, size: int) -> None:
        """Cut a file that a program appends to down to its last bytes.

        What is written at that very moment can be lost, and all of it in a kill.
        """
        ...

    def sync(self, path: Path) -> None:
        """Make a file, or a folder's names, survive a power cut."""
        ...

    def chmod(self, path: Path, mode: int) -> None:
        """Set a file's mode."""
        ...

    def link(self, source: Path, target: Path) -> None:
        """Give a file a second name; FileExistsError if that is taken."""
        ...

    def rename(self, source: Path, target: Path) -> None:
        """Give a file or folder another name; a file of that name is replaced."""
        ...

    def unlink(self, path: Path) -> None:
        """Remove a file, if it is there."""
        ...

    def remove_tree(self, folder: Path) -> None:
        """Remove a folder with all that is in it."""
        ...


class HostFileSystem:
    """The host's own file system."""

    def make_folder(self, folder: Path) -> None:
        """Make a folder where there is none."""
        folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)

    def create(self, path: Path, content: bytes, *, mode: int = FILE_MODE) -> None:
        """Make a new file and wait until it is on disk."""
        with os.fdopen(_create(path, mode), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def create_sparse(self, path: Path, size: int) -> None:
        """Make a new file of zeros."""
        with os.fdopen(_create(path, FILE_MODE), "wb") as file:
            file.truncate(size)

    def open_part(self, path: Path, offset: int) -> BinaryIO:
        """Open a file for going on at ``offset``."""
        # It may be complete and read-only already; root without capabilities
        # cannot open such a file of its own for writing.
        if path.exists() and not path.is_symlink():
            path.chmod(FILE_MODE)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, FILE_MODE)
        file = os.fdopen(fd, "wb", buffering=0)
        file.truncate(offset)
        file.seek(offset)
        return file

    def append(self, part: BinaryIO, chunk: bytes) -> None:
        """Append to an open file."""
        part.write(chunk)

    def keep_end(self, path: Path, size: int) -> None:
        """Cut a file in place: whoever has it open goes on after what is left."""
        flags = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK
        with os.fdopen(os.open(path, flags), "r+b", buffering=0) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, "not a regular file", str(path))
            end = os.pread(file.fileno(), size, max(0, status.st_size - size))
            file.truncate(0)
            file.write(end)

    def sync(self, path: Path) -> None:
        """Wait until a file or a folder's names are on disk."""
        fd = os.open(path, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def chmod(self, path: Path, mode: int) -> None:
        """Set a file's mode."""
        path.chmod(mode)

    def link(self, source: Path, target: Path) -> None:
        """Give a file a second name."""
        os.link(source, target)

    def rename(self, source: Path, target: Path) -> None:
        """Give a file or folder another name."""
        source.replace(target)

    def unlink(self, path: Path) -> None:
        """Remove a file, if it is there."""
        path.unlink(missing_ok=True)

    def remove_tree(self, folder: Path) -> None:
        """Remove a folder with all that is in it."""
        shutil.rmtree(folder)


def _create(path: Path, mode: int) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
