"""Careless hands, with the guards switched off: what they delete, and the way back."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import pytest

from kilonova_lab.deploy.install import NAMESPACE, RELEASE, wait_for_host
from kilonova_lab.deploy.kubectl import Kubectl
from kilonova_lab.errors import CommandFailed
from kilonova_lab.folders import REPOSITORY
from kilonova_lab.stopwatch import Stopwatch
from support.domain_events import hearing_domains
from support.kilonova import Kilonova
from support.waiting import eventually

GUARDED_CRDS = ("servers", "instances")
GUARDED_NAMESPACE = "kilonova-host-hv1"
_GONE_SECONDS = 60.0


def is_refused(kubectl: Kubectl, *command: str) -> str:
    """Try a command without doing it; return why it is refused, or nothing."""
    try:
        kubectl.run(*command, "--dry-run=server")
    except CommandFailed as refused:
        return str(refused)
    return ""


def build_crd_name(plural: str) -> str:
    """Return the name of one of our CRDs."""
    return f"{plural}.compute.kilonova.dev"


def upgrade_chart(kubectl: Kubectl, release: str, *settings: str) -> None:
    """Make again what is missing of a chart, with the values it has."""
    chart = str(REPOSITORY / "charts" / release)
    kubectl.run_helm(
        "upgrade", release, chart, "-n", NAMESPACE, "--reuse-values", *settings
    )


def switch_guards(kubectl: Kubectl, *, on: bool) -> None:
    """Turn the guards on or off, and wait until the API server knows."""
    upgrade_chart(kubectl, RELEASE, "--set", f"guards.enabled={str(on).lower()}")
    commands = [("delete", "crd", build_crd_name(kind)) for kind in GUARDED_CRDS]
    commands.append(("delete", "namespace", GUARDED_NAMESPACE))
    eventually(
        lambda: all(bool(is_refused(kubectl, *c)) == on for c in commands),
        f"the guards are {'on' if on else 'off'}",
    )


@pytest.fixture(scope="module")
def unguarded(installed: Kilonova) -> Iterator[None]:
    """The guards are off."""
    switch_guards(installed.kubectl, on=False)
    yield
    switch_guards(installed.kubectl, on=True)


@pytest.fixture
def nothing_happens(installed: Kilonova) -> Iterator[None]:
    """Libvirt has no event to tell of any domain on any host."""
    with hearing_domains(installed.cluster.hypervisors) as events:
        yield
    assert events.heard == []


def delete_crds(kubectl: Kubectl, *plurals: str) -> None:
    """Delete CRDs with all their objects, finalizers or not."""
    names = [build_crd_name(plural) for plural in plurals]
    held = [
        (name, item["metadata"])
        for name in names
        for item in kubectl.items(name)
        if "finalizers" in item["metadata"]
    ]
    kubectl.run("delete", "crd", *names, "--wait=false")
    for name, metadata in held:
        _let_go(kubectl, name, metadata)
    _await_gone(kubectl, names)


def _let_go(kubectl: Kubectl, crd: str, metadata: Mapping[str, Any]) -> None:
    """Take an object's finalizers off once it is marked with its CRD."""
    name, namespace = metadata["name"], metadata.get("namespace")

    def is_let_go() -> bool:
        found = kubectl.find(crd, name, namespace)
        if found is None:  # the operator had nothing to hold it for
            return True
        if "deletionTimestamp" not in found["metadata"]:
            return False
        patch = json.dumps({"metadata": {"finalizers": None}})
        where = ("-n", namespace) if namespace else ()
        kubectl.run("patch", crd, name, *where, "--type=merge", "-p", patch)
        return True

    def is_gone_or_let_go() -> bool:
        try:
            return is_let_go()
        except CommandFailed:
            return kubectl.find("crd", crd) is None

    what = f"{crd} {name} is let go"
    eventually(is_gone_or_let_go, what, timeout_seconds=_GONE_SECONDS)


def _await_gone(kubectl: Kubectl, crds: Iterable[str]) -> None:
    for crd in crds:
        kubectl.run("wait", "--for=delete", f"crd/{crd}", "--timeout=60s")


def bring_crds_back(kubectl: Kubectl) -> None:
    """Install the CRDs that are missing, and wait until they are served."""
    upgrade_chart(kubectl, "kilonova-crds", "--wait")
    kubectl.run("wait", "--for=condition=Established", "crd", "--all")


def build_anew(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object as its owner applies it: without what the cluster added."""
    metadata = item["metadata"]
    kept = {key: metadata[key] for key in ("name", "namespace") if key in metadata}
    return {
        "apiVersion": item["apiVersion"],
        "kind": item["kind"],
        "metadata": kept,
        "spec": item["spec"],
    }


def await_new_hosts(kilonova: Kilonova, *, but_not: Collection[str]) -> None:
    """Wait until every host is Up again, as an object with another uid."""
    for host in kilonova.cluster.hypervisors:
        name = host.name

        def is_new(name: str = name) -> bool:
            found = kilonova.kubectl.find("computehosts", name)
            return found is not None and found["metadata"]["uid"] not in but_not

        eventually(is_new, f"ComputeHost {name} is back", timeout_seconds=60)
        wait_for_host(kilonova.kubectl, name, Stopwatch(print))


def check_both_hosts_work(kilonova: Kilonova) -> None:
    """Each host hears, builds and answers."""
    names = ("new-a", "new-b")
    for name in names:
        kilonova.create_server(name, userData="new")
    placed = {kilonova.await_ready(name)["host"] for name in names}
    assert placed == {host.name for host in kilonova.cluster.hypervisors}
    kilonova.delete_all_servers()
