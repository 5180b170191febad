"""For every CEL rule of the CRDs: an object that passes it and one that fails.

The same cases run in Google's CEL library and on a real API server: the first
tells in milliseconds, the second is the one that counts.
"""

from typing import Any

from support.crd_rule_case import (
    FLAVOR,
    KEY,
    NIC,
    NIC_2,
    SECRET_KEY,
    Case,
    Patch,
    changes,
    keys,
    merge,
    named,
    spec,
)
from support.crd_rule_scheduling import SCHEDULING_CASES


def _image(kind: str) -> list[Case]:
    other = {
        "url": "https://images.example/other.qcow2",
        "checksum": "sha256:" + "1" * 64,
        "format": "raw",
    }
    cases = keys(kind, ".spec.properties")
    for name, value in other.items():
        cases += changes(
            kind,
            f"{name} is immutable",
            same=spec(minRamMiB=64),
            changed=spec(**{name: value}),
        )
    return cases


def _flavor() -> list[Case]:
    cases = keys("Flavor", ".spec.extraSpecs")
    for name in ("vcpus", "ramMiB", "rootGiB", "ephemeralGiB", "swapMiB"):
        cases += changes(
            "Flavor",
            f"{name} is immutable",
            same=spec(description="the same size"),
            changed=spec(**{name: 8}),
        )
    for name in ("rootGiB", "ephemeralGiB", "swapMiB"):
        rule, sized = f"{name} is immutable", spec(**{name: 5})
        cases += [
            Case("Flavor", rule, allowed=False, old=sized, new=spec(**{name: None})),
            Case("Flavor", rule, allowed=True, old={}, new=spec(**{name: 0})),
        ]
    return cases


def _network() -> list[Case]:
    rule, unset = "cidr is immutable", spec(cidr=None)
    other = spec(cidr="10.30.0.0/24")
    return [
        *changes("Network", rule, same=spec(dnsServers=["9.9.9.9"]), changed=other),
        Case("Network", rule, allowed=False, old={}, new=unset),
        Case("Network", rule, allowed=False, old=unset, new={}),
        Case("Network", rule, allowed=True, old=unset, new=unset),
    ]


def _cluster_network() -> list[Case]:
    cases: list[Case] = []
    for name, value in {"cidr": "10.2.0.0/24", "bridge": "br1"}.items():
        cases += changes(
            "ClusterNetwork",
            f"{name} is immutable",
            same=spec(mtu=9000),
            changed=spec(**{name: value}),
        )
    return cases


def _instance() -> list[Case]:
    order = spec(destroy={"placementGeneration": 3, "reason": "ServerDeleted"})
    taken_back = "destroy must not be taken back"
    return [
        *changes(
            "Instance",
            "writer must not go back",
            same=spec(writer=8),
            changed=spec(writer=6),
        ),
        *changes(
            "Instance",
            "placementGeneration must not go back",
            same=spec(placementGeneration=4),
            changed=spec(placementGeneration=2),
        ),
        *changes(
            "Instance",
            "host is immutable",
            same=spec(powerState="Stopped"),
            changed=spec(host="hv2"),
        ),
        *changes(
            "Instance",
            "server.uid is immutable",
            same=spec(server={"name": "renamed"}),
            changed=spec(server={"uid": "another"}),
        ),
        *_fixed_with_placement("cpuSet", "0-3", "4-7"),
        *_fixed_with_placement("numa", *(_numa(host_cpu) for host_cpu in (4, 5))),
        Case("Instance", taken_back, allowed=True, old={}, new=order),
        Case("Instance", taken_back, allowed=True, old=order, new=order),
        Case("Instance", taken_back, allowed=False, old=order, new={}),
        *keys("Instance", ".spec.flavor.extraSpecs"),
        *keys("Instance", ".spec.image.properties"),
        *keys("Instance", ".spec.metadata"),
    ]


def _numa(host_cpu: int) -> dict[str, Any]:
    pin = {"vcpu": 0, "hostCpu": host_cpu}
    return {"cells": [{"hostCell": 0, "memoryMiB": 512, "vcpus": "0", "pins": [pin]}]}


