"""Clouds made up: hosts with everything that filters and weighers look at."""

from random import Random
from typing import Any
from uuid import UUID

Drawn = dict[str, Any]

TENANTS = ("red", "blue", "green")
ZONES = ("east", "west")
FLAVORS = ("small", "big")
DISTROS = ("debian", "fedora")
BUSES = ("virtio", "scsi")
TRAITS = (
    "COMPUTE_STORAGE_BUS_VIRTIO",
    "COMPUTE_STORAGE_BUS_SCSI",
    "COMPUTE_IMAGE_TYPE_QCOW2",
    "HW_ARCH_X86_64",
    "HW_CPU_X86_AVX2",
    "CUSTOM_GOLD",
    "CUSTOM_SSD",
)
METRICS = ("cpu.percent", "cpu.frequency")
MULTIPLIERS = (
    "ram_weight_multiplier",
    "cpu_weight_multiplier",
    "disk_weight_multiplier",
    "hypervisor_version_weight_multiplier",
    "num_instances_weight_multiplier",
    "io_ops_weight_multiplier",
    "image_props_weight_multiplier",
    "pci_weight_multiplier",
    "soft_affinity_weight_multiplier",
    "soft_anti_affinity_weight_multiplier",
    "build_failure_weight_multiplier",
    "cross_cell_move_weight_multiplier",
    "metrics_weight_multiplier",
)


def draw_cloud(random: Random) -> Drawn:
    """Make hosts and aggregates up."""
    aggregates = [draw_aggregate(random, n) for n in range(random.randint(0, 5))]
    hosts = [draw_host(random, n) for n in range(random.randint(1, 8))]
    for host in hosts:
        host["aggregates"] = draw_memberships(random, aggregates)
    return {"hosts": hosts, "aggregates": aggregates}


def draw_host(random: Random, number: int) -> Drawn:
    """Make one host up."""
    memory_mb, vcpus = random.choice([2048, 8192, 65536]), random.choice([2, 8, 64])
    disk_gb = random.choice([0, 20, 1000])
    arch, virt = random.choice(
        [("x86_64", "kvm"), ("x86_64", "qemu"), ("aarch64", "kvm"), ("", "")]
    )
    return {
        "name": f"hv{number}",
        "address": random.choice([f"10.0.{random.randint(0, 2)}.{number}", "fd00::7"]),
        "up": random.random() < 0.8,
        "disabled": random.random() < 0.15,
        "memory_mb": memory_mb,
        "memory_mb_used": random.randint(0, memory_mb + 500),
        "reserved_mb": random.choice([0, 512]),
        "vcpus": vcpus,
        "vcpus_used": random.randint(0, 4 * vcpus),
        "cpu_ratio": random.choice([1.0, 1.5, 4.0, 16.0]),
        "disk_gb": disk_gb,
        "disk_gb_used": random.randint(0, disk_gb),
        "arch": arch,
        "virt": virt,
        "hypervisor_version": random.choice([6_002_000, 7_002_001, 10_000_000]),
        "cpu_model": random.choice(["Skylake", "EPYC"]),
        "cpu_vendor": random.choice(["Intel", "AMD"]),
        "cpu_features": sorted(random.sample(["aes", "avx2", "sse", "vmx"], k=2)),
        "address_bits": random.choice([0, 0, 40, 48]),
        "io_ops": random.randint(0, 10),
        "num_instances": random.randint(0, 60),
        "failed_builds": random.choice([0, 0, 0, 1, 5]),
        "metrics": _draw_metrics(random),
        "traits": sorted(random.sample(TRAITS, k=random.randint(0, len(TRAITS)))),
        "instances": _draw_instances(random),
    }


def _draw_metrics(random: Random) -> dict[str, int]:
    names = random.sample(METRICS, k=random.randint(0, len(METRICS)))
    return {name: random.choice([0, 25, 50, 75]) for name in names}


def _draw_instances(random: Random) -> dict[str, dict[str, str]]:
    """Return guests by uuid with the properties of their images."""
    return {draw_uuid(random): draw_notes(random) for _ in range(random.randint(0, 3))}


def draw_uuid(random: Random) -> str:
    """Make a uuid up."""
    return str(UUID(int=random.getrandbits(128), version=4))


def draw_notes(random: Random) -> dict[str, str]:
    """Make properties up that change nothing of where an image runs."""
    drawn = {"os_distro": DISTROS, "hw_disk_bus": BUSES, "os_type": ("linux",)}
    return {
        key: random.choice(values)
        for key, values in drawn.items()
        if random.random() < 0.5
    }


def draw_aggregate(random: Random, number: int) -> Drawn:
    """Make one aggregate up, with a few keys that rules read."""
    drawn: dict[str, str] = {}
    for _ in range(random.randint(0, 4)):
        key, values = random.choice(_METADATA)
        drawn[key] = random.choice(values)
    if random.random() < 0.3:
        drawn[random.choice(MULTIPLIERS)] = random.choice(["-1.5", "0", "2", "much"])
    return {"name": f"agg{number}", "metadata": drawn}


_METADATA: list[tuple[str, list[str]]] = [
    ("availability_zone", list(ZONES)),
    ("filter_tenant_id", ["red", "red, blue", "green,red", ""]),
    ("filter_tenant_id_more", ["blue"]),
    ("instance_type", ["small", "big,small", "huge", ""]),
    ("max_io_ops_per_host", ["2", "5", "many", "0", " 9 "]),
    ("max_instances_per_host", ["10", "30", "x", "99"]),
    ("os_distro", ["debian", "debian,fedora", "plan9"]),
    ("hw_disk_bus", ["scsi", "virtio, scsi"]),
    ("site_tier", ["gold"]),
    ("ssd", ["true", "false,true"]),
    ("cores", ["4", "8, 16", "many"]),
    ("trait:CUSTOM_GOLD", ["required"]),
    ("trait:CUSTOM_SSD", ["required", "forbidden"]),
]


def draw_memberships(random: Random, aggregates: list[Drawn]) -> list[int]:
    """Choose a host's aggregates; a host is in one zone at most, as in Nova."""
    chosen: list[int] = []
    zone = None
    for number, aggregate in enumerate(aggregates):
        of_aggregate = aggregate["metadata"].get("availability_zone")
        if random.random() < 0.5 or (zone and of_aggregate not in (None, zone)):
            continue
        zone = zone or of_aggregate
        chosen.append(number)
    return chosen


def find_zone(cloud: Drawn, host: Drawn) -> str:
    """Return a host's zone; empty if it has none."""
    for number in host["aggregates"]:
        zone: str = cloud["aggregates"][number]["metadata"].get("availability_zone", "")
        if zone:
            return zone
    return ""
