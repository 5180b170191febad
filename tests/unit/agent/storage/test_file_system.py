"""Single steps on the host's own files."""

import os
from pathlib import Path

import pytest

from kilonova_agent.storage.file_system import HostFileSystem

FS = HostFileSystem()


def test_a_part_that_was_made_read_only_already_can_be_gone_on_with(
    tmp_path: Path,
) -> None:
    part = tmp_path / "image.part"
    FS.create(part, b"12345", mode=0o444)

    with FS.open_part(part, 2) as file:
        # Root opens anything; an agent without capabilities needs the mode.
        assert part.stat().st_mode & 0o777 == 0o600
        FS.append(file, b"678")

    assert part.read_bytes() == b"12678"


def test_a_part_is_never_opened_through_a_link(tmp_path: Path) -> None:
    FS.create(tmp_path / "victim", b"data", mode=0o444)
    (tmp_path / "image.part").symlink_to(tmp_path / "victim")

    with pytest.raises(OSError, match="symbolic"):
        FS.open_part(tmp_path / "image.part", 0)

    assert (tmp_path / "victim").read_bytes() == b"data"
    assert (tmp_path / "victim").stat().st_mode & 0o777 == 0o444


@pytest.mark.parametrize("step", ["create", "create_sparse", "link"])
def test_nothing_that_is_there_is_made_anew(tmp_path: Path, step: str) -> None:
    there, other = tmp_path / "there", tmp_path / "other"
    there.write_bytes(b"data")
    other.write_bytes(b"other")
    steps = {
        "create": lambda: FS.create(there, b"new"),
        "create_sparse": lambda: FS.create_sparse(there, 1024),
        "link": lambda: FS.link(other, there),
    }

    with pytest.raises(FileExistsError):
        steps[step]()

    assert there.read_bytes() == b"data"


def test_a_file_that_is_cut_goes_on_after_what_was_left(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"0123456789")

        FS.keep_end(log, 4)
        writer.write(b"abc")

    assert log.read_bytes() == b"6789abc"


def test_only_a_file_of_ones_own_is_cut(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"data")
    (tmp_path / "link").symlink_to("victim")
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(OSError, match="symbolic"):
        FS.keep_end(tmp_path / "link", 1)
    with pytest.raises(OSError, match="regular"):
        FS.keep_end(tmp_path / "pipe", 1)

    assert (tmp_path / "victim").read_bytes() == b"data"
