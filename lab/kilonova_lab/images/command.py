"""Run other programs: bounded in time, loud when they fail."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from kilonova_lab.errors import CommandFailed, ProgramsMissing

KILL_TIMEOUT_SECONDS = 30.0

SHOWN_LINES = 25
"""How much of a failed program's output its error repeats."""


def run(
    argv: Sequence[str | Path],
    *,
    timeout_seconds: float,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> str:
    """Run a program to its end and return what it printed.

    Args:
        argv: the program and its arguments.
        timeout_seconds: after that, it and its children are killed.
        cwd: the folder to run it in.
        environment: variables on top of this process's own.
        log: file that also gets the output, while it is being made.

    Raises:
        CommandFailed: it failed or took too long.
        ProgramsMissing: there is no such program.
    """
    words = [str(word) for word in argv]
    if log is not None:
        # A build of minutes can be followed with tail -f.
        with log.open("wb") as sink:
            code = _wait(words, timeout_seconds, sink.fileno(), cwd, environment)
        output = log.read_text(errors="replace")
    else:
        with os.fdopen(os.memfd_create("output"), "w+b") as sink:
            code = _wait(words, timeout_seconds, sink.fileno(), cwd, environment)
            sink.seek(0)
            output = sink.read().decode(errors="replace")
    if code != 0:
        tail = "\n".join(output.splitlines()[-SHOWN_LINES:])
        raise CommandFailed(words, code, tail)
    return output


def as_root(argv: Sequence[str | Path]) -> list[str | Path]:
    """Return the command that runs ``argv`` as root: by sudo for a user."""
    return list(argv) if os.geteuid() == 0 else ["sudo", "--", *argv]


def ask_for_root() -> None:
    """Let sudo ask for its password now, while it can reach the terminal.

    Raises:
        ProgramsMissing: there is no sudo.
        CommandFailed: sudo refused.
    """
    if os.geteuid() == 0:
        return
    if shutil.which("sudo") is None:
        raise ProgramsMissing(["sudo"], ["sudo"])
    code = subprocess.run(["sudo", "--validate"], check=False).returncode
    if code != 0:
        raise CommandFailed(["sudo", "--validate"], code, "refused")


def isolated(argv: Sequence[str | Path]) -> list[str | Path]:
    """Run as root in namespaces of its own.

    Whatever it starts and mounts is gone with it, even after a SIGKILL.
    """
    namespaces = ("--mount", "--pid", "--mount-proc")
    return as_root(["unshare", *namespaces, "--fork", "--kill-child", "--", *argv])


def need_programs(packages: Mapping[str, str]) -> None:
    """Check that programs are there; ``packages`` maps each to its package.

    Raises:
        ProgramsMissing: names each of them and the command that helps.
    """
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
    missing = [name for name in packages if shutil.which(name, path=path) is None]
    if missing:
        raise ProgramsMissing(missing, (packages[name] for name in missing))


def _wait(
    words: list[str],
    timeout_seconds: float,
    sink: int,
    cwd: Path | None,
    environment: Mapping[str, str] | None,
) -> int:
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    if shutil.which(words[0], path=path) is None:
        raise ProgramsMissing([words[0]], [words[0]])
    # Killed with us, so that nobody goes on writing where we no longer hold
    # the lock. (sudo drops this; see BuildahEngine for its way.)
    bound = ["setpriv", "--pdeathsig", "KILL", "--", *words]
    try:
        process = subprocess.Popen(
            bound,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env={**os.environ, "PATH": path, **(environment or {})},
            # A group to kill as one; yet the same terminal, whose sudo
            # credential then serves this program too.
            process_group=0,
        )
    except FileNotFoundError as error:
        raise ProgramsMissing(["setpriv"], ["util-linux"]) from error
    try:
        return process.wait(timeout_seconds)
    except subprocess.TimeoutExpired as error:
        what = f"still running after {timeout_seconds:.0f} s, and was killed"
        raise CommandFailed(words, -signal.SIGKILL, what) from error
    finally:
        if process.poll() is None:
            _kill_group(process)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except PermissionError:  # sudo runs it, as root
        kill = ["kill", "-s", "KILL", "--", f"-{process.pid}"]
        subprocess.run(as_root(kill), check=False, timeout=KILL_TIMEOUT_SECONDS)
    process.wait(KILL_TIMEOUT_SECONDS)
