"""What the group may do that asks the running operator, and what it may not."""

import pytest

from kilonova_api.admin import ADMIN_VERBS
from support.chart_cluster import RELEASE_NAMESPACE, Cluster
from support.kubectl import Cli

GROUP = "kilonova:admin-cli"
EXEC = f"/api/v1/namespaces/{RELEASE_NAMESPACE}/pods/operator-1/exec"
REFUSED = "you may only exec kilonova-manage's requests"


@pytest.fixture(scope="module")
def asker(cluster: Cluster) -> Cli:
    path = cluster.control_plane.write_kubeconfig("asker", groups=[GROUP])
    return cluster.admin.with_kubeconfig(path)


def execute(
    who: Cli, *command: str, container: str = "operator", more: str = ""
) -> str:
    """Try to execute; return the answer. There is no pod: who may is told so."""
    words = "".join(f"&command={word}" for word in command)
    code, text = who.send("POST", f"{EXEC}?container={container}{words}{more}")
    assert code in (403, 404), text
    assert (code == 404) == ("not found" in text), text
    return text


@pytest.mark.parametrize("verb", ADMIN_VERBS)
def test_every_verb_may_be_asked(asker: Cli, verb: str) -> None:
    assert 'pods \\"operator-1\\" not found' in execute(asker, "kilonova-manage", verb)


@pytest.mark.parametrize(
    "command",
    [
        ("sh",),
        ("kilonova-manage",),
        ("kilonova-manage", "db"),
        ("kilonova-manage", "db", "sync"),
        ("kilonova-manage", "audit-claims", "--help"),
        ("sh", "audit-claims"),
    ],
    ids=" ".join,
)
def test_nothing_else_may_be_executed(asker: Cli, command: tuple[str, ...]) -> None:
    assert REFUSED in execute(asker, *command)


def test_no_other_container_and_no_terminal(asker: Cli) -> None:
    ask = ("kilonova-manage", "audit-claims")
    assert REFUSED in execute(asker, *ask, container="agent")
    assert REFUSED in execute(asker, *ask, container="")
    assert REFUSED in execute(asker, *ask, more="&tty=true")


def test_an_admin_of_the_cluster_is_not_held(cluster: Cluster) -> None:
    path = cluster.control_plane.write_kubeconfig(
        "asking-admin", groups=["system:masters", GROUP]
    )
    admin = cluster.admin.with_kubeconfig(path)
    assert "not found" in execute(admin, "sh")


def test_nothing_else_of_the_namespace_is_seen(asker: Cli) -> None:
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{RELEASE_NAMESPACE}/leases"
    assert asker.send("GET", f"{leases}/kilonova-super")[0] == 404
    assert asker.send("GET", leases)[0] == 403
    for what in ("pods", "secrets", "configmaps"):
        path = f"/api/v1/namespaces/{RELEASE_NAMESPACE}/{what}"
        assert asker.send("GET", path)[0] == 403
    elsewhere = EXEC.replace(RELEASE_NAMESPACE, "default")
    assert asker.send("POST", f"{elsewhere}?command=sh")[0] == 403


def test_the_chart_knows_every_verb(cluster: Cluster) -> None:
    policy = cluster.admin.get("validatingadmissionpolicy", "kilonova-admin-cli")
    (rule,) = policy["spec"]["validations"]
    for verb in ADMIN_VERBS:
        assert f"'{verb}'" in rule["expression"]
