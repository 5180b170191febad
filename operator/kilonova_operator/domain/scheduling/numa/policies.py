"""CPU, thread and emulator policies of a flavor and an image.

Source: get_cpu_policy_constraint, get_cpu_thread_policy_constraint and
get_emulator_thread_policy_constraint of nova.virt.hardware, Nova 34.
"""

from typing import TypeVar, get_args

from kilonova_operator.domain.scheduling.numa.guest import (
    CpuPolicy,
    EmulatorPolicy,
    ThreadPolicy,
)
from kilonova_operator.domain.scheduling.numa.request import (
    NumaRequest,
    NumaRequestInvalid,
    property_key,
    spec_key,
)

P = TypeVar("P", bound=str)

CPU_POLICIES: tuple[CpuPolicy, ...] = get_args(CpuPolicy)
THREAD_POLICIES: tuple[ThreadPolicy, ...] = get_args(ThreadPolicy)
EMULATOR_POLICIES: tuple[EmulatorPolicy, ...] = get_args(EmulatorPolicy)

_STRICTER: dict[CpuPolicy, frozenset[CpuPolicy]] = {
    "shared": frozenset({"mixed", "dedicated"}),
    "mixed": frozenset({"dedicated"}),
    "dedicated": frozenset(),
}
"""What an image may not ask for, by the flavor's policy: it takes more of a host."""


def find_cpu_policy(request: NumaRequest) -> CpuPolicy | None:
    """Return the CPU policy: the flavor's, else the image's.

    Raises:
        NumaRequestInvalid: one is unknown, or the image asks for more.
    """
    flavor = _find_spec(request, "cpu_policy", CPU_POLICIES)
    image = _find_property(request, "cpu_policy", CPU_POLICIES)
    if flavor and image in _STRICTER[flavor]:
        raise NumaRequestInvalid(
            property_key("cpu_policy"),
            f"'{image}' takes more of a host than the flavor's '{flavor}'",
        )
    return flavor or image


def find_thread_policy(request: NumaRequest) -> ThreadPolicy | None:
    """Return the thread policy: the flavor's, else the image's.

    The flavor's ``prefer`` stands next to anything the image says, and wins.

    Raises:
        NumaRequestInvalid: one is unknown, or the two contradict each other.
    """
    flavor = _find_spec(request, "cpu_thread_policy", THREAD_POLICIES)
    image = _find_property(request, "cpu_thread_policy", THREAD_POLICIES)
    if flavor not in (None, "prefer") and image not in (None, flavor):
        raise NumaRequestInvalid(
            property_key("cpu_thread_policy"),
            f"'{image}' contradicts the flavor's '{flavor}'",
        )
    return flavor or image


def find_emulator_policy(request: NumaRequest) -> EmulatorPolicy | None:
    """Return where the emulator's threads run; only flavors may say.

    Raises:
        NumaRequestInvalid: it is unknown.
    """
    return _find_spec(request, "emulator_threads_policy", EMULATOR_POLICIES)


def needs_threads(request: NumaRequest) -> bool:
    """Tell whether flavor or image name both ``dedicated`` and ``require``.

    Whichever of the two wins: such a host must have threads at all.
    Source: nova.scheduler.filters.numa_topology_filter, Nova 34.
    """
    return "dedicated" in _both(request, "cpu_policy") and "require" in _both(
        request, "cpu_thread_policy"
    )


def _both(request: NumaRequest, name: str) -> tuple[str | None, str | None]:
    return request.find_spec(name), request.find_property(name)


def _find_spec(request: NumaRequest, name: str, known: tuple[P, ...]) -> P | None:
    word = request.find_spec(name)
    return None if word is None else _known(spec_key(name), word, known)


def _find_property(request: NumaRequest, name: str, known: tuple[P, ...]) -> P | None:
    word = request.find_property(name)
    return None if word is None else _known(property_key(name), word, known)


def _known(key: str, word: str, known: tuple[P, ...]) -> P:
    for value in known:
        if word == value:
            return value
    choices = ", ".join(f"'{value}'" for value in known)
    raise NumaRequestInvalid(key, f"'{word}' is none of {choices}")
