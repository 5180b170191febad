"""Writing files so that a power cut leaves the old content or the new one."""

import os
from pathlib import Path
from secrets import token_hex


def write_durably(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Replace a file's content at once: temporary file, fsync, rename."""
    temporary = path.with_name(f".{path.name}.{token_hex(4)}.tmp")
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def link_once(source: Path, target: Path) -> None:
    """Give a finished file its name; FileExistsError when the name is taken.

    Unlike a rename this can never replace a disk that is there.
    """
    fd = os.open(source, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    os.link(source, target)
    source.unlink()
    sync_directory(target.parent)


def sync_directory(folder: Path) -> None:
    """Make renames and links in a folder survive a power cut."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
