"""Domains: from a claim's place through the order to the XML, beside Nova's driver."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

from kilonova_agent.domain.build_tuning import build_tuning
from kilonova_agent.domain.faults import GuestFault
from kilonova_agent.domain.tuning import GuestTuning
from kilonova_agent.drivers.base import GuestDefinition, GuestMark
from kilonova_agent.drivers.libvirt.domain_xml import (
    Platform,
    build_domain_xml,
    default_cpu,
    make_environment,
)
from kilonova_api.compute_host import ComputeHost
from kilonova_api.cpu_set import format_cpu_set, parse_cpu_set
from kilonova_api.instance_spec import InstanceSpec
from kilonova_operator.domain.scheduling.numa.cpu_mask import mask_of
from kilonova_operator.domain.scheduling.numa.guest import NumaPlacement, PlacedCell
from kilonova_operator.domain.servers.guest_cpus import build_guest_cpus
from parity.domains_draw import draw_case
from parity.oracle_client import Answer, Case
from parity.topic import Judgement
from support.instances import make_instance

EMULATOR_OFF_REALTIME = "EmulatorOffRealtime"
"""The emulator never runs where a realtime CPU is pinned."""
REALTIME_WITHOUT_SHARED = "RealtimeWithoutShared"
"""Realtime, emulator policy share, and a host that set no CPUs apart to share."""
_ENVIRONMENT = make_environment()
_PLATFORM = Platform("qemu", "x86_64", default_cpu("qemu"))
_MARK = GuestMark("c1", "shop", "web-0", "u", 1, 1, "b1")


class DomainsTopic:
    """One guest that got its place on a host."""

    name = "domains"

    def draw(self, random: Random) -> Case:
        """Make up a host and a guest on it."""
        return draw_case(random)

    def judge(self, case: Case, answer: Answer) -> Judgement:
        """Compare what the two sides tell libvirt."""
        ours = build_answer(case)
        outcomes = list(_list_outcomes(case, answer))
        if ours == answer or ("refused" in ours and "refused" in answer):
            return Judgement(outcomes=outcomes)
        if answer.get("refused") == "RealtimeMaskNotFoundOrInvalid":
            return Judgement(deviations=[REALTIME_WITHOUT_SHARED], outcomes=outcomes)
        different = [key for key in answer if answer[key] != ours.get(key)]
        if different == ["emulator"] and _keeps_off_realtime(ours, answer):
            return Judgement(deviations=[EMULATOR_OFF_REALTIME], outcomes=outcomes)
        said = {key: (answer[key], ours.get(key)) for key in different}
        refused = ours.get("refused", "")
        return Judgement(
            [f"{case}: (Nova, Kilonova) {said} {refused}"], outcomes=outcomes
        )

    def unreached(self, outcomes: Mapping[str, int], cases: int) -> list[str]:
        """Say what hardly any domain said."""
        wanted = (
            *("cpuset", "pins", "emulator", "realtime", "cells", "nodes", "pages"),
            *("locked", "nosharepages", "quota", "refused", "threads"),
        )
        return [word for word in wanted if outcomes.get(word, 0) < cases // 100]


def build_answer(case: Case) -> dict[str, Any]:
    """Build our answer in the oracle's form."""
    try:
        spec = _build_order(case)
        tuning = build_tuning(spec)
    except GuestFault as fault:
        return {"refused": fault.reason}
    guest = GuestDefinition(
        uuid="u",
        mark=_MARK,
        vcpus=spec.flavor.vcpus,
        memory_mib=spec.flavor.ram_mib,
        disks=(),
        config_drive=None,
        nics=(),
        console_log=Path("/console.log"),
        tuning=tuning,
    )
    xml = build_domain_xml(_ENVIRONMENT, guest, _PLATFORM)
    return _read(ET.fromstring(xml), tuning, spec.flavor.vcpus)  # noqa: S314


def _build_order(case: Case) -> InstanceSpec:
    flavor = case["flavor"]
    cpus = build_guest_cpus(_build_placement(case), _build_host(case))
    body = make_instance(
        flavor={
            "vcpus": flavor["vcpus"],
            "ramMiB": flavor["memory_mb"],
            "extraSpecs": flavor["extra_specs"],
        },
        cpuSet=cpus.cpu_set,
        numa=cpus.numa.wire() if cpus.numa else None,
    )["spec"]
    body["image"]["properties"] = case["image"]
    return InstanceSpec.model_validate(body)


