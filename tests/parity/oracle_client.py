"""The client of the oracle; ``oracle/__main__.py`` tells the framing."""

import asyncio
import contextlib
import itertools
import json
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import IO, Any

Case = dict[str, Any]
Answer = dict[str, Any]

_PROGRAM = Path(__file__).parent / "oracle"
_START_SECONDS = 120.0
"""Nova alone takes 9 s to import while the machine does other things."""
_ANSWER_SECONDS = 120.0
_END_SECONDS = 10.0
_LINE_BYTES = 64 * 2**20
_STDERR_LINES = 30


class OracleFailure(Exception):
    """The oracle died, fell silent or refused; the text holds its last words."""


class Oracle:
    """A running oracle; one question at a time."""

    def __init__(self, process: asyncio.subprocess.Process, stderr: IO[bytes]) -> None:
        self._process = process
        self._stderr = stderr
        self._ids = itertools.count(1)
        self.about: dict[str, Any] = {}
        """Versions of Nova and Placement, and the calls it knows."""

    async def ask(
        self, call: str, cases: Sequence[Case], *, seconds: float = _ANSWER_SECONDS
    ) -> list[Answer]:
        """Return the answer to each case.

        An answer with the one key ``error`` is an exception of the real code.

        Raises:
            OracleFailure: there is no answer, now and later.
        """
        request_id = next(self._ids)
        request = {"id": request_id, "call": call, "cases": list(cases)}
        reply = await self._exchange(json.dumps(request) + "\n", seconds=seconds)
        if reply.get("id") != request_id or "answers" not in reply:
            raise self._failure(f"answered request {request_id} by {reply}")
        answers: list[Answer] = reply["answers"]
        if len(answers) != len(cases):
            raise self._failure(f"gave {len(answers)} answers to {len(cases)} cases")
        return answers

    async def start(self) -> None:
        """Wait until it can be asked."""
        greeting = await self._exchange("", seconds=_START_SECONDS)
        self.about = greeting["ready"]

    async def _exchange(self, line: str, *, seconds: float) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(seconds):
                self._process.stdin.write(line.encode())
                await self._process.stdin.drain()
                reply = await self._process.stdout.readline()
        except TimeoutError:
            raise self._failure(f"said nothing for {seconds:.0f} s") from None
        except (ConnectionError, ValueError) as error:
            raise self._failure(f"cannot be talked to: {error}") from error
        if not reply.endswith(b"\n"):
            code = await self._ended()
            raise self._failure(f"ended with exit code {code}")
        message: dict[str, Any] = json.loads(reply)
        return message

    async def _ended(self) -> int | None:
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(self._process.wait(), _END_SECONDS)
        return None

    def _failure(self, what: str) -> OracleFailure:
        self._stderr.seek(0)
        lines = self._stderr.read().decode(errors="replace").splitlines()
        words = "\n  ".join(lines[-_STDERR_LINES:]) or "(nothing)"
        return OracleFailure(f"The oracle {what}. Its stderr:\n  {words}")

    async def stop(self) -> None:
        """End it: by the end of its stdin, and if that is no use by force."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        if await self._ended() is None:
            with contextlib.suppress(ProcessLookupError):  # ended just now
                self._process.kill()
            await self._process.wait()


@contextlib.asynccontextmanager
async def open_oracle(python: str, program: Path = _PROGRAM) -> AsyncIterator[Oracle]:
    """Start an oracle by the Python that has the real Nova, and end it again."""
    with tempfile.TemporaryFile() as stderr:
        process = await asyncio.create_subprocess_exec(
            python,
            "-W",
            "ignore",
            str(program),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
            limit=_LINE_BYTES,
        )
        oracle = Oracle(process, stderr)
        try:
            await oracle.start()
            yield oracle
        finally:
            await oracle.stop()
