"""How the part that needs root is called, without being root."""

import subprocess
from typing import Any

import pytest

from kilonova_lab import labroot
from kilonova_lab.errors import AlreadyRunning, LabError


class RecordedRun:
    def __init__(self, answer: str) -> None:
        self.answer = answer
        self.argv: list[str] = []

    def __call__(self, argv: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        self.argv = argv
        return subprocess.CompletedProcess(argv, 0, stdout=self.answer)


def record(monkeypatch: pytest.MonkeyPatch, answer: str, *, uid: int) -> RecordedRun:
    run = RecordedRun(answer)
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr("os.getuid", lambda: uid)
    return run


def test_a_user_calls_sudo_for_the_machines_part_alone_and_stays_the_owner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = record(monkeypatch, '{"slot": 3}', uid=1000)
    assert labroot.start("x", lifeline=None) == 3
    assert run.argv[:2] == ["sudo", "env"]
    assert run.argv[run.argv.index("-m") + 1] == "kilonova_lab.machine"
    assert "--owner=1000" in run.argv


def test_root_needs_no_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    run = record(monkeypatch, "{}", uid=0)
    labroot.stop("x")
    assert "sudo" not in run.argv


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ('{"error": "AlreadyRunning", "message": "m"}', AlreadyRunning),
        ('{"error": "NotReady", "message": "no end of pid 7"}', LabError),
    ],
)
def test_what_went_wrong_as_root_is_told_to_the_user(
    monkeypatch: pytest.MonkeyPatch, answer: str, error: type[LabError]
) -> None:
    record(monkeypatch, answer, uid=1000)
    with pytest.raises(error):
        labroot.start("x", lifeline=None)
