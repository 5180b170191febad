"""What integration tests may rely on in the control plane alone."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kilonova_lab.api import Api, ApiRefused
from kilonova_lab.controlplane import ControlPlane

_ANNOUNCE_AND_WAIT = """
import sys
from kilonova_lab.controlplane import ControlPlane
with ControlPlane() as running:
    states = running.etcd.supervisor.ask("status")["programs"].values()
    print(running.folder, *[state["pid"] for state in states], flush=True)
    sys.stdin.read()
"""


def build_config_map(name: str, namespace: str = "default") -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
    }


def test_admission_policies_are_served_as_v1(control_plane: ControlPlane) -> None:
    served = control_plane.api.get("/apis/admissionregistration.k8s.io/v1")["resources"]
    names = {resource["name"] for resource in served}
    assert {"validatingadmissionpolicies", "mutatingadmissionpolicies"} <= names


def test_each_write_is_in_the_audit_log_when_its_answer_arrives_and_no_read_is(
    control_plane: ControlPlane, namespace: str
) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    control_plane.api.create(path, build_config_map("counted", namespace))
    control_plane.api.get(f"{path}/counted")
    events = [json.loads(line) for line in control_plane.audit_log.open()]
    mine = [
        event["verb"]
        for event in events
        if event.get("objectRef", {}).get("name") == "counted"
        and event["objectRef"].get("namespace") == namespace
    ]
    assert mine == ["create"]


def test_a_user_of_its_own_is_bound_by_rbac(control_plane: ControlPlane) -> None:
    alice = Api.from_kubeconfig(control_plane.write_kubeconfig("alice"))
    with pytest.raises(ApiRefused, match="alice") as refused:
        alice.get("/api/v1/secrets")
    assert refused.value.status == 403


def test_a_killed_api_server_comes_back_on_its_port_with_its_objects(
    own_control_plane: ControlPlane,
) -> None:
    path = "/api/v1/namespaces/default/configmaps"
    own_control_plane.api.create(path, build_config_map("kept"))
    own_control_plane.apiserver.kill()
    assert not own_control_plane.api.is_ready()
    own_control_plane.etcd.kill()
    own_control_plane.etcd.start()
    own_control_plane.apiserver.start()
    own_control_plane.apiserver.wait_until_ready()
    assert own_control_plane.api.find(f"{path}/kept") is not None


def test_a_restored_store_goes_back_in_objects_and_versions(
    own_control_plane: ControlPlane, tmp_path: Path
) -> None:
    path = "/api/v1/namespaces/default/configmaps"
    own_control_plane.api.create(path, build_config_map("before"))
    own_control_plane.save_store(tmp_path / "saved")
    later = own_control_plane.api.create(path, build_config_map("after"))
    for number in range(200):
        own_control_plane.api.create(path, build_config_map(f"more-{number}"))
    own_control_plane.restore_store(tmp_path / "saved")
    listed = own_control_plane.api.get(path)
    assert "before" in {item["metadata"]["name"] for item in listed["items"]}
    assert "after" not in {item["metadata"]["name"] for item in listed["items"]}
    new = own_control_plane.api.create(path, build_config_map("after"))
    assert int(new["metadata"]["resourceVersion"]) < (
        int(later["metadata"]["resourceVersion"]) + 200
    )


@pytest.fixture
def process_with_control_plane() -> Iterator[subprocess.Popen[str]]:
    package_root = Path(__file__).resolve().parents[3] / "lab"
    process = subprocess.Popen(
        [sys.executable, "-c", _ANNOUNCE_AND_WAIT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(package_root)},
    )
    yield process
    process.kill()
    process.communicate()


def test_sigkill_of_the_owner_leaves_neither_program_nor_folder(
    process_with_control_plane: subprocess.Popen[str],
) -> None:
    assert process_with_control_plane.stdout is not None
    folder, *pids = process_with_control_plane.stdout.readline().split()
    assert len(pids) == 3
    process_with_control_plane.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    remains = [folder, *(f"/proc/{pid}/cmdline" for pid in pids)]
    while found := [path for path in remains if Path(path).exists()]:
        assert time.monotonic() < deadline, f"still there: {found}"
        time.sleep(0.05)
