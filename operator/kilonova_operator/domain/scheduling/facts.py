"""What a ComputeHost says of a host, as the scheduler keeps it."""

import re
from dataclasses import dataclass, field
from typing import Any

from kilonova_api.compute_host import ComputeHost
from kilonova_api.host_report import AgentReport
from kilonova_operator.domain.hosts.traits import build_host_traits
from kilonova_operator.domain.scheduling.aggregates import (
    NO_AGGREGATES,
    AggregateSet,
)
from kilonova_operator.domain.scheduling.metrics import HostMetric, build_metrics
from kilonova_operator.domain.scheduling.profile import CapabilityProfile

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_STEP = 1_000_000


@dataclass(frozen=True, slots=True)
class HostFacts:
    """Everything but amounts, which come from the API database.

    ``address``: the host's own, by which SimpleCIDRAffinityFilter judges.
    """

    host: str
    cell: str | None = None
    zone: str | None = None
    up: bool = False
    held: bool = True
    agent_version: str = ""
    profile: CapabilityProfile = field(default_factory=CapabilityProfile)
    aggregates: AggregateSet = NO_AGGREGATES
    traits: frozenset[str] = frozenset()
    metrics: tuple[Any, ...] = ()
    address: str = ""


def build_host_facts(
    host: ComputeHost, aggregates: AggregateSet = NO_AGGREGATES, *, address: str = ""
) -> HostFacts:
    """Take the facts from a ComputeHost; one without a report is never chosen."""
    status = host.status
    return HostFacts(
        host=host.metadata.name,
        cell=status.cell,
        zone=status.zone,
        up=status.state == "Up",
        held=status.scheduling != "Enabled" or status.agent is None,
        agent_version=status.agent.agent_version if status.agent else "",
        profile=build_profile(status.agent),
        aggregates=aggregates,
        traits=build_host_traits(host),
        metrics=_take_metrics(status.agent),
        address=address,
    )


def build_profile(report: AgentReport | None) -> CapabilityProfile:
    """Take CPU and hypervisor from the agent's report."""
    if report is None:
        return CapabilityProfile()
    cpu = report.cpu
    return CapabilityProfile(
        arch=cpu.arch if cpu else "",
        cpu_model=cpu.model if cpu else "",
        cpu_vendor=cpu.vendor if cpu else "",
        cpu_features=tuple(sorted(cpu.features)) if cpu else (),
        hypervisor_type=report.hypervisor_type,
        hypervisor_version=report.hypervisor_version,
        virt_type=report.virt_type or "",
        maxphysaddr_bits=(cpu.address_bits if cpu else None) or 0,
    )


def _take_metrics(report: AgentReport | None) -> tuple[HostMetric, ...]:
    found = () if report is None else report.metrics
    return build_metrics(HostMetric(metric.name, metric.value) for metric in found)


def version_number(version: str) -> int:
    """Return a version as a number that sorts like it; 0 for what is none."""
    found = _VERSION.match(version)
    if found is None:
        return 0
    major, minor, micro = (int(part) for part in found.groups())
    return (major * _STEP + minor) * _STEP + micro
