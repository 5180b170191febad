"""qemu-img on files that nobody may trust: limited in time, memory and files."""

import asyncio
import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import orjson

from kilonova_agent.domain.faults import ImageRejected, ImageUnavailable
from kilonova_agent.storage.storage_faults import ProgramFailed

# As Nova's limits for the same program (oslo.concurrency prlimit).
ADDRESS_SPACE_BYTES = 1024**3
CPU_SECONDS = 30
TIMEOUT_SECONDS = 120.0
_MAX_ERROR_CHARS = 300
_MAX_SNAPSHOTS = 0


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What qemu-img says of a file that passed."""

    virtual_bytes: int


async def read_info(path: Path, declared: Literal["qcow2", "raw"]) -> ImageInfo:
    """Let qemu-img read the file in its declared format, and judge the answer.

    Raises:
        ImageRejected: it cannot be read, or refers to other files.
    """
    try:
        output = await run("info", "-f", declared, "--output=json", str(path))
        info: dict[str, Any] = orjson.loads(output)
    except (ProgramFailed, ValueError) as error:
        raise ImageRejected(f"the image cannot be read as {declared}: {error}") from (
            error
        )
    _check_info(info, declared)
    return ImageInfo(virtual_bytes=int(info["virtual-size"]))


def _check_info(info: dict[str, Any], declared: str) -> None:
    specific = (info.get("format-specific") or {}).get("data") or {}
    refused = {
        "is not what it is declared to be": info.get("format") != declared,
        "has a backing file": bool(
            info.get("backing-filename") or info.get("full-backing-filename")
        ),
        "has an external data file": bool(specific.get("data-file")),
        "is encrypted": bool(info.get("encrypted") or specific.get("encrypt")),
        "has extended L2 entries": bool(specific.get("extended-l2")),
        "is marked corrupt": bool(specific.get("corrupt")),
        "holds snapshots": len(info.get("snapshots") or ()) > _MAX_SNAPSHOTS,
    }
    for what, found in refused.items():
        if found:
            raise ImageRejected(f"the image {what}. Make it anew: qemu-img convert.")


async def create_overlay(
    path: Path, *, base: Path, base_format: str, virtual_bytes: int
) -> None:
    """Make a qcow2 over a read-only base, whose format is told and not guessed.

    Raises:
        ImageUnavailable: the base is not there.
        ProgramFailed: qemu-img failed, or took too long.
    """
    try:
        await create(
            *("-f", "qcow2", "-b", str(base), "-F", base_format),
            *(str(path), str(virtual_bytes)),
        )
    except ProgramFailed as error:
        if await asyncio.to_thread(base.exists):
            raise
        raise ImageUnavailable(
            "the image was taken away on this host while a disk was made of it; it is "
            "downloaded again"
        ) from error


async def create_empty(path: Path, *, virtual_bytes: int) -> None:
    """Make an empty qcow2.

    Raises:
        ProgramFailed: qemu-img failed, or took too long.
    """
    await create("-f", "qcow2", str(path), str(virtual_bytes))


async def create(*arguments: str) -> None:
    """Run ``qemu-img create``.

    Raises:
        ProgramFailed: it failed, or took too long.
    """
    await run("create", "-q", *arguments)


async def run(*arguments: str) -> bytes:
    """Run qemu-img within its limits and give its output.

    Raises:
        ProgramFailed: it failed, or took too long.
    """
    limits = (f"--as={ADDRESS_SPACE_BYTES}", f"--cpu={CPU_SECONDS}", "--core=0")
    return await run_program("prlimit", *limits, "--", "qemu-img", *arguments)


async def run_program(*command: str) -> bytes:
    """Run a program to its end; it does not outlive this call.

    Raises:
        ProgramFailed: it failed, or took too long.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"LC_ALL": "C"},  # its errors are read
    )
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            output, errors = await process.communicate()
    except TimeoutError:
        raise ProgramFailed(f"{command[0]} took longer than it may") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode:
        raise ProgramFailed(_describe(errors, command, process.returncode))
    return output


def _describe(errors: bytes, command: Sequence[str], code: int) -> str:
    text = errors.decode(errors="replace").strip()
    return text[:_MAX_ERROR_CHARS] or f"{command[0]} ended with {code}"
