"""The same work done by the real Nova: its scheduler and Placement, in one process."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

from bench.lab import say
from bench.scheduler_cloud import DISK_GIB, MEMORY_MIB, TRAIT, VCPUS, ZONES, Cloud
from kilonova_api.server import Server
from kilonova_operator.domain.inventory import DISK_GB, MEMORY_MB, VCPU
from kilonova_operator.domain.servers.references import References
from parity.oracle_client import open_oracle

PEER_SECONDS = 60.0
"""No decision of Nova's is begun after that."""
PEER_DECISIONS = 300
_FILLING_SECONDS = 600.0
"""To write as many hosts into Placement takes its time, too."""
_VCPU_RATIO, _RESERVED_MIB = 4.0, 512


def measure_peer(
    python: str, hosts: int, *, seed: int, affinity: bool
) -> dict[str, Any]:
    """Return how many decisions a second Nova makes; ``python`` is one that has it."""
    cloud = Cloud(hosts, Random(seed), affinity=affinity)
    case = {
        "hosts": [_describe_host(cloud, number) for number in range(hosts)],
        "aggregates": [
            {"name": zone, "metadata": {"availability_zone": zone}} for zone in ZONES
        ],
        "requests": [
            _describe_request(*cloud.build_server()) for _ in range(PEER_DECISIONS + 1)
        ],
        "options": {},
        "seconds": PEER_SECONDS,
    }
    say(f"the real Nova, for {PEER_SECONDS:g} s at most")
    answer = asyncio.run(_ask(python, case))
    return {
        "peer_decisions_per_s": round(answer["decisions"] / answer["seconds"], 2),
        "peer_decisions": answer["decisions"],
        "peer_placed": answer["placed"],
    }


async def _ask(python: str, case: dict[str, Any]) -> dict[str, Any]:
    async with open_oracle(python) as oracle:
        (answer,) = await oracle.ask(
            "schedule", [case], seconds=PEER_SECONDS + _FILLING_SECONDS
        )
    if "error" in answer:
        raise RuntimeError(f"Nova ends in {answer['error']}")
    return answer


def _describe_host(cloud: Cloud, number: int) -> dict[str, Any]:
    used = {name: n * cloud.per_host for name, n in cloud.fill(number).items()}
    return {
        "name": f"hv{number:05d}",
        "up": True,
        "disabled": False,
        "aggregates": [number % len(ZONES)],
        "traits": [TRAIT] if number % 4 else [],
        "inventories": {
            VCPU: _describe_inventory(VCPUS, ratio=_VCPU_RATIO),
            MEMORY_MB: _describe_inventory(MEMORY_MIB, reserved=_RESERVED_MIB),
            DISK_GB: _describe_inventory(DISK_GIB),
        },
        "used": used,
        "vcpus": VCPUS,
        "vcpus_used": used[VCPU],
        "cpu_ratio": _VCPU_RATIO,
        "memory_mb": MEMORY_MIB,
        "memory_mb_used": used[MEMORY_MB],
        "reserved_mb": _RESERVED_MIB,
        "disk_gb": DISK_GIB,
        "disk_gb_used": used[DISK_GB],
        "num_instances": cloud.per_host,
        "io_ops": 0,
        "failed_builds": 0,
        "metrics": {},
        "arch": "x86_64",
        "virt": "kvm",
        "address": f"10.{number // 65536}.{number // 256 % 256}.{number % 256}",
        "address_bits": None,
        "cpu_model": "",
        "cpu_vendor": "",
        "cpu_features": [],
        "hypervisor_version": 7_002_000 + number % 3,
    }


def _describe_inventory(
    total: int, *, reserved: int = 0, ratio: float = 1.0
) -> dict[str, Any]:
    return {
        "total": total,
        "reserved": reserved,
        "allocation_ratio": ratio,
        "min_unit": 1,
        "max_unit": total,
        "step_size": 1,
    }


def _describe_request(server: Server, found: References) -> dict[str, Any]:
    if found.flavor is None or found.image is None:
        raise ValueError(f"Server {server.key} has no flavor or image")
    flavor, group = found.flavor.spec, found.group
    return {
        "uuid": server.metadata.uid,
        "tenant": "shop",
        "flavor": {
            "name": found.flavor.metadata.name,
            "vcpus": flavor.vcpus,
            "memory_mb": flavor.ram_mib,
            "root_gb": flavor.root_gib,
            "extra_specs": dict(flavor.extra_specs),
        },
        "image": {
            "id": server.metadata.uid,
            "format": "qcow2",
            "properties": dict(found.image.spec.properties),
        },
        "zone": server.spec.availability_zone,
        "hints": {},
        "rebuild": False,
        "group": None
        if group is None
        else {
            "uuid": group.metadata.uid,
            "members": [],
            "policy": "anti-affinity",
            "max": None,
        },
    }
