"""Is a downloaded file the image it should be, and harmless to open?"""

import asyncio
import hashlib
from pathlib import Path
from typing import Literal

from kilonova_agent.domain.faults import ChecksumMismatch
from kilonova_agent.storage.images import qemu_img
from kilonova_agent.storage.images.image_file import (
    HEAD_BYTES,
    TAIL_BYTES,
    FileEnds,
    check_file,
)

_HASH_CHUNK_BYTES = 4 * 1024 * 1024


def check_checksum(path: Path, checksum: str) -> None:
    """Check that the file is the one that was asked for. Blocks.

    Raises:
        ChecksumMismatch: it is another one, or damaged.
    """
    algorithm, _, wanted = checksum.partition(":")
    digest = hashlib.new(algorithm)
    with path.open("rb") as file:
        while chunk := file.read(_HASH_CHUNK_BYTES):
            digest.update(chunk)
    found = digest.hexdigest()
    if found != wanted:
        raise ChecksumMismatch(
            f"the image file has {algorithm} {found}, and {wanted} is wanted. Correct "
            "the checksum in a new image, or put the right file at its URL."
        )


async def judge_file(
    path: Path, declared: Literal["qcow2", "raw"]
) -> qemu_img.ImageInfo:
    """Judge the file by its bytes, and only then let a program open it.

    Raises:
        ImageRejected: it is not of the declared format, or refers to other files.
    """
    check_file(await asyncio.to_thread(_read_ends, path), declared)
    return await qemu_img.read_info(path, declared)


def _read_ends(path: Path) -> FileEnds:
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        size = path.stat().st_size
        file.seek(max(0, size - TAIL_BYTES))
        return FileEnds(head, file.read(TAIL_BYTES))
