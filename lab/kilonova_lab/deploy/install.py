"""Install the charts and wait until hosts take guests."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from tempfile import NamedTemporaryFile
from typing import Any

from kilonova_lab.deploy.kubectl import Kubectl
from kilonova_lab.deploy.waiting import Awaited, wait_for
from kilonova_lab.folders import REPOSITORY
from kilonova_lab.stopwatch import Stopwatch

NAMESPACE = "kilonova-system"
RELEASE = "kilonova"
HYPERVISOR_LABEL = "node-restriction.kubernetes.io/kilonova-hypervisor"

_CHARTS = REPOSITORY / "charts"
_HELM_SECONDS = 240
_HOST_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Installation:
    """What is installed: image references by role, and the chart's values.

    ``hosts`` are the hypervisor hosts that must be Up before it counts as ready.
    """

    images: Mapping[str, str]
    values: Mapping[str, Any] = field(default_factory=dict)
    hosts: Sequence[str] = ()


def install(kubectl: Kubectl, wanted: Installation, watch: Stopwatch) -> None:
    """Install or upgrade Kilonova, and wait until its hosts are Up.

    Raises:
        CommandFailed: helm refused; its text says why.
        NotReady: the pods or the hosts did not become ready in time.
    """
    watch.report("installing the charts kilonova-crds and kilonova")
    _upgrade(kubectl, "kilonova-crds", {})
    _upgrade(kubectl, RELEASE, merge(build_image_values(wanted.images), wanted.values))
    for host in wanted.hosts:
        wait_for_host(kubectl, host, watch)


def _upgrade(kubectl: Kubectl, chart: str, values: Mapping[str, Any]) -> None:
    with NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(values, file)
        file.flush()
        kubectl.run_helm(
            *("upgrade", "--install", chart, str(_CHARTS / chart)),
            *("--namespace", NAMESPACE, "--create-namespace"),
            *("--values", file.name, "--wait", f"--timeout={_HELM_SECONDS}s"),
            timeout_seconds=_HELM_SECONDS + 30,
        )


def wait_for_host(kubectl: Kubectl, host: str, watch: Stopwatch) -> None:
    """Wait until a ComputeHost is Up and takes Servers."""

    def look() -> bool | None:
        status = (kubectl.find("computehosts", host) or {}).get("status", {})
        up = (status.get("state"), status.get("scheduling")) == ("Up", "Enabled")
        return up or None

    def explain() -> str:
        status = (kubectl.find("computehosts", host) or {}).get("status", {})
        return describe_conditions(status) or "no ComputeHost yet"

    wait_for(Awaited(f"host {host}", _HOST_SECONDS, explain), look, watch)
    watch.report(f"host {host} is Up")


def describe_conditions(status: Mapping[str, Any]) -> str:
    """Return what the conditions that are not Ready say, in one line."""
    return "; ".join(
        f"{c['type']}={c['status']} {c['reason']}: {c.get('message', '')}"
        for c in status.get("conditions", [])
        if (c["type"], c["status"]) != ("Ready", "True")
    )


def build_image_values(images: Mapping[str, str]) -> dict[str, Any]:
    """Turn ``role -> repository:tag`` into the chart's image values."""
    values: dict[str, Any] = {}
    for role, reference in images.items():
        repository, _, tag = reference.rpartition(":")
        values[role] = {"image": {"repository": repository, "tag": tag}}
    return values


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return both sets of values, ``over`` winning, maps merged key by key."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[key] = merge(below, value)
        else:
            merged[key] = value
    return merged
