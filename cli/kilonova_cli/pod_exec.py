"""One command in a pod: bytes in, bytes out, an exit code."""

import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from kubernetes.client import ApiClient, CoreV1Api
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream
from kubernetes.stream.ws_client import ERROR_CHANNEL
from websocket import WebSocketException

from kilonova_cli.errors import CliError, NotAllowed

MAX_ANSWER_BYTES = 64 << 20
_SECONDS = 100.0
_CHUNK_BYTES = 32 << 10
_FORBIDDEN, _NOT_FOUND = 403, 404
_HANDSHAKE = re.compile(r"Handshake status (\d+)")


class PodGone(CliError):
    """The pod ended before it was asked, or while."""


@dataclass(frozen=True, slots=True)
class ExecTarget:
    """A container of a pod."""

    namespace: str
    pod: str
    container: str


@dataclass(frozen=True, slots=True)
class Finished:
    """What a command left."""

    stdout: bytes
    stderr: bytes
    exit_code: int


class _ExecStream(Protocol):
    """What is used of the client's stream, which has no types."""

    def is_open(self) -> bool: ...
    def update(self, timeout: float) -> None: ...
    def write_stdin(self, data: bytes) -> None: ...
    def read_stdout(self, timeout: float) -> bytes: ...
    def read_stderr(self, timeout: float) -> bytes: ...
    def read_channel(self, channel: int) -> bytes: ...
    def close(self) -> None: ...


def run_in_pod(
    api: ApiClient, target: ExecTarget, command: Sequence[str], stdin: bytes
) -> Finished:
    """Run a command and wait for its end.

    Raises:
        PodGone: the pod is not there (any more).
        NotAllowed: the caller may not exec there.
        CliError: no end within 100 s, or too much was printed.
    """
    try:
        socket = _open(api, target, command)
    except ApiException as error:
        raise _translate(error, target) from None
    except (OSError, WebSocketException) as error:
        raise PodGone(f"exec in pod {target.pod}: {error}. Ask again") from None
    try:
        for start in range(0, len(stdin), _CHUNK_BYTES):
            socket.write_stdin(stdin[start : start + _CHUNK_BYTES])
        return _collect(socket, target)
    except (OSError, WebSocketException) as error:
        raise PodGone(f"exec in pod {target.pod} broke off: {error}") from None
    finally:
        socket.close()


def _open(api: ApiClient, target: ExecTarget, command: Sequence[str]) -> _ExecStream:
    opened: _ExecStream = stream(
        CoreV1Api(api).connect_get_namespaced_pod_exec,
        target.pod,
        target.namespace,
        command=list(command),
        container=target.container,
        stdin=True,
        stdout=True,
        stderr=True,
        tty=False,
        binary=True,
        _preload_content=False,
    )
    return opened


def _collect(socket: _ExecStream, target: ExecTarget) -> Finished:
    until = time.monotonic() + _SECONDS
    stdout, stderr, size = [], [], 0
    while socket.is_open():
        left = until - time.monotonic()
        if left <= 0:
            raise CliError(f"no answer from pod {target.pod} within {_SECONDS:g} s")
        socket.update(timeout=left)
        stdout.append(socket.read_stdout(timeout=0))
        stderr.append(socket.read_stderr(timeout=0))
        size += len(stdout[-1]) + len(stderr[-1])
        if size > MAX_ANSWER_BYTES:
            raise CliError(f"pod {target.pod} prints without end; this is no answer")
    told = socket.read_channel(ERROR_CHANNEL)
    return Finished(b"".join(stdout), b"".join(stderr), _read_exit_code(told, target))


def _read_exit_code(told: bytes, target: ExecTarget) -> int:
    """Read the status that ends an exec: Kubernetes' Status as JSON."""
    try:
        status = json.loads(told)
        if status["status"] == "Success":
            return 0
        causes = status.get("details", {}).get("causes", ())
        codes = [c["message"] for c in causes if c.get("reason") == "ExitCode"]
        if codes:
            return int(codes[0])
        message = str(status.get("message", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise PodGone(f"exec in pod {target.pod} ended without a status") from None
    raise CliError(f"exec in pod {target.pod} failed: {' '.join(message.split())}")


def _translate(error: ApiException, target: ExecTarget) -> CliError:
    found = _HANDSHAKE.search(str(error.reason))
    status = int(found[1]) if found else error.status
    where = f"pod {target.pod} in namespace {target.namespace}"
    if status == _NOT_FOUND:
        return PodGone(f"{where} is gone. Ask again once another operator leads")
    if status == _FORBIDDEN:
        return NotAllowed(
            f"you may not exec into {where}. Ask an admin for a group of the chart's "
            "value rbac.adminCliGroups"
        )
    text = " ".join(str(error.reason).split())[:300]
    return CliError(f"exec in {where}: the API server answers {status}: {text}")
