"""An agent gets its own host's token and can do nothing else with it.

Every verb here is tried with the real tokens that a real agent would hold.
"""

import json
from dataclasses import dataclass

import pytest

from support.chart_cluster import RELEASE_NAMESPACE, Cluster
from support.chart_manifests import build_instance, build_namespace, build_server
from support.kubectl import Cli

HV1, HV2 = "kilonova-host-hv1", "kilonova-host-hv2"


@pytest.fixture(scope="module")
def agent(cluster: Cluster) -> Cli:
    """The agent's pod on hv1, before it has its host's token."""
    return cluster.admin.with_token(cluster.agent_pod_token("hv1"))


@pytest.fixture(scope="module")
def hv1(cluster: Cluster) -> Cli:
    """The agent of hv1 with its host's token."""
    return cluster.host("hv1")


def test_an_agent_gets_the_token_of_its_own_host(cluster: Cluster, hv1: Cli) -> None:
    who = json.loads(hv1.kubectl("auth", "whoami", "-o", "json"))
    name = who["status"]["userInfo"]["username"]
    assert name == "system:serviceaccount:kilonova-hosts:hv1"


@pytest.mark.parametrize("account", ["hv2", "canary.kilonova.invalid"])
def test_an_agent_is_refused_the_token_of_another_account(
    agent: Cli, account: str
) -> None:
    error = agent.refused("create", "token", account, "-n", "kilonova-hosts")
    assert "kilonova-agent-tokens" in error
    assert "Node hv1" in error


def test_a_token_that_is_bound_to_no_pod_gets_no_host_token(cluster: Cluster) -> None:
    unbound = cluster.admin.with_token(
        cluster.token(RELEASE_NAMESPACE, "kilonova-agent")
    )
    error = unbound.refused("create", "token", "hv1", "-n", "kilonova-hosts")
    assert "this token is of no Node" in error


def test_an_agent_gets_no_long_lived_token(agent: Cli) -> None:
    error = agent.refused(
        "create", "token", "hv1", "-n", "kilonova-hosts", "--duration=2h"
    )
    assert "expirationSeconds must be no more than 3600" in error


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("create", "token", "default", "-n", "default"), id="token"),
        pytest.param(("get", "nodes"), id="nodes"),
        pytest.param(("get", "secrets", "-n", RELEASE_NAMESPACE), id="secrets"),
        pytest.param(("get", "ninst", "-n", HV1), id="instances"),
        pytest.param(("get", "nhost", "hv1"), id="computehost"),
        pytest.param(("get", "serviceaccounts", "-n", "kilonova-hosts"), id="accounts"),
        pytest.param(("get", "pods", "-n", RELEASE_NAMESPACE), id="pods"),
    ],
)
def test_the_agents_own_account_can_do_nothing_but_ask(
    agent: Cli, arguments: tuple[str, ...]
) -> None:
    assert "forbidden" in agent.refused(*arguments)


def test_a_host_does_what_its_agent_needs(cluster: Cluster, hv1: Cli) -> None:
    cluster.operator.create(build_instance("hv1", "doomed"))
    cluster.operator.kubectl(
        "create",
        "secret",
        "generic",
        "doomed-user-data",
        "-n",
        HV1,
        "--from-literal=userData=x",
    )
    hv1.kubectl("get", "ninst", "-n", HV1)
    hv1.kubectl("get", "secret", "doomed-user-data", "-n", HV1)
    assert _write_status(hv1, _instance_path("hv1", "doomed"), _ACTIVE)[0] == 200
    hv1.kubectl("delete", "ninst", "doomed", "-n", HV1)
    hv1.kubectl("get", "nhost", "hv1")
    assert _write_status(hv1, _HOST.format("hv1"), _REPORT)[0] == 200
    hv1.kubectl("create", "-f", "-", stdin=json.dumps(_build_lease(HV1)))
    hv1.kubectl("replace", "-f", "-", stdin=json.dumps(_build_lease(HV1)))


def test_a_host_reports_by_server_side_apply(hv1: Cli) -> None:
    hv1.kubectl(
        "apply", "--server-side", "--field-manager=kilonova-agent",
        "--subresource=status", "-f", "-", stdin=json.dumps(_REPORT_OF_HV1),
    )  # fmt: skip


_API = "/apis/compute.kilonova.dev/v1alpha1"
_HOST = f"{_API}/computehosts/{{}}"
_ACTIVE = {"status": {"state": "ACTIVE"}}
_REPORT = {
    "status": {
        "agent": {
            "hostId": "11111111-2222-3333-4444-555555555555",
            "agentVersion": "0.1.0",
        }
    }
}


_REPORT_OF_HV1 = {
    "apiVersion": "compute.kilonova.dev/v1alpha1",
    "kind": "ComputeHost",
    "metadata": {"name": "hv1"},
    **_REPORT,
}


def _instance_path(host: str, name: str) -> str:
    return f"{_API}/namespaces/kilonova-host-{host}/instances/{name}"


def _write_status(who: Cli, path: str, body: object) -> tuple[int, str]:
    return who.send("PATCH", f"{path}/status", body)


def _patch(target: str, body: object, namespace: str | None = None) -> list[str]:
    where = ["-n", namespace] if namespace else []
    return ["patch", target, "--type=merge", "-p", json.dumps(body), *where]


