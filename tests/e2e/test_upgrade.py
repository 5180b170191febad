"""An upgrade that Helm waits for; and no account of ours may do what it never does.

The upgrade starts operator and agents anew, at an API server that logs their
reads, too. What they may do is then held against what they did: the writes of all
tests so far, and the reads of one Server's life.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pytest

from kilonova_lab.deploy.install import NAMESPACE, RELEASE
from support.careless import upgrade_chart
from support.domain_events import hearing_domains
from support.kilonova import Kilonova, own_namespace
from support.rights import (
    Right,
    auditing_reads,
    find_idle,
    read_grants,
    read_rights,
    read_uses,
)
from support.waiting import eventually

OPERATOR = "ClusterRole kilonova-operator"
AGENT = "ClusterRole kilonova-agent-host"
RESTED_RIGHTS = {
    Right(OPERATOR, "rbac.authorization.k8s.io/clusterroles", "bind"): (
        "asked about by the API server when a role is bound, and not logged"
    ),
    Right(OPERATOR, "compute.kilonova.dev/instances", "delete"): (
        "withdraws the Instance of a guest that goes on without its Server"
    ),
    Right("ClusterRole kilonova-conductor-host", "secrets", "get"): (
        "with secrets.access enrolled; else the operator's own role covers it"
    ),
}
"""Rights that this life has no use for, and when they are used."""

NO_IMAGE = {
    "url": "https://images.example.org/none.qcow2",
    "checksum": f"sha256:{'0' * 64}",
    "format": "qcow2",
}
NO_NETWORK = {"type": "Bridge", "bridge": "br-none", "cidr": "10.87.0.0/24"}


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What an upgrade did: pods by program with their mark, and to the guests."""

    installed: Kilonova
    before: Mapping[str, Mapping[str, str]]
    after: Mapping[str, Mapping[str, str]]
    events: Sequence[str]


@pytest.fixture(scope="module")
def upgraded(installed: Kilonova) -> Iterator[Upgrade]:
    """Helm has waited for an upgrade beside a guest; our reads are logged, too."""
    mark = ("--set", "commonLabels.upgraded=yes")
    with auditing_reads(installed.cluster), own_namespace(installed) as kilonova:
        kilonova.create_server("resident")
        kilonova.await_ready("resident")
        before = find_pods(installed)
        with hearing_domains(installed.cluster.hypervisors) as events:
            upgrade_chart(installed.kubectl, RELEASE, *mark, "--wait")
            after = find_pods(installed)
            kilonova.await_ready("resident")
        yield Upgrade(installed, before, after, events.heard)


def find_pods(kilonova: Kilonova) -> dict[str, dict[str, str]]:
    """Return each program's Ready pods by uid, with the mark that they have."""
    found: dict[str, dict[str, str]] = {}
    for pod in kilonova.kubectl.items("pods", NAMESPACE):
        meta, conditions = pod["metadata"], pod["status"].get("conditions", ())
        if any((c["type"], c["status"]) == ("Ready", "True") for c in conditions):
            program = found.setdefault(meta["labels"]["app.kubernetes.io/name"], {})
            program[meta["uid"]] = meta["labels"].get("upgraded", "no")
    return found


def test_an_upgrade_waits_until_the_new_pods_are_ready_and_touches_no_guest(
    upgraded: Upgrade,
) -> None:
    assert upgraded.events == []
    marks = {name: sorted(pods.values()) for name, pods in upgraded.after.items()}
    libvirt = "kilonova-libvirt"
    assert marks == {
        "kilonova-operator": ["yes"],
        "kilonova-agent": ["yes", "yes"],
        libvirt: ["no"],
    }
    assert upgraded.after[libvirt] == upgraded.before[libvirt]


def live_one_life(kilonova: Kilonova) -> None:
    """Let there be one of each kind, and let a Server use what Servers can."""
    kubectl, meta = kilonova.kubectl, {"name": "cloud", "namespace": kilonova.namespace}
    script = {"stringData": {"script": "#!/bin/sh\n"}}
    kubectl.apply({"apiVersion": "v1", "kind": "Secret", "metadata": meta} | script)
    shared = [
        kilonova.build(kind, "used-rights", spec=spec, namespaced=False)
        for kind, spec in (("ClusterImage", NO_IMAGE), ("ClusterNetwork", NO_NETWORK))
    ]
    kubectl.apply(*shared)
    kubectl.apply(
        kilonova.build("HostAggregate", "used-rights", spec={}, namespaced=False),
        kilonova.build("ServerGroup", "used-rights", spec={"policy": "SoftAffinity"}),
        kilonova.build("ServerQuota", "quota", spec={"instances": 5}),
    )
    kilonova.create_server("life", userDataRef={"name": "cloud", "key": "script"})
    kilonova.await_ready("life")
    kilonova.patch_spec("life", powerState="Stopped")
    kilonova.await_ready("life", "SHUTOFF")
    kilonova.delete_server("life")
    kubectl.delete("networks", "private", kilonova.namespace)
    kubectl.delete("clusternetworks", "used-rights")
    kubectl.delete("clusterimages", "used-rights")
    kubectl.delete("hostaggregates", "used-rights")
    kubectl.delete("servergroups", "used-rights", kilonova.namespace)
    kubectl.delete("serverquotas", "quota", kilonova.namespace)


def test_every_right_that_is_granted_is_used_or_has_its_reason(
    upgraded: Upgrade, kilonova: Kilonova
) -> None:
    live_one_life(kilonova)
    installed = upgraded.installed
    grants = read_grants(installed.kubectl)
    rights = read_rights(installed.kubectl, grants)

    def find_useless() -> set[Right]:
        uses = read_uses(installed.cluster.audit_log)
        return find_idle(rights - RESTED_RIGHTS.keys(), grants, uses)

    try:
        eventually(lambda: not find_useless(), "every right is used")
    except AssertionError:
        useless = "\n".join(map(str, sorted(find_useless())))
        raise AssertionError(f"granted and never used:\n{useless}") from None
    unknown = sorted(map(str, RESTED_RIGHTS.keys() - rights))
    assert unknown == [], "these are not granted any more"
