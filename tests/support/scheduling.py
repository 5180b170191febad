"""Hosts for the scheduler, by what they have."""

from collections.abc import Mapping
from dataclasses import fields, replace
from random import Random

from kilonova_operator.domain.inventory import (
    DISK_GB,
    MEMORY_MB,
    VCPU,
    Inventory,
    ProviderView,
)
from kilonova_operator.domain.scheduling.columns import HostColumns
from kilonova_operator.domain.scheduling.defaults import build_default_rules
from kilonova_operator.domain.scheduling.facts import HostFacts
from kilonova_operator.domain.scheduling.profile import CapabilityProfile
from kilonova_operator.domain.scheduling.request import (
    BuildRequest,
    RequestClass,
    sort_pairs,
)
from kilonova_operator.domain.scheduling.scheduler import Scheduler

X86 = CapabilityProfile(
    arch="x86_64",
    cpu_model="Skylake",
    cpu_vendor="Intel",
    cpu_features=("aes", "avx2"),
    hypervisor_type="QEMU",
    hypervisor_version=7_002_000,
    virt_type="qemu",
)


def made_request(
    amounts: Mapping[str, int] | None = None, **changes: object
) -> BuildRequest:
    """Build a request; changes of its class or of itself, by name."""
    wanted = amounts or {VCPU: 1, MEMORY_MB: 2048, DISK_GB: 20}
    own = {f.name for f in fields(BuildRequest)} & changes.keys()
    asked = {name: value for name, value in changes.items() if name not in own}
    for name in ("extra_specs", "image_properties"):
        if isinstance(given := asked.get(name), dict):
            asked[name] = sort_pairs(given)
    return BuildRequest(
        RequestClass(tuple(wanted.items()), **asked),  # type: ignore[arg-type]
        **{name: changes[name] for name in own},  # type: ignore[arg-type]
    )


SMALL = made_request()


def made_scheduler(
    columns: HostColumns, *, seed: int = 1, **changes: object
) -> Scheduler:
    """Build a scheduler with the default rules."""
    rules = replace(build_default_rules(), **changes)  # type: ignore[arg-type]
    return Scheduler(rules, columns, random=Random(seed))


def made_facts(host: str, **changes: object) -> HostFacts:
    values = {
        "host": host,
        "cell": "cell1",
        "up": True,
        "held": False,
        "agent_version": "1.2.3",
        "profile": X86,
    }
    return HostFacts(**(values | changes))  # type: ignore[arg-type]


def made_view(
    host: str,
    *,
    vcpus: int = 16,
    memory_mb: int = 32768,
    disk_gb: int = 500,
    used: tuple[int, int, int] = (0, 0, 0),
    generation: int = 1,
    claims: int = 0,
) -> ProviderView:
    return ProviderView(
        host=host,
        cell="cell1",
        generation=generation,
        inventories={
            VCPU: Inventory(vcpus, allocation_ratio=4.0, max_unit=vcpus),
            MEMORY_MB: Inventory(memory_mb, reserved=512, max_unit=memory_mb),
            DISK_GB: Inventory(disk_gb, max_unit=disk_gb),
        },
        used=dict(zip((VCPU, MEMORY_MB, DISK_GB), used, strict=True)),
        claims=claims,
    )


def made_columns(*pairs: tuple[HostFacts, ProviderView]) -> HostColumns:
    columns = HostColumns()
    for facts, view in pairs:
        columns.set_facts(facts)
        columns.set_provider(view)
    return columns


def equal_hosts(count: int) -> HostColumns:
    names = [f"hv{number}" for number in range(count)]
    return made_columns(*((made_facts(name), made_view(name)) for name in names))
