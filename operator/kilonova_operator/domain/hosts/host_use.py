"""What is used of a host, in the words of ``kubectl get``."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kilonova_api.instance import Instance
from kilonova_operator.domain.inventory import MEMORY_MB, PCPU, VCPU, Inventory

_MIB_PER_GIB = 1024


@dataclass(frozen=True, slots=True)
class HostUse:
    """Counts that a host's status shows."""

    servers: int
    vcpus: str | None
    memory: str | None


def build_host_use(
    instances: Iterable[Instance], inventories: Mapping[str, Inventory]
) -> HostUse:
    """Count the host's Instances against what it can give."""
    sizes = [instance.spec.flavor for instance in instances]
    memory = inventories[MEMORY_MB]
    processors = [inventories[c] for c in (VCPU, PCPU) if c in inventories]
    strangers = sum(kind.unmanaged for kind in processors)
    vcpus = sum(size.vcpus for size in sizes) + strangers
    ram_mib = sum(size.ram_mib for size in sizes) + memory.unmanaged
    return HostUse(
        servers=len(sizes),
        vcpus=f"{vcpus}/{sum(int(kind.capacity) for kind in processors)}",
        memory=f"{_gib(ram_mib)}/{_gib(memory.capacity)}Gi",
    )


def _gib(mib: float) -> str:
    """Return GiB with one decimal where it says something: 0.5, 10, 62."""
    gib = mib / _MIB_PER_GIB
    return f"{gib:.1f}".removesuffix(".0") if gib < 10 else f"{gib:.0f}"
