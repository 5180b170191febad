"""Build the images of a checkout, or find them built."""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from kilonova_lab.folders import REPOSITORY, build_cache_folder
from kilonova_lab.images.archive import read_digest
from kilonova_lab.images.cache import Cache, keep_newest, remove, unfinished
from kilonova_lab.images.debian import Platform
from kilonova_lab.images.engine import choose_engine
from kilonova_lab.images.inputs import TARGETS, Inputs, Target, hash_files, source_files
from kilonova_lab.images.order import BuildOrder, Engine
from kilonova_lab.images.wheels import WheelBuilder

KEPT_ARCHIVES = 3
"""Per target: the one in use and two to go back to."""


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """An image in the cache.

    Attributes:
        target: what it is.
        archive: OCI archive, to be imported on every node.
        reference: the name that a pod uses; a new content is a new name.
        digest: of its manifest.
    """

    target: str
    archive: Path
    reference: str
    digest: str


def build_images(
    targets: Iterable[Target] = TARGETS,
    *,
    checkout: Path = REPOSITORY,
    cache: Cache | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[Target, BuiltImage]:
    """Return the images of the checkout as it is, built where they are not yet.

    Raises:
        LabError: says which step failed and shows its output.
    """
    cache = cache or Cache(build_cache_folder())
    platform = Platform.choose()
    engine = choose_engine(platform.debian, checkout, cache, progress)
    wheels = WheelBuilder(platform, cache, progress)
    builder = ImageBuilder(engine, wheels, cache, progress)
    return {name: builder.ensure(Inputs(name, checkout)) for name in targets}


@dataclass(frozen=True, slots=True)
class ImageBuilder:
    """Keeps a cache of images, keyed by everything they are made from."""

    engine: Engine
    wheels: WheelBuilder
    cache: Cache
    progress: Callable[[str], None]

    def ensure(self, inputs: Inputs) -> BuiltImage:
        """Return the image of these inputs."""
        found = self._find(inputs.target, self._key(inputs))
        if found is not None:
            return found
        with self.cache.locked("images"), self._frozen(inputs) as frozen:
            key = self._key(frozen)
            # Whoever held the lock may just have built it.
            return self._find(inputs.target, key) or self._build(frozen, key)

    @contextmanager
    def _frozen(self, inputs: Inputs) -> Iterator[Inputs]:
        """Copy the inputs: an edit during a build must not hide behind its key."""
        place = self.cache.folder("context") / inputs.target
        remove(place)
        try:
            yield inputs.copy_to(place)
        finally:
            remove(place)

    def _key(self, inputs: Inputs) -> str:
        return inputs.key(self.engine.base)[:12]

    def _find(self, target: Target, key: str) -> BuiltImage | None:
        archive = self._archive(target, key)
        note = archive.with_suffix(".json")
        if not (note.exists() and archive.exists()):
            return None
        note.touch()
        values = json.loads(note.read_text())
        return BuiltImage(target, archive, values["reference"], values["digest"])

    def _build(self, inputs: Inputs, key: str) -> BuiltImage:
        target = inputs.target
        archive = self._archive(target, key)
        reference = _build_reference(target, key)
        log = self.cache.folder("logs") / f"{target}.log"
        arguments = self._add_wheels(inputs) if inputs.has_python else {}
        _forget_times(inputs.checkout)
        self.progress(f"{target}: building {reference} (log: {log})")
        order = BuildOrder(target, reference, inputs.checkout, arguments, log)
        with unfinished(archive) as place:
            self.engine.build(order, place)
        image = BuiltImage(target, archive, reference, read_digest(archive))
        # Written last: an archive without its note is not there.
        with unfinished(archive.with_suffix(".json")) as place:
            place.write_text(json.dumps(asdict(image), default=str))
        self._drop_old(target)
        return image

    def _add_wheels(self, inputs: Inputs) -> dict[str, str]:
        """Put the wheels beside the frozen inputs; return the ARGs they need."""
        wheels = self.wheels
        folders = {
            "tools": wheels.ensure_tools(inputs) / "wheels",
            "dependencies": wheels.ensure_dependencies(inputs),
            "project": wheels.ensure_project(inputs),
        }
        for name, folder in folders.items():
            place = inputs.checkout / "wheels" / name
            shutil.copytree(folder, place, copy_function=os.link)
        wheels.drop_old(inputs.target)
        return {
            "DEPENDENCIES_SHA256": _hash_mounted(inputs, folders["dependencies"]),
            "PROJECT_SHA256": _hash_mounted(inputs, folders["project"]),
        }

    def _archive(self, target: Target, key: str) -> Path:
        return self.cache.folder("images") / f"{target}-{key}.tar"

    def _drop_old(self, target: Target) -> None:
        notes = list(self.cache.folder("images").glob(f"{target}-*.json"))
        for note in keep_newest(notes, KEPT_ARCHIVES):
            key = note.stem.removeprefix(f"{target}-")
            self._archive(target, key).unlink(missing_ok=True)
            self.engine.forget(_build_reference(target, key))


def _build_reference(target: Target, key: str) -> str:
    return f"localhost/kilonova-{target}:{key}"


def _forget_times(folder: Path) -> None:
    """Give all files one time: newer buildahs note a hash of what a RUN mounts."""
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (0, 0), follow_symlinks=False)


def _hash_mounted(inputs: Inputs, wheels: Path) -> str:
    """Hash what a RUN reads from mounts, which engines leave out of its key."""
    installer = source_files(inputs.checkout / "images" / "python")
    lock = (wheels / "requirements.lock").read_text()
    return hash_files(installer, relative_to=inputs.checkout, more=(lock,))
