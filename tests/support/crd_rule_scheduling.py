"""Cases of the CEL rules that scheduling brought."""

from typing import Any

from kilonova_api.flavor_rules import TYPED_KEYS
from support.crd_rule_case import Case, changes, keys, named, spec

_TYPED_VALUES: dict[str, Any] = {
    "cpu.policy": "Dedicated",
    "cpu.threads": "Isolate",
    "cpu.dedicatedMask": "0-1",
    "cpu.emulatorThreads": "Share",
    "cpu.topology.sockets": 1,
    "cpu.topology.cores": 2,
    "cpu.topology.threads": 2,
    "numa.nodes": 2,
    "memory.pageSize": "2Mi",
}


def _nest(path: str, value: Any) -> Any:
    for name in reversed(path.split(".")):
        value = {name: value}
    return value


def _flavor() -> list[Case]:
    cases: list[Case] = []
    for field, key in TYPED_KEYS.items():
        typed = _nest(field, _TYPED_VALUES[field])
        rule = f"extraSpecs must not hold {key} beside {field}"
        both = spec(**typed, extraSpecs={key: "1"})
        other = spec(**typed, extraSpecs={"hw:boot_menu": "yes"})
        cases += [
            Case("Flavor", rule, allowed=True, new=other),
            Case("Flavor", rule, allowed=True, new=spec(extraSpecs={key: "1"})),
            Case("Flavor", rule, allowed=False, new=both),
        ]
    for word in ("required", "forbidden"):
        rule = f"extraSpecs must not hold a trait: that traits.{word} names"
        traits = {word: ["CUSTOM_A"]}
        for name, allowed in (("CUSTOM_A", False), ("CUSTOM_B", True)):
            bag = {f"trait:{name}": "required"}
            new = spec(traits=traits, extraSpecs=bag)
            cases.append(Case("Flavor", rule, allowed=allowed, new=new))
    return [*cases, *_flavor_resources(), *_flavor_traits()]


def _flavor_resources() -> list[Case]:
    twice, form = "extraSpecs must not hold a resources:", "resources must be named"
    path = ".spec.resources"
    amounts = {"CUSTOM_FPGA": 1, "VCPU": 0}
    longest = "A" * 240

    def case(rule: str, new: dict[str, Any], *, allowed: bool, at: str) -> Case:
        return Case("Flavor", rule, allowed=allowed, new=new, path=at)

    bags = {"resources:CUSTOM_FPGA": False, "resources1:CUSTOM_FPGA": True}
    return [
        *(
            case(
                twice,
                spec(resources=amounts, extraSpecs={key: "1"}),
                allowed=allowed,
                at=".spec",
            )
            for key, allowed in bags.items()
        ),
        case(form, spec(resources=amounts), allowed=True, at=path),
        case(form, spec(resources={"fpga": 1}), allowed=False, at=path),
        case("each key must be", spec(resources={longest: 1}), allowed=True, at=path),
        case(
            "each key must be",
            spec(resources={longest + "A": 1}),
            allowed=False,
            at=path,
        ),
    ]


def _flavor_traits() -> list[Case]:
    rule, path = "traits must not be both", ".spec.traits"
    apart = {"required": ["CUSTOM_A"], "forbidden": ["CUSTOM_B"]}
    same = {"required": ["CUSTOM_A"], "forbidden": ["CUSTOM_A"]}
    return [
        Case("Flavor", rule, allowed=True, new=spec(traits=apart), path=path),
        Case("Flavor", rule, allowed=False, new=spec(traits=same), path=path),
    ]


def _host() -> list[Case]:
    reason = "disabledReason must come with"
    why = "BIOS update"
    cases = [
        Case("ComputeHost", reason, allowed=True, new=spec(disabled=True)),
        Case(
            "ComputeHost",
            reason,
            allowed=True,
            new=spec(disabled=True, disabledReason=why),
        ),
        Case("ComputeHost", reason, allowed=False, new=spec(disabledReason=why)),
    ]
    for name in ("vcpu", "memory", "disk"):
        for ratio, allowed in (("0.5", True), ("16", True), ("0.0", False)):
            new = spec(allocationRatios={name: ratio})
            path = ".spec.allocationRatios"
            rule = f"{name} must be a number above 0"
            cases.append(Case("ComputeHost", rule, allowed=allowed, new=new, path=path))
    return [*cases, *_inventories("ComputeHost", "resources")]


def _inventories(kind: str, field: str) -> list[Case]:
    """Return what may stand in one inventory of a list of them."""
    path, ratio = f".spec.{field}[]", "allocationRatio must be a number above 0"
    reserved, unit = "reserved must be no more than total", "minUnit must be no more"
    least: dict[str, Any] = {"resourceClass": "CUSTOM_FPGA", "total": 4}
    verdicts: list[tuple[str, dict[str, Any], bool]] = [
        (reserved, {"reserved": 4}, True),
        (reserved, {"reserved": 5}, False),
        (unit, {"minUnit": 4}, True),
        (unit, {"minUnit": 5}, False),
        (unit, {"minUnit": 2, "maxUnit": 2}, True),
        (unit, {"minUnit": 3, "maxUnit": 2}, False),
        (ratio, {"allocationRatio": "1.5"}, True),
        (ratio, {"allocationRatio": "0"}, False),
    ]
    return [
        Case(
            kind,
            rule,
            allowed=allowed,
            new=spec(**{field: [least | fields]}),
            path=path,
        )
        for rule, fields, allowed in verdicts
    ]


