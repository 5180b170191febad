"""kubectl nova schedule --dry-run."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from kilonova_api.kube.resources import LEASE
from support.kube_front import Finished, KubeFront
from support.nova_cli import RECORD, Nova, put_lease
from support.servers import server_manifest

ANSWER = {
    "server": "shop/web-0",
    "host": "hv2",
    "zone": "az1",
    "scheduling": RECORD,
    "hosts": [
        {"host": "hv2", "total": 1.5, "weights": {"RAMWeigher": 1.5}},
        {"host": "hv1", "failed": "Capacity:MEMORY_MB"},
    ],
    "hostsNotShown": 2,
}


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "server.yaml"
    path.write_text(yaml.safe_dump(server_manifest()))
    return path


def answer(front: KubeFront, body: Any, code: int = 0) -> None:
    put_lease(front)
    front.run = lambda command, line: (json.dumps(body).encode(), b"", code)


def test_it_says_where_and_why_not_elsewhere(
    front: KubeFront, nova: Nova, manifest: Path
) -> None:
    answer(front, ANSWER)
    ended = nova("schedule", "--dry-run", "-f", str(manifest))
    assert ended.code == 0, ended.err
    assert ["Would", "go", "to", "hv2"] in ended.rows
    assert ["hv1", "Capacity:MEMORY_MB"] in ended.rows
    assert "2 more hosts" in ended.out
    ((_, command, line),) = front.commands
    assert command == ["kilonova-manage", "schedule-dry-run"]
    assert json.loads(line) == {"server": server_manifest(), "hosts": 20}
    assert line.count(b"\n") == 1


def test_where_nothing_fits_the_exit_code_is_3(
    front: KubeFront, nova: Nova, manifest: Path
) -> None:
    answer(front, {k: v for k, v in ANSWER.items() if k not in ("host", "zone")})
    ended = nova("schedule", "--dry-run", "-f", str(manifest))
    assert ended.code == 3
    assert ["Would", "go", "to", "no", "host"] in ended.rows


def test_a_problem_is_told_and_that_it_may_pass(
    front: KubeFront, nova: Nova, manifest: Path
) -> None:
    problem = {"reason": "FlavorNotFound", "message": "Create it.", "waits": True}
    answer(front, {"server": "shop/web-0", "problem": problem})
    ended = nova("schedule", "--dry-run", "-f", str(manifest))
    assert ended.code == 3
    assert "FlavorNotFound: Create it." in ended.out
    assert "go on by itself" in ended.out


def test_the_manifest_may_come_from_standard_input(
    front: KubeFront, nova: Nova, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer(front, ANSWER)
    text = yaml.safe_dump_all([{"kind": "Namespace"}, server_manifest()]).encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert nova("schedule", "--dry-run", "-f", "-").code == 0


def test_a_server_without_a_namespace_gets_the_contexts_or_the_named_one(
    front: KubeFront, nova: Nova, tmp_path: Path
) -> None:
    answer(front, ANSWER)
    manifest = server_manifest()
    del manifest["metadata"]["namespace"]
    path = tmp_path / "bare.json"
    path.write_text(json.dumps(manifest))
    nova("schedule", "--dry-run", "-f", str(path))
    nova("schedule", "--dry-run", "-f", str(path), "-n", "other")
    sent = [json.loads(line)["server"] for _, _, line in front.commands]
    assert [server["metadata"]["namespace"] for server in sent] == ["shop", "other"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("kind: Pod", "0 Servers; one manifest of kind Server"),
        ("kind: Server\n---\nkind: Server", "2 Servers"),
        ("- a", "each document must be a Kubernetes object"),
        ("a: [", "line 1: no YAML"),
        ("kind: Server\nmetadata: []", "metadata must hold"),
        ("kind: Server\nmetadata: {namespace: mine}", "is of namespace mine"),
        ("a: " + "x" * (1 << 20), "more than 1048576 bytes"),
        ("\ud800", "no text in UTF-8"),
        ("!!python/object/apply:os.system [id]", "no YAML"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_in_one_line(
    nova: Nova, tmp_path: Path, text: str, told: str
) -> None:
    path = tmp_path / "server.yaml"
    path.write_bytes(text.encode(errors="surrogatepass"))
    code, said = nova.refuse("schedule", "--dry-run", "-f", str(path), "-n", "shop")
    assert code == 2
    assert told in said


def test_without_dry_run_nothing_is_even_asked(nova: Nova, manifest: Path) -> None:
    code, said = nova.refuse("schedule", "-f", str(manifest))
    assert code == 2
    assert "--dry-run" in said
    assert nova.front.methods == []


def test_a_missing_file_is_named(nova: Nova) -> None:
    code, said = nova.refuse("schedule", "--dry-run", "-f", "/no/such.yaml")
    assert (code, said) == (2, "error: /no/such.yaml: No such file or directory")


def test_the_operators_refusal_is_passed_on(
    front: KubeFront, nova: Nova, manifest: Path
) -> None:
    refusal = {"reason": "BadRequest", "message": "spec.flavour: unknown field"}
    answer(front, refusal, code=1)
    code, said = nova.refuse("schedule", "--dry-run", "-f", str(manifest))
    assert code == 2
    assert said.endswith("BadRequest: spec.flavour: unknown field")
    assert len(front.commands) == 1


def test_another_leader_is_looked_for_while_one_takes_over(
    front: KubeFront, nova: Nova, manifest: Path
) -> None:
    put_lease(front, "old_1")

    def run(command: list[str], line: bytes) -> Finished:
        del command, line
        if len(front.commands) < 2:
            put_lease(front, "new_2")
            return b'{"reason": "NotLeader", "message": "ask another"}', b"", 1
        return json.dumps(ANSWER).encode(), b"", 0

    front.run = run
    assert nova("schedule", "--dry-run", "-f", str(manifest)).code == 0
    pods = [path.split("/")[-2] for path, _, _ in front.commands]
    assert pods == ["old", "new"]


def test_nobody_who_leads_for_long_is_told(
    front: KubeFront, nova: Nova, manifest: Path
) -> None:
    answer(front, {"reason": "NotLeader", "message": "ask another"}, code=1)
    code, said = nova.refuse("schedule", "--dry-run", "-f", str(manifest))
    assert code == 1
    assert "NotLeader" in said
    assert len(front.commands) == 3


def test_no_operator_is_told_with_what_to_set(nova: Nova, manifest: Path) -> None:
    code, said = nova.refuse("schedule", "--dry-run", "-f", str(manifest))
    assert code == 1
    assert "namespace kilonova-system has no Lease kilonova-super" in said
    assert "--operator-namespace" in said


def test_a_lease_that_nobody_holds_is_told(
    front: KubeFront, nova: Nova, manifest: Path
) -> None:
    put_lease(front, "")
    assert (
        "no operator leads"
        in nova.refuse("schedule", "--dry-run", "-f", str(manifest))[1]
    )


def test_who_may_not_exec_is_told_what_is_missing(
    front: KubeFront, nova: Nova, manifest: Path
) -> None:
    put_lease(front)
    front.statuses["/api/v1/namespaces/kilonova-system/pods"] = (403, "no")
    code, said = nova.refuse("schedule", "--dry-run", "-f", str(manifest))
    assert code == 1
    assert "rbac.adminCliGroups" in said


def test_a_pod_that_is_gone_is_asked_for_again_and_then_told(
    front: KubeFront, nova: Nova, manifest: Path
) -> None:
    put_lease(front)
    front.statuses["/api/v1/namespaces/kilonova-system/pods"] = (404, "not found")
    code, said = nova.refuse("schedule", "--dry-run", "-f", str(manifest))
    assert code == 1
    assert "is gone" in said
    assert sum("exec" in method for method in front.methods) == 3


def test_an_answer_that_is_none_is_told_with_what_was_said(
    front: KubeFront, nova: Nova, manifest: Path
) -> None:
    put_lease(front)
    front.run = lambda command, line: (b"", b"exec: kilonova-manage: not found\n", 127)
    _, said = nova.refuse("schedule", "--dry-run", "-f", str(manifest))
    assert "code 127" in said
    assert "not found" in said


def test_a_large_answer_arrives_whole(
    front: KubeFront, nova: Nova, manifest: Path
) -> None:
    hosts = [{"host": f"hv{n}", "failed": "Capacity:VCPU"} for n in range(20_000)]
    answer(front, ANSWER | {"hosts": hosts})
    ended = nova("schedule", "--dry-run", "-f", str(manifest), "-o", "json")
    assert len(json.loads(ended.out)["hosts"]) == 20_000


def test_another_release_and_namespace_are_found(
    front: KubeFront, nova: Nova, manifest: Path
) -> None:
    answer(front, ANSWER)
    meta = {"namespace": "cloud", "name": "nova-super"}
    front.put(LEASE, {"metadata": meta, "spec": {"holderIdentity": "op_1"}})
    options = ("--operator-namespace", "cloud", "--release", "nova")
    assert nova("schedule", "--dry-run", "-f", str(manifest), *options).code == 0
    assert "/namespaces/cloud/pods/op/exec" in front.commands[0][0]
