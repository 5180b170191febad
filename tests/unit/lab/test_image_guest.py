"""Parts of the tiny guest that need no boot."""

import stat
import subprocess
from pathlib import Path

import pytest

from kilonova_lab.images.errors import ImageBuildFailed
from kilonova_lab.images.guest import cpio, kernel


def test_another_program_reads_the_archive() -> None:
    archive = cpio.build_archive(
        [
            cpio.build_folder("dev"),
            cpio.build_character_device("dev/console", 5, 1),
            cpio.build_file("init", b"#!/bin/sh\n", executable=True),
        ]
    )
    listing = subprocess.run(
        ["busybox", "cpio", "-tv"], input=archive, capture_output=True, check=True
    ).stdout.decode()
    assert [line.split()[0] for line in listing.splitlines()] == [
        "drwxr-xr-x",
        "crw-------",
        "-rwxr-xr-x",
    ]


def test_an_archive_ends_as_the_kernel_wants_it() -> None:
    archive = cpio.build_archive([cpio.Entry("a", stat.S_IFREG | 0o600, b"12345")])
    assert archive.startswith(b"070701")
    assert b"TRAILER!!!" in archive
    assert len(archive) % 4 == 0


@pytest.mark.parametrize("modules", ["lib/modules/6.1", "usr/lib/modules/6.12"])
def test_modules_load_after_what_they_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, modules: str
) -> None:
    needs = {"a_disk": "bus,core", "bus": "core", "core": ""}
    for name in needs:
        path = tmp_path / modules / "kernel" / f"{name.replace('_', '-')}.ko"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    builtin = tmp_path / modules / "modules.builtin"
    builtin.write_text("kernel/fs/ext4/ext4.ko\n")
    monkeypatch.setattr(kernel, "MODULES", ("ext4", "a_disk", "bus"))
    monkeypatch.setattr(
        kernel,
        "run",
        lambda argv, **_: needs[Path(argv[-1]).stem.replace("-", "_")] + "\n",
    )
    ordered = kernel.order_modules(kernel.Kernel(tmp_path))
    assert [path.stem for path in ordered] == ["core", "bus", "a-disk"]

    monkeypatch.setattr(kernel, "MODULES", ("no_such",))
    with pytest.raises(ImageBuildFailed, match="no kernel module no_such"):
        kernel.order_modules(kernel.Kernel(tmp_path))


@pytest.mark.parametrize("name", ["init", "guest-agent", "power-button", "udhcpc.sh"])
def test_the_guests_scripts_are_valid(name: str) -> None:
    folder = Path(kernel.__file__).parent / "files"
    subprocess.run(["busybox", "sh", "-n", folder / name], check=True)
