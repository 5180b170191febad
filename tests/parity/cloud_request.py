"""Requests made up, for a cloud that is there."""

import json
from random import Random
from typing import Any

from parity.cloud import (
    BUSES,
    DISTROS,
    FLAVORS,
    METRICS,
    MULTIPLIERS,
    TENANTS,
    ZONES,
    Drawn,
    draw_uuid,
)

POLICIES = ("affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity")

_EXTRA_SPECS: list[tuple[str, list[str]]] = [
    ("capabilities:cpu_info:arch", ["s== x86_64", "aarch64", "<or> ppc <or> x86_64"]),
    ("capabilities:cpu_info:features", ["<in> avx2", "<all-in> aes sse"]),
    ("capabilities:cpu_info:vendor", ["Intel", "s!= AMD"]),
    ("capabilities:cpu_info:no_such", ["1"]),
    ("capabilities:cpu_info", ["<in> avx2"]),
    ("capabilities:free_ram_mb", [">= 1024", "<= 20000", "= 4096", "== x"]),
    ("capabilities:vcpus_used", ["<= 8", "!= 3", "s< 5"]),
    ("capabilities:disk_mb_used", ["<= 20480", "<="]),
    ("capabilities:hypervisor_version", [">= 7000000", "s> 7"]),
    ("capabilities:hypervisor_type", ["QEMU", "s== KVM"]),
    ("capabilities:host", ["<or> hv0 <or> hv2", "s>= hv1"]),
    ("capabilities:host_ip", ["<in> 10.0.1"]),
    ("capabilities:stats:io_workload", ["<= 4"]),
    ("capabilities:io_workload", ["<= 6", "<or>"]),
    ("capabilities:cpu_allocation_ratio", ["4.0", ">= 1.5"]),
    ("capabilities:supported_instances", ["<in> kvm"]),
    ("capabilities:no_such", ["1"]),
    ("hw:maxphysaddr_bits", ["42"]),
    ("vcpus_total", [">= 8"]),
    ("ssd", ["true", "<or> false <or> true"]),
    ("aggregate_instance_extra_specs:cores", [">= 8", "= 4", "4"]),
    ("aggregate_instance_extra_specs:ssd", ["true"]),
    ("quota:cpu_shares", ["10"]),
]


def draw_request(random: Random, cloud: Drawn) -> Drawn:
    """Make a request up."""
    instances = [uuid for host in cloud["hosts"] for uuid in host["instances"]]
    return {
        "uuid": draw_uuid(random),
        "flavor": {
            "name": random.choice(FLAVORS),
            "vcpus": random.choice([1, 2, 8]),
            "memory_mb": random.choice([512, 2048, 8192]),
            "root_gb": random.choice([0, 10]),
            "ephemeral_gb": random.choice([0, 0, 5]),
            "swap": random.choice([0, 0, 1, 1024, 1500]),
            "extra_specs": _draw_extra_specs(random),
        },
        "image": {
            "id": random.choice(["img-a", "img-b"]),
            "format": random.choice(["qcow2", "raw"]),
            "properties": _draw_properties(random),
        },
        "tenant": random.choice(TENANTS),
        "zone": random.choice([None, None, *ZONES, "nowhere"]),
        "hints": _draw_hints(random, instances),
        "group": _draw_group(random, instances),
        "rebuild": random.random() < 0.1,
    }


def _draw_extra_specs(random: Random) -> dict[str, str]:
    chosen = random.sample(_EXTRA_SPECS, k=random.choice([0, 1, 1, 2]))
    return {key: random.choice(values) for key, values in chosen}


def _draw_properties(random: Random) -> dict[str, str]:
    drawn = {
        "hw_architecture": ("x86_64", "aarch64", "i686"),
        "img_hv_type": ("kvm", "qemu"),
        "hw_vm_mode": ("hvm",),
        "img_hv_requested_version": (">=7.0", "==7.2.1, <9", ">=6.0,!=10.0.0"),
        "hw_maxphysaddr_bits": ("42",),
        "hw_disk_bus": BUSES,
        "os_distro": DISTROS,
        "site_tier": ("gold", "silver"),
    }
    return {
        key: random.choice(values)
        for key, values in drawn.items()
        if random.random() < 0.3
    }