def _build_lease(namespace: str) -> dict[str, object]:
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "heartbeat", "namespace": namespace},
        "spec": {"holderIdentity": "agent"},
    }


@dataclass(frozen=True, slots=True)
class Attempt:
    """One thing that a host's token must not do."""

    arguments: list[str]
    stdin: object = None


_AGENT_ONLY = "may only change status.agent"

FORBIDDEN = {
    "list every Instance": Attempt(["get", "ninst", "-A"]),
    "read another host's Instances": Attempt(["get", "ninst", "-n", HV2]),
    "delete another host's Instance": Attempt(["delete", "ninst", "guest", "-n", HV2]),
    "make an Instance": Attempt(["create", "-f", "-"], build_instance("hv1", "own")),
    "change an Instance's orders": Attempt(
        _patch("ninst/guest", {"spec": {"powerState": "Stopped"}}, HV1)
    ),
    "label an Instance": Attempt(
        _patch("ninst/guest", {"metadata": {"labels": {"a": "b"}}}, HV1)
    ),
    "delete all Instances in one call": Attempt(
        [
            "delete",
            "--raw",
            f"/apis/compute.kilonova.dev/v1alpha1/namespaces/{HV1}/instances",
        ]
    ),
    "list Secrets of its own namespace": Attempt(["get", "secrets", "-n", HV1]),
    "read another host's Secrets": Attempt(
        ["get", "secret", "guest-user-data", "-n", HV2]
    ),
    "read Secrets elsewhere": Attempt(
        ["get", "secret", "databases", "-n", RELEASE_NAMESPACE]
    ),
    "write a Secret": Attempt(
        ["create", "secret", "generic", "mine", "-n", HV1, "--from-literal=a=b"]
    ),
    "list hosts": Attempt(["get", "nhost"]),
    "change its own spec": Attempt(
        _patch(
            "nhost/hv1",
            {"spec": {"acceptIdentity": {"hostId": "x", "disks": "Kept"}}},
        )
    ),
    "delete its ComputeHost": Attempt(["delete", "nhost", "hv1"]),
    "make a ComputeHost": Attempt(
        ["create", "-f", "-"],
        {
            "apiVersion": "compute.kilonova.dev/v1alpha1",
            "kind": "ComputeHost",
            "metadata": {"name": "hv3"},
        },
    ),
    "list Servers": Attempt(["get", "nsrv", "-A"]),
    "make a Server": Attempt(["create", "-f", "-"], build_server("mine", HV1)),
    "list Nodes": Attempt(["get", "nodes"]),
    "read its own Node": Attempt(["get", "node", "hv1"]),
    "write another host's heartbeat": Attempt(["create", "-f", "-"], _build_lease(HV2)),
    "get a token for another host": Attempt(
        ["create", "token", "hv2", "-n", "kilonova-hosts"]
    ),
    "renew its own token": Attempt(["create", "token", "hv1", "-n", "kilonova-hosts"]),
    "make a pod in its namespace": Attempt(
        ["run", "shell", "--image=shell", "-n", HV1]
    ),
    "bind a role": Attempt(
        ["create", "rolebinding", "b", "--clusterrole=admin", "--user=x", "-n", HV1]
    ),
    "make a namespace": Attempt(["create", "-f", "-"], build_namespace("mine")),
    "list namespaces": Attempt(["get", "namespaces"]),
    "list ConfigMaps": Attempt(["get", "configmaps", "-n", HV1]),
    "read the CRDs": Attempt(["get", "crd"]),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_a_host_cannot(hv1: Cli, what: str) -> None:
    attempt = FORBIDDEN[what]
    stdin = None if attempt.stdin is None else json.dumps(attempt.stdin)
    assert "forbidden" in hv1.refused(*attempt.arguments, stdin=stdin)


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        pytest.param(
            _instance_path("hv2", "guest"),
            {"state": "ERROR"},
            "cannot patch resource",
            id="another host's Instance",
        ),
        pytest.param(
            _HOST.format("hv2"),
            _REPORT["status"],
            "may not speak for host hv2",
            id="another host",
        ),
        pytest.param(
            _HOST.format("hv1"), {"state": "Down"}, _AGENT_ONLY, id="call itself down"
        ),
        pytest.param(
            _HOST.format("hv1"), {"cell": "cell9"}, _AGENT_ONLY, id="change its cell"
        ),
        pytest.param(
            _HOST.format("hv1"),
            {"observedGeneration": None},
            _AGENT_ONLY,
            id="take away what the conductor said",
        ),
        pytest.param(
            _HOST.format("hv1"), None, _AGENT_ONLY, id="take away the whole status"
        ),
    ],
)
def test_a_host_cannot_write_the_status_of(
    hv1: Cli, path: str, status: object, says: str
) -> None:
    code, text = _write_status(hv1, path, {"status": status})
    assert code == 403, text
    assert says in text


def test_an_instance_of_another_host_in_its_own_namespace_is_not_its_own(
    cluster: Cluster, hv1: Cli
) -> None:
    stray = build_instance("hv2", "stray")
    stray["metadata"]["namespace"] = HV1
    cluster.operator.create(stray)
    code, text = _write_status(hv1, _instance_path("hv1", "stray"), _ACTIVE)
    assert code == 403
    assert "may not touch an Instance of host hv2" in text
    assert "may not touch an Instance of host hv2" in hv1.refused(
        "delete", "ninst", "stray", "-n", HV1
    )
