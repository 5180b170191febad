"""What helm makes of the charts, with the values of charts/kilonova/ci."""

import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.charts import (
    CHART,
    CI_VALUES,
    CRD_CHART,
    find,
    get,
    lint,
    render,
    render_text,
    render_values,
    try_template,
)
from support.crds import REPOSITORY, load_crds

ALL_VALUES = pytest.mark.parametrize("values", CI_VALUES, ids=lambda path: path.stem)
WEBHOOKS = {"ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"}
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def _with(values: Path) -> list[dict[str, Any]]:
    return render(CHART, "--values", str(values))


@ALL_VALUES
def test_helm_lint_finds_nothing(values: Path) -> None:
    outcome = lint(CHART, "--values", str(values))
    assert outcome.ok, str(outcome)


def test_helm_lint_finds_nothing_in_the_crds() -> None:
    outcome = lint(CRD_CHART)
    assert outcome.ok, str(outcome)


@ALL_VALUES
def test_rendering_twice_gives_the_same_bytes(values: Path) -> None:
    again = try_template(CHART, "--values", str(values)).stdout
    assert again == render_text(CHART, "--values", str(values))


@ALL_VALUES
def test_there_are_policies_and_no_webhooks(values: Path) -> None:
    kinds = {manifest["kind"] for manifest in _with(values)}
    assert not kinds & WEBHOOKS
    assert "ValidatingAdmissionPolicy" in kinds


@ALL_VALUES
def test_every_policy_denies_and_fails_closed(values: Path) -> None:
    manifests = _with(values)
    policies = [m for m in manifests if m["kind"] == "ValidatingAdmissionPolicy"]
    for policy in policies:
        name = policy["metadata"]["name"]
        binding = get(manifests, "ValidatingAdmissionPolicyBinding", name)
        assert policy["spec"]["failurePolicy"] == "Fail"
        assert binding["spec"]["validationActions"] == ["Deny"]


@ALL_VALUES
def test_no_role_has_a_wildcard_or_lists_secrets(values: Path) -> None:
    for manifest in _with(values):
        for rule in manifest.get("rules", ()):
            words = [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]
            assert "*" not in words, manifest["metadata"]["name"]
            if "secrets" in rule["resources"]:
                assert not {"list", "watch"} & set(rule["verbs"])


@ALL_VALUES
def test_no_role_can_raise_itself(values: Path) -> None:
    for manifest in _with(values):
        for rule in manifest.get("rules", ()):
            assert not {"escalate", "impersonate"} & set(rule["verbs"])
            if "bind" in rule["verbs"]:
                bound = {"kilonova-agent-host", "kilonova-conductor-host"}
                assert set(rule["resourceNames"]) == bound


