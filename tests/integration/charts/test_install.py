"""The charts on a real API server: install, upgrade, uninstall, and waiting."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kilonova_api.names import HOSTS_NAMESPACE, SERVER_FINALIZER
from kilonova_lab.controlplane import ControlPlane
from kilonova_lab.deploy.kubectl import Outcome
from support.chart_cluster import install_charts
from support.chart_manifests import build_server
from support.charts import CHART, CI_VALUES, NAMESPACE, render
from support.kubectl import Cli
from support.waiting import eventually


@pytest.fixture(scope="module")
def admin() -> Iterator[Cli]:
    """The admin of a cluster with both charts, and with libvirt from the chart."""
    with ControlPlane() as control_plane:
        admin = Cli.of_admin(control_plane)
        install_charts(admin, "--set", "libvirt.mode=pod")
        yield admin


def test_the_api_server_finds_no_fault_in_any_policy(admin: Cli) -> None:
    def checked() -> bool:
        policies = admin.get("validatingadmissionpolicies")["items"]
        return all("typeChecking" in policy.get("status", {}) for policy in policies)

    eventually(checked, "every policy's expressions are type-checked")
    for policy in admin.get("validatingadmissionpolicies")["items"]:
        assert policy["status"]["typeChecking"] == {}, policy["metadata"]["name"]


@pytest.fixture(scope="module")
def bare() -> Iterator[Cli]:
    """The admin of a cluster with the namespaces of the charts and nothing in it."""
    with ControlPlane() as control_plane:
        admin = Cli.of_admin(control_plane)
        for namespace in (NAMESPACE, HOSTS_NAMESPACE, "shop", "wiki"):
            admin.kubectl("create", "namespace", namespace)
        yield admin


@pytest.mark.parametrize("values", CI_VALUES, ids=lambda path: path.stem)
def test_every_rendered_object_is_taken_strictly(bare: Cli, values: Path) -> None:
    manifests = [
        manifest
        for manifest in render(CHART, "--values", str(values))
        if manifest["kind"] != "Namespace"
    ]
    listed = {"apiVersion": "v1", "kind": "List", "items": manifests}
    bare.kubectl(
        "create", "--dry-run=server", "--validate=strict", "-f", "-",
        stdin=json.dumps(listed),
    )  # fmt: skip


def test_an_upgrade_to_the_same_changes_nothing(admin: Cli) -> None:
    kinds = "deployments,daemonsets,configmaps,clusterroles,validatingadmissionpolicies"
    labelled = (kinds, "-A", "-l", "app.kubernetes.io/instance=kilonova")
    before = _generations(admin, *labelled)
    admin.helm("upgrade", "kilonova", str(CHART), "-n", NAMESPACE, "--reuse-values")
    assert _generations(admin, *labelled) == before


def test_guards_can_be_switched_off_and_on_by_an_upgrade(admin: Cli) -> None:
    crd = ("kubectl", "delete", "crd", "cells.compute.kilonova.dev", "--dry-run=server")
    upgrade = ("upgrade", "kilonova", str(CHART), "-n", NAMESPACE, "--reuse-values")
    admin.helm(*upgrade, "--set", "guards.enabled=false")
    eventually(lambda: admin.run(*crd).ok, "without guards a CRD can be deleted")
    admin.helm(*upgrade, "--set", "guards.enabled=true")
    eventually(lambda: not admin.run(*crd).ok, "with guards it cannot")


def test_guards_switched_off_and_on_follow_the_list_of_guarded_namespaces(
    admin: Cli,
) -> None:
    upgrade = ("upgrade", "kilonova", str(CHART), "-n", NAMESPACE, "--reuse-values")
    for name in ("before", "after"):
        admin.kubectl("create", "namespace", name)
    _guard_namespace(admin, "before")
    eventually(lambda: _is_guarded(admin, "before"), "before is guarded")
    admin.helm(*upgrade, "--set", "guards.enabled=false")
    eventually(lambda: not _is_guarded(admin, "before"), "the guards are off")
    admin.helm(*upgrade, "--set", "guards.enabled=true")
    eventually(lambda: _is_guarded(admin, "before"), "the guards are on again")
    _guard_namespace(admin, "after")
    eventually(lambda: _is_guarded(admin, "after"), "the new list counts")
    assert not _is_guarded(admin, "before")


def _guard_namespace(admin: Cli, namespace: str) -> None:
    """Make this the one namespace on the operator's list."""
    metadata = {"name": "kilonova-guarded-namespaces", "namespace": NAMESPACE}
    listed = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    text = json.dumps({**listed, "data": {namespace: "holds Servers"}})
    admin.kubectl("apply", "-f", "-", stdin=text)


