"""The call ``numa``: Nova's NUMA code on one host and one request.

A case::

    {"flavor": {"vcpus": 4, "memory_mb": 2048, "extra_specs": {...}},
     "image": {"hw_numa_nodes": "2", ...},
     "host": null or [{"id": 0, "cpuset": [], "pcpuset": [], "memory": 1024,
                       "cpu_usage": 0, "memory_usage": 0, "pinned_cpus": [],
                       "siblings": [[0, 1]], "mempages": [
                         {"size_kb": 4, "total": 1, "used": 0, "reserved": 0}]}],
     "ratios": {"cpu": 4.0, "ram": 1.0}, "packing": false}

An answer is ``{"refused": "ImageNUMATopologyAsymmetric: ..."}`` if the request
itself is bad, else ``constraints`` (what numa_get_constraints made of it, or
null), ``passes`` and ``limits`` (NUMATopologyFilter), and, with constraints and a
host, three fits (guest cells with their host cells, or null):

- ``fit``: numa_fit_instance_to_host, untouched.
- ``fit_ordered``: the same, but the CPUs of a core come in ascending order.
  Nova takes them in the order in which CPython iterates a set.
- ``fit_afresh``: ordered, and every guest cell is judged on every host cell as it
  was asked for. Nova changes the guest cells while it tries them.

``used`` is the host after numa_usage_from_instance_numa of ``fit_afresh``, and
``freed`` the host after it was freed again; ``unusable`` is there instead if the
host has no room for what was just fitted: ``"CPUPinningInvalid: ..."``.
"""

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any
from unittest import mock

from nova import conf, exception, objects
from nova.scheduler import host_manager
from nova.scheduler.filters import numa_topology_filter
from nova.virt import hardware
from real_nova import build_flavor, build_image

Answer = dict[str, Any]

_UUID = "a7e0d1c2-5b1f-4c59-9f0e-3d6a2b8c4f10"


def answer(case: dict[str, Any]) -> Answer:
    """Answer a case."""
    try:
        image = build_image(case["image"])
        flavor = build_flavor(case["flavor"])
        wanted = hardware.numa_get_constraints(flavor, image)
    except Exception as error:  # noqa: BLE001 (Nova refuses by many exceptions)
        return {"refused": f"{type(error).__name__}: {error}"}
    packing = "packing_host_numa_cells_allocation_strategy"
    conf.CONF.set_override(packing, case["packing"], group="compute")
    host = _build_host(case["host"])
    answered: Answer = {"constraints": _guest(wanted)}
    answered |= _filter(case, host, wanted, flavor, image)
    if wanted and host:
        answered |= _fits(host, wanted, _build_limits(case["ratios"]))
    return answered


def _filter(
    case: dict[str, Any], host: Any, wanted: Any, flavor: Any, image: Any
) -> Answer:
    state = host_manager.HostState("host", "node", "cell")
    state.numa_topology = host
    state.cpu_allocation_ratio = case["ratios"]["cpu"]
    state.ram_allocation_ratio = case["ratios"]["ram"]
    state.allocation_candidates = [{"mappings": {}}]
    spec = objects.RequestSpec(
        instance_uuid=_UUID,
        flavor=flavor,
        image=image,
        numa_topology=wanted,
        pci_requests=None,
    )
    passes = numa_topology_filter.NUMATopologyFilter().host_passes(state, spec)
    limits = state.limits.get("numa_topology")
    return {
        "passes": bool(passes),
        "limits": limits
        and {"cpu": limits.cpu_allocation_ratio, "ram": limits.ram_allocation_ratio},
    }


def _fits(host: Any, wanted: Any, limits: Any) -> Answer:
    fit = hardware.numa_fit_instance_to_host(host, wanted.obj_clone(), {}, limits)
    with _ordered_cores():
        ordered = hardware.numa_fit_instance_to_host(
            host, wanted.obj_clone(), {}, limits
        )
        with _cells_left_alone():
            afresh = hardware.numa_fit_instance_to_host(
                host, _Afresh(wanted), {}, limits
            )
    answered = {
        "fit": _guest(fit),
        "fit_ordered": _guest(ordered),
        "fit_afresh": _guest(afresh),
    }
    if afresh:
        answered |= _use(host, afresh)
    return answered


