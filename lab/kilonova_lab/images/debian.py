"""Which Debian the images are: one whose own Python runs the wheels made here.

Wheels are compiled on this machine and run in the image. So both have the same
Python, and the image's libraries (glibc, libvirt) are not older than those that
the wheels were linked against.
"""

import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from kilonova_lab.errors import CommandFailed, ProgramsMissing
from kilonova_lab.images.command import run
from kilonova_lab.images.errors import ImageBuildFailed

QUICK_TIMEOUT_SECONDS = 30.0

_OS_RELEASE = Path("/etc/os-release")


@dataclass(frozen=True, slots=True)
class Debian:
    """A release of Debian: its number, its name in archives, its Python."""

    number: int
    suite: str
    python_version: tuple[int, int]

    @property
    def python_name(self) -> str:
        """What its Python is called as a program."""
        return "python{}.{}".format(*self.python_version)


RELEASES = (Debian(12, "bookworm", (3, 11)), Debian(13, "trixie", (3, 13)))
"""What images can be; the tests run on the first."""


@dataclass(frozen=True, slots=True)
class Platform:
    """The images' Debian, and this machine's Python of the same version."""

    debian: Debian
    python: Path

    @classmethod
    def choose(cls) -> Self:
        """Return the release of the running Python, else of one that is found.

        Raises:
            ImageBuildFailed: there is none; says what to install.
        """
        usable = find_usable(_OS_RELEASE.read_text() if _OS_RELEASE.exists() else "")
        for debian in usable:
            if sys.version_info[:2] == debian.python_version:
                return cls(debian, Path(sys.executable))
        for debian in usable:
            if (python := find_python(debian.python_name)) is not None:
                return cls(debian, python)
        raise ImageBuildFailed(_explain(usable))


def find_usable(os_release: str) -> tuple[Debian, ...]:
    """Return the releases that run what a machine of this os-release compiles.

    A machine that is no Debian is believed to be old enough for all.
    """
    lines = (line.partition("=") for line in os_release.splitlines())
    fields = {key: value.strip("\"'") for key, _, value in lines}
    number = fields.get("VERSION_ID", "")
    if fields.get("ID") != "debian" or not number.isdecimal():
        return RELEASES
    return tuple(debian for debian in RELEASES if debian.number >= int(number))


def find_python(name: str) -> Path | None:
    """Return a program of this name that runs; pyenv's shims may refuse to."""
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        found = shutil.which(name, path=folder)
        if found is not None and _runs(found):
            return Path(found)
    return None


def _runs(program: str) -> bool:
    try:
        run([program, "-c", ""], timeout_seconds=QUICK_TIMEOUT_SECONDS)
    except (CommandFailed, ProgramsMissing):
        return False
    return True


def _explain(usable: Iterable[Debian]) -> str:
    known = " or ".join(
        f"{debian.python_name} (Debian {debian.number})" for debian in usable
    )
    running = "python{}.{}".format(*sys.version_info)
    if not known:
        newest = RELEASES[-1].number
        return f"the images are at most Debian {newest}, and this machine is newer"
    return (
        f"the images run {known}, and their wheels are built with the same, which is "
        f"neither {running} nor in PATH; install it with its venv and headers "
        "(Debian: apt-get install python3 python3-venv python3-dev; elsewhere: "
        "uv python install) and put it into PATH"
    )
