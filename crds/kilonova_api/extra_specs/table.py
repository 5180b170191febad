"""Every extra spec that Nova knows by name, with what may stand in it.

Source: nova.api.validation.extra_specs, Nova 34, and hw:maxphysaddr_mode and
hw:maxphysaddr_bits, which Nova's libvirt driver reads without listing them there.
Resource classes are those of os_resource_classes 1.1.0.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kilonova_api.extra_specs.values import (
    AnyText,
    Number,
    OneOf,
    Pattern,
    ValueRule,
    YesOrNo,
)

_RESOURCE_CLASSES = """
    VCPU PCPU MEMORY_MB DISK_GB PCI_DEVICE SRIOV_NET_VF NUMA_SOCKET NUMA_CORE
    NUMA_THREAD NUMA_MEMORY_MB IPV4_ADDRESS VGPU VGPU_DISPLAY_HEAD PGPU FPGA
    NET_BW_EGR_KILOBIT_PER_SEC NET_BW_IGR_KILOBIT_PER_SEC MEM_ENCRYPTION_CONTEXT
    NET_PACKET_RATE_KILOPACKET_PER_SEC NET_PACKET_RATE_EGR_KILOPACKET_PER_SEC
    NET_PACKET_RATE_IGR_KILOPACKET_PER_SEC
    """
_CAPABILITIES = """
    id uuid service_id host vcpus memory_mb local_gb vcpus_used memory_mb_used
    local_gb_used hypervisor_type hypervisor_version hypervisor_hostname free_ram_mb
    free_disk_gb current_workload running_vms disk_available_least host_ip mapped
    cpu_allocation_ratio ram_allocation_ratio disk_allocation_ratio
    total_usable_ram_mb total_usable_disk_gb disk_mb_used free_disk_mb vcpus_total
    num_instances num_io_ops failed_builds aggregates cell_uuid updated
    """
_NESTED_CAPABILITIES = """
    cpu_info metrics stats numa_topology supported_hv_specs pci_device_pools nodename
    pci_stats supported_instances limits instances
    """
STANDARD_RESOURCE_CLASSES = frozenset(_RESOURCE_CLASSES.split())

_TEXT, _FLAG, _COUNT, _AMOUNT, _INTEGER = (
    AnyText(),
    YesOrNo(),
    Number(least=1),
    Number(least=0),
    Number(),
)
_CPUS = Pattern(r"\^?\d+((-\d+)?(,\^?\d+(-\d+)?)?)*", "0-3,^2")
_REQUIRED = OneOf(("required", "forbidden"))
_GROUP = r"([a-zA-Z0-9_-]{1,64})?"

_HW: dict[str, ValueRule] = {
    "boot_menu": _FLAG,
    "cpu_cores": _COUNT,
    "cpu_dedicated_mask": _CPUS,
    "cpu_max_cores": _COUNT,
    "cpu_max_sockets": _COUNT,
    "cpu_max_threads": _COUNT,
    "cpu_policy": OneOf(("dedicated", "shared", "mixed")),
    "cpu_realtime": _FLAG,
    "cpu_realtime_mask": _CPUS,
    "cpu_sockets": _COUNT,
    "cpu_thread_policy": OneOf(("prefer", "isolate", "require")),
    "cpu_threads": _COUNT,
    "emulator_threads_policy": OneOf(("isolate", "share")),
    "ephemeral_encryption": _FLAG,
    "ephemeral_encryption_format": OneOf(("plain", "luks")),
    "hide_hypervisor_id": _FLAG,
    "locked_memory": _FLAG,
    "maxphysaddr_bits": _AMOUNT,
    "maxphysaddr_mode": OneOf(("emulate", "passthrough")),
    "mem_encryption": _FLAG,
    "mem_encryption_model": OneOf(
        ("amd-sev", "amd-sev-es", "amd-sev-snp", "intel-tdx")
    ),
    "mem_page_size": Pattern(
        r"(large|small|any|\d+([kKMGT]i?)?(b|bit|B)?)", "small, large, any or 2MB"
    ),
    "numa_nodes": _COUNT,
    "pci_numa_affinity_policy": OneOf(("required", "preferred", "legacy", "socket")),
    "pmem": Pattern(r"([a-zA-Z0-9_]+(,)?)+", "4GB,16GB"),
    "pmu": _FLAG,
    "redirected_usb_ports": Number(least=0, most=15),
    "serial_port_count": _AMOUNT,
    "sound_model": OneOf(
        ("sb16", "es1370", "pcspk", "ac97", "ich6", "ich9", "usb", "virtio")
    ),
    "tpm_model": OneOf(("tpm-tis", "tpm-crb")),
    "tpm_secret_security": OneOf(("user", "host", "deployment")),
    "tpm_version": OneOf(("1.2", "2.0")),
    "usb_model": OneOf(("none", "nec-xhci", "qemu-xhci")),
    "vif_multiqueue_enabled": _FLAG,
    "viommu_model": OneOf(("intel", "smmuv3", "virtio", "auto")),
    "virtio_packed_ring": _FLAG,
    "watchdog_action": OneOf(("none", "pause", "poweroff", "reset", "disabled")),
}


def _build_quotas() -> Iterator[tuple[str, ValueRule]]:
    for key in ("cpu", "memory", "disk_io", "vif"):
        yield f"quota:{key}_limit", _AMOUNT
        yield f"quota:{key}_reservation", _INTEGER
        yield f"quota:{key}_shares_level", OneOf(("custom", "high", "normal", "low"))
        yield f"quota:{key}_shares_share", _AMOUNT
    yield from (("quota:cpu_shares", _AMOUNT), ("quota:cpu_period", _AMOUNT))
    yield "quota:cpu_quota", _INTEGER
    for stat in ("read", "write", "total"):
        yield f"quota:disk_{stat}_bytes_sec", _AMOUNT
        yield f"quota:disk_{stat}_iops_sec", _AMOUNT
    for way in ("inbound", "outbound"):
        for metric in ("average", "peak", "burst"):
            yield f"quota:vif_{way}_{metric}", _AMOUNT


KEYS: Mapping[str, ValueRule] = {
    "accel:device_profile": _TEXT,
    **{f"capabilities:{name}": _TEXT for name in _CAPABILITIES.split()},
    **{f"hw:{name}": rule for name, rule in _HW.items()},
    "hw_rng:allowed": _FLAG,
    "hw_rng:rate_bytes": _AMOUNT,
    "hw_rng:rate_period": _AMOUNT,
    "hw_video:ram_max_mb": _AMOUNT,
    "group_policy": OneOf(("isolate", "none")),
    "hide_hypervisor_id": _FLAG,
    "os:secure_boot": OneOf(("disabled", "required")),
    "pci_passthrough:alias": Pattern(r"[^:]+:\d+(?:\s*,\s*[^:]+:\d+)*", "gpu:1,nic:2"),
    **dict(_build_quotas()),
    "vmware:hw_version": _TEXT,
    "vmware:storage_policy": _TEXT,
}
"""Keys that are always spelt alike."""


@dataclass(frozen=True, slots=True)
class KeyFamily:
    """Keys of one form: the form, what may stand in them, and one to show."""

    form: str
    rule: ValueRule
    example: str


FAMILIES = (
    KeyFamily(r"hw:numa_cpus.\d+", _CPUS, "hw:numa_cpus.0"),
    KeyFamily(r"hw:numa_mem.\d+", _COUNT, "hw:numa_mem.0"),
    KeyFamily(r"aggregate_instance_extra_specs:.+", _TEXT, ""),
    *(
        KeyFamily(rf"capabilities:{name}(:\w+)*", _TEXT, f"capabilities:{name}")
        for name in _NESTED_CAPABILITIES.split()
    ),
    KeyFamily(rf"resources{_GROUP}:CUSTOM_[A-Z0-9_]+", _INTEGER, ""),
    KeyFamily(rf"trait{_GROUP}:CUSTOM_[A-Z0-9_]+", _REQUIRED, ""),
)
"""Keys that hold a number or a name of somebody's own."""

GROUPED: Mapping[str, ValueRule] = {"resources": _INTEGER, "trait": _REQUIRED}
"""Namespaces that may bear a group's name, as resources1:VCPU, with their rule."""
GROUP_PATTERN = _GROUP
