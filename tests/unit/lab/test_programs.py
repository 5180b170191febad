"""Building programs once, and never taking an unfinished one for built."""

import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from kilonova_lab import programs
from kilonova_lab.errors import (
    BuildFailed,
    GoTooOld,
    NotEnoughSpace,
    ProgramsMissing,
)
from kilonova_lab.programs import GoModule, ProgramCache

_FAKE_GO = """#!/bin/sh
[ "$1" = version ] && echo "go version {version} linux/amd64" && exit
while [ "$1" != -o ]; do shift; done
echo "$GOCACHE $GOMODCACHE" >> {calls}
mkdir -p "$GOCACHE" "$GOMODCACHE"
echo half > "$2"
{end}
"""
_Usage = namedtuple("_Usage", "total used free")


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GoModule:
    monkeypatch.setattr(programs, "SOURCES", tmp_path / "go")
    source = tmp_path / "go" / "tool"
    source.mkdir(parents=True)
    (source / "go.mod").write_text(
        "module x\nrequire (\n\texample.com/tool v1.2.3\n)\n"
    )
    (source / "main.go").write_text("package main\n")
    return GoModule(
        "tool",
        versioned_by="example.com/tool",
        binaries={"tool": "."},
        links=("alias",),
    )


def put_go(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    end: str = "exit 0",
    version: str = "go1.26.8",
) -> Path:
    """Put a `go` on PATH that writes half a binary and then does as told."""
    bin_folder = folder / "bin"
    bin_folder.mkdir(exist_ok=True)
    go = bin_folder / "go"
    calls = folder / "calls"
    calls.touch()
    go.write_text(_FAKE_GO.format(calls=calls, end=end, version=version))
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{bin_folder}:{os.environ['PATH']}")
    return calls


def build_cache(folder: Path) -> ProgramCache:
    return ProgramCache(folder / "cache", report=lambda _: None)


def test_a_module_is_built_once_and_keeps_nothing_of_the_build(
    module: GoModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = put_go(tmp_path, monkeypatch)
    cache = build_cache(tmp_path)
    first, second = cache.ensure(module), cache.ensure(module)
    assert first == second
    assert (first["tool"] / "alias").resolve() == first["tool"] / "tool"
    (caches,) = calls.read_text().splitlines()
    assert not any(Path(folder).exists() for folder in caches.split())


def test_a_changed_source_is_another_program(module: GoModule) -> None:
    before = module.build_key()
    (module.folder / "main.go").write_text("package main // changed\n")
    assert before.startswith("tool-v1.2.3-")
    assert module.build_key() != before


def test_a_failed_build_is_not_found_later_and_shows_the_compilers_words(
    module: GoModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_go(tmp_path, monkeypatch, end="echo no such type; exit 1")
    cache = build_cache(tmp_path)
    with pytest.raises(BuildFailed, match="no such type"):
        cache.ensure(module)
    assert cache.find(module) is None


def test_a_build_that_was_killed_is_begun_again(
    module: GoModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_go(tmp_path, monkeypatch)
    cache = build_cache(tmp_path)
    left = cache.folder / ".build" / module.build_key()
    left.mkdir(parents=True)
    (left / "tool").write_text("hal")
    assert cache.find(module) is None
    assert (cache.ensure(module)["tool"] / "tool").read_text() == "half\n"


def test_a_full_disk_is_noticed_before_the_build(
    module: GoModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = put_go(tmp_path, monkeypatch)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: _Usage(99, 98, 1 << 30))
    with pytest.raises(NotEnoughSpace, match=r"1\.0 GiB free.*about 20 GiB"):
        build_cache(tmp_path).ensure(module)
    assert calls.read_text() == ""


def test_without_go_the_command_that_installs_it_is_named(
    module: GoModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProgramsMissing, match=r"apt-get install .* golang-go"):
        build_cache(tmp_path).ensure(module)


def test_a_go_without_automatic_toolchains_is_refused_with_the_way_out(
    module: GoModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = put_go(tmp_path, monkeypatch, version="go1.19.8")
    with pytest.raises(GoTooOld, match=r"go is go1\.19.*bookworm-backports"):
        build_cache(tmp_path).ensure(module)
    assert not calls.read_text()