@ALL_VALUES
def test_the_operator_keeps_to_the_restricted_profile(values: Path) -> None:
    pod = get(_with(values), "Deployment", "kilonova-operator")["spec"]["template"]
    spec = pod["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in [*spec["initContainers"], *spec["containers"]]:
        assert container["securityContext"] == RESTRICTED
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        assert field not in spec


@ALL_VALUES
def test_the_agent_has_the_privileges_that_are_documented_and_no_more(
    values: Path,
) -> None:
    agent = get(_with(values), "DaemonSet", "kilonova-agent")["spec"]["template"]
    (container,) = agent["spec"]["containers"]
    context = container["securityContext"]
    assert context["allowPrivilegeEscalation"] is False
    assert context["readOnlyRootFilesystem"] is True
    assert context["capabilities"]["drop"] == ["ALL"]
    assert "privileged" not in context
    assert {"hostPID", "hostIPC"} & agent["spec"].keys() == set()
    paths = {v["hostPath"]["path"] for v in agent["spec"]["volumes"] if "hostPath" in v}
    assert len(paths) == 2


@ALL_VALUES
def test_only_libvirt_is_privileged(values: Path) -> None:
    privileged = [
        manifest["metadata"]["name"]
        for manifest in _with(values)
        for container in _containers(manifest)
        if container.get("securityContext", {}).get("privileged")
    ]
    assert set(privileged) <= {"kilonova-libvirt"}


def _containers(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    template = manifest.get("spec", {}).get("template")
    found: list[dict[str, Any]] = template["spec"]["containers"] if template else []
    return found


@ALL_VALUES
def test_every_object_says_which_release_it_is_of(values: Path) -> None:
    for manifest in _with(values):
        if not manifest["metadata"]["name"].startswith("extra"):
            labels = manifest["metadata"]["labels"]
            assert labels["app.kubernetes.io/instance"] == "kilonova"


def test_the_crds_of_the_chart_are_those_of_kubectl_apply() -> None:
    rendered = {}
    for manifest in deepcopy(render(CRD_CHART)):
        metadata = manifest["metadata"]
        assert metadata.pop("annotations") == {"helm.sh/resource-policy": "keep"}
        metadata.pop("labels")
        rendered[manifest["spec"]["names"]["kind"]] = manifest
    assert rendered == load_crds()


def test_the_crds_can_be_let_go() -> None:
    for manifest in render(CRD_CHART, "--set", "keep=false"):
        assert "annotations" not in manifest["metadata"]


@pytest.mark.parametrize(
    ("option", "complaint"),
    [
        ("operator.replicas=2", "/operator/replicas"),
        ("operator.replica=1", "additional properties 'replica' not allowed"),
        ("opertor.replicas=1", "additional properties 'opertor' not allowed"),
        ("database.backend=mysql", "/database/existingSecret"),
        ("database.backend=postgres", "/database/backend"),
        ("database.sqlite.volume.type=hostPath", "/volume/hostPath"),
        ("cells.names={cell0}", "/cells/names/0"),
        ("cells.default=cell9", 'cells.default "cell9" must be one of cells.names'),
        ("network.pool=10.0.0.0", "/network/pool"),
        ("libvirt.mode=both", "/libvirt/mode"),
        ("agent.nodeSelector=null", "/agent"),
        ("secrets.access=all", "/secrets/access"),
        ("operator.image.digest=abc", "/operator/image/digest"),
        ("guards.breakGlassGroup=a'b", "/guards/breakGlassGroup"),
        ("agent.settings.KILONOVA_A=1", "KILONOVA_A"),
        ("scheduler.cpuAllocationRatio=0", "/scheduler/cpuAllocationRatio"),
        ("scheduler.ramAllocationRatio=NaN", "/scheduler/ramAllocationRatio"),
        ("scheduler.reservedHostCpus=0.5", "/scheduler/reservedHostCpus"),
        ("scheduler.referenceGraceSeconds=-1", "/scheduler/referenceGraceSeconds"),
        ("scheduler.cpuRatio=4", "additional properties 'cpuRatio' not allowed"),
        ("scheduler.options=none", "/scheduler/options"),
        ("scheduler.options.ram_weight=2", "properties 'ram_weight' not allowed"),
        (
            "scheduler.options.ram_weight_multiplier=much",
            "/scheduler/options/ram_weight_multiplier",
        ),
        (
            "scheduler.options.soft_affinity_weight_multiplier=-1",
            "/scheduler/options/soft_affinity_weight_multiplier",
        ),
        ("scheduler.options.enabled_filters=All", "/scheduler/options/enabled_filters"),
        ("scheduler.options.max_io_ops_per_host=1.5", "/options/max_io_ops_per_host"),
        (
            "scheduler.options.metrics_weight_setting.cpu=x",
            "/options/metrics_weight_setting/cpu",
        ),
        ("quota.default.cores=-1", "/quota/default/cores"),
    ],
)
def test_values_that_make_no_sense_are_refused(option: str, complaint: str) -> None:
    outcome = try_template(CHART, "--set", option)
    assert not outcome.ok, f"{option} was taken"
    assert complaint in outcome.stderr


def test_more_replicas_come_with_a_disruption_budget() -> None:
    production = _with(CHART / "ci" / "production.yaml")
    assert get(production, "PodDisruptionBudget", "kilonova-operator")
    assert find(render(CHART), "PodDisruptionBudget", "kilonova-operator") is None


def test_database_urls_are_mounted_and_never_in_the_environment() -> None:
    production = _with(CHART / "ci" / "production.yaml")
    settings = get(production, "ConfigMap", "kilonova-operator")["data"]
    assert settings["KILONOVA_DATABASE_URLS_DIR"] == "/etc/kilonova/databases"
    assert settings["KILONOVA_CELLS"] == "cell1,cell2"
    spec = _operator_pod(production)["spec"]
    for container in [*spec["initContainers"], *spec["containers"]]:
        assert "secretKeyRef" not in yaml.safe_dump(container)


def test_embedded_databases_are_never_opened_by_two_pods() -> None:
    deployment = get(render(CHART), "Deployment", "kilonova-operator")
    assert deployment["spec"]["replicas"] == 1
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}


def test_the_databases_are_migrated_before_the_operator_starts() -> None:
    (migration,) = _operator_pod(render(CHART))["spec"]["initContainers"]
    assert migration["command"] == ["kilonova-manage", "db", "sync"]


def test_the_operators_socket_is_in_a_folder_of_the_pods_own() -> None:
    manifests = render(CHART)
    settings = get(manifests, "ConfigMap", "kilonova-operator")["data"]
    pod = get(manifests, "Deployment", "kilonova-operator")["spec"]["template"]["spec"]
    mounts = pod["containers"][0]["volumeMounts"]
    (mount,) = [
        m
        for m in mounts
        if settings["KILONOVA_ADMIN_SOCKET"].startswith(f"{m['mountPath']}/")
    ]
    (volume,) = [v for v in pod["volumes"] if v["name"] == mount["name"]]
    assert "emptyDir" in volume


def test_an_upgrade_never_ends_a_guest() -> None:
    manifests = _with(CHART / "ci" / "libvirt-pod.yaml")
    libvirt = get(manifests, "DaemonSet", "kilonova-libvirt")["spec"]
    assert libvirt["updateStrategy"] == {"type": "OnDelete"}
    (container,) = libvirt["template"]["spec"]["containers"]
    assert "livenessProbe" not in container
    assert find(render(CHART), "DaemonSet", "kilonova-libvirt") is None


def test_a_new_version_of_the_chart_is_no_reason_to_replace_a_libvirt_pod(
    tmp_path: Path,
) -> None:
    values = ("--values", str(CHART / "ci" / "libvirt-pod.yaml"))
    newer = tmp_path / "kilonova"
    shutil.copytree(CHART, newer)
    text = (newer / "Chart.yaml").read_text()
    (newer / "Chart.yaml").write_text(text.replace("ersion: 0.1.0", "ersion: 9.9.9"))
    pods = [
        get(render(chart, *values), "DaemonSet", name)["spec"]["template"]
        for name in ("kilonova-libvirt", "kilonova-agent")
        for chart in (CHART, newer)
    ]
    assert pods[0] == pods[1]
    assert pods[2] != pods[3]


def test_agent_and_libvirt_see_the_guests_disks_under_the_same_path() -> None:
    manifests = render_values(
        {"libvirt": {"mode": "pod"}, "agent": {"stateDir": "/srv/guests"}}
    )
    for name in ("kilonova-agent", "kilonova-libvirt"):
        spec = get(manifests, "DaemonSet", name)["spec"]["template"]["spec"]
        mounts = {
            m["name"]: m["mountPath"] for m in spec["containers"][0]["volumeMounts"]
        }
        paths = {v["name"]: v.get("hostPath", {}).get("path") for v in spec["volumes"]}
        assert mounts["state"] == paths["state"] == "/srv/guests"


def test_with_enrolled_namespaces_the_operator_reads_no_other_secret() -> None:
    manifests = _with(CHART / "ci" / "enrolled.yaml")
    rules = get(manifests, "ClusterRole", "kilonova-operator")["rules"]
    assert not any("secrets" in rule["resources"] for rule in rules)
    enrolled = {
        m["metadata"]["namespace"]
        for m in manifests
        if m["kind"] == "RoleBinding"
        and m["metadata"]["name"] == "kilonova-secret-reader"
    }
    assert enrolled == {"shop", "wiki"}


def test_guards_can_be_switched_off_and_the_agents_jail_cannot() -> None:
    policies = {
        m["metadata"]["name"]
        for m in _with(CHART / "ci" / "no-guards.yaml")
        if m["kind"] == "ValidatingAdmissionPolicy"
    }
    assert policies == {
        "kilonova-admin-cli",
        "kilonova-agent-tokens",
        "kilonova-forced-hosts",
        "kilonova-guard-server-namespaces",  # matches nothing, see its template
        "kilonova-host-answers",
        "kilonova-host-instances",
        "kilonova-host-namespaces",
        "kilonova-host-reports",
        "kilonova-operator-bindings",
        "kilonova-operator-scope",
    }


def test_every_setting_that_places_a_pod_reaches_it() -> None:
    manifests = _with(CHART / "ci" / "everything.yaml")
    operator = _operator_pod(manifests)
    assert operator["spec"]["containers"][0]["image"] == (
        f"registry.example:5000/kilonova/op@sha256:{'0' * 64}"
    )
    assert operator["spec"]["imagePullSecrets"] == [{"name": "registry"}]
    assert operator["spec"]["nodeSelector"] == {"a": "b"}
    assert operator["spec"]["tolerations"] == [{"key": "k", "operator": "Exists"}]
    assert operator["spec"]["priorityClassName"] == "important"
    assert "podAntiAffinity" in operator["spec"]["affinity"]
    assert operator["metadata"]["annotations"]["note"] == "operator"
    assert operator["metadata"]["labels"]["tier"] == "operator"
    claim = next(v for v in operator["spec"]["volumes"] if v["name"] == "data")
    assert claim["persistentVolumeClaim"] == {"claimName": "my-claim"}
    assert find(manifests, "PersistentVolumeClaim", "kilonova-operator-data") is None


def test_every_setting_of_the_agent_reaches_it() -> None:
    manifests = _with(CHART / "ci" / "everything.yaml")
    daemon_set = get(manifests, "DaemonSet", "kilonova-agent")["spec"]
    agent = daemon_set["template"]
    (container,) = agent["spec"]["containers"]
    assert container["image"] == "registry.example:5000/kilonova/ag:v9"
    assert container["imagePullPolicy"] == "Always"
    assert container["securityContext"]["capabilities"]["add"] == ["DAC_OVERRIDE"]
    assert container["resources"]["limits"]["memory"] == "1Gi"
    assert agent["spec"]["priorityClassName"] == "vital"
    assert agent["metadata"]["labels"]["tier"] == "agent"
    assert daemon_set["updateStrategy"]["rollingUpdate"] == {"maxUnavailable": 3}


def test_extra_objects_and_common_labels_are_rendered() -> None:
    manifests = _with(CHART / "ci" / "everything.yaml")
    assert get(manifests, "ConfigMap", "extra-kilonova")
    assert get(manifests, "ConfigMap", "extra-text")
    assert get(manifests, "ServiceAccount", "kilonova-agent")["metadata"]["labels"][
        "team"
    ] == ("cloud")


def test_the_default_quota_reaches_the_operator_and_none_means_no_limit() -> None:
    def read(values: dict[str, object]) -> dict[str, str]:
        manifests = render_values({"quota": {"default": values}})
        data = get(manifests, "ConfigMap", "kilonova-operator")["data"]
        return {name: data[name] for name in data if "QUOTA" in name}

    assert read({}) == {
        "KILONOVA_QUOTA_INSTANCES": "10",
        "KILONOVA_QUOTA_CORES": "20",
        "KILONOVA_QUOTA_RAM_MIB": "51200",
    }
    assert read({"instances": 0, "cores": None, "ramMiB": 4000000}) == {
        "KILONOVA_QUOTA_INSTANCES": "0",
        "KILONOVA_QUOTA_RAM_MIB": "4000000",
    }


def test_a_changed_setting_restarts_the_pods_that_read_it() -> None:
    before = _operator_pod(render(CHART))["metadata"]["annotations"]
    changed = render(CHART, "--set", "network.pool=10.64.0.0/12")
    after = _operator_pod(changed)["metadata"]["annotations"]
    assert before["checksum/settings"] != after["checksum/settings"]


def _operator_pod(manifests: list[dict[str, Any]]) -> dict[str, Any]:
    deployment = get(manifests, "Deployment", "kilonova-operator")
    pod: dict[str, Any] = deployment["spec"]["template"]
    return pod


def test_there_are_at_least_eight_sets_of_values() -> None:
    assert len(CI_VALUES) >= 8
    assert (REPOSITORY / "charts" / "kilonova" / "ci" / "default.yaml") in CI_VALUES


@pytest.mark.parametrize(
    ("wanted", "rendered"), [("true", True), ("false", False)], ids=str
)
def test_mutating_policies_are_rendered_as_asked(
    wanted: str, *, rendered: bool
) -> None:
    manifests = render(CHART, "--set", f"admission.mutating={wanted}")
    found = find(manifests, "MutatingAdmissionPolicy", "kilonova-servers")
    assert (found is not None) is rendered
