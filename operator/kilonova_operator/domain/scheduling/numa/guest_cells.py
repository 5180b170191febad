"""How a guest's CPUs and memory are split into NUMA cells.

Source: nova.virt.hardware._get_numa_topology_auto and _get_numa_topology_manual,
Nova 34.
"""

from dataclasses import dataclass

from kilonova_operator.domain.scheduling.numa.cpu_mask import CpuMask, first_cpus
from kilonova_operator.domain.scheduling.numa.cpu_spec import (
    format_cpu_spec,
    parse_cpu_spec,
)
from kilonova_operator.domain.scheduling.numa.guest import GuestCell
from kilonova_operator.domain.scheduling.numa.request import (
    NumaRequest,
    NumaRequestInvalid,
    property_key,
    read_list,
    read_whole_number,
    read_word,
    spec_key,
)


@dataclass(frozen=True, slots=True)
class ImageCells:
    """What an image says of cells; read even if nobody asks, as Nova does."""

    nodes: int | None
    cpus: list[CpuMask] | None
    memory_mib: list[int] | None


def read_image_cells(request: NumaRequest) -> ImageCells:
    """Read the image's cells.

    Raises:
        NumaRequestInvalid: a word cannot be read.
    """
    words = request.image_properties
    nodes = request.find_property("numa_nodes")
    return ImageCells(
        nodes=None
        if nodes is None
        else read_word(property_key("numa_nodes"), nodes, read_whole_number),
        cpus=read_list(words, property_key("numa_cpus"), parse_cpu_spec),
        memory_mib=read_list(words, property_key("numa_mem"), read_whole_number),
    )


def find_node_count(request: NumaRequest, image: ImageCells) -> int | None:
    """Return how many cells flavor or image ask for; only one of them may.

    Raises:
        NumaRequestInvalid: both do, or it is no number from 1.
    """
    word = request.find_spec("numa_nodes")
    if word and image.nodes:
        raise _said_twice("numa_nodes")
    if word is None:
        key, nodes = property_key("numa_nodes"), image.nodes
    else:
        key = spec_key("numa_nodes")
        nodes = read_word(key, word, read_whole_number)
    if nodes is not None and (nodes < 1 or (word and str(nodes) != word)):
        raise NumaRequestInvalid(key, f"'{word or nodes}' is no number from 1")
    return nodes


def build_guest_cells(
    request: NumaRequest, *, nodes: int, dedicated: CpuMask, image: ImageCells
) -> tuple[GuestCell, ...]:
    """Split the guest as flavor or image say, else evenly.

    Raises:
        NumaRequestInvalid: it does not come out even, or the parts are not the whole.
    """
    specs = request.extra_specs
    cpus = read_list(specs, spec_key("numa_cpus"), parse_cpu_spec)
    if cpus and image.cpus:
        raise _said_twice("numa_cpus")
    memory = read_list(specs, spec_key("numa_mem"), read_whole_number)
    if memory and image.memory_mib:
        raise _said_twice("numa_mem")
    cpus, memory = cpus or image.cpus, memory or image.memory_mib
    if cpus is None and memory is None:
        cpus, memory = _even_cells(request, nodes)
    elif not (cpus and memory and len(cpus) == len(memory) == nodes):
        raise NumaRequestInvalid(
            spec_key("numa_nodes"),
            f"each of the {nodes} nodes needs its hw:numa_cpus and its hw:numa_mem, "
            "and there may be no more",
        )
    else:
        _check_cpus(request.vcpus, cpus)
        _check_memory(request.memory_mib, memory)
    return tuple(
        GuestCell(memory_mib=mib, shared=mask & ~dedicated, dedicated=mask & dedicated)
        for mask, mib in zip(cpus, memory, strict=True)
    )


def _even_cells(request: NumaRequest, nodes: int) -> tuple[list[CpuMask], list[int]]:
    if request.vcpus % nodes or request.memory_mib % nodes:
        raise NumaRequestInvalid(
            spec_key("numa_nodes"),
            f"{request.vcpus} CPUs and {request.memory_mib} MiB do not split evenly "
            f"into {nodes}; say hw:numa_cpus.N and hw:numa_mem.N",
        )
    each = request.vcpus // nodes
    cpus = [first_cpus(each) << node * each for node in range(nodes)]
    return cpus, [request.memory_mib // nodes] * nodes


def _check_cpus(vcpus: int, cells: list[CpuMask]) -> None:
    left = first_cpus(vcpus)
    for number, cpus in enumerate(cells):
        if cpus & ~left:
            bad = format_cpu_spec(cpus & ~left)
            raise NumaRequestInvalid(
                spec_key(f"numa_cpus.{number}"),
                f"CPU {bad} is in another node already, or the guest has no such CPU",
            )
        left &= ~cpus
    if left:
        raise NumaRequestInvalid(
            spec_key("numa_cpus"), f"CPU {format_cpu_spec(left)} is in no node"
        )


def _check_memory(memory_mib: int, cells: list[int]) -> None:
    for number, mib in enumerate(cells):
        if mib < 1:
            raise NumaRequestInvalid(
                spec_key(f"numa_mem.{number}"), f"{mib} MiB is no memory"
            )
    if sum(cells) != memory_mib:
        raise NumaRequestInvalid(
            spec_key("numa_mem"),
            f"the nodes have {sum(cells)} MiB together, the guest {memory_mib} MiB",
        )


def _said_twice(name: str) -> NumaRequestInvalid:
    return NumaRequestInvalid(
        property_key(name), f"the flavor says {spec_key(name)} already"
    )
