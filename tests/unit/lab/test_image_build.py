"""Building images: when it happens, and when what is there is taken."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kilonova_lab.images.archive import ImageConfig, write_archive
from kilonova_lab.images.build import KEPT_ARCHIVES, ImageBuilder
from kilonova_lab.images.cache import Cache
from kilonova_lab.images.debian import RELEASES, Platform
from kilonova_lab.images.inputs import Inputs
from kilonova_lab.images.order import BuildOrder
from kilonova_lab.images.wheels import WheelBuilder


@dataclass
class MemoryEngine:
    """Writes an empty image for each order, or fails; see tests/e2e for real ones."""

    base: str = "base:1"
    orders: list[BuildOrder] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)
    during: Callable[[BuildOrder], None] = lambda _: None

    def build(self, order: BuildOrder, archive: Path) -> None:
        self.orders.append(order)
        archive.write_text("half an archive")
        self.during(order)
        config = ImageConfig(entrypoint=("/x",))
        write_archive(archive, order.reference, layers=[], config=config)

    def forget(self, reference: str) -> None:
        self.forgotten.append(reference)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with what the libvirt image is made from."""
    root = tmp_path / "checkout"
    for name in ("images/debian/apt", "images/libvirt/qemu.conf", "images/python/x"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("1")
    (root / "Containerfile").write_text("FROM scratch")
    return root


@pytest.fixture
def engine() -> MemoryEngine:
    return MemoryEngine()


@pytest.fixture
def builder(engine: MemoryEngine, tmp_path: Path) -> ImageBuilder:
    cache = Cache(tmp_path / "cache")
    platform = Platform(RELEASES[0], Path("/no/python"))
    wheels = WheelBuilder(platform, cache, lambda _: None)
    return ImageBuilder(engine, wheels, cache, lambda _: None)


def test_an_unchanged_tree_is_not_built_again(
    builder: ImageBuilder, engine: MemoryEngine, checkout: Path
) -> None:
    first = builder.ensure(Inputs("libvirt", checkout))
    assert builder.ensure(Inputs("libvirt", checkout)) == first
    assert len(engine.orders) == 1
    assert first.digest.startswith("sha256:")
    assert first.reference == engine.orders[0].reference


@pytest.mark.parametrize("name", ["Containerfile", "images/libvirt/qemu.conf"])
def test_every_input_is_part_of_the_name(
    builder: ImageBuilder, checkout: Path, name: str
) -> None:
    first = builder.ensure(Inputs("libvirt", checkout))
    (checkout / name).write_text("2")
    second = builder.ensure(Inputs("libvirt", checkout))
    (checkout / name).chmod(0o755)
    third = builder.ensure(Inputs("libvirt", checkout))
    assert len({first.reference, second.reference, third.reference}) == 3


def test_what_another_role_needs_is_no_part_of_it(
    builder: ImageBuilder, engine: MemoryEngine, checkout: Path
) -> None:
    builder.ensure(Inputs("libvirt", checkout))
    (checkout / "images/python/x").write_text("2")
    (checkout / "operator").mkdir()
    (checkout / "operator/new.py").touch()
    builder.ensure(Inputs("libvirt", checkout))
    assert len(engine.orders) == 1


def test_another_base_is_another_image(
    builder: ImageBuilder, engine: MemoryEngine, checkout: Path
) -> None:
    first = builder.ensure(Inputs("libvirt", checkout))
    engine.base = "base:2"
    assert builder.ensure(Inputs("libvirt", checkout)).reference != first.reference


def test_a_build_that_died_is_done_again(
    builder: ImageBuilder, engine: MemoryEngine, checkout: Path
) -> None:
    def fail(_: BuildOrder) -> None:
        raise KeyboardInterrupt

    engine.during = fail
    with pytest.raises(KeyboardInterrupt):
        builder.ensure(Inputs("libvirt", checkout))
    assert list((builder.cache.root / "images").iterdir()) == []

    engine.during = lambda _: None
    assert builder.ensure(Inputs("libvirt", checkout)).archive.exists()


def test_an_archive_without_its_note_is_not_taken(
    builder: ImageBuilder, engine: MemoryEngine, checkout: Path
) -> None:
    image = builder.ensure(Inputs("libvirt", checkout))
    image.archive.with_suffix(".json").unlink()
    image.archive.write_text("half")
    assert builder.ensure(Inputs("libvirt", checkout)) == image
    assert len(engine.orders) == 2


def test_an_edit_during_a_build_does_not_get_into_it(
    builder: ImageBuilder, engine: MemoryEngine, checkout: Path
) -> None:
    seen: list[str] = []

    def edit(order: BuildOrder) -> None:
        (checkout / "Containerfile").write_text("FROM edited")
        seen.append((order.context / "Containerfile").read_text())

    engine.during = edit
    first = builder.ensure(Inputs("libvirt", checkout))
    engine.during = lambda _: None
    second = builder.ensure(Inputs("libvirt", checkout))
    assert seen == ["FROM scratch"]
    assert first.reference != second.reference


def test_what_an_engine_reads_tells_no_time(
    builder: ImageBuilder, engine: MemoryEngine, checkout: Path
) -> None:
    times: set[float] = set()

    def look(order: BuildOrder) -> None:
        files = [order.context, *order.context.rglob("*")]
        times.update(path.stat().st_mtime for path in files)

    engine.during = look
    builder.ensure(Inputs("libvirt", checkout))
    assert times == {0.0}
    assert (checkout / "Containerfile").stat().st_mtime > 0


def test_old_archives_go_with_the_engines_copies(
    builder: ImageBuilder, engine: MemoryEngine, checkout: Path
) -> None:
    images = []
    for number in range(KEPT_ARCHIVES + 2):
        (checkout / "Containerfile").write_text(str(number))
        images.append(builder.ensure(Inputs("libvirt", checkout)))
    kept = [image for image in images if image.archive.exists()]
    assert kept == images[-KEPT_ARCHIVES:]
    assert engine.forgotten == [image.reference for image in images[:2]]
