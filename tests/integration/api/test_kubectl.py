"""What a person at a terminal sees of the kinds."""

import json
from pathlib import Path

import pytest
import yaml

from kilonova_api import KINDS
from kilonova_lab.controlplane import ControlPlane
from support.crds import REPOSITORY
from support.kubectl import Cli

VALID = REPOSITORY / "tests" / "data" / "api" / "valid.yaml"
MANIFESTS = [VALID, *sorted((REPOSITORY / "examples").rglob("*.yaml"))]
STOP = REPOSITORY / "examples" / "web-server" / "stop" / "web-0.yaml"
PLURALS = [f"{kind.crd.plural}.compute.kilonova.dev" for kind in KINDS]


def test_applying_the_crds_again_changes_nothing(admin: Cli) -> None:
    lines = admin.kubectl("apply", "-f", str(REPOSITORY / "crds")).splitlines()
    assert len(lines) == len(KINDS)
    assert [line for line in lines if not line.endswith(" unchanged")] == []


@pytest.mark.parametrize("plural", PLURALS)
def test_kubectl_explain_describes_every_field(admin: Cli, plural: str) -> None:
    assert "<no description>" not in admin.kubectl("explain", plural, "--recursive")


def test_kubectl_explain_tells_of_a_field_what_it_does(admin: Cli) -> None:
    told = admin.kubectl("explain", "servers.compute.kilonova.dev.spec.powerState")
    assert "Manual: start after build, then follow the guest." in told
    assert told.split("ENUM:")[1].split()[:3] == ["Manual", "Running", "Stopped"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_answers_to_its_short_name(admin: Cli, kind: type) -> None:
    (short,) = kind.crd.short_names  # type: ignore[attr-defined]
    admin.kubectl("get", short, "--all-namespaces", "--ignore-not-found")


def test_there_are_two_valid_objects_of_every_kind() -> None:
    documents = yaml.safe_load_all(VALID.read_text())
    kinds = sorted(document["kind"] for document in documents)
    assert kinds == sorted([kind.__name__ for kind in KINDS] * 2)


@pytest.mark.parametrize(
    "manifest", MANIFESTS, ids=lambda path: str(path.relative_to(REPOSITORY))
)
def test_every_manifest_is_taken_strictly(admin: Cli, manifest: Path) -> None:
    for document in yaml.safe_load_all(manifest.read_text()):
        if namespace := document["metadata"].get("namespace"):
            admin.run("kubectl", "create", "namespace", namespace)
    if manifest == STOP:  # a part of a Server
        admin.kubectl("apply", "-f", str(manifest.parent.parent))
    admin.kubectl(
        "apply", "--server-side", "--field-manager=strict", "--force-conflicts",
        "--dry-run=server", "--validate=strict", "-f", str(manifest),
    )  # fmt: skip


def test_applying_every_kind_again_changes_nothing(admin: Cli, namespace: str) -> None:
    text = VALID.read_text().replace(
        "namespace: sample-full", f"namespace: {namespace}"
    )
    admin.kubectl("apply", "-f", "-", stdin=text)
    before = _read_generations(admin)
    lines = admin.kubectl("apply", "-f", "-", stdin=text).splitlines()
    assert [line for line in lines if not line.endswith(" unchanged")] == []
    admin.kubectl("diff", "-f", "-", stdin=text)
    assert _read_generations(admin) == before
    admin.kubectl("delete", "--wait=false", "-f", "-", stdin=text)


def _read_generations(admin: Cli) -> dict[str, int]:
    items = admin.get(",".join(PLURALS), "--all-namespaces")["items"]
    metadata = [item["metadata"] for item in items]
    return {meta["uid"]: meta["generation"] for meta in metadata}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_misspelt_field_is_refused(admin: Cli, kind: type) -> None:
    documents = yaml.safe_load_all(VALID.read_text())
    sample = next(d for d in documents if d["kind"] == kind.__name__)
    sample.setdefault("spec", {})["powrState"] = "Stopped"
    error = admin.refused(
        "apply", "--dry-run=server", "-f", "-", stdin=json.dumps(sample)
    )
    assert 'unknown field "spec.powrState"' in error


@pytest.mark.parametrize("written", ["Off", '"Off"', "On", "Suspended"])
def test_a_power_state_that_is_none_is_refused_with_those_that_are(
    admin: Cli, namespace: str, written: str
) -> None:
    error = admin.refused(
        "apply", "-f", "-", stdin=_SERVER.format(namespace=namespace, power=written)
    )
    assert "spec.powerState" in error
    if written in {"Off", "On"}:  # YAML's boolean
        assert "must be of type string" in error
    else:
        assert 'supported values: "Manual", "Running", "Stopped"' in error


_SERVER = """
apiVersion: compute.kilonova.dev/v1alpha1
kind: Server
metadata: {{name: web-0, namespace: {namespace}}}
spec:
  flavorRef: {{name: m1.small}}
  imageRef: {{name: debian-13}}
  powerState: {power}
"""


def test_a_missing_field_is_named(admin: Cli, namespace: str) -> None:
    manifest = json.dumps(
        {
            "apiVersion": "compute.kilonova.dev/v1alpha1",
            "kind": "Server",
            "metadata": {"name": "web-0", "namespace": namespace},
            "spec": {"flavorRef": {"name": "m1.small"}},
        }
    )
    error = admin.refused("apply", "-f", "-", stdin=manifest)
    assert "spec.imageRef: Required value" in error


def test_servers_are_found_by_host_and_by_cell(admin: Cli, namespace: str) -> None:
    for name, host in (("web-0", "hv1"), ("web-1", "hv2")):
        manifest = _SERVER.format(namespace=namespace, power="Running")
        admin.kubectl("create", "-f", "-", stdin=manifest.replace("web-0", name))
        status = json.dumps({"status": {"host": host, "cell": "cell1"}})
        admin.kubectl(
            "patch", "nsrv", name, "-n", namespace, "--subresource=status",
            "--type=merge", "-p", status,
        )  # fmt: skip
    on_hv1 = admin.kubectl(
        "get", "nsrv", "-n", namespace, "--field-selector=status.host=hv1", "-o", "name"
    )
    assert on_hv1.split() == ["server.compute.kilonova.dev/web-0"]
    in_cell = admin.get("nsrv", "-n", namespace, "--field-selector=status.cell=cell1")
    assert len(in_cell["items"]) == 2


def test_kubectl_delete_all_spares_servers(admin: Cli, namespace: str) -> None:
    admin.kubectl(
        "create", "-f", "-", stdin=_SERVER.format(namespace=namespace, power="Running")
    )
    admin.kubectl("delete", "all", "--all", "-n", namespace)
    admin.get("nsrv", "web-0", "-n", namespace)


def test_kubectl_get_quota_still_means_kubernetes(api_server: ControlPlane) -> None:
    names = {
        name
        for kind in KINDS
        for name in (*kind.crd.short_names, kind.crd.plural, kind.__name__.lower())
    }
    core = api_server.api.get("/api/v1")["resources"]
    taken = {name for r in core for name in (r["name"], *r.get("shortNames", ()))}
    assert names & taken == set()
