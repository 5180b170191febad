"""What a flavor and an image ask of Placement: amounts and traits.

A flavor's sizes, CPU policies, features, and the ``resources:`` and ``trait:`` keys
that set amounts and traits themselves.
Source: nova.scheduler.utils.ResourceRequest, Nova 34. Where Nova passes over what it
cannot read, it is refused here.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kilonova_api.extra_specs.standard_traits import STANDARD_TRAITS
from kilonova_api.extra_specs.table import STANDARD_RESOURCE_CLASSES
from kilonova_api.flavor import FlavorSize
from kilonova_operator.domain.inventory import DISK_GB, MEMORY_MB, VCPU, sort_amounts
from kilonova_operator.domain.scheduling.feature_traits import (
    MEM_ENCRYPTION_CONTEXT,
    find_feature_traits,
    find_memory_encryption,
)
from kilonova_operator.domain.scheduling.flavor_words import MalformedRequest, Words
from kilonova_operator.domain.scheduling.numa.policies import (
    find_cpu_policy,
    find_emulator_policy,
    find_thread_policy,
)
from kilonova_operator.domain.scheduling.numa.request import NumaRequest
from kilonova_operator.domain.scheduling.numa.vcpu_kinds import find_vcpu_kinds

PCPU = "PCPU"
HYPERTHREADING = "HW_CPU_HYPERTHREADING"
_KEY = re.compile(r"(resources|trait)([a-zA-Z0-9_-]{1,64})?:(.*)")
_CUSTOM = re.compile(r"CUSTOM_[A-Z0-9_]+")
_MOST = 2**31 - 1
_MIB_PER_GIB = 1024


@dataclass(frozen=True, slots=True)
class ResourceRequest:
    """Amounts in judging order, none of them 0, and traits."""

    amounts: tuple[tuple[str, int], ...]
    required_traits: frozenset[str] = frozenset()
    forbidden_traits: frozenset[str] = frozenset()


def build_resource_request(
    size: FlavorSize,
    extra_specs: Mapping[str, str],
    properties: Mapping[str, str],
) -> ResourceRequest:
    """Return what a flavor, all its extra specs, and an image ask for.

    Raises:
        MalformedRequest: a word cannot be read; it names the key.
        NumaRequestInvalid: CPU policies cannot be read, or contradict each other.
    """
    words = Words(extra_specs, properties)
    numa = NumaRequest(size.vcpus, size.ram_mib, extra_specs, properties)
    amounts = dict(_read_amounts(extra_specs))
    amounts |= _pinned_amounts(numa)
    if VCPU not in amounts and PCPU not in amounts:
        amounts[VCPU] = size.vcpus
    amounts.setdefault(MEMORY_MB, size.ram_mib)
    amounts.setdefault(DISK_GB, _disk_gb(size))
    if find_memory_encryption(words):
        amounts[MEM_ENCRYPTION_CONTEXT] = 1
    said = list(_read_traits(extra_specs, properties))
    required = {name for name, word in said if word == "required"}
    forbidden = {name for name, word in said if word == "forbidden"}
    threads = find_thread_policy(numa)
    if threads == "require":
        required.add(HYPERTHREADING)
    elif threads == "isolate":
        forbidden.add(HYPERTHREADING)
    return ResourceRequest(
        amounts=tuple(sort_amounts(amounts)),
        required_traits=find_feature_traits(words) | required,
        forbidden_traits=frozenset(forbidden),
    )


def _disk_gb(size: FlavorSize) -> int:
    """Return root, ephemeral and swap together; swap in whole GiB, rounded up."""
    swap_gib = -(-size.swap_mib // _MIB_PER_GIB)
    return size.root_gib + size.ephemeral_gib + swap_gib


def _read_amounts(extra_specs: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    for key, word, name in _list_keys("resources", extra_specs):
        if name not in STANDARD_RESOURCE_CLASSES and not _CUSTOM.fullmatch(name):
            raise MalformedRequest(
                key,
                f"{name!r} is no resource class: use CUSTOM_ and a name, or one of "
                f"{', '.join(sorted(STANDARD_RESOURCE_CLASSES))}",
            )
        if not word.isascii() or not word.isdigit() or int(word) > _MOST:
            raise MalformedRequest(
                key, f"{word!r} must be a whole number from 0 to {_MOST}"
            )
        yield name, int(word)


def _read_traits(
    extra_specs: Mapping[str, str], properties: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    for key, word, name in _list_keys("trait", extra_specs):
        _check_trait(key, name)
        if word not in ("required", "forbidden"):
            raise MalformedRequest(key, f"{word!r} must be required or forbidden")
        yield name, word
    for key, word, name in _list_keys("trait", properties):
        _check_trait(key, name)
        if word != "required":
            raise MalformedRequest(key, f"{word!r} must be required: it is an image's")
        yield name, word


def _check_trait(key: str, name: str) -> None:
    if name not in STANDARD_TRAITS and not _CUSTOM.fullmatch(name):
        raise MalformedRequest(
            key, f"{name!r} is no trait: use CUSTOM_ and a name, or one of Placement's"
        )


def _list_keys(prefix: str, words: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """List key, word and name of the keys with a prefix."""
    for key, word in words.items():
        found = _KEY.fullmatch(key)
        if found is None or found[1] != prefix:
            continue
        if found[2]:
            raise MalformedRequest(
                key, f"groups such as {found[2]!r} are not supported here; leave it out"
            )
        yield key, word, found[3]


def _pinned_amounts(numa: NumaRequest) -> dict[str, int]:
    """Return VCPU and PCPU where a policy pins CPUs; nothing where none does."""
    policy = find_cpu_policy(numa)
    if policy not in ("dedicated", "mixed"):
        return {}
    pinned = find_vcpu_kinds(numa).dedicated.bit_count()
    emulator = 1 if find_emulator_policy(numa) == "isolate" else 0
    amounts = {PCPU: pinned + emulator}
    if policy == "mixed":
        amounts[VCPU] = numa.vcpus - pinned
    return amounts
