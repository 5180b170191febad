"""From an order to the tuning of its guest.

Source: nova.virt.libvirt.driver._get_guest_numa_config,
_get_guest_memory_backing_config and _update_guest_cputune, Nova 34. Deviation: no
I/O threads are defined, so none are pinned.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from kilonova_agent.domain.cpu_topology import choose_topology
from kilonova_agent.domain.faults import CpuUnavailable, MachineImpossible
from kilonova_agent.domain.tuning import Cpus, CpuShare, GuestCell, GuestTuning
from kilonova_api.cpu_set import BadCpuSet, format_cpu_set, parse_cpu_set
from kilonova_api.guest_numa import GuestNuma, GuestNumaCell
from kilonova_api.instance_spec import InstanceSpec

_TRUE = frozenset({"1", "t", "true", "on", "y", "yes"})


def build_tuning(spec: InstanceSpec) -> GuestTuning:
    """Build the tuning that an order asks for.

    Raises:
        MachineImpossible: the order contradicts itself, or its flavor and image do.
        CpuUnavailable: the emulator of a realtime guest has no place here.
    """
    extra_specs, properties = spec.flavor.extra_specs, spec.image.properties
    topology = choose_topology(spec.flavor.vcpus, extra_specs, properties)
    shared = None if spec.cpu_set is None else parse_cpu_set(spec.cpu_set)
    tuning = GuestTuning(
        cpu_set=shared,
        realtime=_find_realtime(spec.flavor.vcpus, extra_specs, properties),
        locked=_is_true(extra_specs.get("hw:locked_memory"))
        or _is_true(properties.get("hw_locked_memory")),
        share=_read_share(extra_specs),
        topology=None if topology.is_plain else topology,
    )
    if spec.numa is None:
        return tuning
    return _place(tuning, spec, spec.numa)


def _place(tuning: GuestTuning, spec: InstanceSpec, numa: GuestNuma) -> GuestTuning:
    cells = tuple(_build_cell(cell) for cell in numa.cells)
    _check_cells(cells, spec)
    pins: dict[int, Cpus] = {}
    for number, cell in enumerate(numa.cells):
        pins |= _build_pins(number, cell, cells[number].vcpus, tuning.cpu_set)
    return GuestTuning(
        cells=cells,
        pins=dict(sorted(pins.items())),
        emulator=_find_emulator(numa, pins, tuning.realtime),
        realtime=tuning.realtime,
        locked=tuning.locked,
        share=tuning.share,
        topology=tuning.topology,
    )


def _build_cell(cell: GuestNumaCell) -> GuestCell:
    return GuestCell(
        host_cell=cell.host_cell,
        memory_mib=cell.memory_mib,
        vcpus=parse_cpu_set(cell.vcpus or ""),
        page_size_kib=cell.page_size_kib,
    )


def _check_cells(cells: Iterable[GuestCell], spec: InstanceSpec) -> None:
    """Check that the cells are the whole guest, and each part of it once."""
    placed = Counter(vcpu for cell in cells for vcpu in cell.vcpus)
    if placed != Counter(range(spec.flavor.vcpus)):
        raise MachineImpossible(
            f"spec.numa places processors {format_cpu_set(frozenset(placed))} of a "
            f"guest of {spec.flavor.vcpus}: each must be in one cell"
        )
    memory_mib = sum(cell.memory_mib for cell in cells)
    if memory_mib != spec.flavor.ram_mib:
        raise MachineImpossible(
            f"spec.numa places {memory_mib} MiB of a guest of {spec.flavor.ram_mib}"
        )


def _build_pins(
    number: int, cell: GuestNumaCell, vcpus: Cpus, shared: Cpus | None
) -> Mapping[int, Cpus]:
    """Return the place of each processor: never the whole host for want of one."""
    pins = {pin.vcpu: frozenset({pin.host_cpu}) for pin in cell.pins}
    strange = pins.keys() - vcpus
    if strange:
        raise MachineImpossible(
            f"spec.numa.cells[{number}] pins processors "
            f"{format_cpu_set(frozenset(strange))}, which are not in the cell"
        )
    others = vcpus - pins.keys()
    floating = parse_cpu_set(cell.float_on) if cell.float_on else shared
    if others and not floating:
        raise MachineImpossible(
            f"spec.numa.cells[{number}] has no place for processors "
            f"{format_cpu_set(others)}: they have neither a pin nor floatOn"
        )
    return pins | dict.fromkeys(others, floating or frozenset())


def _find_emulator(numa: GuestNuma, pins: Mapping[int, Cpus], realtime: Cpus) -> Cpus:
    """Return the emulator's place: never where a realtime processor is pinned."""
    kept_free = _union(pins[vcpu] for vcpu in realtime & pins.keys())
    if numa.emulator_cpus is None:
        given = _union(pins.values())
    else:
        given = parse_cpu_set(numa.emulator_cpus)
    beside = given - kept_free
    if not beside:
        raise CpuUnavailable(
            "all processors of the guest are realtime, and this host has no shared "
            "ones for the emulator's threads. Set spec.cpu.sharedSet of its "
            "ComputeHost, or leave some out by hw:cpu_realtime_mask."
        )
    return beside


def _union(sets: Iterable[Cpus]) -> Cpus:
    return frozenset[int]().union(*sets)


def _find_realtime(
    vcpus: int, extra_specs: Mapping[str, str], properties: Mapping[str, str]
) -> Cpus:
    """Return the guest's processors that are scheduled realtime.

    Source: nova.virt.hardware.get_realtime_cpu_constraint, Nova 34.
    """
    if not _is_true(extra_specs.get("hw:cpu_realtime")):
        return frozenset()
    everything = frozenset(range(vcpus))
    mask = properties.get("hw_cpu_realtime_mask") or extra_specs.get(
        "hw:cpu_realtime_mask"
    )
    if not mask:
        return everything
    if mask.strip().startswith("^"):
        mask = f"0-{vcpus - 1},{mask}"
    try:
        found = parse_cpu_set(mask)
    except BadCpuSet as error:
        raise MachineImpossible(f"cpu_realtime_mask: {error}") from error
    if not found or not found <= everything:
        raise MachineImpossible(
            f'cpu_realtime_mask "{mask}" names none of the guest\'s {vcpus} '
            "processors, or others"
        )
    return found


def _read_share(extra_specs: Mapping[str, str]) -> CpuShare:
    def read(name: str) -> int | None:
        word = extra_specs.get(f"quota:cpu_{name}")
        try:
            return None if word is None else int(word)
        except ValueError:
            raise MachineImpossible(
                f'quota:cpu_{name} is "{word}", and must be a whole number'
            ) from None

    return CpuShare(
        shares=read("shares"),
        period_microseconds=read("period"),
        quota_microseconds=read("quota"),
    )


def _is_true(word: str | None) -> bool:
    return word is not None and word.strip().lower() in _TRUE
