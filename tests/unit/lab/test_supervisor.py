"""Starting, killing and awaiting programs through a supervisor."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kilonova_lab.errors import CommandFailed, LabError, NotReady, ProgramDied
from kilonova_lab.supervised import Program, SupervisorClient, SupervisorGone
from support.processes import has_ended
from support.waiting import eventually


@pytest.fixture
def process(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    package_root = Path(__file__).resolve().parents[3] / "lab"
    running = subprocess.Popen(
        [
            *(sys.executable, "-m", "kilonova_lab.supervisor", "--lifeline"),
            *(f"--socket={tmp_path}/s", f"--remove={tmp_path}/work"),
        ],
        stdin=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(package_root)},
    )
    (tmp_path / "work").mkdir()
    yield running
    running.kill()
    running.communicate()


@pytest.fixture
def client(process: subprocess.Popen[bytes], tmp_path: Path) -> SupervisorClient:
    client = SupervisorClient(tmp_path / "s")
    client.wait_until_answers(timeout_seconds=20)
    return client


def build_program(client: SupervisorClient, folder: Path, *argv: str) -> Program:
    return Program(client, "p", argv, folder / "p.log")


def test_a_killed_program_stays_down_until_it_is_started(
    client: SupervisorClient, tmp_path: Path
) -> None:
    program = build_program(client, tmp_path, "sleep", "60")
    first = program.start()
    program.kill()
    assert not program.running
    assert program.start() != first
    assert program.running


def test_a_program_that_runs_is_not_started_twice(
    client: SupervisorClient, tmp_path: Path
) -> None:
    program = build_program(client, tmp_path, "sleep", "60")
    pid = program.start()
    with pytest.raises(LabError, match=f"runs already with pid {pid}"):
        program.start()


def test_a_program_that_ignores_sigterm_is_stopped_by_force(
    client: SupervisorClient, tmp_path: Path
) -> None:
    log = tmp_path / "p.log"
    program = Program(
        client,
        "p",
        ("sh", "-c", "trap '' TERM; echo trapped; exec sleep 60"),
        log,
        is_ready=lambda: "trapped" in log.read_text(),
    )
    program.start()
    program.wait_until_ready()
    program.stop(timeout_seconds=0.2)
    assert program.wait_for_end(timeout_seconds=1) == -signal.SIGKILL


def test_waiting_for_a_program_that_ended_shows_its_last_words(
    client: SupervisorClient, tmp_path: Path
) -> None:
    program = Program(
        client,
        "p",
        ("sh", "-c", "echo no disk; exit 3"),
        tmp_path / "p.log",
        is_ready=lambda: False,
    )
    program.start()
    with pytest.raises(ProgramDied, match="no disk"):
        program.wait_until_ready()


def test_waiting_ends_in_time_for_a_program_that_never_serves(
    client: SupervisorClient, tmp_path: Path
) -> None:
    program = Program(
        client,
        "p",
        ("sleep", "60"),
        tmp_path / "p.log",
        is_ready=lambda: False,
        ready_timeout_seconds=0.1,
    )
    program.start()
    with pytest.raises(NotReady, match=r"p was not ready after 0 s"):
        program.wait_until_ready()


def test_a_command_that_fails_is_an_error_with_its_output(
    client: SupervisorClient,
) -> None:
    assert client.check(["cat"], stdin="said") == "said"
    with pytest.raises(CommandFailed, match=r"ended with 4: why"):
        client.check(["sh", "-c", "echo why >&2; exit 4"])


def test_a_command_over_time_is_killed(client: SupervisorClient) -> None:
    with pytest.raises(LabError, match="TimeoutError"):
        client.check(["sleep", "60"], timeout_seconds=0.2)


@pytest.mark.parametrize("end", ["lifeline", "SIGKILL"])
def test_programs_end_with_their_supervisor_however_that_ends(
    process: subprocess.Popen[bytes], client: SupervisorClient, tmp_path: Path, end: str
) -> None:
    pid = build_program(client, tmp_path, "sleep", "60").start()
    if end == "lifeline":
        assert process.stdin is not None
        process.stdin.close()
    else:
        process.kill()
    process.wait(timeout=20)
    eventually(lambda: has_ended(pid), "the program has ended")
    assert (tmp_path / "work").exists() == (end == "SIGKILL")
    with pytest.raises(SupervisorGone):
        client.ask("ping")
