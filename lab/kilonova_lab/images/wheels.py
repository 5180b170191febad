"""The wheels that go into an image, made outside of it.

They are fetched and checked against the lock file's hashes by the machine's own
pip, with the machine's own certificates; the image's build then needs neither
network nor certificate for them. Each folder of wheels has a
``requirements.lock`` with their hashes, since a wheel built here has another one
than the source that the project's lock names.
"""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kilonova_lab.images.cache import Cache, keep_newest
from kilonova_lab.images.command import run
from kilonova_lab.images.debian import Platform
from kilonova_lab.images.inputs import Inputs, Target, hash_files

PIP_TIMEOUT_SECONDS = 900.0

KEPT_FOLDERS = 3
"""Of each kind and role; as many as archives are kept."""

_REPRODUCIBLE = {
    # No time stamp of the build in archives, no path of it in debug symbols.
    "SOURCE_DATE_EPOCH": "315532800",
    "CFLAGS": "-O2 -g0",
    "PYTHONHASHSEED": "0",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}


@dataclass(frozen=True, slots=True)
class WheelBuilder:
    """Makes folders of wheels in the cache; call it under the cache's lock."""

    platform: Platform
    cache: Cache
    progress: Callable[[str], None]

    def ensure_dependencies(self, inputs: Inputs) -> Path:
        """Return the folder with the role's locked dependencies."""
        key = self._key(inputs, [inputs.requirements])
        folder = self.cache.folder("wheels") / f"{inputs.target}-{key}"

        def fill(place: Path) -> None:
            self.progress(f"{inputs.target}: fetching and building dependency wheels")
            locked = ("--require-hashes", "-r", inputs.requirements)
            self._pip(inputs, "wheel", "--no-build-isolation", "-w", place, *locked)
            write_lock(place)

        return self.cache.ensure_folder(folder, fill)

    def ensure_project(self, inputs: Inputs) -> Path:
        """Return the folder with the wheel of the role's own code."""
        key = self._key(inputs, inputs.project_files())
        folder = self.cache.folder("wheels") / f"{inputs.target}-project-{key}"

        def fill(place: Path) -> None:
            self.progress(f"{inputs.target}: building the project's wheel")
            tree = place / "tree"
            for path in inputs.project_files():
                _copy_plain(path, tree / path.relative_to(inputs.checkout))
            offline = ("--no-index", "--no-deps", "--no-build-isolation")
            self._pip(inputs, "wheel", *offline, "-w", place, tree)
            shutil.rmtree(tree)
            write_lock(place)

        return self.cache.ensure_folder(folder, fill)

    def ensure_tools(self, inputs: Inputs) -> Path:
        """Return a folder with the locked pip and setuptools.

        ``venv`` runs them here, ``wheels`` is for the image's build.
        """
        key = self._key(inputs, [])
        folder = self.cache.folder("wheels") / f"tools-{key}"
        locked = ("--require-hashes", "-r", inputs.build_requirements)

        def fill(place: Path) -> None:
            venv, wheels = place / "venv", place / "wheels"
            pip = (venv / "bin" / "python", "-m", "pip")
            steps: list[tuple[str | Path, ...]] = [
                (self.platform.python, "-m", "venv", venv),
                (*pip, "download", "-q", "--no-deps", "-d", wheels, *locked),
                (*pip, "install", "-q", "--no-deps", *locked),
            ]
            for argv in steps:
                run(argv, timeout_seconds=PIP_TIMEOUT_SECONDS)

        return self.cache.ensure_folder(folder, fill)

    def drop_old(self, target: Target) -> None:
        """Remove wheels that newer ones have replaced."""
        folder = self.cache.folder("wheels")
        project = set(folder.glob(f"{target}-project-*"))
        dependencies = set(folder.glob(f"{target}-*")) - project
        keep_newest(list(project), KEPT_FOLDERS)
        keep_newest(list(dependencies), KEPT_FOLDERS)

    def _pip(self, inputs: Inputs, *arguments: str | Path) -> None:
        python = self.ensure_tools(inputs) / "venv" / "bin" / "python"
        run(
            [python, "-m", "pip", *arguments],
            timeout_seconds=PIP_TIMEOUT_SECONDS,
            environment=_REPRODUCIBLE,
        )

    def _key(self, inputs: Inputs, files: list[Path]) -> str:
        return hash_files(
            [*files, inputs.build_requirements],
            relative_to=inputs.checkout,
            more=(str(self.platform.python), self.platform.debian.python_name),
        )[:16]


def write_lock(folder: Path) -> Path:
    """Write ``requirements.lock``: every wheel of a folder with its hash."""
    lines = []
    for wheel in sorted(folder.glob("*.whl")):
        name, version = wheel.name.split("-")[:2]
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        lines.append(f"{name}=={version} --hash=sha256:{digest}\n")
    lock = folder / "requirements.lock"
    lock.write_text("".join(lines))
    return lock


def _copy_plain(source: Path, target: Path) -> None:
    """Copy a file with a mode that does not depend on anybody's umask."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o644)
