"""Providers and requests made up, for pre-filters and Placement."""

from random import Random

from parity.cloud import (
    BUSES,
    FLAVORS,
    TENANTS,
    TRAITS,
    ZONES,
    Drawn,
    draw_aggregate,
    draw_memberships,
    draw_uuid,
)
from parity.oracle_client import Case

_DISABLED = "COMPUTE_STATUS_DISABLED"

_CHANCES = {
    "VCPU": 0.98,
    "MEMORY_MB": 0.98,
    "DISK_GB": 0.98,
    "PCPU": 0.7,
    "CUSTOM_GPU": 0.7,
    "MEM_ENCRYPTION_CONTEXT": 0.6,
}
_TOTALS = {
    "VCPU": [4, 16, 64],
    "MEMORY_MB": [2048, 8192, 65536],
    "DISK_GB": [20, 200, 1000],
    "PCPU": [2, 8],
    "CUSTOM_GPU": [1, 4],
    "MEM_ENCRYPTION_CONTEXT": [1, 15],
}
_UNITS = {"MEMORY_MB": [1, 256, 500], "DISK_GB": [1, 2, 5]}
_FEATURES: list[tuple[str, list[str]]] = [
    ("resources:VCPU", ["0", "1", "3"]),
    ("resources:MEMORY_MB", ["0", "1000", "2048"]),
    ("resources:DISK_GB", ["0", "7"]),
    ("resources:CUSTOM_GPU", ["0", "1", "3"]),
    ("resources:CUSTOM_LICENSE", ["1"]),
    ("resources:PCPU", ["1", "2"]),
    ("resources:NO_CLASS", ["1"]),
    ("resources:CUSTOM_GPU", ["-1", "1.5", "many", ""]),
    ("resources1:CUSTOM_GPU", ["1"]),
    ("trait:CUSTOM_GOLD", ["required", "forbidden"]),
    ("trait:CUSTOM_SSD", ["required", "forbidden", "wanted"]),
    ("trait:HW_CPU_X86_AVX2", ["required"]),
    ("trait:CUSTOM_UNSEEN", ["required", "forbidden"]),
    ("hw:cpu_policy", ["dedicated", "shared", "mixed", "isolated"]),
    ("hw:cpu_dedicated_mask", ["0", "^0"]),
    ("hw:cpu_thread_policy", ["isolate", "require", "prefer"]),
    ("hw:emulator_threads_policy", ["isolate", "share"]),
    ("hw:virtio_packed_ring", ["true", "false"]),
    ("hw:ephemeral_encryption", ["true"]),
    ("hw:ephemeral_encryption_format", ["luks", "zip"]),
    ("hw:sound_model", ["virtio", "ac97", "harp"]),
    ("hw:tpm_version", ["1.2", "2.0", "3.0"]),
    ("hw:tpm_model", ["tpm-crb", "tpm-tis"]),
    ("hw:tpm_secret_security", ["host", "deployment"]),
    ("os:secure_boot", ["required", "optional", "maybe"]),
    ("hw:maxphysaddr_mode", ["passthrough", "emulate"]),
    ("hw:mem_encryption", ["true", "no"]),
    ("hw:mem_encryption_model", ["amd-sev", "amd-sev-es", "intel-tdx"]),
    ("hw:pci_numa_affinity_policy", ["socket", "required"]),
]
_PROPERTIES: list[tuple[str, list[str]]] = [
    ("trait:CUSTOM_GOLD", ["required"]),
    ("trait:HW_CPU_X86_AVX2", ["required"]),
    ("hw_cpu_policy", ["dedicated", "shared"]),
    ("hw_cpu_thread_policy", ["require", "isolate"]),
    ("hw_disk_bus", list(BUSES)),
    ("hw_architecture", ["x86_64", "aarch64"]),
    ("hw_sound_model", ["virtio", "usb"]),
    ("hw_virtio_packed_ring", ["true"]),
    ("hw_tpm_version", ["2.0"]),
    ("hw_firmware_stateless", ["true"]),
    ("hw_machine_type", ["q35", "pc"]),
    ("os_secure_boot", ["required", "disabled"]),
    ("hw_mem_encryption", ["true"]),
]
_FIRMWARE_CHANCE = 0.4


