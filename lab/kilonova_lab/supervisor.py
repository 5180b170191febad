"""The process that owns a lab's (or a node's) programs.

Everything the lab starts is a child of one of these, so that exit codes are
known, nothing is orphaned, and the end of one process ends all:

- programs get SIGKILL when their supervisor dies (PR_SET_PDEATHSIG);
- with ``--lifeline`` it ends when its standard input does, that is with the
  process that started it, however that one died;
- for a lab or a node it is the only child of the PID namespace's init.

It speaks one JSON object a line over a unix socket, one request a connection.
Only the standard library is imported: it must start in a few hundredths of a
second, and runs as root.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1
_LINE_LIMIT_BYTES = 64 << 20
_LIBC = ctypes.CDLL(None, use_errno=True)

Request = Mapping[str, Any]
Answer = dict[str, Any]


@dataclass(slots=True)
class Program:
    """A program under supervision; it stays known after its end."""

    process: asyncio.subprocess.Process
    started_at: float

    def describe(self) -> Answer:
        """Return what the client is told of it."""
        return {
            "pid": self.process.pid,
            "returncode": self.process.returncode,
            "started_at": self.started_at,
        }


class Supervisor:
    """Starts, signals and reaps programs on behalf of its socket's clients."""

    def __init__(self) -> None:
        self._programs: dict[str, Program] = {}
        self._operations: dict[str, Callable[[Request], Awaitable[Answer]]] = {
            "ping": self._ping,
            "run": self._run,
            "signal": self._signal,
            "start": self._start,
            "status": self._status,
            "stop": self._stop,
            "wait": self._wait,
        }

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer one request; errors go back to the asker, not to the log."""
        with contextlib.suppress(ConnectionError):
            try:
                request = json.loads(await reader.readline())
                answer = await self._operations[request["op"]](request)
            except Exception as error:  # noqa: BLE001 - the client raises it again
                answer = {"error": f"{type(error).__name__}: {error}"}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
            writer.close()

    async def end_all(self) -> None:
        """SIGKILL what still runs and wait until it is gone."""
        for program in self._programs.values():
            with contextlib.suppress(ProcessLookupError):
                program.process.kill()
            await program.process.wait()

    async def _ping(self, _: Request) -> Answer:
        return {"pid": os.getpid()}

    async def _start(self, request: Request) -> Answer:
        name = request["name"]
        known = self._programs.get(name)
        if known is not None and known.process.returncode is None:
            raise RuntimeError(f"{name} runs already with pid {known.process.pid}")
        log = os.open(request["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.fchmod(log, 0o644)
        try:
            process = await asyncio.create_subprocess_exec(
                *request["argv"],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **request.get("env", {})},
                cwd=request.get("cwd"),
                start_new_session=True,
                preexec_fn=_build_child_setup(request.get("cgroups", ())),
            )
        finally:
            os.close(log)
        self._programs[name] = Program(process, time.time())
        return {"pid": process.pid}

    async def _signal(self, request: Request) -> Answer:
        program = self._programs.get(request["name"])
        if program is None or program.process.returncode is not None:
            return {"signalled": False}
        program.process.send_signal(request["signal"])
        return {"signalled": True}

    async def _wait(self, request: Request) -> Answer:
        program = self._programs.get(request["name"])
        if program is None:
            return {"returncode": None}
        async with asyncio.timeout(request["timeout_seconds"]):
            return {"returncode": await program.process.wait()}

    async def _stop(self, request: Request) -> Answer:
        """TERM, and KILL for what has not ended in time."""
        await self._signal({**request, "signal": signal.SIGTERM})
        try:
            return await self._wait(request)
        except TimeoutError:
            await self._signal({**request, "signal": signal.SIGKILL})
            return await self._wait({**request, "timeout_seconds": 10})

    async def _status(self, _: Request) -> Answer:
        return {"programs": {name: p.describe() for name, p in self._programs.items()}}

    async def _run(self, request: Request) -> Answer:
        """Run a short command to its end; a command over time is killed."""
        process = await asyncio.create_subprocess_exec(
            *request["argv"],
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **request.get("env", {})},
            start_new_session=True,
            preexec_fn=_build_child_setup(request.get("cgroups", ())),
        )
        talk = process.communicate(request.get("stdin", "").encode())
        try:
            out, err = await asyncio.wait_for(talk, request["timeout_seconds"])
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            raise
        return {
            "returncode": process.returncode,
            "stdout": out.decode(errors="replace"),
            "stderr": err.decode(errors="replace"),
        }


def _build_child_setup(cgroups: list[str] | tuple[()]) -> Callable[[], None]:
    """Return what a child does before it becomes its program.

    The cgroups are entered here because ``unshare --cgroup`` makes the one it
    finds itself in the root of the new cgroup namespace.
    """

    def set_up() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.umask(0o022)
        for folder in cgroups:
            fd = os.open(f"{folder}/cgroup.procs", os.O_WRONLY)
            os.write(fd, b"0")
            os.close(fd)

    return set_up


async def _supervise(arguments: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, done.set)
    if arguments.lifeline:
        loop.add_reader(sys.stdin.fileno(), _end_with_stdin, done)
    supervisor = Supervisor()
    server = await asyncio.start_unix_server(
        supervisor.serve, path=arguments.socket, limit=_LINE_LIMIT_BYTES
    )
    if arguments.owner is not None:
        os.chown(arguments.socket, arguments.owner, -1)
    async with server:
        await done.wait()
    await supervisor.end_all()
    if arguments.remove is not None:
        shutil.rmtree(arguments.remove, ignore_errors=True)


def _end_with_stdin(done: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        done.set()


def main() -> None:
    """Serve until told to end; then end all programs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--socket", required=True)
    parser.add_argument("--lifeline", action="store_true", help="end with stdin")
    parser.add_argument("--owner", type=int, help="user that may talk to it")
    parser.add_argument("--remove", help="folder to remove at the end")
    arguments = parser.parse_args()
    if sys.version_info < (3, 12):
        # The default watcher of 3.11 makes a thread for each child, and forking
        # with preexec_fn wants a process of one thread.
        asyncio.set_child_watcher(asyncio.PidfdChildWatcher())
    Path(arguments.socket).unlink(missing_ok=True)
    os.umask(0o077)  # the socket is its owner's alone from its first moment
    asyncio.run(_supervise(arguments))


if __name__ == "__main__":
    main()
