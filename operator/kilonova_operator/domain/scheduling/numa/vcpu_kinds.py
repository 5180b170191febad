"""Which of a guest's CPUs are dedicated, and by which policies.

Source: the first half of nova.virt.hardware.numa_get_constraints, Nova 34.
"""

import re
from dataclasses import dataclass

from kilonova_operator.domain.scheduling.numa.cpu_mask import CpuMask, first_cpus
from kilonova_operator.domain.scheduling.numa.cpu_spec import (
    format_cpu_spec,
    parse_cpu_mask,
)
from kilonova_operator.domain.scheduling.numa.guest import (
    CpuPolicy,
    EmulatorPolicy,
    ThreadPolicy,
)
from kilonova_operator.domain.scheduling.numa.policies import (
    find_cpu_policy,
    find_emulator_policy,
    find_thread_policy,
)
from kilonova_operator.domain.scheduling.numa.request import (
    NumaRequest,
    NumaRequestInvalid,
    property_key,
    read_truth,
    read_word,
    spec_key,
)

_AMOUNT = re.compile(r"resources(?:[1-9][0-9]*)?:(?P<kind>[VP]CPU)")
_THREADS_TRAIT = "HW_CPU_HYPERTHREADING"
_TRAIT = re.compile(rf"trait(?:[1-9][0-9]*)?:{_THREADS_TRAIT}")


@dataclass(frozen=True, slots=True)
class VcpuKinds:
    """The guest's dedicated CPUs, and the policies that go with them."""

    cpu_policy: CpuPolicy | None
    thread_policy: ThreadPolicy | None
    emulator_policy: EmulatorPolicy | None
    dedicated: CpuMask


def find_vcpu_kinds(request: NumaRequest) -> VcpuKinds:
    """Read all that flavor and image say of CPUs, and check that it goes together.

    Raises:
        NumaRequestInvalid: a word is bad, or two contradict each other.
    """
    emulator_policy = find_emulator_policy(request)
    cpu_policy = _with_amounts(request, find_cpu_policy(request), emulator_policy)
    thread_policy = _with_trait(request, find_thread_policy(request))
    realtime = _find_realtime_cpus(request, emulator_policy)
    masked = _find_masked_cpus(request)
    if cpu_policy in (None, "shared"):
        _check_shared(thread_policy, emulator_policy, realtime)
    if masked and cpu_policy != "mixed":
        key = spec_key("cpu_dedicated_mask")
        raise NumaRequestInvalid(key, "only goes with hw:cpu_policy 'mixed'")
    return VcpuKinds(
        cpu_policy,
        thread_policy,
        emulator_policy,
        _dedicated(request.vcpus, cpu_policy, masked, realtime),
    )


def _dedicated(
    vcpus: int, policy: CpuPolicy | None, masked: CpuMask, realtime: CpuMask
) -> CpuMask:
    if policy == "dedicated":
        return first_cpus(vcpus)
    if policy != "mixed":
        return 0
    if bool(masked) == bool(realtime):
        raise NumaRequestInvalid(
            spec_key("cpu_policy"),
            "'mixed' needs hw:cpu_dedicated_mask or hw:cpu_realtime with its mask, "
            "one of the two",
        )
    return masked or realtime


def _check_shared(
    thread_policy: ThreadPolicy | None,
    emulator_policy: EmulatorPolicy | None,
    realtime: CpuMask,
) -> None:
    needs_dedicated = {
        "cpu_thread_policy": bool(thread_policy),
        "emulator_threads_policy": emulator_policy == "isolate",
        "cpu_realtime": bool(realtime),
    }
    for name, asked in needs_dedicated.items():
        if asked:
            raise NumaRequestInvalid(
                spec_key(name), "needs hw:cpu_policy 'dedicated' or 'mixed'"
            )


def _find_masked_cpus(request: NumaRequest) -> CpuMask:
    mask = request.find_spec("cpu_dedicated_mask")
    if mask is None:
        return 0
    key, everything = spec_key("cpu_dedicated_mask"), first_cpus(request.vcpus)
    masked = read_word(key, mask, lambda word: parse_cpu_mask(word, request.vcpus))
    _check_within(key, masked, request.vcpus)
    if masked in (0, everything):
        raise NumaRequestInvalid(
            key, f"'{mask}' must leave dedicated CPUs and shared ones"
        )
    return masked


def _find_realtime_cpus(
    request: NumaRequest, emulator_policy: EmulatorPolicy | None
) -> CpuMask:
    if not read_truth(request.find_spec("cpu_realtime") or ""):
        return 0
    everything = first_cpus(request.vcpus)
    of_image = request.find_property("cpu_realtime_mask")
    mask = of_image or request.find_spec("cpu_realtime_mask")
    key = (property_key if of_image else spec_key)("cpu_realtime_mask")
    cpus = everything
    if mask:
        cpus = read_word(key, mask, lambda word: parse_cpu_mask(word, request.vcpus))
    _check_within(key, cpus, request.vcpus)
    if not cpus or (cpus == everything and not emulator_policy):
        raise NumaRequestInvalid(
            key,
            "must leave some CPUs realtime and others not, unless "
            "hw:emulator_threads_policy gives the emulator a place",
        )
    return cpus


def _check_within(key: str, cpus: CpuMask, vcpus: int) -> None:
    beyond = cpus & ~first_cpus(vcpus)
    if beyond:
        raise NumaRequestInvalid(
            key, f"the guest has {vcpus} CPUs, and no CPU {format_cpu_spec(beyond)}"
        )


def _with_amounts(
    request: NumaRequest,
    policy: CpuPolicy | None,
    emulator_policy: EmulatorPolicy | None,
) -> CpuPolicy | None:
    asked = _asked_amounts(request)
    vcpu, pcpu = asked["VCPU"], asked["PCPU"]
    if not (vcpu or pcpu):
        return policy
    key = "resources:PCPU" if pcpu else "resources:VCPU"
    if policy:
        raise NumaRequestInvalid(key, "does not go with hw:cpu_policy; use one")
    if vcpu and pcpu:
        raise NumaRequestInvalid(key, "does not go with resources:VCPU; use one")
    if vcpu:
        return "shared"
    wanted = request.vcpus + (emulator_policy == "isolate")
    if pcpu != wanted:
        raise NumaRequestInvalid(key, f"is {pcpu}, but this guest takes {wanted}")
    return "dedicated"


def _asked_amounts(request: NumaRequest) -> dict[str, int]:
    asked = {"VCPU": 0, "PCPU": 0}
    for key, word in request.extra_specs.items():
        found = _AMOUNT.fullmatch(key)
        if found:
            # What is no number is told where all resources are read.
            asked[found["kind"]] += int(word) if _is_number(word) else 0
    return asked


def _is_number(word: str) -> bool:
    try:
        int(word)
    except ValueError:
        return False
    return True


def _with_trait(
    request: NumaRequest, policy: ThreadPolicy | None
) -> ThreadPolicy | None:
    trait = _find_threads_trait(request)
    if not trait:
        return policy
    if policy:
        raise NumaRequestInvalid(
            f"trait:{_THREADS_TRAIT}", "does not go with hw:cpu_thread_policy; use one"
        )
    by_trait: dict[str, ThreadPolicy] = {"forbidden": "isolate", "required": "require"}
    return by_trait.get(trait)


def _find_threads_trait(request: NumaRequest) -> str | None:
    for key, word in request.extra_specs.items():
        if _TRAIT.fullmatch(key):
            return word
    if request.image_properties.get(f"trait:{_THREADS_TRAIT}") == "required":
        return "required"
    return None
