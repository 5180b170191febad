"""What a killed agent left goes; what anybody needs stays."""

import errno
from pathlib import Path

from kilonova_agent.storage.file_system import HostFileSystem
from kilonova_agent.storage.leftovers import remove_leftovers
from support.file_systems import FailingFileSystem

LEFT = (
    ".orders.json.0a1b2c3d.tmp",
    "images/.abc.qcow2.json.0a1b2c3d.tmp",
    "instances/g/.disk.config.0a1b2c3d.tmp",
    "instances/g/disk.qcow2.0a1b2c3d.building",
    "probe/kilonova-probe-0a1b2c3d.img",
)
NEEDED = (
    "host-id",
    "orders.json",
    "orders.0a1b2c3d.unreadable",
    "images/abc.qcow2",
    "images/abc.qcow2.json",
    "images/def.qcow2.part",
    "images/def.qcow2.part.json",
    "instances/g/disk.qcow2",
    "instances/g/disk.config",
    "instances/g/console.log",
    "bin/g.0a1b2c3d/disk.qcow2",
)


def list_files(folder: Path) -> set[str]:
    return {
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()
    }


def make_files(folder: Path) -> None:
    for name in LEFT + NEEDED:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_only_what_is_nobodys_is_removed(tmp_path: Path) -> None:
    make_files(tmp_path)

    remove_leftovers(HostFileSystem(), tmp_path)

    assert list_files(tmp_path) == set(NEEDED)


def test_a_file_system_that_gives_nothing_back_keeps_no_agent_from_starting(
    tmp_path: Path,
) -> None:
    make_files(tmp_path)
    fs = FailingFileSystem()

    with fs.failing("unlink", errno.EROFS):
        remove_leftovers(fs, tmp_path)

    assert list_files(tmp_path) == set(LEFT + NEEDED)


def test_a_host_that_is_new_has_nothing_left(tmp_path: Path) -> None:
    remove_leftovers(HostFileSystem(), tmp_path / "not-there-yet")
