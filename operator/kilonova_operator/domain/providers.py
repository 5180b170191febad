"""Providers as in Placement: trees, sharing providers, and what they may have."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from kilonova_operator.domain.errors import KilonovaError
from kilonova_operator.domain.inventory import MAX_UNIT, Inventory

SHARING_TRAIT = "MISC_SHARES_VIA_AGGREGATE"
"""A provider with it gives to all providers of its aggregates."""

STANDARD_CLASSES = frozenset(
    {
        "DISK_GB",
        "FPGA",
        "IPV4_ADDRESS",
        "MEMORY_MB",
        "MEM_ENCRYPTION_CONTEXT",
        "NET_BW_EGR_KILOBIT_PER_SEC",
        "NET_BW_IGR_KILOBIT_PER_SEC",
        "NET_PACKET_RATE_EGR_KILOPACKET_PER_SEC",
        "NET_PACKET_RATE_IGR_KILOPACKET_PER_SEC",
        "NET_PACKET_RATE_KILOPACKET_PER_SEC",
        "NUMA_CORE",
        "NUMA_MEMORY_MB",
        "NUMA_SOCKET",
        "NUMA_THREAD",
        "PCI_DEVICE",
        "PCPU",
        "PGPU",
        "SRIOV_NET_VF",
        "VCPU",
        "VGPU",
        "VGPU_DISPLAY_HEAD",
    }
)
"""os-resource-classes 1.1."""

CLASS_CHARACTERS = 64
_MOST = 2**53
"""Larger figures are no longer exact where they meet a ratio."""
_CUSTOM_CLASS = re.compile(r"CUSTOM_[A-Z0-9_]+")
_TRAIT = re.compile(r"[A-Z0-9_]{1,255}")


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider with all that hangs on it. ``root`` is its own name at the top.

    ``is_host``: it is a host's root provider, named as its host.
    """

    name: str
    uuid: str
    generation: int
    root: str
    parent: str | None = None
    is_host: bool = False
    inventories: Mapping[str, Inventory] = field(default_factory=dict)
    used: Mapping[str, int] = field(default_factory=dict)
    traits: frozenset[str] = frozenset()
    aggregates: frozenset[str] = frozenset()

    @property
    def shares(self) -> bool:
        """Whether the members of its aggregates may use it."""
        return SHARING_TRAIT in self.traits


class InventoryInvalid(KilonovaError):
    """An inventory that nothing could be judged by."""

    def __init__(self, provider: str, resource_class: str, problem: str) -> None:
        super().__init__(f"inventory {resource_class} of {provider}: {problem}")


class TraitInvalid(KilonovaError):
    """A trait whose name cannot be one."""

    def __init__(self, provider: str, trait: str) -> None:
        super().__init__(
            f"trait {trait!r} of {provider}: a name has up to 255 characters of "
            "A-Z, 0-9 and _"
        )


def is_resource_class(name: str) -> bool:
    """Tell whether a name is a standard class or a custom one."""
    if name in STANDARD_CLASSES:
        return True
    return len(name) <= CLASS_CHARACTERS and bool(_CUSTOM_CLASS.fullmatch(name))


def check_inventories(provider: str, inventories: Mapping[str, Inventory]) -> None:
    """Refuse inventories that make no sense. A total below what is used does.

    Raises:
        InventoryInvalid
    """
    for name, inventory in inventories.items():
        problem = _find_problem(name, inventory)
        if problem is not None:
            raise InventoryInvalid(provider, name, problem)


def check_traits(provider: str, traits: Iterable[str]) -> None:
    """Refuse what can be no trait.

    Raises:
        TraitInvalid
    """
    for trait in traits:
        if not _TRAIT.fullmatch(trait):
            raise TraitInvalid(provider, trait)


def _find_problem(name: str, inventory: Inventory) -> str | None:
    if not is_resource_class(name):
        return "no resource class: use a standard one, or CUSTOM_ and A-Z, 0-9, _"
    ratio = inventory.allocation_ratio
    if not (math.isfinite(ratio) and ratio > 0):
        return f"allocation ratio {ratio} must be finite and above 0"
    bounds = (
        ("total", 0, _MOST),
        ("reserved", 0, inventory.total),
        ("min_unit", 1, MAX_UNIT),
        ("max_unit", 1, MAX_UNIT),
        ("step_size", 1, MAX_UNIT),
        ("unmanaged", 0, _MOST),
    )
    for figure, least, most in bounds:
        value = getattr(inventory, figure)
        if not least <= value <= most:
            return f"{figure} {value} must be {least} to {most}"
    return None
