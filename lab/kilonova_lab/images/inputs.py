"""What an image is made from, and the key that stands for all of it."""

import hashlib
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

Target = Literal["operator", "agent", "libvirt"]
"""A target of the Containerfile."""

TARGETS: tuple[Target, ...] = get_args(Target)

PYTHON_SOURCES: dict[Target, tuple[str, ...]] = {
    "operator": ("crds", "operator"),
    "agent": ("crds", "node_agent"),
}
"""The source roots that a role's wheel holds.

An image has its own role's code only: a change to the operator then is no new
agent on every host.
"""

IMAGE_FOLDERS: dict[Target, tuple[str, ...]] = {
    "operator": ("images/debian", "images/python"),
    "agent": ("images/debian", "images/python"),
    "libvirt": ("images/debian", "images/libvirt"),
}

ARCHIVE_FORMAT = "oci-zstd-1"
"""To be changed with how archives are written, since keys know only inputs."""

_PROJECT_FILES = ("pyproject.toml", "README.md")


@dataclass(frozen=True, slots=True)
class Inputs:
    """The files of a checkout that decide what one image holds."""

    target: Target
    checkout: Path

    @property
    def has_python(self) -> bool:
        """Whether the image holds code of this project."""
        return self.target in PYTHON_SOURCES

    @property
    def requirements(self) -> Path:
        """The locked dependencies of the role."""
        return self.checkout / "requirements" / f"{self.target}.txt"

    @property
    def build_requirements(self) -> Path:
        """The locked tools that make wheels."""
        return self.checkout / "requirements" / "build.txt"

    def project_files(self) -> list[Path]:
        """Return the files that the role's own wheel is built from."""
        files = [self.checkout / name for name in _PROJECT_FILES]
        for root in PYTHON_SOURCES.get(self.target, ()):
            files += source_files(self.checkout / root)
        return [path for path in files if path.is_file()]

    def all_files(self) -> list[Path]:
        """Return every file that the image depends on."""
        if not self.has_python:
            return self.image_files()
        locks = [self.requirements, self.build_requirements]
        return [*self.image_files(), *locks, *self.project_files()]

    def copy_to(self, folder: Path) -> "Inputs":
        """Return the same inputs, copied; their key is the copy's."""
        for path in self.all_files():
            copy = folder / path.relative_to(self.checkout)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
        return Inputs(self.target, folder)

    def image_files(self) -> list[Path]:
        """Return the Containerfile and the files it copies."""
        files = [self.checkout / "Containerfile"]
        for folder in IMAGE_FOLDERS[self.target]:
            files += source_files(self.checkout / folder)
        return files

    def key(self, base: str) -> str:
        """Return the key of the image on the base named by ``base``."""
        more = (self.target, base, ARCHIVE_FORMAT)
        return hash_files(self.all_files(), relative_to=self.checkout, more=more)


def source_files(root: Path) -> list[Path]:
    """Return the files below ``root``, without what Python leaves there."""
    return sorted(
        path
        for path in root.rglob("*")
        if path.is_file()
        and "__pycache__" not in path.parts
        and not any(part.endswith(".egg-info") for part in path.parts)
    )


def hash_files(
    files: Iterable[Path], *, relative_to: Path, more: Iterable[str] = ()
) -> str:
    """Hash names, contents and the right to execute, in order of names.

    Args:
        files: what to hash.
        relative_to: the folder that names are taken from.
        more: strings that the hash shall depend on too.
    """
    digest = hashlib.sha256()
    for word in more:
        _feed(digest, word.encode())
    for path in sorted(set(files)):
        executable = b"x" if path.stat().st_mode & 0o100 else b"-"
        _feed(digest, str(path.relative_to(relative_to)).encode())
        _feed(digest, executable)
        _feed(digest, path.read_bytes())
    return digest.hexdigest()


def _feed(digest: "hashlib._Hash", data: bytes) -> None:
    # The length keeps apart what would read the same when joined.
    digest.update(len(data).to_bytes(8, "big"))
    digest.update(data)
