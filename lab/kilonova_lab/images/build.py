"""Build the images of a checkout, or find them built."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from kilonova_lab.folders import REPOSITORY, build_cache_folder
from kilonova_lab.images.archive import read_digest
from kilonova_lab.images.cache import Cache, keep_newest, unfinished
from kilonova_lab.images.engine import choose_engine
from kilonova_lab.images.inputs import TARGETS, Inputs, Target
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
    engine = choose_engine(checkout, cache, progress)
    builder = ImageBuilder(engine=engine, cache=cache, progress=progress)
    return {name: builder.ensure(Inputs(name, checkout)) for name in targets}


@dataclass(frozen=True, slots=True)
class ImageBuilder:
    """Keeps a cache of images, keyed by everything they are made from."""

    engine: Engine
    cache: Cache
    progress: Callable[[str], None]

    def ensure(self, inputs: Inputs) -> BuiltImage:
        """Return the image of these inputs."""
        key = inputs.key(self.engine.base)[:12]
        found = self._find(inputs.target, key)
        if found is not None:
            return found
        with self.cache.locked("images"):
            # Whoever held the lock may just have built it.
            return self._find(inputs.target, key) or self._build(inputs, key)

    def _find(self, target: Target, key: str) -> BuiltImage | None:
        note = self._archive(target, key).with_suffix(".json")
        if not note.exists():
            return None
        values = json.loads(note.read_text())
        note.touch()
        return BuiltImage(**{**values, "archive": Path(values["archive"])})

    def _build(self, inputs: Inputs, key: str) -> BuiltImage:
        target = inputs.target
        archive = self._archive(target, key)
        reference = f"localhost/kilonova-{target}:{key}"
        log = self.cache.folder("logs") / f"{target}.log"
        with tempfile.TemporaryDirectory(dir=self.cache.folder("context")) as folder:
            context = Path(folder)
            arguments = self._fill_context(context, inputs)
            self.progress(f"{target}: building {reference} (log: {log})")
            order = BuildOrder(target, reference, context, arguments, log)
            with unfinished(archive) as place:
                self.engine.build(order, place)
        image = BuiltImage(target, archive, reference, read_digest(archive))
        # Written last: an archive without its note is not there.
        with unfinished(archive.with_suffix(".json")) as place:
            place.write_text(json.dumps(asdict(image), default=str))
        self._drop_old(target)
        return image

    def _fill_context(self, context: Path, inputs: Inputs) -> dict[str, str]:
        """Lay out what the engine may read; return the Containerfile's ARGs."""
        for path in inputs.image_files():
            copy = context / path.relative_to(inputs.checkout)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)
        if not inputs.has_python:
            return {}
        wheels = WheelBuilder(self.cache, self.progress)
        dependencies = wheels.ensure_dependencies(inputs)
        project = wheels.ensure_project(inputs)
        shutil.copytree(dependencies, context / "wheels" / "dependencies")
        shutil.copytree(project, context / "wheels" / "project")
        return {
            "DEPENDENCIES_SHA256": _hash_lock(dependencies),
            "PROJECT_SHA256": _hash_lock(project),
        }

    def _archive(self, target: Target, key: str) -> Path:
        return self.cache.folder("images") / f"{target}-{key}.tar"

    def _drop_old(self, target: Target) -> None:
        notes = self.cache.folder("images").glob(f"{target}-*.json")
        gone = keep_newest(list(notes), KEPT_ARCHIVES)
        for note in gone:
            note.with_suffix(".tar").unlink(missing_ok=True)


def _hash_lock(wheels: Path) -> str:
    return hashlib.sha256((wheels / "requirements.lock").read_bytes()).hexdigest()
