"""What a build asks of a host."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from kilonova_api.flavor import FlavorSize
from kilonova_operator.domain.inventory import DISK_GB, MEMORY_MB, VCPU

_MIB_PER_GIB = 1024


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """One guest that needs a host.

    ``ignored_hosts``: hosts that already failed this build. ``forced_host``: an
    admin's choice; pre-filters and capacity still hold, filters do not.
    """

    amounts: Mapping[str, int]
    extra_specs: Mapping[str, str] = field(default_factory=dict)
    image_properties: Mapping[str, str] = field(default_factory=dict)
    min_agent_version: str = "0.0.0"
    ignored_hosts: frozenset[str] = frozenset()
    forced_host: str | None = None
    cell: str | None = None
    rebuild: bool = False


def build_amounts(flavor: FlavorSize) -> dict[str, int]:
    """Return what a flavor takes of a host; nothing that is zero is asked for.

    Swap counts in whole GiB, rounded up.
    Source: nova.scheduler.utils.resources_from_flavor, Nova 34.
    """
    swap_gib = -(-flavor.swap_mib // _MIB_PER_GIB)
    amounts = {
        VCPU: flavor.vcpus,
        MEMORY_MB: flavor.ram_mib,
        DISK_GB: flavor.root_gib + flavor.ephemeral_gib + swap_gib,
    }
    return {name: amount for name, amount in amounts.items() if amount}
