"""How long things have been lying around, on a clock that nobody can set.

Ages grow with CLOCK_BOOTTIME only. They are kept in a file, so that restarts of
the agent and reboots of the host do not begin them anew; the time a host was
off is not counted.
"""

import logging
from collections.abc import Iterable
from pathlib import Path

import orjson

from kilonova_agent.storage.durable import write_durably
from kilonova_agent.storage.file_system import FileSystem
from kilonova_api.kube.clock import Clock

log = logging.getLogger(__name__)


class AgeBook:
    """Ages in seconds by name, as of the last ``sweep``."""

    def __init__(self, fs: FileSystem, path: Path, clock: Clock) -> None:
        self._fs = fs
        self._path = path
        self._clock = clock
        self._ages = _read(path)
        self._swept_at = clock.boottime()

    def sweep(self, names: Iterable[str]) -> dict[str, float]:
        """Let the time pass for these names; others are forgotten. Blocks."""
        now = self._clock.boottime()
        passed, self._swept_at = now - self._swept_at, now
        before = self._ages
        self._ages = {
            name: before[name] + passed if name in before else 0.0 for name in names
        }
        if self._ages or before:
            self._write()
        return dict(self._ages)

    def _write(self) -> None:
        try:
            write_durably(self._fs, self._path, orjson.dumps(self._ages))
        except OSError as error:  # what is old must still go from a full disk
            log.warning("ages are not written down: %s", error)


def _read(path: Path) -> dict[str, float]:
    try:
        data = orjson.loads(path.read_bytes())
        return {str(name): float(age) for name, age in data.items()}
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return {}  # the ages begin anew: things stay longer, never shorter
