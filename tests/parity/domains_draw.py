"""Made-up guests that have a place on a made-up host."""

from random import Random
from typing import Any

from kilonova_api.cpu_set import format_cpu_set
from parity.oracle_client import Case

_CPUS_A_CELL = 8
_SHARED_A_CELL = 3
_CELL_MIB = 256
_COUNTS = ("1", "2", "2", "3", "4", "8")


def draw_case(random: Random) -> Case:
    """Make up a host and a guest that fits on it."""
    sets = random.choice(["none", "shared", "both"])
    host = [_draw_host_cell(n, sets) for n in range(random.choice([1, 2, 4]))]
    vcpus = random.randint(1, 4)
    case: Case = {
        "flavor": {"vcpus": vcpus, "memory_mb": 512, "extra_specs": {}},
        "image": {},
        "host": host,
        "shared": "" if sets == "none" else _join(host, "shared"),
        "dedicated": _join(host, "dedicated") if sets == "both" else "",
        "policy": None,
        "emulator": None,
        "cells": [],
    }
    _draw_words(random, case)
    if random.random() < 0.9:
        _draw_place(random, case)
    return case


def _draw_host_cell(number: int, sets: str) -> dict[str, Any]:
    first = number * _CPUS_A_CELL
    cpus = list(range(first, first + _CPUS_A_CELL))
    shared, dedicated = {
        "none": (cpus, cpus),
        "shared": (cpus, []),
        "both": (cpus[:_SHARED_A_CELL], cpus[_SHARED_A_CELL:]),
    }[sets]
    return {"id": number, "cpus": cpus, "shared": shared, "dedicated": dedicated}


def _join(host: list[dict[str, Any]], kind: str) -> str:
    return format_cpu_set(frozenset(cpu for cell in host for cpu in cell[kind]))


def _draw_words(random: Random, case: Case) -> None:
    """Draw what flavor and image say of the topology, and of quotas."""
    specs, image = case["flavor"]["extra_specs"], case["image"]
    likely = random.choice([0.0, 0.1, 0.3])
    for limit in ("", "max_"):
        for part in ("sockets", "cores", "threads"):
            if random.random() < likely:
                specs[f"hw:cpu_{limit}{part}"] = random.choice(_COUNTS)
            if random.random() < likely / 2:
                image[f"hw_cpu_{limit}{part}"] = random.choice(_COUNTS)
    for name, value in (("shares", "77"), ("period", "90000"), ("quota", "-1")):
        if random.random() < 0.1:
            specs[f"quota:cpu_{name}"] = value


def _draw_place(random: Random, case: Case) -> None:
    host, flavor = case["host"], case["flavor"]
    vcpus = list(range(flavor["vcpus"]))
    pinned = _draw_pinned(random, case, vcpus)
    if pinned:
        _draw_policies(random, case, pinned)
    count = random.randint(1, min(len(host), len(vcpus)))
    page_kb = _draw_pages(random, case)
    flavor["memory_mb"] = count * _CELL_MIB
    for place, cell in enumerate(random.sample(host, count)):
        mine = [vcpu for vcpu in vcpus if vcpu % count == place]
        free = random.sample(cell["dedicated"], len(cell["dedicated"]))
        isolates = place == 0 and case["emulator"] == "isolate"
        case["cells"].append(
            {
                "host": cell["id"],
                "memory_mb": _CELL_MIB,
                "shared": [vcpu for vcpu in mine if vcpu not in pinned],
                "pins": [[vcpu, free.pop()] for vcpu in mine if vcpu in pinned],
                "reserved": [free.pop()] if isolates else [],
                "page_kb": page_kb,
            }
        )


def _draw_pinned(random: Random, case: Case, vcpus: list[int]) -> list[int]:
    takes_pins = any(cell["dedicated"] for cell in case["host"])
    policies = ["dedicated", "mixed"] if takes_pins else []
    case["policy"] = random.choice([None, "shared", *policies, *policies])
    some = [vcpu for vcpu in vcpus if random.random() < 0.5]
    if case["policy"] == "mixed" and not 0 < len(some) < len(vcpus):
        case["policy"] = "dedicated"
    return {"dedicated": vcpus, "mixed": some}.get(case["policy"] or "", [])


def _draw_policies(random: Random, case: Case, pinned: list[int]) -> None:
    specs = case["flavor"]["extra_specs"]
    case["emulator"] = random.choice([None, "isolate", "share"])
    if case["emulator"]:
        specs["hw:emulator_threads_policy"] = case["emulator"]
    realtime = pinned if random.random() < 0.5 else pinned[1:]
    whole = len(realtime) == case["flavor"]["vcpus"]
    if realtime and random.random() < 0.4 and (case["emulator"] or not whole):
        specs["hw:cpu_realtime"] = random.choice(["true", "yes", "1"])
        specs["hw:cpu_realtime_mask"] = format_cpu_set(frozenset(realtime))


def _draw_pages(random: Random, case: Case) -> int | None:
    page_kb: int | None = random.choice([None, 4, 2048, 1048576])
    specs = case["flavor"]["extra_specs"]
    if page_kb is not None:
        specs["hw:mem_page_size"] = str(page_kb)
        if random.random() < 0.3:
            specs["hw:locked_memory"] = random.choice(["true", "yes", "false"])
        elif random.random() < 0.2:
            case["image"]["hw_locked_memory"] = "true"
    return page_kb
