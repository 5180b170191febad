"""ComputeHosts whose agents report NUMA cells."""

from typing import Any

from kilonova_api.compute_host import ComputeHost
from kilonova_api.names import API_VERSION


def two_cells(*, cpus: int = 8, memory_mib: int = 4096) -> list[dict[str, Any]]:
    """What an agent reports of two cells of cores of two threads."""
    return [
        {
            "id": number,
            "cpus": f"{first}-{first + cpus - 1}",
            "siblings": [f"{cpu}-{cpu + 1}" for cpu in range(first, first + cpus, 2)],
            "memoryMiB": memory_mib,
            "pagePools": [
                {"size": "4Ki", "total": memory_mib * 256 // 2},
                {"size": "2Mi", "total": memory_mib // 2 // 2},
            ],
        }
        for number, first in ((0, 0), (1, cpus))
    ]


def made_compute_host(name: str = "hv1", **cpu: str) -> ComputeHost:
    """A host of two cells, all of whose CPUs are dedicated if nothing is said."""
    agent = {
        "hostId": "00000000-0000-4000-8000-000000000001",
        "agentVersion": "0.1.0",
        "numaCells": two_cells(),
    }
    return ComputeHost.model_validate(
        {
            "apiVersion": API_VERSION,
            "kind": "ComputeHost",
            "metadata": {"name": name},
            "spec": {"cpu": cpu or {"dedicatedSet": "0-15"}},
            "status": {"agent": agent},
        }
    )
