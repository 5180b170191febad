"""A guest's place as it is kept beside its claim: plain values, and back."""

from collections.abc import Mapping
from typing import Any

from kilonova_operator.domain.scheduling.numa.cpu_spec import (
    format_cpu_spec,
    parse_cpu_spec,
)
from kilonova_operator.domain.scheduling.numa.guest import NumaPlacement, PlacedCell


def build_record(placement: NumaPlacement) -> dict[str, Any]:
    """Return a placement as JSON can hold it."""
    return {
        "cells": [_cell_record(cell) for cell in placement.cells],
        "cpuPolicy": placement.cpu_policy,
        "threadPolicy": placement.thread_policy,
        "emulatorPolicy": placement.emulator_policy,
    }


def read_record(record: Mapping[str, Any]) -> NumaPlacement:
    """Return the placement that was kept."""
    return NumaPlacement(
        cells=tuple(_read_cell(cell) for cell in record["cells"]),
        cpu_policy=record["cpuPolicy"],
        thread_policy=record["threadPolicy"],
        emulator_policy=record["emulatorPolicy"],
    )


def _cell_record(cell: PlacedCell) -> dict[str, Any]:
    return {
        "hostCell": cell.host_cell,
        "memoryMiB": cell.memory_mib,
        "shared": format_cpu_spec(cell.shared),
        "pins": [list(pin) for pin in cell.pins],
        "reserved": format_cpu_spec(cell.reserved),
        "pageSizeKiB": cell.page_size_kib,
    }


def _read_cell(record: Mapping[str, Any]) -> PlacedCell:
    return PlacedCell(
        host_cell=record["hostCell"],
        memory_mib=record["memoryMiB"],
        shared=parse_cpu_spec(record["shared"]),
        pins=tuple((vcpu, host_cpu) for vcpu, host_cpu in record["pins"]),
        reserved=parse_cpu_spec(record["reserved"]),
        page_size_kib=record["pageSizeKiB"],
    )
