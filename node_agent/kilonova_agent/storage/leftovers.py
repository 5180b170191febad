"""What an agent that was killed left half-made, taken away at the next start.

Only while no agent works on the state directory: every temporary file is then
nobody's.
"""

import logging
from collections.abc import Iterator
from pathlib import Path

from kilonova_agent.storage.durable import TEMPORARY_SUFFIX
from kilonova_agent.storage.file_system import FileSystem
from kilonova_agent.storage.guest_files import BUILDING_SUFFIX

log = logging.getLogger(__name__)


def remove_leftovers(fs: FileSystem, state_dir: Path) -> None:
    """Remove temporary files. Blocks.

    One that cannot be removed stays: the guests need the agent still.
    """
    for path in _find(state_dir):
        try:
            fs.unlink(path)
        except OSError as error:
            log.warning("what a killed agent left stays: %s", error)


def _find(state_dir: Path) -> Iterator[Path]:
    for pattern in ("", "images/", "instances/*/"):
        yield from state_dir.glob(f"{pattern}.*{TEMPORARY_SUFFIX}")
    yield from state_dir.glob(f"instances/*/*{BUILDING_SUFFIX}")
    yield from state_dir.glob("probe/*")