def _is_guarded(admin: Cli, namespace: str) -> bool:
    delete = ("delete", "namespace", namespace, "--dry-run=server", "--wait=false")
    return "still holds Servers" in admin.run("kubectl", *delete).stderr


def test_notes_name_the_next_commands(admin: Cli) -> None:
    notes = admin.helm("get", "notes", "kilonova", "-n", NAMESPACE)
    assert "kubectl label node" in notes
    assert f"--namespace {NAMESPACE} logs deployment/kilonova-operator" in notes


def test_a_server_that_nobody_has_seen_is_not_installed(
    admin: Cli, tmp_path: Path
) -> None:
    chart = _build_server_chart(tmp_path, "unseen")
    outcome = _install(admin, chart, "unseen", seconds=5)
    assert not outcome.ok
    assert "InProgress" in outcome.stderr


def test_a_stalled_server_fails_the_install_at_once_with_its_reason(
    admin: Cli, tmp_path: Path
) -> None:
    chart = _build_server_chart(tmp_path, "stuck")
    admin.helm("install", "stuck", str(chart))
    _set_status(admin, "stuck", ready="False", stalled=True)
    began = time.monotonic()
    outcome = admin.run(
        "helm", "upgrade", "stuck", str(chart), "--wait", "--timeout=60s"
    )
    assert not outcome.ok
    assert "Flavor m1.small does not exist" in outcome.stderr
    assert time.monotonic() - began < 20


def test_a_ready_server_is_installed(admin: Cli, tmp_path: Path) -> None:
    chart = _build_server_chart(tmp_path, "running")
    admin.helm("install", "running", str(chart))
    _set_status(admin, "running", ready="True", stalled=False)
    admin.helm("upgrade", "running", str(chart), "--wait", "--timeout=30s")
    admin.kubectl("wait", "--for=condition=Ready", "nsrv/running", "--timeout=5s")


def test_the_operator_is_admitted_where_only_the_restricted_profile_is(
    bare: Cli,
) -> None:
    bare.kubectl(
        "label", "--overwrite", "namespace", "shop",
        "pod-security.kubernetes.io/enforce=restricted",
    )  # fmt: skip
    bare.kubectl("create", "serviceaccount", "kilonova-operator", "-n", "shop")
    pods = {
        manifest["metadata"]["name"]: {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "pod", "namespace": "shop"},
            "spec": {
                key: value
                for key, value in manifest["spec"]["template"]["spec"].items()
                if key != "priorityClassName"
            },
        }
        for manifest in render(CHART)
        if manifest["kind"] in {"Deployment", "DaemonSet"}
    }
    dry_run = ("create", "--dry-run=server", "-f", "-")
    bare.kubectl(*dry_run, stdin=json.dumps(pods["kilonova-operator"]))
    bare.kubectl("create", "serviceaccount", "kilonova-agent", "-n", "shop")
    error = bare.refused(*dry_run, stdin=json.dumps(pods["kilonova-agent"]))
    assert "violates PodSecurity" in error


