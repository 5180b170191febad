"""Docker where an engine answers, else buildah; and what Docker is asked to do."""

from pathlib import Path

import pytest

from kilonova_lab.errors import CommandFailed, ProgramsMissing
from kilonova_lab.images.buildah import BuildahEngine
from kilonova_lab.images.cache import Cache
from kilonova_lab.images.command import need_programs, run
from kilonova_lab.images.debian import RELEASES, Debian
from kilonova_lab.images.docker import DockerEngine
from kilonova_lab.images.engine import BUILDER_VARIABLE, choose_engine
from kilonova_lab.images.order import BuildOrder, Engine
from support.processes import has_ended
from support.waiting import eventually


@pytest.fixture
def docker_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A docker that notes what it is asked; answers as ``$DOCKER_ANSWER`` says."""
    calls = tmp_path / "calls"
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {calls}\nexit ${{DOCKER_ANSWER:-0}}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.delenv(BUILDER_VARIABLE, raising=False)
    return calls


def choose(folder: Path) -> Engine:
    return choose_engine(RELEASES[0], folder, Cache(folder), lambda _: None)


@pytest.mark.usefixtures("docker_calls")
def test_a_docker_engine_is_taken_if_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(choose(tmp_path), DockerEngine)
    monkeypatch.setenv("DOCKER_ANSWER", "1")
    assert isinstance(choose(tmp_path), BuildahEngine)


@pytest.mark.usefixtures("docker_calls")
def test_a_person_can_insist_on_buildah(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(BUILDER_VARIABLE, "buildah")
    assert isinstance(choose(tmp_path), BuildahEngine)


def test_docker_gets_the_target_the_base_and_the_arguments(
    docker_calls: Path, tmp_path: Path
) -> None:
    order = BuildOrder("agent", "localhost/a:1", tmp_path, {"K": "v"}, tmp_path / "log")
    engine = DockerEngine(Debian(13, "trixie", (3, 13)))
    engine.build(order, tmp_path / "a.tar")
    build, save = docker_calls.read_text().splitlines()
    assert "--target agent --tag localhost/a:1" in build
    assert "--build-arg=BASE=docker.io/library/debian:13-slim" in build
    assert "--build-arg=K=v" in build
    assert save == f"save --output {tmp_path}/a.tar localhost/a:1"


def test_every_debian_is_another_base(tmp_path: Path) -> None:
    docker = {DockerEngine(debian).base for debian in RELEASES}
    (tmp_path / "images" / "base").mkdir(parents=True)
    buildah = {
        BuildahEngine(debian, tmp_path, Cache(tmp_path), lambda _: None).base
        for debian in RELEASES
    }
    assert (len(docker), len(buildah)) == (len(RELEASES), len(RELEASES))


def test_a_failed_command_shows_what_it_printed() -> None:
    with pytest.raises(CommandFailed, match="no such mirror"):
        run(["sh", "-c", "echo no such mirror; exit 3"], timeout_seconds=10)


def test_a_hanging_command_is_ended_with_its_children(tmp_path: Path) -> None:
    script = f"sleep 61 & echo $! > {tmp_path}/child; wait"
    with pytest.raises(CommandFailed, match="still running after"):
        run(["sh", "-c", script], timeout_seconds=0.5)
    child = int((tmp_path / "child").read_text())
    # What is killed ends a moment later.
    eventually(lambda: has_ended(child), "the child has ended")


def test_missing_programs_are_named_with_their_packages() -> None:
    with pytest.raises(ProgramsMissing, match=r"apt-get install .* nice-package"):
        need_programs({"no-such-program-anywhere": "nice-package", "sh": "dash"})
