"""From what is known of the host to ``ComputeHost.status.agent``. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import ValidationError

from kilonova_agent.drivers.base import Guest, HostCell, HostInventory
from kilonova_api.cpu_set import format_cpu_set
from kilonova_api.host_report import (
    MAX_NUMA_CELLS,
    MAX_UNKNOWN_ADDRESSES,
    AgentReport,
    CpuReport,
    MonitorMetric,
    NumaCell,
    PagePool,
)
from kilonova_api.meta import Condition
from kilonova_api.page_size import format_page_size

_BYTES_PER_GIB = 1024**3


@dataclass(frozen=True, slots=True)
class HostIdentity:
    """Who this host is."""

    host_id: str
    boot_id: str
    node_uid: str
    agent_version: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something wrong with the host; the type of a condition that is True."""

    type: str
    message: str


@dataclass(frozen=True, slots=True)
class HostFindings:
    """What was found. What cannot be read now is None."""

    inventory: HostInventory | None
    disk_bytes: int
    unknown: tuple[Guest, ...] | None
    troubles: tuple[Trouble, ...]
    unknown_addresses: frozenset[str] = frozenset()
    metrics: tuple[MonitorMetric, ...] | None = ()


def find_unknown(guests: Iterable[Guest], known: Iterable[str]) -> tuple[Guest, ...]:
    """List the living guests that no Instance speaks of, ours or not."""
    names = set(known)
    return tuple(g for g in guests if not g.power.is_off and g.uuid not in names)


def build_report(
    identity: HostIdentity,
    findings: HostFindings,
    *,
    last: AgentReport | None,
    generation: int,
    now: datetime,
) -> AgentReport:
    """Build the report; what cannot be read now stays as last reported."""
    report = _start_from(identity, last)
    changes: dict[str, object] = {
        "disk_gib": findings.disk_bytes // _BYTES_PER_GIB,
        "observed_generation": generation,
        "conditions": tuple(_build_conditions(findings.troubles, last, now)),
    }
    if findings.inventory is not None:
        changes |= _from_inventory(findings.inventory)
    if findings.metrics is not None:
        changes["metrics"] = findings.metrics
    if findings.unknown is not None:
        changes |= {
            "unknown_domains": len(findings.unknown),
            "unknown_vcpus": sum(guest.vcpus for guest in findings.unknown),
            "unknown_memory_mib": sum(guest.memory_mib for guest in findings.unknown),
            "unknown_addresses": tuple(
                sorted(findings.unknown_addresses)[:MAX_UNKNOWN_ADDRESSES]
            ),
        }
    return report.model_copy(update=changes)


def _start_from(identity: HostIdentity, last: AgentReport | None) -> AgentReport:
    fresh = AgentReport(
        host_id=identity.host_id,
        boot_id=identity.boot_id,
        node_uid=identity.node_uid,
        agent_version=identity.agent_version,
    )
    if last is None or last.host_id != identity.host_id:
        return fresh
    kept = fresh.model_dump(include={"host_id", "boot_id", "node_uid", "agent_version"})
    return last.model_copy(update=kept)


def _from_inventory(inventory: HostInventory) -> dict[str, object]:
    return {
        "hypervisor_type": inventory.hypervisor_type,
        "hypervisor_version": inventory.hypervisor_version,
        "libvirt_version": inventory.libvirt_version,
        "virt_type": inventory.virt_type,
        "cpu": CpuReport(
            arch=inventory.arch,
            model=inventory.cpu_model,
            vendor=inventory.cpu_vendor,
            cores=inventory.cores,
            features=inventory.cpu_features,
            address_bits=inventory.address_bits,
        ),
        "memory_mib": inventory.memory_mib,
        "numa_cells": _build_cells(inventory.numa_cells),
    }


def _build_cells(cells: Sequence[HostCell]) -> tuple[NumaCell, ...]:
    """Say what the host's cells are; all of them or none.

    A host that is larger than the API has room for is one without cells: part
    of them would be taken for the whole.
    """
    if len(cells) > MAX_NUMA_CELLS:
        return ()
    try:
        return tuple(_build_cell(cell) for cell in cells)
    except ValidationError:
        return ()


def _build_cell(cell: HostCell) -> NumaCell:
    pools = (
        PagePool(size=format_page_size(kib), total=total)
        for kib, total in sorted(cell.pages.items())
    )
    return NumaCell(
        id=cell.id,
        cpus=format_cpu_set(cell.cpus),
        siblings=tuple(format_cpu_set(core) for core in cell.cores if len(core) > 1),
        socket=cell.socket,
        memory_mib=cell.memory_mib,
        page_pools=tuple(pools),
    )


def _build_conditions(
    troubles: tuple[Trouble, ...], last: AgentReport | None, now: datetime
) -> Iterable[Condition]:
    ready = not troubles
    yield _build_condition(
        last,
        type_="Ready",
        status="True" if ready else "False",
        reason="Ready" if ready else troubles[0].type,
        message="The host takes guests." if ready else troubles[0].message,
        now=now,
    )
    for trouble in troubles:
        yield _build_condition(
            last,
            type_=trouble.type,
            status="True",
            reason=trouble.type,
            message=trouble.message,
            now=now,
        )


def _build_condition(
    last: AgentReport | None,
    *,
    type_: str,
    status: Literal["True", "False"],
    reason: str,
    message: str,
    now: datetime,
) -> Condition:
    conditions = last.conditions if last else ()
    old = next((c for c in conditions if c.type == type_), None)
    same = old is not None and old.status == status
    return Condition(
        type=type_,
        status=status,
        last_transition_time=old.last_transition_time if old and same else now,
        reason=reason,
        message=message,
    )
