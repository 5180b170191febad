"""The images' cache: things in it are complete, or not there."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kilonova_lab.errors import LabError
from kilonova_lab.images.cache import Cache, keep_newest, unfinished


@pytest.fixture
def other_build(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the lock ``images``."""
    lock = Cache(tmp_path).folder("locks") / "images.lock"
    process = subprocess.Popen(
        ["flock", lock, "sh", "-c", "echo held; sleep 60"],
        stdout=subprocess.PIPE,
        process_group=0,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    yield process
    end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process with its children; it may be gone."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def fail_in(place: Path) -> None:
    """Leave something half done."""
    place.mkdir()
    (place / "half.whl").touch()
    raise InterruptedError


def test_what_failed_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "wheels"
    with pytest.raises(InterruptedError), unfinished(path) as place:
        fail_in(place)
    assert list(tmp_path.iterdir()) == []


def test_remains_of_a_killed_build_do_not_get_in(tmp_path: Path) -> None:
    path = tmp_path / "wheels"
    left = tmp_path / ".wheels.unfinished"
    with pytest.raises(InterruptedError):
        fail_in(left)

    def fill(made: Path) -> None:
        (made / "whole.whl").touch()

    Cache(tmp_path).ensure_folder(path, fill)
    assert [found.name for found in path.iterdir()] == ["whole.whl"]
    assert not left.exists()


def test_a_complete_folder_is_not_made_again(tmp_path: Path) -> None:
    def fill(_: Path) -> None:
        raise AssertionError

    (tmp_path / "there").mkdir()
    assert Cache(tmp_path).ensure_folder(tmp_path / "there", fill).is_dir()


@pytest.mark.usefixtures("other_build")
def test_a_second_build_waits_and_says_who_is_in_the_way(tmp_path: Path) -> None:
    with (
        pytest.raises(LabError, match=r"fuser .*images\.lock"),
        Cache(tmp_path).locked("images", timeout_seconds=0.3),
    ):
        pass


def test_a_killed_build_gives_its_lock_back(
    tmp_path: Path, other_build: subprocess.Popen[bytes]
) -> None:
    end(other_build)
    with Cache(tmp_path).locked("images", timeout_seconds=5):
        pass


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    now = time.time()
    paths = [tmp_path / name for name in ("oldest", "older", "newest")]
    for age, path in enumerate(reversed(paths)):
        path.touch()
        os.utime(path, (now - age, now - age))
    assert keep_newest(paths, 1) == [tmp_path / "older", tmp_path / "oldest"]
    assert [path.name for path in tmp_path.iterdir()] == ["newest"]
