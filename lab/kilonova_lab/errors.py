"""What can go wrong in the lab, said so that a person can act on it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


class LabError(Exception):
    """Base of every error the lab raises on purpose."""


class ProgramsMissing(LabError):
    """Programs of the machine are missing; says which command installs them."""

    def __init__(self, programs: Iterable[str], packages: Iterable[str]) -> None:
        self.programs = sorted(set(programs))
        self.packages = sorted(set(packages))
        super().__init__(
            f"missing on this machine: {', '.join(self.programs)}. Install with: "
            f"sudo apt-get install --no-install-recommends {' '.join(self.packages)}"
        )


class GoTooOld(LabError):
    """This machine's Go cannot fetch the toolchain that a module asks for."""

    def __init__(self, found: str, needed: str) -> None:
        super().__init__(
            f"this machine's go is {found}, and building the lab's programs takes "
            f"{needed} or newer, which fetches by itself the toolchain that they ask "
            "for. Put a newer one first in PATH; on Debian 12: enable "
            "bookworm-backports, then "
            "`sudo apt-get install -t bookworm-backports golang-go`."
        )


class NotEnoughSpace(LabError):
    """A folder's file system is too full for what is about to be written."""

    def __init__(self, folder: Path, *, needed_gib: float, free_gib: float) -> None:
        super().__init__(
            f"{folder} has {free_gib:.1f} GiB free, the build needs about "
            f"{needed_gib:.0f} GiB while it runs. Free some, or set XDG_CACHE_HOME "
            "to a folder on a larger disk."
        )


class BuildFailed(LabError):
    """A program could not be built; carries the end of the compiler's output."""

    def __init__(self, module: str, log: Path, tail: str) -> None:
        super().__init__(f"building {module} failed; whole output in {log}:\n{tail}")


class CommandFailed(LabError):
    """A program of the machine ended with an error."""

    def __init__(self, argv: Iterable[str], code: int, output: str) -> None:
        self.code = code
        self.output = output
        super().__init__(f"`{' '.join(argv)}` ended with {code}: {output.strip()}")


class ProgramDied(LabError):
    """A supervised program ended while it was waited for."""

    def __init__(self, name: str, log: Path, tail: str) -> None:
        super().__init__(f"{name} ended before it was ready; end of {log}:\n{tail}")


class NotReady(LabError):
    """Something did not become ready in time."""

    def __init__(self, what: str, *, seconds: float, detail: str = "") -> None:
        super().__init__(
            f"{what} was not ready after {seconds:.0f} s"
            + (f": {detail}" * bool(detail))
        )


class AlreadyRunning(LabError):
    """A lab of this id runs already; the second start did nothing."""

    def __init__(self, lab_id: str) -> None:
        super().__init__(
            f"lab {lab_id!r} is running already and was left alone. Stop it first "
            f"(`python -m kilonova_lab down --id {lab_id}`) or start another --id."
        )


class NotRunning(LabError):
    """There is no running lab of this id."""

    def __init__(self, lab_id: str) -> None:
        super().__init__(
            f"lab {lab_id!r} is not running. Start it with "
            f"`python -m kilonova_lab up --id {lab_id}`."
        )


class ClusterConfigInvalid(LabError):
    """The cluster file asks for something the lab cannot do."""


def build_tail(log: Path, *, lines: int = 25) -> str:
    """Return the last lines of a log, or a note that there is none."""
    try:
        text = log.read_text(errors="replace")
    except FileNotFoundError:
        return "(no output)"
    return "\n".join(text.splitlines()[-lines:])
