"""For every CEL rule of the CRDs: an object that passes it and one that fails.

The same cases run in Google's CEL library and on a real API server: the first
tells in milliseconds, the second is the one that counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Patch = Mapping[str, Any]

_IMAGE = {
    "url": "https://images.example/debian.qcow2",
    "checksum": "sha256:" + "0" * 64,
    "format": "qcow2",
}
_FLAVOR = {"vcpus": 1, "ramMiB": 512}
_NIC = {"name": "eth0", "networkRef": {"name": "private"}}
_NIC_2 = {"name": "eth1", "networkRef": {"name": "private"}}
_KEY = {"name": "ann", "publicKey": "ssh-ed25519 AAAA ann"}
_SECRET_KEY = {"name": "ann", "secretRef": {"name": "keys", "key": "ann"}}

BASES: dict[str, dict[str, Any]] = {
    "Cell": {"spec": {"enabled": True}},
    "ClusterImage": {"spec": _IMAGE},
    "ClusterNetwork": {
        "spec": {"type": "Bridge", "bridge": "br0", "cidr": "10.1.0.0/24"}
    },
    "ComputeHost": {"spec": {}},
    "Flavor": {"spec": _FLAVOR},
    "Image": {"spec": _IMAGE},
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
            "flavor": _FLAVOR,
            "imageName": "debian-13",
            "image": _IMAGE,
            "hostname": "web",
        }
    },
    "Network": {"spec": {"type": "NAT", "cidr": "10.20.0.0/24"}},
    "Server": {
        "spec": {
            "flavorRef": {"name": "m1.small"},
            "imageRef": {"kind": "ClusterImage", "name": "debian-13"},
            "networks": [_NIC, _NIC_2],
            "sshKeys": [_KEY],
        }
    },
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
        return _merge(BASES[self.kind], self.new)

    @property
    def old_object(self) -> dict[str, Any] | None:
        return None if self.old is None else _merge(BASES[self.kind], self.old)


def _merge(base: Any, patch: Patch) -> dict[str, Any]:
    """Apply a JSON merge patch."""
    merged = dict(base) if isinstance(base, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            merged[key] = _merge(merged.get(key), value)
        else:
            merged[key] = value
    return merged


def _spec(**fields: Any) -> dict[str, Any]:
    return {"spec": fields}


def _changes(
    kind: str, rule: str, *, same: Patch, changed: Patch, path: str = ".spec"
) -> list[Case]:
    """Return an update from the base that is allowed and one that is not."""
    return [
        Case(kind, rule, allowed=True, new=same, old={}, path=path),
        Case(kind, rule, allowed=False, new=changed, old={}, path=path),
    ]


def _keys(kind: str, path: str) -> list[Case]:
    """Return a map with keys of the longest length, and two with wrong ones."""

    def nest(value: Any) -> Any:
        for name in reversed(path.strip(".").split(".")):
            value = {name: value}
        return value

    rule = "each key must be 1 to 255"
    return [
        Case(kind, rule, allowed=True, new=nest({"k" * 255: "v"}), path=path),
        Case(kind, rule, allowed=False, new=nest({"k" * 256: "v"}), path=path),
        Case(kind, rule, allowed=False, new=nest({"": "v"}), path=path),
    ]


def _image(kind: str) -> list[Case]:
    other = {
        "url": "https://images.example/other.qcow2",
        "checksum": "sha256:" + "1" * 64,
        "format": "raw",
    }
    cases = _keys(kind, ".spec.properties")
    for name, value in other.items():
        cases += _changes(
            kind,
            f"{name} is immutable",
            same=_spec(minRamMiB=64),
            changed=_spec(**{name: value}),
        )
    return cases


def _flavor() -> list[Case]:
    cases = _keys("Flavor", ".spec.extraSpecs")
    for name in ("vcpus", "ramMiB", "rootGiB", "ephemeralGiB", "swapMiB"):
        cases += _changes(
            "Flavor",
            f"{name} is immutable",
            same=_spec(description="the same size"),
            changed=_spec(**{name: 8}),
        )
    for name in ("rootGiB", "ephemeralGiB", "swapMiB"):
        rule, sized = f"{name} is immutable", _spec(**{name: 5})
        cases += [
            Case("Flavor", rule, allowed=False, old=sized, new=_spec(**{name: None})),
            Case("Flavor", rule, allowed=True, old={}, new=_spec(**{name: 0})),
        ]
    return cases


def _network() -> list[Case]:
    rule, unset = "cidr is immutable", _spec(cidr=None)
    other = _spec(cidr="10.30.0.0/24")
    return [
        *_changes("Network", rule, same=_spec(dnsServers=["9.9.9.9"]), changed=other),
        Case("Network", rule, allowed=False, old={}, new=unset),
        Case("Network", rule, allowed=False, old=unset, new={}),
        Case("Network", rule, allowed=True, old=unset, new=unset),
    ]


def _cluster_network() -> list[Case]:
    cases: list[Case] = []
    for name, value in {"cidr": "10.2.0.0/24", "bridge": "br1"}.items():
        cases += _changes(
            "ClusterNetwork",
            f"{name} is immutable",
            same=_spec(mtu=9000),
            changed=_spec(**{name: value}),
        )
    return cases


def _instance() -> list[Case]:
    order = _spec(destroy={"placementGeneration": 3, "reason": "ServerDeleted"})
    taken_back = "destroy must not be taken back"
    return [
        *_changes(
            "Instance",
            "writer must not go back",
            same=_spec(writer=8),
            changed=_spec(writer=6),
        ),
        *_changes(
            "Instance",
            "placementGeneration must not go back",
            same=_spec(placementGeneration=4),
            changed=_spec(placementGeneration=2),
        ),
        *_changes(
            "Instance",
            "host is immutable",
            same=_spec(powerState="Stopped"),
            changed=_spec(host="hv2"),
        ),
        *_changes(
            "Instance",
            "server.uid is immutable",
            same=_spec(server={"name": "renamed"}),
            changed=_spec(server={"uid": "another"}),
        ),
        Case("Instance", taken_back, allowed=True, old={}, new=order),
        Case("Instance", taken_back, allowed=True, old=order, new=order),
        Case("Instance", taken_back, allowed=False, old=order, new={}),
        *_keys("Instance", ".spec.flavor.extraSpecs"),
        *_keys("Instance", ".spec.image.properties"),
        *_keys("Instance", ".spec.metadata"),
    ]


def _list_map(field_name: str, first: Patch, second: Patch, other: Patch) -> list[Case]:
    """Return what may and may not become of a Server's NICs or keys."""
    rule, both = f"{field_name} is immutable", _spec(**{field_name: [first, second]})

    def case(old: Any, new: Any, *, allowed: bool) -> Case:
        return Case(
            "Server",
            rule,
            allowed=allowed,
            old=_spec(**{field_name: old}),
            new=_spec(**{field_name: new}),
        )

    return [
        Case("Server", rule, allowed=True, old=both, new=both),
        case([first, second], [second, first], allowed=True),
        case(None, None, allowed=True),
        case(None, [], allowed=True),
        case([], None, allowed=True),
        case([], [], allowed=True),
        case([], [first], allowed=False),
        case([first], [], allowed=False),
        case([first], [first, second], allowed=False),
        case([first, second], [first], allowed=False),
        case([first], [other], allowed=False),
        case([first], None, allowed=False),
        case(None, [first], allowed=False),
    ]


