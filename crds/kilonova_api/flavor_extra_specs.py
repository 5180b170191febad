"""A flavor's typed fields as the extra specs that Nova's rules read."""

from collections.abc import Iterator

from kilonova_api.flavor import FlavorSpec
from kilonova_api.page_size import parse_page_size


def effective_extra_specs(flavor: FlavorSpec) -> dict[str, str]:
    """Return all extra specs of a flavor: the bag, and what its fields stand for.

    The API server refuses a flavor that says one of them twice; of one that was
    not asked the field counts.
    """
    return {**flavor.extra_specs, **dict(_typed(flavor))}


def _typed(flavor: FlavorSpec) -> Iterator[tuple[str, str]]:
    yield from _cpu(flavor)
    if flavor.numa is not None:
        yield "hw:numa_nodes", str(flavor.numa.nodes)
    if flavor.memory is not None:
        yield "hw:mem_page_size", _page_size(flavor.memory.page_size)
    if flavor.traits is not None:
        for trait in flavor.traits.required:
            yield f"trait:{trait}", "required"
        for trait in flavor.traits.forbidden:
            yield f"trait:{trait}", "forbidden"
    for resource_class, amount in flavor.resources.items():
        yield f"resources:{resource_class}", str(amount)


def _cpu(flavor: FlavorSpec) -> Iterator[tuple[str, str]]:
    cpu = flavor.cpu
    if cpu is None:
        return
    said = {
        "hw:cpu_policy": cpu.policy,
        "hw:cpu_thread_policy": cpu.threads,
        "hw:cpu_dedicated_mask": cpu.dedicated_mask,
        "hw:emulator_threads_policy": cpu.emulator_threads,
    }
    yield from ((key, value.lower()) for key, value in said.items() if value)
    if cpu.topology is not None:
        counts = {
            "hw:cpu_sockets": cpu.topology.sockets,
            "hw:cpu_cores": cpu.topology.cores,
            "hw:cpu_threads": cpu.topology.threads,
        }
        yield from ((key, str(count)) for key, count in counts.items() if count)


def _page_size(size: str) -> str:
    """Return a page size in Nova's words: a name, or KiB."""
    return str(parse_page_size(size)) if size[0].isdigit() else size.lower()
