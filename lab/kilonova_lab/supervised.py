"""The client's side of a supervisor: programs one can start, kill and await."""

from __future__ import annotations

import json
import signal
import socket
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kilonova_lab.errors import (
    CommandFailed,
    LabError,
    NotReady,
    ProgramDied,
    build_tail,
)

_ANSWER_SLACK_SECONDS = 10.0
_POLL_SECONDS = 0.02


class SupervisorGone(LabError):
    """Nothing answers on the supervisor's socket."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that ran to its end."""

    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class SupervisorClient:
    """Talks to the supervisor behind a socket; holds no connection open."""

    socket_path: Path

    def ask(
        self, op: str, *, timeout_seconds: float = 10.0, **fields: Any
    ) -> dict[str, Any]:
        """Send one request and return its answer.

        Raises:
            SupervisorGone: the lab or node is not running.
            LabError: the supervisor refused; the text says why.
        """
        request = {"op": op, "timeout_seconds": timeout_seconds, **fields}
        with self._connect(timeout_seconds + _ANSWER_SLACK_SECONDS) as connection:
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as stream:
                line = stream.readline()
        if not line:
            raise SupervisorGone(
                f"the supervisor at {self.socket_path} ended meanwhile"
            )
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise LabError(f"{op} refused: {answer['error']}")
        return answer

    def get_pid(self) -> int:
        """Return its process id as this process's namespace counts it."""
        with self._connect(5.0) as connection:
            packed = connection.getsockopt(
                socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")
            )
        pid: int = struct.unpack("3i", packed)[0]
        return pid

    def answers(self) -> bool:
        """Tell whether a supervisor listens there."""
        try:
            self.ask("ping")
        except SupervisorGone:
            return False
        return True

    def run(
        self, argv: Sequence[str], *, stdin: str = "", timeout_seconds: float = 60.0
    ) -> Finished:
        """Run a command where the supervisor lives and return how it ended."""
        answer = self.ask(
            "run", argv=list(argv), stdin=stdin, timeout_seconds=timeout_seconds
        )
        return Finished(answer["returncode"], answer["stdout"], answer["stderr"])

    def check(
        self, argv: Sequence[str], *, stdin: str = "", timeout_seconds: float = 60.0
    ) -> str:
        """Run a command that must succeed and return its standard output.

        Raises:
            CommandFailed: it did not; carries its output.
        """
        done = self.run(argv, stdin=stdin, timeout_seconds=timeout_seconds)
        if done.returncode != 0:
            raise CommandFailed(argv, done.returncode, done.stderr or done.stdout)
        return done.stdout

    def wait_until_answers(self, *, timeout_seconds: float) -> None:
        """Wait for a supervisor that was just started."""
        deadline = time.monotonic() + timeout_seconds
        while not self.answers():
            if time.monotonic() > deadline:
                raise NotReady(
                    f"supervisor {self.socket_path}", seconds=timeout_seconds
                )
            time.sleep(_POLL_SECONDS)

    def _exchange(self, request: Mapping[str, Any], timeout_seconds: float) -> bytes:
        with self._connect(timeout_seconds) as connection:
            try:
                connection.sendall(json.dumps(request).encode() + b"\n")
                with connection.makefile("rb") as stream:
                    line = stream.readline()
            except ConnectionError:
                line = b""
        if not line:
            raise SupervisorGone(
                f"the supervisor at {self.socket_path} ended meanwhile"
            )
        return line

    def _connect(self, timeout_seconds: float) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout_seconds)
        try:
            connection.connect(str(self.socket_path))
        except OSError as error:
            connection.close()
            raise SupervisorGone(
                f"no supervisor answers at {self.socket_path}: {error}"
            ) from None
        return connection


@dataclass(frozen=True, slots=True)
class Program:
    """One supervised program: how to start it, and how to know it is ready.

    ``log`` is where this process reads its output; ``log_inside`` is the same
    file as the supervisor sees it, where the two have different mounts.
    """

    supervisor: SupervisorClient
    name: str
    argv: tuple[str, ...]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    cgroups: tuple[str, ...] = ()
    log_inside: Path | None = None
    is_ready: Callable[[], bool] = lambda: True
    ready_timeout_seconds: float = 60.0

    def start(self) -> int:
        """Start it and return its pid as the supervisor's namespace counts it."""
        answer = self.supervisor.ask(
            "start",
            name=self.name,
            argv=list(self.argv),
            env=dict(self.env),
            log=str(self.log_inside or self.log),
            cgroups=list(self.cgroups),
        )
        pid: int = answer["pid"]
        return pid

    def kill(self) -> None:
        """SIGKILL it and wait for its end. It stays down until ``start``."""
        self.signal(signal.SIGKILL)
        self.wait_for_end(timeout_seconds=30)

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal; False when it does not run."""
        answer = self.supervisor.ask("signal", name=self.name, signal=int(number))
        return bool(answer["signalled"])

    def stop(self, *, timeout_seconds: float = 15.0) -> None:
        """End it politely, then by force."""
        self.supervisor.ask("stop", name=self.name, timeout_seconds=timeout_seconds)

    def restart(self) -> None:
        """Stop it, start it and wait until it is ready."""
        self.stop()
        self.start()
        self.wait_until_ready()

    def wait_for_end(self, *, timeout_seconds: float) -> int | None:
        """Wait for its end and return its exit code (None: never started)."""
        answer = self.supervisor.ask(
            "wait", name=self.name, timeout_seconds=timeout_seconds
        )
        code: int | None = answer["returncode"]
        return code

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        state = self.supervisor.ask("status")["programs"].get(self.name)
        return state is not None and state["returncode"] is None

    def wait_until_ready(self) -> None:
        """Wait until it serves.

        Raises:
            ProgramDied: it ended instead; carries the end of its log.
            NotReady: it runs, but did not become ready in time.
        """
        deadline = time.monotonic() + self.ready_timeout_seconds
        while not self.is_ready():
            if not self.running:
                raise ProgramDied(self.name, self.log, build_tail(self.log))
            if time.monotonic() > deadline:
                raise NotReady(
                    self.name,
                    seconds=self.ready_timeout_seconds,
                    detail=f"end of {self.log}:\n{build_tail(self.log)}",
                )
            time.sleep(_POLL_SECONDS)
