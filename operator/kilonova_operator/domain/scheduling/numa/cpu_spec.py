"""CPU sets as people write them: ``0-3,^2,8``."""

import re

from kilonova_operator.domain.scheduling.numa.cpu_mask import CpuMask, first_cpus

MAX_CPU = 8191
"""The largest CPU a Linux kernel can be built for. Without a bound a text of a
few letters would fill the memory."""

_RULE = re.compile(r"(?P<out>\^?)\s*(?P<first>\d+)\s*(?:-\s*(?P<last>\d+))?")


def parse_cpu_spec(spec: str) -> CpuMask:
    """Return the CPUs of numbers and ranges; a caret takes some out again.

    The order of the parts is of no account: what is taken out stays out.
    Source: nova.virt.hardware.parse_cpu_spec, Nova 34.

    Raises:
        ValueError: with the part that cannot be read.
    """
    taken = left_out = 0
    for rule in filter(None, (part.strip() for part in spec.split(","))):
        out, cpus = _parse_rule(rule)
        if out:
            left_out |= cpus
        else:
            taken |= cpus
    return taken & ~left_out


def parse_cpu_mask(spec: str, vcpus: int) -> CpuMask:
    """Return CPUs of a guest; what begins with a caret leaves out of all of them."""
    if spec.strip().startswith("^"):
        return parse_cpu_spec(f"0-{vcpus - 1},{spec}")
    return parse_cpu_spec(spec)


def format_cpu_spec(cpus: CpuMask) -> str:
    """Write CPUs the shortest way: ``0-3,8``."""
    parts = []
    while cpus:
        first = (cpus & -cpus).bit_length() - 1
        length = (~(cpus >> first) & -~(cpus >> first)).bit_length() - 1
        last = first + length - 1
        parts.append(str(first) if length == 1 else f"{first}-{last}")
        cpus &= ~first_cpus(last + 1)
    return ",".join(parts)


def _parse_rule(rule: str) -> tuple[bool, CpuMask]:
    found = _RULE.fullmatch(rule)
    if found is None:
        raise ValueError(f"'{rule}' is no CPU and no range of CPUs")
    first = int(found["first"])
    last = int(found["last"] or first)
    if first > last:
        raise ValueError(f"the range '{rule}' ends before it begins")
    if last > MAX_CPU:
        raise ValueError(f"there is no CPU {last}: the largest is {MAX_CPU}")
    return bool(found["out"]), first_cpus(last + 1) & ~first_cpus(first)
