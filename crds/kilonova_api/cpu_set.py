"""Sets of processors as text, as Nova and Linux write them."""

import re

CPU_SET_PATTERN = r"^\^?[0-9]{1,5}(-[0-9]{1,5})?(,\^?[0-9]{1,5}(-[0-9]{1,5})?)*$"
_RANGE = re.compile(r"(\^?)([0-9]{1,5})(?:-([0-9]{1,5}))?")


class BadCpuSet(ValueError):
    """A text is no set of processors."""

    def __init__(self, text: str, problem: str) -> None:
        super().__init__(
            f'"{text}" is no set of processors: {problem}. Write numbers and ranges, '
            'as "4-12,^8,15"'
        )


def parse_cpu_set(text: str) -> frozenset[int]:
    """Return the processors of a text like ``4-12,^8,15``; ``^`` takes out.

    What is taken out is out wherever it stands; an empty text is no processors.
    Source: nova.virt.hardware.parse_cpu_spec, Nova 34.

    Raises:
        BadCpuSet: it is not written as it should be.
    """
    if not text:
        return frozenset()
    taken: set[int] = set()
    out: set[int] = set()
    for part in text.split(","):
        found = _RANGE.fullmatch(part.strip())
        if found is None:
            raise BadCpuSet(text, f'"{part.strip()}" is neither a number nor a range')
        first, last = int(found[2]), int(found[3] or found[2])
        if last < first:
            raise BadCpuSet(text, f"{first}-{last} ends before it begins")
        (out if found[1] else taken).update(range(first, last + 1))
    return frozenset(taken - out)


def format_cpu_set(cpus: frozenset[int]) -> str:
    """Return the shortest text for processors; empty for none."""
    ranges: list[list[int]] = []
    for cpu in sorted(cpus):
        if ranges and cpu == ranges[-1][1] + 1:
            ranges[-1][1] = cpu
        else:
            ranges.append([cpu, cpu])
    return ",".join(
        str(first) if first == last else f"{first}-{last}" for first, last in ranges
    )
