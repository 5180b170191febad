"""What a case of a CEL rule is: a change of the smallest valid object."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Patch = Mapping[str, Any]

IMAGE = {
    "url": "https://images.example/debian.qcow2",
    "checksum": "sha256:" + "0" * 64,
    "format": "qcow2",
}
FLAVOR = {"vcpus": 1, "ramMiB": 512}
NIC = {"name": "eth0", "networkRef": {"name": "private"}}
NIC_2 = {"name": "eth1", "networkRef": {"name": "private"}}
KEY = {"name": "ann", "publicKey": "ssh-ed25519 AAAA ann"}
SECRET_KEY = {"name": "ann", "secretRef": {"name": "keys", "key": "ann"}}

BASES: dict[str, dict[str, Any]] = {
    "Cell": {"spec": {"enabled": True}},
    "ClusterImage": {"spec": IMAGE},
    "ClusterNetwork": {
        "spec": {"type": "Bridge", "bridge": "br0", "cidr": "10.1.0.0/24"}
    },
    "ComputeHost": {"spec": {}},
    "Flavor": {"spec": FLAVOR},
    "HostAggregate": {"spec": {"hosts": ["hv1"]}},
    "Image": {"spec": IMAGE},
    "Instance": {
        "spec": {
            "server": {"cluster": "c", "namespace": "shop", "name": "web", "uid": "u"},
            "cell": "cell1",
            "host": "hv1",
            "writer": 7,
            "placementGeneration": 3,
            "buildId": "b1",
            "minAgentVersion": "0.1.0",
            "powerState": "Running",
            "flavorName": "m1.small",
            "flavor": FLAVOR,
            "imageName": "debian-13",
            "image": IMAGE,
            "hostname": "web",
        }
    },
    "Network": {"spec": {"type": "NAT", "cidr": "10.20.0.0/24"}},
    "Server": {
        "spec": {
            "flavorRef": {"name": "m1.small"},
            "imageRef": {"kind": "ClusterImage", "name": "debian-13"},
            "networks": [NIC, NIC_2],
            "sshKeys": [KEY],
        }
    },
    "ServerGroup": {"spec": {"policy": "AntiAffinity"}},
    "ServerQuota": {"metadata": {"name": "quota"}, "spec": {}},
}
"""The smallest valid object of each kind, where a rule needs no more."""


@dataclass(frozen=True, slots=True)
class Case:
    """A change, or with ``old`` None a creation, and whether the rule allows it.

    ``old`` and ``new`` are merge patches over the kind's base.
    """

    kind: str
    rule: str
    """How the rule's message begins."""
    allowed: bool
    new: Patch
    old: Patch | None = None
    path: str = field(default=".spec")

    def __str__(self) -> str:
        verdict = "allows" if self.allowed else "refuses"
        return f"{self.kind}{self.path} {self.rule!r} {verdict} {str(self.new)[:60]}"

    @property
    def new_object(self) -> dict[str, Any]:
        return merge(BASES[self.kind], self.new)

    @property
    def old_object(self) -> dict[str, Any] | None:
        return None if self.old is None else merge(BASES[self.kind], self.old)


def merge(base: Any, patch: Patch) -> dict[str, Any]:
    """Apply a JSON merge patch."""
    merged = dict(base) if isinstance(base, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            merged[key] = merge(merged.get(key), value)
        else:
            merged[key] = value
    return merged


def spec(**fields: Any) -> dict[str, Any]:
    """Return a patch of some fields of a spec."""
    return {"spec": fields}


def changes(
    kind: str, rule: str, *, same: Patch, changed: Patch, path: str = ".spec"
) -> list[Case]:
    """Return an update from the base that is allowed and one that is not."""
    return [
        Case(kind, rule, allowed=True, new=same, old={}, path=path),
        Case(kind, rule, allowed=False, new=changed, old={}, path=path),
    ]


def keys(kind: str, path: str, value: Any = "v") -> list[Case]:
    """Return a map with keys of the longest length, and two with wrong ones."""

    def nest(value: Any) -> Any:
        for name in reversed(path.strip(".").split(".")):
            value = {name: value}
        return value

    rule = "each key must be 1 to 255"
    return [
        Case(kind, rule, allowed=True, new=nest({"k" * 255: value}), path=path),
        Case(kind, rule, allowed=False, new=nest({"k" * 256: value}), path=path),
        Case(kind, rule, allowed=False, new=nest({"": value}), path=path),
    ]


def named(name: str) -> dict[str, Any]:
    """Return a patch of the name."""
    return {"metadata": {"name": name}}
