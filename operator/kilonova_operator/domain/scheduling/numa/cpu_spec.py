"""CPU sets as people write them in flavors and images, as masks."""

import re

from kilonova_api.cpu_set import format_cpu_set, parse_cpu_set
from kilonova_operator.domain.scheduling.numa.cpu_mask import (
    CpuMask,
    cpus_of,
    mask_of,
)

_GAPS = re.compile(r"\s*([-^])\s*")


def parse_cpu_spec(spec: str) -> CpuMask:
    """Return the CPUs of ``0-3,^2,8``, with room between and empty parts as in Nova.

    Source: nova.virt.hardware.parse_cpu_spec, Nova 34.

    Raises:
        ValueError: with the part that cannot be read.
    """
    parts = (_GAPS.sub(r"\1", part.strip()) for part in spec.split(","))
    text = ",".join(filter(None, parts))
    return mask_of(parse_cpu_set(text)) if text else 0


def parse_cpu_mask(spec: str, vcpus: int) -> CpuMask:
    """Return CPUs of a guest; what begins with a caret leaves out of all of them."""
    if spec.strip().startswith("^"):
        return parse_cpu_spec(f"0-{vcpus - 1},{spec}")
    return parse_cpu_spec(spec)


def format_cpu_spec(cpus: CpuMask) -> str:
    """Write CPUs the shortest way: ``0-3,8``."""
    return format_cpu_set(frozenset(cpus_of(cpus)))
