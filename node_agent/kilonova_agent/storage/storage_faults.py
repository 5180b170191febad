"""Failures of the host's file system and its programs, as faults of a guest."""

import contextlib
import errno
import os
from collections.abc import Iterator

from kilonova_agent.domain.faults import DiskFull, GuestFault, StorageFailed

_FULL = {errno.ENOSPC, errno.EDQUOT}


class ProgramFailed(Exception):
    """A program on the host ended with an error, or did not end."""


@contextlib.contextmanager
def telling_faults(doing: str) -> Iterator[None]:
    """Raise what the host's storage does not do as a fault that people can read.

    Raises:
        DiskFull: there is no room.
        StorageFailed: anything else.
    """
    try:
        yield
    except (OSError, ProgramFailed) as error:
        raise build_storage_fault(doing, error) from error


def build_storage_fault(doing: str, error: OSError | ProgramFailed) -> GuestFault:
    """Build the fault of a failed call or program."""
    if _says_full(error):
        return DiskFull(
            f"{doing} failed on this host: {error}. Make room in the agent's state "
            "directory, or place the Server on another host."
        )
    return StorageFailed(
        f"{doing} failed on this host: {error}. See the host's kernel log and the "
        "file system of the agent's state directory."
    )


def _says_full(error: OSError | ProgramFailed) -> bool:
    if isinstance(error, OSError):
        return error.errno in _FULL
    # A program hands its errno on as the system's text for it.
    return any(os.strerror(number) in str(error) for number in _FULL)