def draw_fit(random: Random) -> Case:
    """Make a case up."""
    aggregates = [draw_aggregate(random, n) for n in range(random.randint(0, 4))]
    hosts = [_draw_provider(random, n) for n in range(random.randint(1, 5))]
    for host in hosts:
        host["aggregates"] = draw_memberships(random, aggregates)
    prefilters = {
        name: random.random() < 0.1
        for name in (
            "limit_tenants_to_placement_aggregate",
            "placement_aggregate_required_for_tenants",
            "query_placement_for_image_type_support",
            "enable_isolated_aggregate_filtering",
            "image_metadata_prefilter",
        )
    }
    return {
        "hosts": hosts,
        "aggregates": aggregates,
        "prefilters": prefilters,
        "request": _draw_request(random),
        "claim": {
            "host": random.choice(hosts)["name"],
            "amounts": _draw_amounts(random),
        },
    }


def _draw_provider(random: Random, number: int) -> Drawn:
    features = random.sample(_FEATURE_TRAITS, k=random.randint(0, len(_FEATURE_TRAITS)))
    disabled = [_DISABLED] if random.random() < 0.1 else []
    plain = random.sample(TRAITS, k=random.randint(4, len(TRAITS)))
    inventories, used = {}, {}
    for name, chance in _CHANCES.items():
        if random.random() < chance:
            inventories[name] = inventory = _draw_inventory(random, name)
            most = 2 * inventory["total"]
            used[name] = random.choice([0, 0, 0, random.randint(0, most)])
    return {
        "name": f"hv{number}",
        "traits": sorted({*features, *disabled, *plain}),
        "inventories": inventories,
        "used": used,
    }


_FEATURE_TRAITS = [
    "HW_CPU_HYPERTHREADING",
    "COMPUTE_NET_VIRTIO_PACKED",
    "COMPUTE_EPHEMERAL_ENCRYPTION",
    "COMPUTE_EPHEMERAL_ENCRYPTION_LUKS",
    "COMPUTE_SOUND_MODEL_VIRTIO",
    "COMPUTE_SECURITY_TPM_1_2",
    "COMPUTE_SECURITY_TPM_2_0",
    "COMPUTE_SECURITY_TPM_TIS",
    "COMPUTE_SECURITY_TPM_SECRET_SECURITY_USER",
    "COMPUTE_SECURITY_UEFI_SECURE_BOOT",
    "COMPUTE_ADDRESS_SPACE_EMULATED",
    "COMPUTE_SECURITY_STATELESS_FIRMWARE",
    "HW_CPU_X86_AMD_SEV",
]


def _draw_inventory(random: Random, name: str) -> Drawn:
    total = random.choice(_TOTALS[name])
    unit = random.choice(_UNITS.get(name, [1, 1, 1, 2]))
    return {
        "total": total,
        "reserved": random.choice([0, 0, 0, min(1, total - 1), total // 4]),
        "allocation_ratio": random.choice([0.5, 1.0, 1.0, 1.1, 1.5, 4.0, 4.0, 16.0]),
        "min_unit": random.choice([1, 1, 1, unit]),
        "max_unit": random.choice([total] * 3 + [max(1, total // 2), 2**31 - 1]),
        "step_size": random.choice([1, 1, 1, 1, unit]),
    }


def _draw_amounts(random: Random) -> dict[str, int]:
    names = random.sample(list(_TOTALS), k=random.randint(1, 3))
    return {
        n: random.choice([1, 2, max(1, random.choice(_TOTALS[n]) // 3)]) for n in names
    }


def _draw_request(random: Random) -> Drawn:
    features = random.sample(_FEATURES, k=random.choice([0, 0, 0, 0, 1, 1, 2, 3]))
    properties = random.sample(_PROPERTIES, k=random.choice([0, 0, 0, 1, 2]))
    image = {key: random.choice(words) for key, words in properties}
    if random.random() < _FIRMWARE_CHANCE:
        image["hw_firmware_type"] = random.choice(["uefi", "bios"])
    return {
        "uuid": draw_uuid(random),
        "flavor": {
            "name": random.choice(FLAVORS),
            "vcpus": random.choice([1, 2, 4]),
            "memory_mb": random.choice([512, 1000, 2048]),
            "root_gb": random.choice([0, 10]),
            "ephemeral_gb": random.choice([0, 0, 5]),
            "swap": random.choice([0, 0, 1, 1024, 1500]),
            "extra_specs": {key: random.choice(words) for key, words in features},
        },
        "image": {
            "id": "img-a",
            "format": random.choice(["qcow2", "raw"]),
            "properties": image,
        },
        "tenant": random.choice(TENANTS),
        "zone": random.choice([*[None] * 9, *ZONES, "nowhere"]),
        "hints": {},
        "group": None,
        "rebuild": False,
    }
