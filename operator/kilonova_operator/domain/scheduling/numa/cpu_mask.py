"""Sets of CPUs as bits of a number: small, hashable, and in ascending order."""

from collections.abc import Iterable, Iterator
from typing import TypeAlias

CpuMask: TypeAlias = int
"""Bit n stands for CPU n."""


def mask_of(cpus: Iterable[int]) -> CpuMask:
    """Return the mask of CPU numbers."""
    mask = 0
    for cpu in cpus:
        mask |= 1 << cpu
    return mask


def first_cpus(count: int) -> CpuMask:
    """Return the mask of CPUs 0 to ``count`` - 1."""
    return (1 << count) - 1


def cpus_of(mask: CpuMask) -> Iterator[int]:
    """Give the CPU numbers of a mask, ascending."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest
