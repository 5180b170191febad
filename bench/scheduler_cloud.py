"""A cloud for the scheduler's bench: hosts 30 to 80 % full, and requests."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Connection, insert

from kilonova_api.compute_host import ComputeHost
from kilonova_api.flavor import Flavor
from kilonova_api.image import ClusterImage
from kilonova_api.kube.resources import Key
from kilonova_api.server import Server
from kilonova_api.server_group import ServerGroup
from kilonova_operator.domain.inventory import DISK_GB, MEMORY_MB, VCPU
from kilonova_operator.domain.servers.instance_spec import MIN_AGENT_VERSION
from kilonova_operator.domain.servers.references import References
from kilonova_operator.storage.sql.api.schema import (
    AllocationRow,
    CellMappingRow,
    HostMappingRow,
    InstanceMappingRow,
    InventoryRow,
    ResourceProviderRow,
)
from kilonova_operator.storage.sql.engine import EngineSettings, build_engine
from kilonova_operator.storage.sql.urls import parse_url

MOST_SERVERS = 100_000
FLAVORS = 16
ZONES = ("az1", "az2", "az3")
WITH_ZONE, WITH_TRAIT = 0.20, 0.10
TRAIT = "CUSTOM_FAST_DISK"
GROUPS = 200
VCPUS, MEMORY_MIB, DISK_GIB = 64, 262_144, 4_000
_ROWS_AT_ONCE = 2_000
_UID = uuid.UUID(int=0x4000_8000_0000_0000_0000)


class Cloud:
    """Hosts by number, and Servers that nobody placed yet."""

    def __init__(self, hosts: int, random: Random, *, affinity: bool) -> None:
        self.hosts = hosts
        self.affinity = affinity
        self.seed = random.randrange(2**32)
        self.per_host = max(2, min(10, MOST_SERVERS // hosts))
        self.servers = hosts * self.per_host
        self._random = random
        self._made = 0
        self._flavors = [_build_flavor(n, trait=False) for n in range(FLAVORS)]
        self._with_trait = [_build_flavor(n, trait=True) for n in range(FLAVORS)]
        self._groups = [_build_group(number) for number in range(GROUPS)]
        self._image = _build_image()
        self._template = _build_template()

    def list_compute_hosts(self) -> Iterator[tuple[Key, ComputeHost]]:
        """Give each host as the informer would."""
        for number in range(self.hosts):
            name = _host(number)
            yield Key("", name), ComputeHost.model_validate(_host_body(number, name))

    def build_server(self) -> tuple[Server, References]:
        """Return one more Server, and what it refers to."""
        number = self._made
        self._made += 1
        kinds = (
            self._with_trait if self._random.random() < WITH_TRAIT else self._flavors
        )
        zone = self._random.choice(ZONES) if self._random.random() < WITH_ZONE else None
        metadata = self._template.metadata.model_copy(
            update={"name": f"s{number}", "uid": _uid(MOST_SERVERS * 10 + number)}
        )
        spec = self._template.spec.model_copy(update={"availability_zone": zone})
        server = self._template.model_copy(update={"metadata": metadata, "spec": spec})
        flavor = self._random.choice(kinds)
        group = self._groups[number % GROUPS] if self.affinity else None
        found = References(flavor=flavor, image=self._image, networks={}, group=group)
        return server, found

    def fill(self, number: int) -> dict[str, int]:
        """Return what one of a host's Servers holds, so that it is 30-80 % full."""
        share = Random(self.seed + number).uniform(0.30, 0.80) / self.per_host
        return {
            VCPU: max(1, int(VCPUS * 4 * share)),
            MEMORY_MB: max(1, int(MEMORY_MIB * share)),
            DISK_GB: max(1, int(DISK_GIB * share)),
        }


def seed_database(url: str, cloud: Cloud) -> None:
    """Write hosts and the Servers that are on them."""
    engine = build_engine(parse_url("api", SecretStr(url)), EngineSettings())
    with engine.begin() as connection:
        _write(connection, CellMappingRow, _list_cells())
    for table, rows in (
        (HostMappingRow, _list_host_mappings(cloud)),
        (ResourceProviderRow, _list_providers(cloud)),
        (InventoryRow, _list_inventories(cloud)),
        (InstanceMappingRow, _list_mappings(cloud)),
        (AllocationRow, _list_allocations(cloud)),
    ):
        with engine.begin() as connection:
            _write(connection, table, rows)
    engine.dispose()


def _write(connection: Connection, table: Any, rows: Iterator[dict[str, Any]]) -> None:
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _ROWS_AT_ONCE:
            connection.execute(insert(table), batch)
            batch = []
    if batch:
        connection.execute(insert(table), batch)


def _list_cells() -> Iterator[dict[str, Any]]:
    yield {"name": "cell1", "uuid": str(_UID), "enabled": True, "database_id": ""}


def _list_host_mappings(cloud: Cloud) -> Iterator[dict[str, Any]]:
    for number in range(cloud.hosts):
        yield {"host": _host(number), "cell": "cell1"}


def _list_providers(cloud: Cloud) -> Iterator[dict[str, Any]]:
    for number in range(cloud.hosts):
        yield {
            "id": number + 1,
            "uuid": _uid(MOST_SERVERS * 100 + number),
            "name": _host(number),
            "is_host": True,
            "generation": 1,
            "parent_id": None,
            "root_id": None,
        }


def _list_inventories(cloud: Cloud) -> Iterator[dict[str, Any]]:
    totals = ((VCPU, VCPUS, 0, 4.0), (MEMORY_MB, MEMORY_MIB, 512, 1.0))
    for number in range(cloud.hosts):
        for name, total, reserved, ratio in (*totals, (DISK_GB, DISK_GIB, 0, 1.0)):
            yield {
                "provider_id": number + 1,
                "resource_class": name,
                "total": total,
                "reserved": reserved,
                "allocation_ratio": ratio,
                "min_unit": 1,
                "max_unit": total,
                "step_size": 1,
                "unmanaged": 0,
            }


def _list_mappings(cloud: Cloud) -> Iterator[dict[str, Any]]:
    now = datetime.now(UTC)
    for number in range(cloud.servers):
        host = number // cloud.per_host
        amounts = cloud.fill(host)
        yield {
            "server_uid": _uid(number),
            "namespace": "before",
            "name": f"old-{number}",
            "namespace_uid": "before",
            "instance_uuid": _uid(number),
            "cell": "cell1",
            "host": _host(host),
            "placement_generation": 1,
            "object_generation": 1,
            "attempt": 1,
            "tried_hosts": [],
            "request_id": "",
            "queued_for_delete": False,
            "retained": False,
            "group_uid": None,
            "zone": _zone(host),
            "vcpus": amounts[VCPU],
            "ram_mib": amounts[MEMORY_MB],
            "created_at": now,
            "updated_at": now,
        }


def _list_allocations(cloud: Cloud) -> Iterator[dict[str, Any]]:
    for number in range(cloud.servers):
        host = number // cloud.per_host
        for name, used in cloud.fill(host).items():
            yield {
                "server_uid": _uid(number),
                "placement_generation": 1,
                "provider_id": host + 1,
                "resource_class": name,
                "used": used,
            }


def _host(number: int) -> str:
    return f"hv{number:05d}"


def _zone(number: int) -> str:
    return ZONES[number % len(ZONES)]


def _uid(number: int) -> str:
    return str(uuid.UUID(int=_UID.int + number))


def _host_body(number: int, name: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "uid": f"host-{number}"},
        "spec": {"traits": [TRAIT]} if number % 4 else {},
        "status": {
            "state": "Up",
            "scheduling": "Enabled",
            "cell": "cell1",
            "zone": _zone(number),
            "agent": {
                "hostId": _uid(number),
                "agentVersion": MIN_AGENT_VERSION,
                "hypervisorType": "QEMU",
                "hypervisorVersion": 7_002_000 + number % 3,
                "virtType": "kvm",
                "cpu": {"arch": "x86_64", "cores": VCPUS},
            },
        },
    }


def _build_flavor(number: int, *, trait: bool) -> Flavor:
    body = {
        "metadata": {"name": f"f{number}", "uid": f"f{number}-{trait}"},
        "spec": {
            "vcpus": 1 + number % 8,
            "ramMiB": 1024 * (1 + number % 8),
            "rootGiB": 10 + number,
            "extraSpecs": {f"trait:{TRAIT}": "required"} if trait else {},
        },
    }
    return Flavor.model_validate(body)


def _build_group(number: int) -> ServerGroup:
    return ServerGroup.model_validate(
        {
            "metadata": {
                "name": f"g{number}",
                "namespace": "shop",
                "uid": _uid(MOST_SERVERS * 1000 + number),
            },
            "spec": {"policy": "AntiAffinity"},
        }
    )


def _build_image() -> ClusterImage:
    return ClusterImage.model_validate(
        {
            "metadata": {"name": "image", "uid": "image"},
            "spec": {
                "url": "https://images.example/i.qcow2",
                "checksum": f"sha256:{'0' * 64}",
                "format": "qcow2",
                "properties": {"hw_architecture": "x86_64"},
            },
        }
    )


def _build_template() -> Server:
    return Server.model_validate(
        {
            "metadata": {
                "name": "s",
                "namespace": "shop",
                "uid": "s",
                "generation": 1,
            },
            "spec": {
                "flavorRef": {"name": "f0"},
                "imageRef": {"kind": "ClusterImage", "name": "image"},
            },
        }
    )