def _build_placement(case: Case) -> NumaPlacement | None:
    if not case["cells"]:
        return None
    cells = (
        PlacedCell(
            host_cell=cell["host"],
            memory_mib=cell["memory_mb"],
            shared=mask_of(cell["shared"]),
            pins=tuple((vcpu, cpu) for vcpu, cpu in cell["pins"]),
            reserved=mask_of(cell["reserved"]),
            page_size_kib=cell["page_kb"],
        )
        for cell in case["cells"]
    )
    return NumaPlacement(
        tuple(cells), cpu_policy=case["policy"], emulator_policy=case["emulator"]
    )


def _build_host(case: Case) -> ComputeHost:
    sets = {"sharedSet": case["shared"], "dedicatedSet": case["dedicated"]}
    cells = [
        {
            "id": cell["id"],
            "cpus": format_cpu_set(frozenset(cell["cpus"])),
            "memoryMiB": 8192,
        }
        for cell in case["host"]
    ]
    agent = {
        "hostId": "9c0f3c9e-5a39-4f5c-8c6b-1d6c5f5b0a11",
        "agentVersion": "0.1.0",
        "numaCells": cells,
    }
    return ComputeHost.model_validate(
        {
            "metadata": {"name": "hv1"},
            "spec": {"cpu": {key: cpus for key, cpus in sets.items() if cpus}},
            "status": {"agent": agent},
        }
    )


def _read(domain: ET.Element, tuning: GuestTuning, vcpus: int) -> dict[str, Any]:
    topology = domain.find("cpu/topology")
    parts = ("sockets", "cores", "threads")
    return {
        "cpuset": _cpus(domain, "vcpu", "cpuset"),
        "topology": [vcpus, 1, 1]
        if topology is None
        else [int(topology.attrib[part]) for part in parts],
        **_read_cputune(domain),
        **_read_numa(domain),
        "pages": [
            [int(page.attrib["nodeset"]), int(page.attrib["size"])]
            for page in domain.iterfind("memoryBacking/hugepages/page")
        ],
        "locked": domain.find("memoryBacking/locked") is not None,
        "nosharepages": domain.find("memoryBacking/nosharepages") is not None,
    }


def _read_cputune(domain: ET.Element) -> dict[str, Any]:
    quota = (domain.findtext(f"cputune/{key}") for key in ("shares", "period", "quota"))
    return {
        "pins": [
            [int(pin.attrib["vcpu"]), sorted(parse_cpu_set(pin.attrib["cpuset"]))]
            for pin in domain.iterfind("cputune/vcpupin")
        ],
        "emulator": _cpus(domain, "cputune/emulatorpin", "cpuset"),
        "realtime": _cpus(domain, "cputune/vcpusched", "vcpus"),
        "quota": [None if text is None else int(text) for text in quota],
    }


def _read_numa(domain: ET.Element) -> dict[str, Any]:
    memory = domain.find("numatune/memory")
    return {
        "cells": [
            [
                int(cell.attrib["id"]),
                sorted(parse_cpu_set(cell.get("cpus", ""))),
                int(cell.attrib["memory"]),
                cell.get("memAccess"),
            ]
            for cell in domain.iterfind("cpu/numa/cell")
        ],
        "memory": []
        if memory is None
        else [memory.get("mode"), sorted(parse_cpu_set(memory.attrib["nodeset"]))],
        "nodes": [
            [int(n.attrib["cellid"]), n.get("mode"), [int(n.attrib["nodeset"])]]
            for n in domain.iterfind("numatune/memnode")
        ],
    }


def _cpus(domain: ET.Element, path: str, attribute: str) -> list[int]:
    found = domain.find(path)
    return sorted(parse_cpu_set("" if found is None else found.get(attribute, "")))


def _keeps_off_realtime(ours: Mapping[str, Any], answer: Answer) -> bool:
    pins = dict(ours["pins"])
    realtime = {cpu for vcpu in ours["realtime"] for cpu in pins[vcpu]}
    kept: bool = set(ours["emulator"]) == set(answer["emulator"]) - realtime
    return kept and bool(realtime)


def _list_outcomes(case: Case, answer: Answer) -> Iterator[str]:
    yield from (key for key, value in answer.items() if value and key != "quota")
    if any(word is not None for word in answer.get("quota", ())):
        yield "quota"
    yield f"policy={case['policy']}"
    if answer.get("topology", [0, 0, 1])[2] > 1:
        yield "threads"
