"""The call ``domains``: what Nova's libvirt driver says of a guest's place.

A case::

    {"flavor": {"vcpus": 2, "memory_mb": 512, "extra_specs": {...}}, "image": {...},
     "shared": "0-2" (cpu_shared_set; empty: not set),
     "host": [{"id": 0, "cpus": [0, 1], "shared": [0], "dedicated": [1]}],
     "policy": "mixed", "emulator": "isolate",
     "cells": [{"host": 0, "memory_mb": 512, "shared": [0], "pins": [[1, 5]],
                "reserved": [6], "page_kb": 2048}]}

``cells`` is what numa_fit_instance_to_host made of the guest; none of a guest
without cells. An answer is ``{"refused": "RealtimeMaskNotFoundOrInvalid"}``, or
what of the domain's XML says where it runs.
"""

from typing import Any
from unittest import mock

import real_nova
from nova import conf, exception, objects
from nova.virt import hardware
from nova.virt.libvirt import driver as libvirt_driver

_PAGES_KB = (4, 2048, 1048576)


def answer(case: dict[str, Any]) -> dict[str, Any]:
    """Answer a case."""
    conf.CONF.set_override("cpu_shared_set", case["shared"] or None, "compute")
    try:
        return _answer(case)
    except exception.NovaException as refused:
        return {"refused": type(refused).__name__}


def _answer(case: dict[str, Any]) -> dict[str, Any]:
    driver = _build_driver(case)
    flavor = real_nova.build_flavor(case["flavor"])
    image = real_nova.build_image(case["image"])
    guest = libvirt_driver.vconfig.LibvirtConfigGuest()
    cells = _build_guest(case)
    found = driver._get_guest_numa_config(cells, flavor, image)
    guest.cputune = found.cputune
    backing = driver._get_guest_memory_backing_config(
        cells, found.numatune, flavor, image
    )
    driver._update_guest_cputune(guest, flavor)
    topology = hardware.get_best_cpu_topology(flavor, image)
    return {
        "cpuset": sorted(found.cpuset or ()),
        "topology": [topology.sockets, topology.cores, topology.threads],
        **_read_cputune(guest.cputune),
        **_read_numa(found),
        "pages": [[p.nodeset[0], p.size_kb] for p in backing.hugepages]
        if backing
        else [],
        "locked": bool(backing and backing.locked),
        "nosharepages": bool(backing and not backing.sharedpages),
    }


def _build_driver(case: dict[str, Any]) -> Any:
    driver = libvirt_driver.LibvirtDriver.__new__(libvirt_driver.LibvirtDriver)
    cells = [_build_host_cell(cell) for cell in case["host"]]
    driver._has_numa_support = lambda: True
    driver._get_host_numa_topology = lambda: objects.NUMATopology(cells=cells)
    driver._get_vcpu_available = hardware.get_cpu_shared_set
    driver._host = mock.Mock()
    driver._host.get_online_cpus.return_value = {
        cpu for cell in case["host"] for cpu in cell["cpus"]
    }
    driver._host.is_cpu_control_policy_capable.return_value = True
    return driver


def _build_host_cell(cell: dict[str, Any]) -> objects.NUMACell:
    return objects.NUMACell(
        id=cell["id"],
        cpuset=set(cell["shared"]),
        pcpuset=set(cell["dedicated"]),
        memory=8192,
        cpu_usage=0,
        memory_usage=0,
        pinned_cpus=set(),
        siblings=[],
        mempages=[
            objects.NUMAPagesTopology(size_kb=size, total=1000, used=0)
            for size in _PAGES_KB
        ],
    )


def _build_guest(case: dict[str, Any]) -> objects.InstanceNUMATopology | None:
    if not case["cells"]:
        return None
    cells = [_build_guest_cell(cell, case["policy"]) for cell in case["cells"]]
    return objects.InstanceNUMATopology(
        cells=cells, emulator_threads_policy=case["emulator"]
    )


def _build_guest_cell(
    cell: dict[str, Any], policy: str | None
) -> objects.InstanceNUMACell:
    built = objects.InstanceNUMACell(
        id=cell["host"],
        cpuset=set(cell["shared"]),
        pcpuset={vcpu for vcpu, _ in cell["pins"]},
        memory=cell["memory_mb"],
        pagesize=cell["page_kb"],
        cpu_policy=policy,
        cpuset_reserved=set(cell["reserved"]) or None,
    )
    if cell["pins"]:
        built.cpu_pinning = dict(cell["pins"])
    return built


def _read_cputune(tune: Any) -> dict[str, Any]:
    emulator = getattr(tune, "emulatorpin", None)
    return {
        "pins": [[pin.id, sorted(pin.cpuset)] for pin in getattr(tune, "vcpupin", ())],
        "emulator": sorted(emulator.cpuset) if emulator else [],
        "realtime": sorted(
            vcpu for rule in getattr(tune, "vcpusched", ()) for vcpu in rule.vcpus
        ),
        "quota": [getattr(tune, key, None) for key in ("shares", "period", "quota")],
    }


def _read_numa(found: Any) -> dict[str, Any]:
    cells, tune = found.numaconfig, found.numatune
    return {
        "cells": [
            [cell.id, sorted(cell.cpus), cell.memory // 1024, cell.memAccess]
            for cell in (cells.cells if cells else ())
        ],
        "memory": [tune.memory.mode, sorted(tune.memory.nodeset)] if tune else [],
        "nodes": [
            [node.cellid, node.mode, node.nodeset]
            for node in (tune.memnodes if tune else ())
        ],
    }
