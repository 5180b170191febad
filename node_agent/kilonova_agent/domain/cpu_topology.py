"""The sockets, cores and threads that a guest sees.

Source: nova.virt.hardware.get_best_cpu_topology, Nova 34.
"""

from collections.abc import Iterator, Mapping

from kilonova_agent.domain.faults import MachineImpossible
from kilonova_agent.domain.tuning import CpuTopology

_PARTS = ("sockets", "cores", "threads")
_Counts = tuple[int, int, int]
"""Sockets, cores, threads; 0 where nothing is said."""


def choose_topology(
    vcpus: int, extra_specs: Mapping[str, str], properties: Mapping[str, str]
) -> CpuTopology:
    """Choose the topology that is nearest to what flavor and image prefer.

    Raises:
        MachineImpossible: the limits allow none, or the image goes beyond them.
    """
    most = _find_limits(extra_specs, properties)
    wanted = _find_preferred(most, extra_specs, properties)

    def rank(counts: _Counts) -> tuple[int, int, _Counts]:
        same = sum(a == b for a, b in zip(counts, wanted, strict=True) if b)
        sockets, cores, _ = counts
        return same, sockets * cores, counts

    possible = list(_list_possible(vcpus, most))
    if not possible:
        raise MachineImpossible(
            f"{vcpus} processors cannot be made of at most {_say(most)}. Change "
            "hw:cpu_max_sockets, hw:cpu_max_cores or hw:cpu_max_threads."
        )
    return CpuTopology(*max(possible, key=rank))


def _list_possible(vcpus: int, most: _Counts) -> Iterator[_Counts]:
    max_sockets, max_cores, max_threads = (count or vcpus for count in most)
    for sockets in _list_divisors(vcpus, max_sockets):
        for cores in _list_divisors(vcpus // sockets, max_cores):
            threads = vcpus // sockets // cores
            if threads <= max_threads:
                yield sockets, cores, threads


def _list_divisors(number: int, most: int) -> Iterator[int]:
    return (n for n in range(1, min(number, most) + 1) if number % n == 0)


def _find_limits(
    extra_specs: Mapping[str, str], properties: Mapping[str, str]
) -> _Counts:
    """Return the limits: the image's, which may only lower the flavor's."""
    flavor = _read(extra_specs, "hw:cpu_max_{}")
    image = _read(properties, "hw_cpu_max_{}")
    if _exceeds(image, flavor):
        raise MachineImpossible(
            f"the image allows up to {_say(image)}, and the flavor up to "
            f"{_say(flavor)}. An image may only lower the flavor's limits."
        )
    sockets, cores, threads = (i or f for i, f in zip(image, flavor, strict=True))
    return sockets, cores, threads


def _find_preferred(
    most: _Counts, extra_specs: Mapping[str, str], properties: Mapping[str, str]
) -> _Counts:
    """Return what is preferred: a word of the image drops all of the flavor's."""
    image = _read(properties, "hw_cpu_{}")
    if _exceeds(image, most):
        raise MachineImpossible(
            f"the image asks for {_say(image)}, and at most {_say(most)} are allowed. "
            "Take another image or flavor."
        )
    flavor = _read(extra_specs, "hw:cpu_{}")
    if any(image):
        return image
    return (0, 0, 0) if _exceeds(flavor, most) else flavor


def _exceeds(counts: _Counts, most: _Counts) -> bool:
    return any(m and count > m for count, m in zip(counts, most, strict=True))


def _read(words: Mapping[str, str], key: str) -> _Counts:
    sockets, cores, threads = (_read_count(words, key.format(p)) for p in _PARTS)
    return sockets, cores, threads


def _read_count(words: Mapping[str, str], key: str) -> int:
    word = words.get(key) or "0"
    if not word.isdecimal():
        raise MachineImpossible(f'{key} is "{word}", and must be a whole number')
    return int(word)


def _say(counts: _Counts) -> str:
    said = (
        f"{count} {part}" for count, part in zip(counts, _PARTS, strict=True) if count
    )
    return ", ".join(said) or "any number of sockets, cores and threads"
