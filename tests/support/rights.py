"""What our accounts may do by RBAC, and what they did by the audit log."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kilonova_api.names import HOSTS_NAMESPACE
from kilonova_lab.cluster import Cluster
from kilonova_lab.deploy.install import NAMESPACE
from kilonova_lab.deploy.kubectl import Kubectl
from kilonova_lab.deploy.up import build_kubectl
from kilonova_lab.errors import CommandFailed
from support.chart_manifests import build_server
from support.waiting import eventually

HOSTS_GROUP = f"system:serviceaccounts:{HOSTS_NAMESPACE}"
_GROUPS = [HOSTS_GROUP, f"system:serviceaccounts:{NAMESPACE}"]
_CREATED = 201


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """One verb on one resource by one role."""

    role: str
    resource: str
    verb: str

    def __str__(self) -> str:
        return f"{self.role}: {self.verb} {self.resource}"


@contextmanager
def auditing_reads(cluster: Cluster) -> Iterator[None]:
    """Let the API server log our accounts' reads as well as all writes."""
    file = cluster.layout.folder / "audit-policy.json"
    usual = file.read_text()
    policy = json.loads(usual)
    reads = {
        "level": "Metadata",
        "verbs": ["get", "list", "watch"],
        "userGroups": _GROUPS,
    }
    policy["rules"].insert(0, reads)
    _restart(cluster, lambda: file.write_text(json.dumps(policy)))
    try:
        yield
    finally:
        _restart(cluster, lambda: file.write_text(usual))


def _restart(cluster: Cluster, change: Callable[[], object]) -> None:
    cluster.apiserver.kill()  # at once: a polite end outlasts the operator's Lease
    change()
    cluster.apiserver.start()
    cluster.apiserver.wait_until_ready()
    kubectl = build_kubectl(cluster)
    eventually(lambda: _takes_servers(kubectl), "our kinds are served again")


def _takes_servers(kubectl: Kubectl) -> bool:
    """Tell whether the API server knows our kinds' schemas, as admission needs."""
    server = json.dumps(build_server("probe", "default"))
    try:
        kubectl.run("create", "--dry-run=server", "-f", "-", text=server)
    except CommandFailed:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Use:
    """What an account asked for, and was allowed, in a namespace."""

    account: str
    namespace: str
    resource: str
    verb: str


@dataclass(frozen=True, slots=True)
class Grant:
    """Who has a role, and where: nowhere in particular means everywhere."""

    role: str
    account: str
    namespace: str

    def covers(self, right: Right, use: Use) -> bool:
        """Tell whether a use was one of a right of this role.

        By account, not by the binding that the API server names in its log: it
        names the first it meets, and what everybody may is met as well.
        """
        return (
            (right.role, right.resource, right.verb)
            == (self.role, use.resource, use.verb)
            and self.account == use.account
            and self.namespace in {"", use.namespace}
        )


def read_grants(kubectl: Kubectl) -> set[Grant]:
    """Return the roles that are bound to accounts of ours."""
    bindings = [
        *kubectl.items("clusterrolebindings"),
        *kubectl.items("rolebindings"),
    ]
    return {
        Grant(_build_role(b), account, b["metadata"].get("namespace", ""))
        for b in bindings
        for account in map(_find_account, b.get("subjects", ()))
        if account
    }


def _build_role(binding: dict[str, Any]) -> str:
    role = binding["roleRef"]
    if role["kind"] == "ClusterRole":
        return f"ClusterRole {role['name']}"
    return f"Role {binding['metadata']['namespace']}/{role['name']}"


def _find_account(subject: dict[str, Any]) -> str:
    """Return what accounts of one sort are called here; empty: none of ours."""
    if subject["kind"] == "Group":
        return HOSTS_GROUP if subject["name"] == HOSTS_GROUP else ""
    return _name_account(
        f"system:serviceaccount:{subject.get('namespace')}:{subject['name']}"
    )


def _name_account(user: str) -> str:
    if user.startswith(f"system:serviceaccount:{HOSTS_NAMESPACE}:"):
        return HOSTS_GROUP
    return user if user.startswith(f"system:serviceaccount:{NAMESPACE}:") else ""


def read_rights(kubectl: Kubectl, grants: Iterable[Grant]) -> set[Right]:
    """Return what roles allow."""
    rights: set[Right] = set()
    for role in {grant.role for grant in grants}:
        kind, _, name = role.partition(" ")
        namespace, _, short = name.rpartition("/")
        found = kubectl.find(kind.lower(), short, namespace or None)
        assert found is not None, role
        rights |= {
            Right(role, f"{group}/{resource}".lstrip("/"), verb)
            for rule in found["rules"]
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            for verb in rule["verbs"]
        }
    return rights


def read_uses(log: Path) -> set[Use]:
    """Return what our accounts were allowed to do."""
    uses: set[Use] = set()
    with log.open("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                uses |= _parse(json.loads(line))
    return uses


def _parse(event: dict[str, Any]) -> set[Use]:
    account = _name_account(event["user"].get("username", ""))
    decision = event.get("annotations", {}).get("authorization.k8s.io/decision")
    target = event.get("objectRef")
    if not account or not target or decision != "allow":
        return set()
    parts = (target.get("apiGroup"), target["resource"], target.get("subresource"))
    resource = "/".join(part for part in parts if part)
    verbs = {event["verb"]}
    if event.get("responseStatus", {}).get("code") == _CREATED:
        verbs.add("create")  # an apply of what is not there needs both
    namespace = target.get("namespace", "")
    return {Use(account, namespace, resource, verb) for verb in verbs}


def find_idle(rights: set[Right], grants: set[Grant], uses: set[Use]) -> set[Right]:
    """Return the rights that nobody used who has them."""
    return {
        right
        for right in rights
        if not any(g.covers(right, use) for g in grants for use in uses)
    }
