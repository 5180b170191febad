"""The images' Debian follows the Python that makes their wheels."""

import sys
from pathlib import Path

import pytest

from kilonova_lab.images import debian
from kilonova_lab.images.debian import Debian, Platform, find_usable
from kilonova_lab.images.errors import ImageBuildFailed

RUNNING = sys.version_info[:2]
OTHER = (9, 9)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folders of PATH: one for the test's programs, one before it."""
    for name in ("shims", "bin"):
        (tmp_path / name).mkdir()
    path = f"{tmp_path}/shims:{tmp_path}/bin:/usr/bin:/bin"
    monkeypatch.setenv("PATH", path)
    return tmp_path


def install(path: Path, *, code: int = 0) -> Path:
    path.write_text(f"#!/bin/sh\nexit {code}\n")
    path.chmod(0o755)
    return path


def know(monkeypatch: pytest.MonkeyPatch, *releases: Debian) -> None:
    monkeypatch.setattr(debian, "RELEASES", releases)
    monkeypatch.setattr(debian, "_OS_RELEASE", Path("/no/such/file"))


@pytest.mark.usefixtures("programs")
def test_the_running_python_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = Debian(13, "trixie", RUNNING)
    know(monkeypatch, Debian(12, "bookworm", OTHER), wanted)
    assert Platform.choose() == Platform(wanted, Path(sys.executable))


def test_another_python_is_taken_from_the_path_if_it_runs(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = Debian(12, "bookworm", OTHER)
    know(monkeypatch, wanted)
    install(programs / "shims" / "python9.9", code=127)
    found = install(programs / "bin" / "python9.9")
    assert Platform.choose() == Platform(wanted, found)


def test_a_shim_of_a_python_that_is_off_is_none(
    programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    know(monkeypatch, Debian(12, "bookworm", OTHER), Debian(13, "trixie", (9, 8)))
    install(programs / "shims" / "python9.9", code=127)
    what = r"python9\.9 \(Debian 12\) or python9\.8 \(Debian 13\).*install it"
    with pytest.raises(ImageBuildFailed, match=what):
        Platform.choose()


@pytest.mark.parametrize(
    ("os_release", "suites"),
    [
        ('ID=debian\nVERSION_ID="12"\n', ["bookworm", "trixie"]),
        ('ID=debian\nVERSION_ID="13"\n', ["trixie"]),
        ('ID=debian\nVERSION_ID="14"\n', []),
        ("ID=debian\nVERSION_CODENAME=sid\n", ["bookworm", "trixie"]),
        ('ID=ubuntu\nVERSION_ID="24.04"\n', ["bookworm", "trixie"]),
        ("", ["bookworm", "trixie"]),
    ],
)
def test_images_are_not_older_than_a_debian_that_compiles_for_them(
    os_release: str, suites: list[str]
) -> None:
    assert [debian.suite for debian in find_usable(os_release)] == suites


def test_a_debian_that_is_newer_than_all_images_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "os-release"
    file.write_text("ID=debian\nVERSION_ID=99\n")
    monkeypatch.setattr(debian, "_OS_RELEASE", file)
    with pytest.raises(ImageBuildFailed, match="this machine is newer"):
        Platform.choose()