def _server() -> list[Case]:
    name_rule, size_rule = "metadata.name must be no more", "userData must be no more"
    both_rule, key_rule = "userData and userDataRef", "each of sshKeys must have"
    ref = {"name": "web-0-user-data", "key": "user-data"}
    fixed = {**_NIC, "fixedAddress": "10.20.0.9"}
    changed_key = {**_KEY, "publicKey": "ssh-ed25519 BBBB ann"}
    bare, full = {"name": "ann"}, {**_KEY, **_SECRET_KEY}
    return [
        Case("Server", name_rule, allowed=True, new=_named("s" * 63), path=""),
        Case("Server", name_rule, allowed=False, new=_named("s" * 64), path=""),
        Case("Server", both_rule, allowed=True, new=_spec(userData="x")),
        Case("Server", both_rule, allowed=True, new=_spec(userDataRef=ref)),
        Case(
            "Server", both_rule, allowed=False, new=_spec(userData="x", userDataRef=ref)
        ),
        Case("Server", size_rule, allowed=True, new=_spec(userData="x" * 49151)),
        # Fewer characters than allowed, each of them two bytes.
        Case("Server", size_rule, allowed=False, new=_spec(userData="ä" * 30000)),
        Case("Server", key_rule, allowed=True, new=_spec(sshKeys=[_SECRET_KEY])),
        Case("Server", key_rule, allowed=False, new=_spec(sshKeys=[bare])),
        Case("Server", key_rule, allowed=False, new=_spec(sshKeys=[full])),
        *_config_drive(),
        *_list_map("networks", _NIC, _NIC_2, fixed),
        *_list_map("sshKeys", _KEY, {**_KEY, "name": "bob"}, changed_key),
        *_changes(
            "Server",
            "flavorRef is immutable",
            same=_spec(powerState="Stopped"),
            changed=_spec(flavorRef={"name": "m1.large"}),
            path=".spec.flavorRef",
        ),
        *_changes(
            "Server",
            "imageRef is immutable",
            same=_spec(suspend=True),
            changed=_spec(imageRef={"kind": "Image"}),
            path=".spec.imageRef",
        ),
        *_keys("Server", ".spec.metadata"),
        *_server_status_keys(),
    ]


def _config_drive() -> list[Case]:
    ref = {"name": "web-0-user-data", "key": "user-data"}
    bare = {"sshKeys": None, "configDrive": False}

    def case(*, allowed: bool, **spec: Any) -> Case:
        return Case("Server", "configDrive: false", allowed=allowed, new=_spec(**spec))

    return [
        case(allowed=True, configDrive=True, userData="x", metadata={"a": "b"}),
        case(allowed=True, **bare),
        case(allowed=True, **bare | {"sshKeys": []}, metadata={}),
        case(allowed=False, configDrive=False),
        case(allowed=False, **bare, userData="x"),
        case(allowed=False, **bare, userDataRef=ref),
        case(allowed=False, **bare, metadata={"a": "b"}),
    ]


def _server_status_keys() -> list[Case]:
    path = ".status.flavor.extraSpecs"
    return [
        Case(
            case.kind,
            case.rule,
            allowed=case.allowed,
            new=_merge({"status": {"flavor": _FLAVOR}}, case.new),
            path=path,
        )
        for case in _keys("Server", path)
    ]


def _named(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name}}


def _cell() -> list[Case]:
    rule = "metadata.name must be a DNS label"
    verdicts = {"c" * 48: True, "c" * 49: False, "cell.one": False}
    return [
        Case("Cell", rule, allowed=allowed, new=_named(name), path="")
        for name, allowed in verdicts.items()
    ]


CASES: list[Case] = [
    *_cell(),
    *_image("ClusterImage"),
    *_cluster_network(),
    *_flavor(),
    *_image("Image"),
    *_instance(),
    *_network(),
    *_server(),
]
