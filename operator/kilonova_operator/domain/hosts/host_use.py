"""What is used of a host, in the words of ``kubectl get``."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kilonova_api.instance import Instance
from kilonova_operator.domain.inventory import MEMORY_MB, VCPU, Inventory

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
    vcpu, memory = inventories[VCPU], inventories[MEMORY_MB]
    vcpus = sum(size.vcpus for size in sizes) + vcpu.unmanaged
    ram_mib = sum(size.ram_mib for size in sizes) + memory.unmanaged
    return HostUse(
        servers=len(sizes),
        vcpus=f"{vcpus}/{int(vcpu.capacity)}",
        memory=f"{_gib(ram_mib)}/{_gib(memory.capacity)}Gi",
    )


def _gib(mib: float) -> str:
    """Return GiB with one decimal where it says something: 0.5, 10, 62."""
    gib = mib / _MIB_PER_GIB
    return f"{gib:.1f}".removesuffix(".0") if gib < 10 else f"{gib:.0f}"