def _aggregate() -> list[Case]:
    rule, kind = "metadata must not hold availability_zone", "HostAggregate"
    values, path = "values must be given", ".spec.hostSelector.matchExpressions[]"
    requirements = [
        ({"key": "disk", "operator": "In", "values": ["ssd"]}, True),
        ({"key": "disk", "operator": "NotIn"}, False),
        ({"key": "disk", "operator": "Exists"}, True),
        ({"key": "disk", "operator": "Exists", "values": ["ssd"]}, False),
    ]
    labels = ".spec.hostSelector.matchLabels"
    return [
        Case(kind, rule, allowed=True, new=spec(metadata={"ssd": "true"})),
        Case(kind, rule, allowed=False, new=spec(metadata={"availability_zone": "a"})),
        *(
            Case(
                kind,
                values,
                allowed=allowed,
                new=spec(hostSelector={"matchExpressions": [requirement]}),
                path=path,
            )
            for requirement, allowed in requirements
        ),
        *(
            Case(
                kind,
                "each key must be 1 to 317",
                allowed=allowed,
                new=spec(hostSelector={"matchLabels": {key: "x"}}),
                path=labels,
            )
            for key, allowed in (("disk", True), ("k" * 318, False))
        ),
        *keys(kind, ".spec.metadata"),
        *_inventories(kind, "sharedResources"),
    ]


def _group() -> list[Case]:
    kind, rule = "ServerGroup", "maxPerDomain must come with"
    cases = [
        Case(kind, rule, allowed=True, new=spec(maxPerDomain=2)),
        Case(kind, rule, allowed=False, new=spec(policy="Affinity", maxPerDomain=2)),
    ]
    for name, value in {"policy": "Affinity", "topology": "Zone"}.items():
        cases += changes(
            kind,
            f"{name} is immutable",
            same=spec(scheduleTimeoutSeconds=60),
            changed=spec(**{name: value}),
            path=f".spec.{name}",
        )
    return [
        *(_with_default_topology(case) for case in cases),
        *_optional(kind, "maxPerDomain", 2, 3),
        *_optional(kind, "minMembers", 2, 3),
    ]


def _with_default_topology(case: Case) -> Case:
    """Say the default, which an API server fills in, for a library that does not."""
    if case.path != ".spec.topology":
        return case
    before = spec(topology="Host")
    new = {"spec": {"topology": "Host", **case.new["spec"]}}
    return Case(
        case.kind,
        case.rule,
        allowed=case.allowed,
        new=new,
        old=before,
        path=case.path,
    )


def _optional(kind: str, field: str, value: Any, other: Any) -> list[Case]:
    """Return what may and may not become of an optional field that stays."""
    rule = f"{field} is immutable"
    steps = [
        (None, None, True),
        (value, value, True),
        (value, other, False),
        (None, value, False),
        (value, None, False),
    ]
    return [
        Case(
            kind,
            rule,
            allowed=allowed,
            old=spec(**{field: before}),
            new=spec(**{field: after}),
        )
        for before, after, allowed in steps
    ]


def _quota() -> list[Case]:
    rule, kind = "metadata.name must be quota", "ServerQuota"
    cases = [
        Case(kind, rule, allowed=True, new={}, path=""),
        Case(kind, rule, allowed=False, new=named("other"), path=""),
    ]
    for name in ("instances", "cores", "ramMiB"):
        told = f"{name} must be 0 or more: for no limit leave it out"
        for limit, allowed in ((0, True), (20, True), (-1, False)):
            new = spec(**{name: limit})
            cases.append(Case(kind, told, allowed=allowed, new=new))
    return cases


def _server() -> list[Case]:
    hints = {"differentHost": ["web-1", "web-2"], "nearHost": {"address": "10.0.0.5"}}
    other_hints = {"differentHost": ["web-1"], "nearHost": {"address": "10.0.0.5"}}
    forced, asked = {"forcedHost": "hv1"}, {"requestedHost": "hv1"}
    rule, path = "forcedHost and requestedHost must not", ".spec.scheduling"

    def case(new: Any, *, allowed: bool) -> Case:
        return Case(
            "Server", rule, allowed=allowed, new=spec(scheduling=new), path=path
        )

    return [
        *_optional("Server", "serverGroupRef", {"name": "db"}, {"name": "web"}),
        *_optional("Server", "availabilityZone", "az1", "az2"),
        *_optional("Server", "schedulingHints", hints, other_hints),
        *_optional("Server", "scheduling", forced, {"forcedHost": "hv2"}),
        case(forced, allowed=True),
        case(asked, allowed=True),
        case(forced | asked, allowed=False),
    ]


SCHEDULING_CASES: list[Case] = [
    *_aggregate(),
    *_flavor(),
    *_group(),
    *_host(),
    *_quota(),
    *_server(),
]