def _use(host: Any, fit: Any) -> Answer:
    try:
        used = hardware.numa_usage_from_instance_numa(host, fit)
    except (exception.CPUPinningInvalid, IndexError) as error:
        return {"unusable": f"{type(error).__name__}: {error}"}
    freed = hardware.numa_usage_from_instance_numa(used, fit, free=True)
    return {"used": _host(used), "freed": _host(freed)}


class _OrderedSet(set):
    def __iter__(self) -> Iterator[int]:
        return iter(sorted(set.__iter__(self)))


def _ordered_siblings(cell: Any) -> list[_OrderedSet]:
    return [_OrderedSet(core & cell.free_pcpus) for core in cell.siblings]


def _ordered_cores() -> contextlib.AbstractContextManager[Any]:
    return mock.patch.object(
        objects.NUMACell, "free_siblings", property(_ordered_siblings)
    )


class _Afresh:
    """Guest cells that hand out copies of themselves, for the real loop over hosts.

    Nova remembers verdicts by the guest cell's id, which is new each time here,
    so nothing is remembered.
    """

    class Cell:
        def __init__(self, asked: Any) -> None:
            self.asked = asked

        @property
        def id(self) -> int:
            return next(_Afresh.ids)

        @property
        def cpu_policy(self) -> str | None:
            return self.asked.cpu_policy

    ids = itertools.count()

    def __init__(self, topology: Any) -> None:
        self.topology = topology
        self.cells = [_Afresh.Cell(cell) for cell in topology.cells]

    def __len__(self) -> int:
        return len(self.cells)

    def __contains__(self, name: str) -> bool:
        return name in self.topology

    def __getattr__(self, name: str) -> Any:
        return getattr(self.topology, name)


def _cells_left_alone() -> contextlib.AbstractContextManager[Any]:
    real = hardware._numa_fit_instance_cell

    def fit(host_cell: Any, cell: _Afresh.Cell, limits: Any, reserved: int) -> Any:
        return real(host_cell, cell.asked.obj_clone(), limits, reserved)

    return mock.patch.object(hardware, "_numa_fit_instance_cell", fit)


def _build_host(cells: list[dict[str, Any]] | None) -> Any:
    if cells is None:
        return None
    return objects.NUMATopology(cells=[_build_host_cell(cell) for cell in cells])


def _build_host_cell(cell: dict[str, Any]) -> Any:
    sets = {name: set(cell[name]) for name in ("cpuset", "pcpuset", "pinned_cpus")}
    numbers = {n: cell[n] for n in ("id", "memory", "cpu_usage", "memory_usage")}
    return objects.NUMACell(
        **sets,
        **numbers,
        socket=None,
        siblings=[set(core) for core in cell["siblings"]],
        mempages=[objects.NUMAPagesTopology(**pages) for pages in cell["mempages"]],
    )


def _build_limits(ratios: dict[str, float]) -> Any:
    return objects.NUMATopologyLimits(
        cpu_allocation_ratio=ratios["cpu"], ram_allocation_ratio=ratios["ram"]
    )


def _guest(topology: Any) -> Answer | None:
    if topology is None:
        return None
    return {
        "emulator_threads_policy": topology.emulator_threads_policy,
        "cells": [_guest_cell(cell) for cell in topology.cells],
    }


def _guest_cell(cell: Any) -> Answer:
    return {
        "id": cell.id,
        "cpuset": sorted(cell.cpuset),
        "pcpuset": sorted(cell.pcpuset),
        "memory": cell.memory,
        # 0 asks for nothing, as does null.
        "pagesize": cell.pagesize or None,
        "cpu_policy": cell.cpu_policy,
        "cpu_thread_policy": cell.cpu_thread_policy,
        "cpu_pinning": sorted((cell.cpu_pinning or {}).items())
        if "cpu_pinning_raw" in cell
        else [],
        "cpuset_reserved": sorted(cell.cpuset_reserved or [])
        if "cpuset_reserved" in cell
        else [],
    }


def _host(topology: Any) -> list[Answer]:
    return [
        {
            "id": cell.id,
            "cpu_usage": cell.cpu_usage,
            "memory_usage": cell.memory_usage,
            "pinned_cpus": sorted(cell.pinned_cpus),
            "pages_used": [pages.used for pages in cell.mempages],
        }
        for cell in topology.cells
    ]
