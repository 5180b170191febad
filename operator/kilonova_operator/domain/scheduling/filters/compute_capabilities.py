"""ComputeCapabilitiesFilter: extra specs that ask for qualities of the host."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kilonova_operator.domain.inventory import DISK_GB, MEMORY_MB, VCPU
from kilonova_operator.domain.scheduling.columns import BoolArray, IntArray
from kilonova_operator.domain.scheduling.extra_spec_match import satisfies
from kilonova_operator.domain.scheduling.free import (
    free_disk_mb,
    free_ram_mb,
)
from kilonova_operator.domain.scheduling.profile import CapabilityProfile
from kilonova_operator.domain.scheduling.request import BuildRequest, RequestClass
from kilonova_operator.domain.scheduling.rows import HostRows

_SCOPE = "capabilities"
_MB_PER_GB = 1024

_NUMBERS: Mapping[str, Callable[[HostRows], IntArray]] = {
    "free_ram_mb": free_ram_mb,
    "total_usable_ram_mb": lambda hosts: hosts.amount("total", MEMORY_MB),
    "free_disk_mb": free_disk_mb,
    "total_usable_disk_gb": lambda hosts: hosts.amount("total", DISK_GB),
    "disk_mb_used": lambda hosts: hosts.taken(DISK_GB) * _MB_PER_GB,
    "vcpus_total": lambda hosts: hosts.amount("total", VCPU),
    "vcpus_used": lambda hosts: hosts.taken(VCPU),
    "num_instances": lambda hosts: hosts.number("claims"),
    "hypervisor_version": lambda hosts: hosts.number("hypervisor_version"),
}
"""Attributes of Nova's HostState that are numbers."""

_QUALITIES: Mapping[str, Callable[[CapabilityProfile], Any]] = {
    "cpu_info": lambda profile: profile.cpu_info,
    "hypervisor_type": lambda profile: profile.hypervisor_type,
    "supported_instances": lambda profile: [
        list(guest) for guest in profile.supported_instances
    ],
}
"""Attributes that many hosts share."""


class ComputeCapabilitiesFilter:
    """Pass hosts whose attributes satisfy every ``capabilities:`` extra spec.

    A key without a scope counts where it names an attribute.
    Source: nova.scheduler.filters.compute_capabilities_filter, Nova 34.
    """

    name = "ComputeCapabilitiesFilter"
    runs_on_rebuild = False

    def understands(self, extra_spec: str) -> bool:
        """Claim scoped keys, and unscoped ones that name an attribute."""
        scope, *path = extra_spec.split(":")
        if not path:
            return scope in _NUMBERS or scope in _QUALITIES
        return scope == _SCOPE

    def applies(self, asked: RequestClass) -> bool:
        """Look only where an extra spec asks for something."""
        return bool(self._asked(asked))

    def mask(self, hosts: HostRows, asked: RequestClass) -> BoolArray:
        """Pass hosts that satisfy each requirement."""
        passes = hosts.pass_all()
        for key, requirement in self._asked(asked).items():
            passes &= _satisfying(hosts, key.split(":"), requirement)
        return passes

    def explain(self, request: BuildRequest) -> str:
        """List the requirements."""
        asked = self._asked(request.asked).items()
        wanted = ", ".join(f"{key} {requirement}" for key, requirement in asked)
        return f"The flavor asks for {wanted}."

    def _asked(self, asked: RequestClass) -> dict[str, str]:
        return {
            key.removeprefix(f"{_SCOPE}:"): requirement
            for key, requirement in asked.extra_specs
            if self.understands(key)
        }


def _satisfying(hosts: HostRows, path: list[str], requirement: str) -> BoolArray:
    attribute, *rest = path
    if attribute in _NUMBERS and not rest:
        values, where = np.unique(_NUMBERS[attribute](hosts), return_inverse=True)
        judged = [satisfies(str(value), requirement) for value in values.tolist()]
        return np.array(judged, np.bool_)[where]
    quality = _QUALITIES.get(attribute)
    if quality is None:
        return np.zeros(len(hosts), np.bool_)
    return hosts.by_profile(
        lambda profile: _satisfied(quality(profile), rest, requirement)
    )


def _satisfied(value: Any, path: list[str], requirement: str) -> bool:
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    return value is not None and satisfies(str(value), requirement)
