"""Where a guest's CPUs and memory go on its host, as its order says it, and back.

Source: nova.virt.libvirt.driver.LibvirtDriver._get_guest_numa_config, Nova 34.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from kilonova_api.compute_host import ComputeHost
from kilonova_api.cpu_set import BadCpuSet, parse_cpu_set
from kilonova_api.guest_numa import CpuPin, GuestNuma, GuestNumaCell
from kilonova_api.instance_spec import InstanceSpec
from kilonova_operator.domain.hosts.cpu_division import list_cpus
from kilonova_operator.domain.hosts.host_cells import find_cells
from kilonova_operator.domain.scheduling.numa.constraints import find_guest_topology
from kilonova_operator.domain.scheduling.numa.cpu_mask import CpuMask, mask_of
from kilonova_operator.domain.scheduling.numa.cpu_spec import (
    format_cpu_spec,
    parse_cpu_spec,
)
from kilonova_operator.domain.scheduling.numa.guest import (
    EmulatorPolicy,
    NumaPlacement,
    PlacedCell,
)
from kilonova_operator.domain.scheduling.numa.request import (
    NumaRequest,
    NumaRequestInvalid,
)


@dataclass(frozen=True, slots=True)
class GuestCpus:
    """What an order says: the CPUs of a guest without cells, or its cells."""

    cpu_set: str | None = None
    numa: GuestNuma | None = None


def tells_cpus(host: ComputeHost, placement: NumaPlacement | None) -> bool:
    """Tell whether a host says all that matters: one made anew says nothing yet."""
    matters = placement is not None or host.spec.cpu is not None
    return host.status.agent is not None or not matters


def build_guest_cpus(placement: NumaPlacement | None, host: ComputeHost) -> GuestCpus:
    """Return where a guest runs on its host, which ``tells_cpus``.

    A guest without cells runs on the shared CPUs, where an admin set some apart;
    one with cells where its claim says, and its CPUs that are not pinned on the
    shared ones of their host cell.
    """
    shared = _find_shared(host)
    if placement is None:
        return GuestCpus(cpu_set=_text(shared))
    topology = find_cells(host)
    cells = () if topology is None else topology.cells
    floating = {cell.number: cell.shared for cell in cells}
    emulator = _find_emulator_cpus(placement, floating, shared=shared)
    return GuestCpus(
        numa=GuestNuma(
            cells=tuple(_build_cell(cell, floating) for cell in placement.cells),
            emulator_cpus=_text(emulator),
        )
    )


def read_placement(spec: InstanceSpec) -> NumaPlacement | None:
    """Return the claim's place that an order was built of; None without cells."""
    numa = spec.numa
    if numa is None:
        return None
    request = NumaRequest(
        spec.flavor.vcpus,
        spec.flavor.ram_mib,
        spec.flavor.extra_specs,
        spec.image.properties,
    )
    try:
        asked = find_guest_topology(request)
    except NumaRequestInvalid:  # by the rules of now; the guest runs all the same
        asked = None
    emulator_policy = None if asked is None else asked.emulator_policy
    return NumaPlacement(
        cells=tuple(
            _read_cell(cell, _find_reserved(numa, number, emulator_policy))
            for number, cell in enumerate(numa.cells)
        ),
        cpu_policy=None if asked is None else asked.cpu_policy,
        thread_policy=None if asked is None else asked.thread_policy,
        emulator_policy=emulator_policy,
    )


def _find_shared(host: ComputeHost) -> CpuMask:
    """Return the CPUs an admin set apart to be shared, as far as they are there."""
    if host.spec.cpu is None or host.status.agent is None:
        return 0
    try:
        wanted = parse_cpu_set(host.spec.cpu.shared_set or "")
    except BadCpuSet:
        return 0
    return mask_of(wanted & list_cpus(host.status.agent))


def _build_cell(cell: PlacedCell, floating: dict[int, CpuMask]) -> GuestNumaCell:
    pinned = mask_of(vcpu for vcpu, _ in cell.pins)
    on = floating.get(cell.host_cell, 0) if cell.shared else 0
    return GuestNumaCell(
        host_cell=cell.host_cell,
        memory_mib=cell.memory_mib,
        vcpus=_text(cell.shared | pinned),
        pins=tuple(CpuPin(vcpu=vcpu, host_cpu=cpu) for vcpu, cpu in sorted(cell.pins)),
        float_on=_text(on),
        page_size_kib=cell.page_size_kib,
    )


def _find_emulator_cpus(
    placement: NumaPlacement, floating: dict[int, CpuMask], *, shared: CpuMask
) -> CpuMask:
    """Return where the emulator's own threads run.

    On the CPU that was reserved for them, or on shared ones if the flavor says so
    and there are some, or else wherever the guest's CPUs run.
    """
    if placement.emulator_policy == "isolate":
        return _union(cell.reserved for cell in placement.cells)
    if placement.emulator_policy == "share" and shared:
        return shared
    return _union(
        mask_of(cpu for _, cpu in cell.pins)
        | (floating.get(cell.host_cell, 0) if cell.shared else 0)
        for cell in placement.cells
    )


def _find_reserved(
    numa: GuestNuma, number: int, policy: EmulatorPolicy | None
) -> CpuMask:
    """Return the CPU reserved for the emulator: always beside the first cell."""
    if policy != "isolate" or number != 0:
        return 0
    return parse_cpu_spec(numa.emulator_cpus or "")


def _read_cell(cell: GuestNumaCell, reserved: CpuMask) -> PlacedCell:
    pins = tuple((pin.vcpu, pin.host_cpu) for pin in cell.pins)
    pinned = mask_of(vcpu for vcpu, _ in pins)
    return PlacedCell(
        host_cell=cell.host_cell,
        memory_mib=cell.memory_mib,
        shared=parse_cpu_spec(cell.vcpus or "") & ~pinned,
        pins=pins,
        reserved=reserved,
        page_size_kib=cell.page_size_kib,
    )


def _union(masks: Iterable[CpuMask]) -> CpuMask:
    whole = 0
    for mask in masks:
        whole |= mask
    return whole


def _text(cpus: CpuMask) -> str | None:
    return format_cpu_spec(cpus) if cpus else None
