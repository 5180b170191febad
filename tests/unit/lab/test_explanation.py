"""What a failed end-to-end test prints, also when nothing answers any more."""

import json
from pathlib import Path

from kilonova_lab.deploy.kubectl import Kubectl
from support.explanation import explain

SERVERS = {
    "items": [
        {
            "metadata": {"namespace": "t", "name": name},
            "status": {"uuid": f"uuid-of-{name}", "host": "hv1"}
            if name != "new"
            else {},
        }
        for name in ("one", "two", "new")
    ]
}

_PROGRAM = """#!/bin/sh
case "$*" in
  "get servers -A -o json") cat {servers} ;;
  *jsonpath*) echo agent-pod ;;
  *"console uuid-of-one") seq -f 'line %g' 1 100; echo PANIC ;;
  exec*) echo no such guest >&2; exit 1 ;;
  *) echo "answer to $*" ;;
esac
"""


def build_kubectl(folder: Path, program: str) -> Kubectl:
    path = folder / "kubectl"
    path.write_text(program)
    path.chmod(0o755)
    return Kubectl(folder / "kubeconfig", path, folder / "helm")


def test_objects_logs_and_the_end_of_every_console_are_printed(tmp_path: Path) -> None:
    (tmp_path / "servers.json").write_text(json.dumps(SERVERS))
    program = _PROGRAM.format(servers=tmp_path / "servers.json")
    said = explain(build_kubectl(tmp_path, program), nodes=())
    assert "answer to get nova,instances,computehosts,cells,nodes,pods -A" in said
    assert "answer to logs -n kilonova-system deploy/kilonova-operator" in said
    assert "answer to logs -n kilonova-system -l " in said
    _, _, console = said.partition("--- console of t/one\n")
    assert "line 100\nPANIC\n--- console of t/two" in console
    assert "line 50\n" not in console
    assert "no such guest" in console
    assert "console of t/new" not in said


def test_a_cluster_that_answers_nothing_hides_no_failure(tmp_path: Path) -> None:
    kubectl = build_kubectl(tmp_path, "#!/bin/sh\necho refused >&2; exit 1\n")
    said = explain(kubectl, nodes=())
    assert said.count("refused") == 4
