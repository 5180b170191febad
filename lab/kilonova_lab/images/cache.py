"""Where built things are kept, and how they get there whole.

A thing in the cache is either complete or not there: it is made beside its
place and renamed, and only one process makes things at a time.
"""

import fcntl
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kilonova_lab.errors import LabError

LOCK_TIMEOUT_SECONDS = 1800.0
"""A cold build of everything takes a few minutes on two cores."""

LOCK_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder of things that are complete or absent."""

    root: Path

    def folder(self, name: str) -> Path:
        """Return the sub-folder ``name``, made if missing."""
        path = self.root / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    @contextmanager
    def locked(
        self, name: str, *, timeout_seconds: float = LOCK_TIMEOUT_SECONDS
    ) -> Iterator[None]:
        """Hold the lock ``name``; a process that dies gives it back.

        Raises:
            LabError: another process held it all the time.
        """
        path = self.folder("locks") / f"{name}.lock"
        with path.open("a+") as handle:
            deadline = time.monotonic() + timeout_seconds
            while not _try_lock(handle.fileno()):
                if time.monotonic() > deadline:
                    raise LabError(
                        f"another build has held {path} for {timeout_seconds:.0f} s; "
                        f"see who does with: fuser {path}"
                    )
                time.sleep(LOCK_POLL_SECONDS)
            yield

    def ensure_folder(self, path: Path, fill: Callable[[Path], None]) -> Path:
        """Return the folder ``path``, filled by ``fill`` if it is missing."""
        if not path.exists():
            with unfinished(path) as made:
                made.mkdir()
                fill(made)
        return path


@contextmanager
def unfinished(path: Path) -> Iterator[Path]:
    """Give a place beside ``path``; a success moves what is there to ``path``.

    Remains of a killed run are removed first, so call it under a lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    place = path.with_name(f".{path.name}.unfinished")
    remove(place)
    try:
        yield place
        place.replace(path)
    finally:
        remove(place)


def remove(path: Path) -> None:
    """Remove a file or a tree, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def keep_newest(paths: list[Path], count: int) -> list[Path]:
    """Remove all but the ``count`` newest; return what was removed."""
    newest_first = sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True)
    for path in newest_first[count:]:
        remove(path)
    return newest_first[count:]


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
