"""A drawn cloud and request as Nova's own objects."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from nova import conf, objects
from nova.scheduler import host_manager
from real_nova import build_flavor, build_image

Drawn = dict[str, Any]

_NAMESPACE = UUID("2f9bd1b0-6d3e-4a0c-9c3e-0f5c1f0d7a11")
CELL_UUID = str(uuid5(_NAMESPACE, "cell1"))
_SILENT_SECONDS = 600


def uuid_of(name: str) -> str:
    """Return one uuid for a name."""
    return str(uuid5(_NAMESPACE, name))


def set_options(options: Drawn) -> None:
    """Set what the case says of nova.conf, and nothing else."""
    for group in ("filter_scheduler", "metrics"):
        for name in list(conf.CONF[group]):
            conf.CONF.clear_override(name, group=group)
    for name, value in options.items():
        if name == "metrics":
            for key, setting in value.items():
                conf.CONF.set_override(key, setting, group="metrics")
        else:
            conf.CONF.set_override(name, value, group="filter_scheduler")


def build_states(cloud: Drawn) -> list[host_manager.HostState]:
    """Build the hosts in their order."""
    aggregates = [
        objects.Aggregate(
            name=aggregate["name"],
            uuid=uuid_of(aggregate["name"]),
            metadata=dict(aggregate["metadata"]),
            hosts=[],
        )
        for aggregate in cloud["aggregates"]
    ]
    return [_build_state(host, aggregates) for host in cloud["hosts"]]


def _build_state(host: Drawn, aggregates: list[Any]) -> host_manager.HostState:
    state = host_manager.HostState(host["name"], host["name"], CELL_UUID)
    state.update(
        compute=build_compute(host),
        service=build_service(host),
        aggregates=[aggregates[number] for number in host["aggregates"]],
        inst_dict={
            uuid: _build_instance(uuid, properties)
            for uuid, properties in host["instances"].items()
        },
    )
    return state


def build_service(host: Drawn) -> Drawn:
    """Build a host's nova-compute, as its service row."""
    seen = datetime.now(UTC)
    if not host["up"]:
        seen -= timedelta(seconds=_SILENT_SECONDS)
    return {
        "disabled": host["disabled"],
        "disabled_reason": None,
        "forced_down": False,
        "last_seen_up": seen,
        "created_at": seen,
        "updated_at": seen,
        "host": host["name"],
        "binary": "nova-compute",
        "topic": "compute",
    }


def build_compute(host: Drawn) -> objects.ComputeNode:
    """Build a host's compute node."""
    used_mb = host["memory_mb_used"] + host["reserved_mb"]
    arches = (host["arch"], "i686") if host["arch"] == "x86_64" else (host["arch"],)
    guests = [
        objects.HVSpec(arch=arch, hv_type=host["virt"], vm_mode="hvm")
        for arch in (arches if host["arch"] else ())
    ]
    return objects.ComputeNode(
        uuid=uuid_of(host["name"]),
        host=host["name"],
        hypervisor_hostname=host["name"],
        host_ip=host["address"],
        memory_mb=host["memory_mb"],
        memory_mb_used=used_mb,
        free_ram_mb=host["memory_mb"] - used_mb,
        vcpus=host["vcpus"],
        vcpus_used=host["vcpus_used"],
        local_gb=host["disk_gb"],
        local_gb_used=host["disk_gb_used"],
        free_disk_gb=host["disk_gb"] - host["disk_gb_used"],
        disk_available_least=None,
        cpu_allocation_ratio=host["cpu_ratio"],
        ram_allocation_ratio=1.0,
        disk_allocation_ratio=1.0,
        hypervisor_type="QEMU",
        hypervisor_version=host["hypervisor_version"],
        cpu_info=json.dumps(_build_cpu_info(host)),
        supported_hv_specs=guests,
        stats={
            "num_instances": str(host["num_instances"]),
            "io_workload": str(host["io_ops"]),
            "failed_builds": str(host["failed_builds"]),
        },
        metrics=json.dumps(
            [_build_metric(name, value) for name, value in host["metrics"].items()]
        ),
        numa_topology=None,
        pci_device_pools=None,
        updated_at=None,
    )


def _build_metric(name: str, value: int) -> Drawn:
    """Build a metric as compute nodes keep it: percentages from 0 to 1."""
    return {
        "name": name,
        "value": value / 100.0 if name.endswith(".percent") else value,
        "timestamp": "2026-01-01T00:00:00.000000",
        "source": "libvirt",
    }


def _build_cpu_info(host: Drawn) -> Drawn:
    bits = host["address_bits"]
    return {
        **({"maxphysaddr": {"bits": bits}} if bits else {}),
        "arch": host["arch"],
        "model": host["cpu_model"],
        "vendor": host["cpu_vendor"],
        "features": host["cpu_features"],
    }


def _build_instance(uuid: str, properties: dict[str, str]) -> objects.Instance:
    return objects.Instance(
        uuid=uuid,
        image_ref="",
        system_metadata={f"image_{key}": value for key, value in properties.items()},
    )


def build_spec(cloud: Drawn, request: Drawn) -> objects.RequestSpec:
    """Build the request."""
    image = build_image(request["image"]["properties"])
    image.id = request["image"]["id"]
    image.disk_format = request["image"]["format"]
    hints = {
        key: value if isinstance(value, list) else [value]
        for key, value in request["hints"].items()
    }
    if request["rebuild"]:
        hints["_nova_check_type"] = ["rebuild"]
    flavor = build_flavor(request["flavor"])
    flavor.name = request["flavor"]["name"]
    return objects.RequestSpec(
        instance_uuid=request["uuid"],
        project_id=request["tenant"],
        flavor=flavor,
        image=image,
        availability_zone=request["zone"],
        scheduler_hints=hints,
        instance_group=_build_group(cloud, request["group"]),
        requested_destination=None,
        requested_networks=objects.NetworkRequestList(objects=[]),
        requested_resources=[],
        request_level_params=objects.RequestLevelParams(),
        pci_requests=None,
        numa_topology=None,
        is_bfv=False,
        ignore_hosts=None,
        force_hosts=None,
        force_nodes=None,
        num_instances=1,
    )


def _build_group(cloud: Drawn, group: Drawn | None) -> objects.InstanceGroup | None:
    if group is None:
        return None
    members = set(group["members"])
    return objects.InstanceGroup(
        uuid=uuid_of("group"),
        members=list(group["members"]),
        hosts=[
            host["name"]
            for host in cloud["hosts"]
            if not members.isdisjoint(host["instances"])
        ],
        policy=group["policy"],
        policies=[group["policy"]],
        _rules={} if group["max"] is None else {"max_server_per_host": group["max"]},
    )
