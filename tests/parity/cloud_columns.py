"""A drawn cloud and request as Kilonova sees them."""

from typing import Any

from kilonova_operator.domain.inventory import (
    DISK_GB,
    MEMORY_MB,
    VCPU,
    Inventory,
    ProviderView,
)
from kilonova_operator.domain.scheduling.aggregates import (
    AggregateFacts,
    build_aggregate_set,
)
from kilonova_operator.domain.scheduling.columns import HostColumns
from kilonova_operator.domain.scheduling.facts import HostFacts
from kilonova_operator.domain.scheduling.filters.near_host import build_nearby
from kilonova_operator.domain.scheduling.metrics import HostMetric, build_metrics
from kilonova_operator.domain.scheduling.options import (
    SchedulingOptions,
    WeightMultipliers,
)
from kilonova_operator.domain.scheduling.profile import CapabilityProfile
from kilonova_operator.domain.scheduling.request import (
    BuildRequest,
    GroupView,
    Policy,
    RequestClass,
    sort_pairs,
)
from parity.cloud import MULTIPLIERS, Drawn, find_zone

_POLICIES: dict[str, Policy] = {
    "affinity": "Affinity",
    "anti-affinity": "AntiAffinity",
    "soft-affinity": "SoftAffinity",
    "soft-anti-affinity": "SoftAntiAffinity",
}


def build_columns(cloud: Drawn) -> HostColumns:
    """Return columns in the order of the cloud's hosts."""
    columns = HostColumns()
    aggregates = build_aggregates(cloud)
    columns.set_aggregates(aggregates)
    for host in cloud["hosts"]:
        own = build_aggregate_set(aggregates[number] for number in host["aggregates"])
        columns.set_facts(
            HostFacts(
                host=host["name"],
                cell="cell1",
                zone=find_zone(cloud, host),
                up=host["up"],
                held=host["disabled"],
                profile=build_profile(host),
                aggregates=own,
                traits=frozenset(host["traits"]),
                metrics=build_metrics(
                    HostMetric(name, value) for name, value in host["metrics"].items()
                ),
                address=host["address"],
            )
        )
        columns.set_provider(build_view(host))
        columns.set_number(host["name"], "io_ops", host["io_ops"])
        columns.set_number(host["name"], "failed_builds", host["failed_builds"])
        columns.image_counts.set_host(host["name"], count_notes(host))
    return columns


def build_aggregates(cloud: Drawn) -> list[AggregateFacts]:
    """Return the cloud's aggregates in their order."""
    return [
        AggregateFacts(aggregate["name"], sort_pairs(aggregate["metadata"]))
        for aggregate in cloud["aggregates"]
    ]


def build_profile(host: Drawn) -> CapabilityProfile:
    """Return the host's processor and hypervisor."""
    return CapabilityProfile(
        arch=host["arch"],
        cpu_model=host["cpu_model"],
        cpu_vendor=host["cpu_vendor"],
        cpu_features=tuple(host["cpu_features"]),
        hypervisor_type="QEMU",
        hypervisor_version=host["hypervisor_version"],
        virt_type=host["virt"],
        maxphysaddr_bits=host["address_bits"],
    )


def build_view(host: Drawn) -> ProviderView:
    """Return the host's amounts."""
    return ProviderView(
        host=host["name"],
        cell="cell1",
        generation=1,
        inventories={
            VCPU: Inventory(host["vcpus"], allocation_ratio=host["cpu_ratio"]),
            MEMORY_MB: Inventory(host["memory_mb"], reserved=host["reserved_mb"]),
            DISK_GB: Inventory(host["disk_gb"]),
        },
        used={
            VCPU: host["vcpus_used"],
            MEMORY_MB: host["memory_mb_used"],
            DISK_GB: host["disk_gb_used"],
        },
        claims=host["num_instances"],
    )


def count_notes(host: Drawn) -> dict[tuple[str, str], int]:
    """Count the image properties of the host's guests."""
    counts: dict[tuple[str, str], int] = {}
    for properties in host["instances"].values():
        for pair in properties.items():
            counts[pair] = counts.get(pair, 0) + 1
    return counts


def build_request(cloud: Drawn, drawn: Drawn) -> BuildRequest:
    """Return the request, with Servers it names turned into their hosts."""
    hints, flavor, image = drawn["hints"], drawn["flavor"], drawn["image"]
    nearby = ""
    if "build_near_host_ip" in hints:
        nearby = build_nearby(hints["build_near_host_ip"], hints.get("cidr", "/24"))
    return BuildRequest(
        RequestClass(
            amounts=(),
            flavor=flavor["name"],
            extra_specs=sort_pairs(flavor["extra_specs"]),
            image=image["id"],
            image_properties=sort_pairs(image["properties"]),
            image_format=image["format"],
            tenant=drawn["tenant"],
            zone=drawn["zone"],
            query=hints.get("query", ""),
            nearby=nearby,
            rebuild=drawn["rebuild"],
        ),
        same_hosts=_find_hosts(cloud, hints.get("same_host")),
        different_hosts=_find_hosts(cloud, hints.get("different_host")),
        group=_build_group(cloud, drawn["group"]),
    )


def _find_hosts(cloud: Drawn, uuids: list[str] | None) -> frozenset[str] | None:
    if uuids is None:
        return None
    wanted = set(uuids)
    return frozenset(
        host["name"]
        for host in cloud["hosts"]
        if not wanted.isdisjoint(host["instances"])
    )


def _build_group(cloud: Drawn, group: Drawn | None) -> GroupView | None:
    if group is None:
        return None
    members = set(group["members"])
    counts = {
        host["name"]: len(members & host["instances"].keys()) for host in cloud["hosts"]
    }
    return GroupView(
        uid="group",
        policy=_POLICIES[group["policy"]],
        members={host: count for host, count in counts.items() if count},
        max_per_domain=group["max"] or 1,
    )


def build_options(drawn: Drawn, **changes: Any) -> SchedulingOptions:
    """Return the site's choices."""
    metrics = drawn["metrics"]
    chosen = {**drawn, "metrics_weight_multiplier": metrics.get("weight_multiplier")}
    multipliers = {
        name: chosen[name] for name in MULTIPLIERS if chosen.get(name) is not None
    }
    return SchedulingOptions(
        multipliers=WeightMultipliers(**multipliers),
        max_io_ops_per_host=drawn["max_io_ops_per_host"],
        max_instances_per_host=drawn["max_instances_per_host"],
        isolated_hosts=frozenset(drawn["isolated_hosts"]),
        isolated_images=frozenset(drawn["isolated_images"]),
        restrict_isolated_hosts_to_isolated_images=drawn[
            "restrict_isolated_hosts_to_isolated_images"
        ],
        image_properties_default_architecture=(
            drawn["image_properties_default_architecture"] or ""
        ),
        aggregate_image_properties_isolation_namespace=(
            drawn["aggregate_image_properties_isolation_namespace"] or ""
        ),
        aggregate_image_properties_isolation_separator=drawn[
            "aggregate_image_properties_isolation_separator"
        ],
        image_props_weight_setting=_read_weights(drawn["image_props_weight_setting"]),
        metrics_weight_setting=_read_weights(metrics["weight_setting"]),
        metrics_required=metrics["required"],
        metrics_weight_of_unavailable=metrics["weight_of_unavailable"],
        **changes,
    )


def _read_weights(setting: list[str]) -> tuple[tuple[str, float], ...]:
    pairs = (element.split("=") for element in setting)
    return tuple((name, float(weight)) for name, weight in pairs)
