"""Starting and stopping the machine's part of a lab, by sudo where needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

from kilonova_lab.errors import AlreadyRunning, CommandFailed, LabError
from kilonova_lab.requirements import build_path

_SECONDS = 120.0


def start(lab_id: str, *, lifeline: IO[bytes] | None) -> int:
    """Start the lab's root process; return the lab's slot.

    Raises:
        AlreadyRunning: a lab of this id runs.
    """
    options = [f"--owner={os.getuid()}"] + ["--lifeline"] * (lifeline is not None)
    answer = _call("start", lab_id, *options, stdin=lifeline)
    slot: int = answer["slot"]
    return slot


def stop(lab_id: str) -> None:
    """End the lab, if it runs, and remove what it left."""
    _call("stop", lab_id)


def _call(
    action: str, lab_id: str, *options: str, stdin: IO[bytes] | None = None
) -> dict[str, Any]:
    module = [sys.executable, "-m", "kilonova_lab.machine"]
    environment = {
        "PATH": build_path(),
        # Root must not leave compiled files in the user's checkout.
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(Path(__file__).resolve().parent.parent),
    }
    argv = [*module, action, f"--id={lab_id}", *options]
    if os.getuid() != 0:
        # Only what is named passes sudo; a password prompt goes to the terminal.
        argv = ["sudo", "env", *(f"{k}={v}" for k, v in environment.items()), *argv]
    done = subprocess.run(
        argv,
        env={**os.environ, **environment},
        stdin=stdin,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=_SECONDS,
    )
    if done.returncode != 0:
        raise CommandFailed(argv, done.returncode, done.stdout)
    answer: dict[str, Any] = json.loads(done.stdout)
    if answer.get("error") == AlreadyRunning.__name__:
        raise AlreadyRunning(lab_id)
    if "error" in answer:
        raise LabError(answer["message"])
    return answer
