"""Writing files so that a power cut leaves the old content or the new one.

What a kill leaves under a temporary name is nobody's: no process but the one
that made it knows the name. ``storage.leftovers`` takes it away.
"""

from pathlib import Path
from secrets import token_hex

from kilonova_agent.storage.file_system import FILE_MODE, FileSystem

TEMPORARY_SUFFIX = ".tmp"


def write_durably(
    fs: FileSystem, path: Path, content: bytes, *, mode: int = FILE_MODE
) -> None:
    """Replace a file's content at once: temporary file, fsync, rename."""
    name = f".{path.name}.{token_hex(4)}{TEMPORARY_SUFFIX}"
    temporary = path.with_name(name)
    try:
        fs.create(temporary, content, mode=mode)
        fs.rename(temporary, path)
    except BaseException:
        fs.unlink(temporary)
        raise
    fs.sync(path.parent)


def link_once(fs: FileSystem, source: Path, target: Path) -> None:
    """Give a finished file its name; FileExistsError when the name is taken.

    Unlike a rename this can never replace a disk that is there.
    """
    fs.sync(source)
    fs.link(source, target)
    fs.unlink(source)
    fs.sync(target.parent)
