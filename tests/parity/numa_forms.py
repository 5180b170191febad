"""Our NUMA objects, made of the oracle's JSON and written as such."""

from typing import Any

from kilonova_operator.domain.scheduling.numa.cpu_mask import cpus_of, mask_of
from kilonova_operator.domain.scheduling.numa.guest import (
    GuestTopology,
    NumaPlacement,
)
from kilonova_operator.domain.scheduling.numa.request import NumaRequest
from kilonova_operator.domain.scheduling.numa.topology import (
    CellState,
    CellUse,
    HostCell,
    NumaState,
    PagePool,
)

Form = dict[str, Any]

_PAGE_KINDS = {"small": -1, "large": -2, "any": -3}
"""nova.virt.hardware.MEMPAGES_*, Nova 34."""


def read_request(case: Form) -> NumaRequest:
    """Read flavor and image of a case."""
    flavor = case["flavor"]
    return NumaRequest(
        vcpus=flavor["vcpus"],
        memory_mib=flavor["memory_mb"],
        extra_specs=flavor["extra_specs"],
        image_properties=case["image"],
    )


def read_state(host: list[Form] | None) -> NumaState | None:
    """Read the host of a case."""
    return None if host is None else NumaState(tuple(map(_read_cell, host)))


def _read_cell(form: Form) -> CellState:
    cell = HostCell(
        number=form["id"],
        memory_mib=form["memory"],
        shared=mask_of(form["cpuset"]),
        dedicated=mask_of(form["pcpuset"]),
        cores=tuple(mask_of(core) for core in form["siblings"]),
        pages=tuple(
            PagePool(pages["size_kb"], pages["total"], pages["reserved"])
            for pages in form["mempages"]
        ),
    )
    use = CellUse(
        shared_vcpus=form["cpu_usage"],
        memory_mib=form["memory_usage"],
        pinned=mask_of(form["pinned_cpus"]),
        pages=tuple(pages["used"] for pages in form["mempages"]),
    )
    return CellState(cell, use)


def write_guest(guest: GuestTopology | None) -> Form | None:
    """Write what is asked for, as the oracle writes constraints."""
    if guest is None:
        return None
    wish = guest.page_wish
    pagesize = _PAGE_KINDS[wish] if isinstance(wish, str) else wish
    cells = [
        {
            "id": number,
            "cpuset": list(cpus_of(cell.shared)),
            "pcpuset": list(cpus_of(cell.dedicated)),
            "memory": cell.memory_mib,
            "pagesize": pagesize,
            "cpu_policy": guest.cpu_policy,
            "cpu_thread_policy": guest.thread_policy,
            "cpu_pinning": [],
            "cpuset_reserved": [],
        }
        for number, cell in enumerate(guest.cells)
    ]
    return {"emulator_threads_policy": guest.emulator_policy, "cells": cells}


def write_placement(
    guest: GuestTopology, placement: NumaPlacement | None
) -> Form | None:
    """Write a place, as the oracle writes fits."""
    form = write_guest(guest)
    if placement is None or form is None:
        return None
    form["emulator_threads_policy"] = placement.emulator_policy
    for cell, placed in zip(form["cells"], placement.cells, strict=True):
        cell |= {
            "id": placed.host_cell,
            "cpuset": list(cpus_of(placed.shared)),
            "memory": placed.memory_mib,
            "pagesize": placed.page_size_kib,
            "cpu_pinning": [list(pair) for pair in placed.pins],
            "cpuset_reserved": list(cpus_of(placed.reserved)),
            "cpu_policy": placement.cpu_policy,
            "cpu_thread_policy": placement.thread_policy,
        }
    return form


def write_use(state: NumaState) -> list[Form]:
    """Write the use of a host's cells, as the oracle does."""
    return [
        {
            "id": cell.cell.number,
            "cpu_usage": cell.use.shared_vcpus,
            "memory_usage": cell.use.memory_mib,
            "pinned_cpus": list(cpus_of(cell.use.pinned)),
            "pages_used": list(cell.use.pages),
        }
        for cell in state.cells
    ]