def _fixed_with_placement(field_name: str, before: Any, other: Any) -> list[Case]:
    rule = f"{field_name} is immutable for a placementGeneration"
    old, moved = spec(**{field_name: before}), spec(**{field_name: other})
    newer = spec(placementGeneration=4, **{field_name: other})

    def case(new: Patch, *, allowed: bool, old: Patch = old) -> Case:
        return Case("Instance", rule, allowed=allowed, old=old, new=new)

    return [
        case(old, allowed=True),
        case(newer, allowed=True),
        case(spec(placementGeneration=4), allowed=True),
        case(moved, allowed=False),
        case({}, allowed=False),
        case(old, old={}, allowed=False),
    ]


def _list_map(field_name: str, first: Patch, second: Patch, other: Patch) -> list[Case]:
    """Return what may and may not become of a Server's NICs or keys."""
    rule, both = f"{field_name} is immutable", spec(**{field_name: [first, second]})

    def case(old: Any, new: Any, *, allowed: bool) -> Case:
        return Case(
            "Server",
            rule,
            allowed=allowed,
            old=spec(**{field_name: old}),
            new=spec(**{field_name: new}),
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
    fixed = {**NIC, "fixedAddress": "10.20.0.9"}
    changed_key = {**KEY, "publicKey": "ssh-ed25519 BBBB ann"}
    bare, full = {"name": "ann"}, {**KEY, **SECRET_KEY}
    return [
        Case("Server", name_rule, allowed=True, new=named("s" * 63), path=""),
        Case("Server", name_rule, allowed=False, new=named("s" * 64), path=""),
        Case("Server", both_rule, allowed=True, new=spec(userData="x")),
        Case("Server", both_rule, allowed=True, new=spec(userDataRef=ref)),
        Case(
            "Server", both_rule, allowed=False, new=spec(userData="x", userDataRef=ref)
        ),
        Case("Server", size_rule, allowed=True, new=spec(userData="x" * 49151)),
        # Fewer characters than allowed, each of them two bytes.
        Case("Server", size_rule, allowed=False, new=spec(userData="ä" * 30000)),
        Case("Server", key_rule, allowed=True, new=spec(sshKeys=[SECRET_KEY])),
        Case("Server", key_rule, allowed=False, new=spec(sshKeys=[bare])),
        Case("Server", key_rule, allowed=False, new=spec(sshKeys=[full])),
        *_config_drive(),
        *_list_map("networks", NIC, NIC_2, fixed),
        *_list_map("sshKeys", KEY, {**KEY, "name": "bob"}, changed_key),
        *changes(
            "Server",
            "flavorRef is immutable",
            same=spec(powerState="Stopped"),
            changed=spec(flavorRef={"name": "m1.large"}),
            path=".spec.flavorRef",
        ),
        *changes(
            "Server",
            "imageRef is immutable",
            same=spec(suspend=True),
            changed=spec(imageRef={"kind": "Image"}),
            path=".spec.imageRef",
        ),
        *keys("Server", ".spec.metadata"),
        *_server_status_keys(),
    ]


def _config_drive() -> list[Case]:
    ref = {"name": "web-0-user-data", "key": "user-data"}
    bare = {"sshKeys": None, "configDrive": False}

    def case(*, allowed: bool, **fields: Any) -> Case:
        return Case("Server", "configDrive: false", allowed=allowed, new=spec(**fields))

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
            new=merge({"status": {"flavor": FLAVOR}}, case.new),
            path=path,
        )
        for case in keys("Server", path)
    ]


def _cell() -> list[Case]:
    rule = "metadata.name must be a DNS label"
    verdicts = {"c" * 48: True, "c" * 49: False, "cell.one": False}
    return [
        Case("Cell", rule, allowed=allowed, new=named(name), path="")
        for name, allowed in verdicts.items()
    ]


CASES: list[Case] = [
    *_cell(),
    *_image("ClusterImage"),
    *_cluster_network(),
    *_flavor(),
    *SCHEDULING_CASES,
    *_image("Image"),
    *_instance(),
    *_network(),
    *_server(),
]
