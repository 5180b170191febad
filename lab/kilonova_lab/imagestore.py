"""Images in a node's containerd: which are there, and importing the others."""

from __future__ import annotations

import json
import socket
import subprocess
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kilonova_lab.errors import CommandFailed, LabError
from kilonova_lab.images.archive import REFERENCE_ANNOTATIONS

_IMPORT_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class ArchivedImage:
    """An image in an OCI archive: the name it gets and what it is."""

    archive: Path
    name: str
    digest: str

    @classmethod
    def read(cls, archive: Path) -> ArchivedImage:
        """Read an archive's index.

        Raises:
            LabError: it is no OCI archive of one named image.
        """
        try:
            with tarfile.open(archive) as tar:
                member = tar.extractfile("index.json")
                index: dict[str, Any] = json.load(member) if member else {}
            entry = index["manifests"][0]
            named = entry["annotations"]
            name = next(named[key] for key in REFERENCE_ANNOTATIONS if key in named)
            return cls(archive, name, entry["digest"])
        except (OSError, tarfile.TarError, LookupError, TypeError, ValueError) as error:
            raise LabError(
                f"{archive} is no OCI archive with a named image: {error!r}"
            ) from None
        except StopIteration:
            raise LabError(
                f"{archive}: its image has no name; index.json wants the annotation "
                f"{' or '.join(REFERENCE_ANNOTATIONS)}"
            ) from None


@dataclass(frozen=True, slots=True)
class ImageStore:
    """The images of one containerd, as its Kubernetes namespace sees them."""

    ctr: Path
    socket_path: Path

    def list_digests(self) -> dict[str, str]:
        """Return name and digest of every image."""
        lines = self._ctr("images", "list").splitlines()[1:]
        rows = (line.split() for line in lines)
        return {row[0]: row[2] for row in rows}

    def import_missing(self, images: Iterable[ArchivedImage]) -> list[str]:
        """Import what is not there under its name and digest; return those names."""
        present = self.list_digests()
        missing = [image for image in images if present.get(image.name) != image.digest]
        for image in missing:
            self._ctr("images", "import", str(image.archive))
        return [image.name for image in missing]

    def _ctr(self, *arguments: str) -> str:
        argv = [str(self.ctr), "-a", str(self.socket_path), "-n", "k8s.io", *arguments]
        done = subprocess.run(
            argv, capture_output=True, text=True, check=False, timeout=_IMPORT_SECONDS
        )
        if done.returncode != 0:
            raise CommandFailed(argv, done.returncode, done.stderr)
        return done.stdout


def is_listening(path: Path) -> bool:
    """Tell whether a unix socket takes connections."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