def test_without_mutating_policies_the_finalizer_is_still_guarded(admin: Cli) -> None:
    upgrade = ("upgrade", "kilonova", str(CHART), "-n", NAMESPACE, "--reuse-values")
    admin.helm(*upgrade, "--set", "admission.mutating=false")
    served = ("get", "mutatingadmissionpolicies", "-o", "name")
    assert admin.kubectl(*served) == ""
    server = build_server("guarded", "default")
    server["metadata"]["finalizers"] = [SERVER_FINALIZER]
    admin.create(server)
    off = json.dumps({"metadata": {"finalizers": None}})
    patch = ("patch", "nsrv", "guarded", "--type=merge", "-p", off)
    # While the API server still knows the old policy, it puts the finalizer back.
    eventually(
        lambda: not admin.run("kubectl", *patch, "--dry-run=server").ok,
        "taking the finalizer off is refused",
    )
    assert "comes off when the guest is gone" in admin.refused(*patch)
    admin.helm(*upgrade, "--set", "admission.mutating=auto")
    assert "kilonova-servers" in admin.kubectl(*served)


def test_a_networks_finalizer_comes_off_by_the_operator_alone(admin: Cli) -> None:
    network = {
        "apiVersion": "compute.kilonova.dev/v1alpha1",
        "kind": "Network",
        "metadata": {
            "name": "guarded",
            "namespace": "default",
            "finalizers": ["compute.kilonova.dev/network"],
        },
        "spec": {"type": "NAT"},
    }
    admin.create(network)
    off = json.dumps({"metadata": {"finalizers": None}})
    patch = ("patch", "nnet", "guarded", "--type=merge", "-p", off)
    eventually(
        lambda: not admin.run("kubectl", *patch, "--dry-run=server").ok,
        "taking the finalizer off is refused",
    )
    assert "no guest has an address" in admin.refused(*patch)


def test_uninstalling_leaves_what_guests_depend_on(admin: Cli) -> None:
    admin.helm("uninstall", "kilonova", "-n", NAMESPACE)
    for kept in (
        ("crd", "servers.compute.kilonova.dev"),
        ("namespace", "kilonova-hosts"),
        ("pvc", "kilonova-operator-data", "-n", NAMESPACE),
    ):
        assert "deletionTimestamp" not in admin.get(*kept)["metadata"]
    assert admin.get("validatingadmissionpolicies")["items"] == []
    install = ("install", "kilonova", str(CHART), "-n", NAMESPACE)
    admin.helm(*install)


def _generations(admin: Cli, *arguments: str) -> dict[str, int]:
    return {
        item["metadata"]["uid"]: item["metadata"].get("generation", 0)
        for item in admin.get(*arguments)["items"]
    }


def _build_server_chart(folder: Path, name: str) -> Path:
    chart = folder / name
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text(f"apiVersion: v2\nname: {name}\nversion: 1.0.0\n")
    server = json.dumps(build_server(name, "default"))
    (chart / "templates" / "server.yaml").write_text(server)
    return chart


def _install(admin: Cli, chart: Path, name: str, *, seconds: int) -> Outcome:
    timeout = f"--timeout={seconds}s"
    return admin.run("helm", "install", name, str(chart), "--wait", timeout)


def _set_status(admin: Cli, name: str, *, ready: str, stalled: bool) -> None:
    now = "2026-01-01T00:00:00Z"
    reason = "FlavorNotFound" if stalled else "Running"
    message = "Flavor m1.small does not exist" if stalled else ""
    common = {"reason": reason, "message": message, "lastTransitionTime": now}
    conditions = [{"type": "Ready", "status": ready, **common}]
    if stalled:
        conditions.append({"type": "Stalled", "status": "True", **common})
    status = {"observedGeneration": 1, "state": "BUILD", "conditions": conditions}
    admin.kubectl(
        "patch", "nsrv", name, "--subresource=status", "--type=merge",
        "-p", json.dumps({"status": status}),
    )  # fmt: skip