def _draw_hints(random: Random, instances: list[str]) -> dict[str, Any]:
    hints: dict[str, Any] = {}
    known = [*instances, draw_uuid(random)]
    for key in ("same_host", "different_host"):
        if random.random() < 0.4:
            hints[key] = random.sample(known, k=random.randint(1, min(3, len(known))))
    if random.random() < 0.4:
        hints["build_near_host_ip"] = random.choice(
            ["10.0.0.9", "10.0.1.200", "fd00::1"]
        )
        if random.random() < 0.5:
            hints["cidr"] = random.choice(["/24", "/16", "/31"])
    if random.random() < 0.5:
        hints["query"] = json.dumps(draw_query(random, 3))
    return hints


_TERMS: list[tuple[str, list[Any]]] = [
    ("$free_ram_mb", [1024, 4096, 0]),
    ("$free_disk_mb", [10240, 0]),
    ("$vcpus_used", [4, 20]),
    ("$num_instances", [30]),
    ("$num_io_ops", [5]),
    ("$hypervisor_version", [7_000_000]),
    ("$cpu_allocation_ratio", [1.5, 4.0]),
    ("$host", ["hv0", "hv1", "hv2"]),
    ("$hypervisor_type", ["QEMU"]),
    ("$stats.io_workload", ["3", "5"]),
    ("$failed_builds", [0]),
    ("$no_such", [1]),
]


def draw_query(random: Random, levels: int) -> list[Any]:
    """Make a query up, with Nova's quirks in reach."""
    if levels and random.random() < 0.5:
        inner = [draw_query(random, levels - 1) for _ in range(random.randint(0, 3))]
        return [random.choice(["and", "or", "not"]), *inner]
    term, values = random.choice(_TERMS)
    sign = random.choice(["=", "<", ">", "in", "<=", ">="])
    if random.random() < 0.05:
        return [sign, term]
    operands = [random.choice(values) for _ in range(random.choice([1, 1, 2]))]
    if random.random() < 0.05:
        operands.append("text")
    return [sign, term, *operands]


def _draw_group(random: Random, instances: list[str]) -> Drawn | None:
    if random.random() < 0.3:
        return None
    members = random.sample(instances, k=random.randint(0, min(4, len(instances))))
    policy = random.choice(POLICIES)
    return {
        "policy": policy,
        "members": members,
        "max": random.choice([None, 1, 2, 3]) if policy == "anti-affinity" else None,
    }


def draw_options(random: Random) -> Drawn:
    """Make a site's choices up, by the names of nova.conf."""
    options: Drawn = {
        "max_io_ops_per_host": random.choice([3, 8]),
        "max_instances_per_host": random.choice([20, 50]),
        "isolated_hosts": random.choice([[], ["hv0"], ["hv1", "hv2"]]),
        "isolated_images": random.choice([[], ["img-a"]]),
        "restrict_isolated_hosts_to_isolated_images": random.random() < 0.5,
        "image_properties_default_architecture": random.choice([None, "x86_64"]),
        "aggregate_image_properties_isolation_namespace": random.choice(
            [None, None, "hw_disk"]
        ),
        "aggregate_image_properties_isolation_separator": random.choice([".", "_"]),
        "image_props_weight_setting": random.choice(
            [[], ["os_distro=0.5", "hw_disk_bus=-2"]]
        ),
        "metrics": {
            "weight_setting": random.choice(
                [[], ["cpu.percent=-1.5"], ["cpu.percent=1", f"{METRICS[1]}=0.5"]]
            ),
            "required": random.random() < 0.3,
            "weight_of_unavailable": -10000.0,
        },
    }
    for name in MULTIPLIERS:
        if random.random() < 0.2:
            section = options["metrics"] if name.startswith("metrics_") else options
            key = name.removeprefix("metrics_")
            least = 0.0 if name.startswith(("pci_", "soft_")) else -1.0  # nova.conf
            section[key] = random.choice([least, 0.0, 0.5, 3.0])
    if random.random() < 0.5:
        options["image_props_weight_multiplier"] = random.choice([1.0, -2.0])
    return options
