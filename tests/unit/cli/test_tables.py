"""kubectl nova host, aggregate, quota and group: tables of recorded objects."""

import json
from typing import Any

import pytest

from kilonova_api.compute_host import ComputeHost
from kilonova_api.host_aggregate import HostAggregate
from kilonova_api.server import Server
from kilonova_api.server_group import ServerGroup
from kilonova_api.server_quota import ServerQuota
from support.kube_front import KubeFront
from support.nova_cli import Nova, put_lease
from support.servers import condition, server_manifest, stored

AGENT = {
    "hostId": "00000000-0000-4000-8000-000000000001",
    "agentVersion": "0.1.0",
    "virtType": "kvm",
    "cpu": {"arch": "x86_64", "model": "EPYC", "cores": 64},
    "memoryMiB": 257000,
    "diskGiB": 900,
    "traits": [f"HW_CPU_X86_{n}" for n in range(20)],
    "numaCells": [
        {
            "id": 0,
            "cpus": "0-31",
            "memoryMiB": 128000,
            "pagePools": [{"size": "4Ki", "total": 7}],
        }
    ],
}


def put_host(front: KubeFront, name: str, **status: Any) -> None:
    known = {
        "state": "Up",
        "scheduling": "Enabled",
        "cell": "cell1",
        "zone": "az1",
        "servers": 3,
        "vcpus": "5/128",
        "memory": "10/62Gi",
        "agent": AGENT,
        "conditions": [condition("Ready", "True", "Ready")],
    }
    front.put(
        ComputeHost.resource(),
        {
            "metadata": {"name": name},
            "spec": status.pop("spec", {}),
            "status": known | status,
        },
    )


def test_hosts_are_listed_over_pages(front: KubeFront, nova: Nova) -> None:
    for number in range(5):
        put_host(front, f"hv{number}")
    ended = nova("host", "list")
    assert ended.code == 0, ended.err
    assert [row[0] for row in ended.rows] == ["NAME", *(f"hv{n}" for n in range(5))]
    assert ended.rows[1][1:10] == [
        "Up",
        "Enabled",
        "cell1",
        "az1",
        "3",
        "5/128",
        "10/62Gi",
        "kvm",
        "0.1.0",
    ]


def test_a_host_that_takes_nobody_says_why(front: KubeFront, nova: Nova) -> None:
    spec = {"disabled": True, "disabledReason": "memory is being replaced"}
    put_host(front, "hv1", spec=spec, scheduling="Disabled")
    silent = condition("Ready", "False", "HeartbeatLost")
    put_host(front, "hv2", conditions=[silent], state="Down")
    out = nova("host", "list").out
    assert "memory is being replaced" in out
    assert "HeartbeatLost" in out


def test_hosts_are_chosen_by_cell_and_zone(front: KubeFront, nova: Nova) -> None:
    put_host(front, "hv1")
    put_host(front, "hv2", zone="az2")
    put_host(front, "hv3", cell="cell2", zone="az2")
    assert [r[0] for r in nova("host", "list", "--zone", "az2").rows[1:]] == [
        "hv2",
        "hv3",
    ]
    found = json.loads(nova("host", "list", "--cell", "cell2", "-o", "json").out)
    assert [item["metadata"]["name"] for item in found["items"]] == ["hv3"]


def test_a_host_is_shown_with_its_hardware(front: KubeFront, nova: Nova) -> None:
    spec = {
        "reserved": {"memoryMiB": 1024},
        "allocationRatios": {"vcpu": "2.0"},
        "traits": ["CUSTOM_FAST"],
    }
    put_host(front, "hv1", spec=spec)
    out = nova("host", "show", "hv1").out
    for told in (
        "memoryMiB=1024",
        "vcpu=2.0",
        "CUSTOM_FAST",
        "64 x EPYC (x86_64)",
        "CPUs 0-31, 128000 MiB, pages 7 x 4Ki",
        "and 8 more",
    ):
        assert told in out


def test_a_host_that_nobody_heard_of_yet_is_shown(front: KubeFront, nova: Nova) -> None:
    front.put(ComputeHost.resource(), {"metadata": {"name": "new"}})
    assert ["State", "Unknown"] in nova("host", "show", "new").rows
    assert nova("host", "list").rows[1][:3] == ["new", "Unknown", "Held"]


def test_aggregates_are_listed(front: KubeFront, nova: Nova) -> None:
    spec = {
        "hosts": ["hv1"],
        "availabilityZone": "az1",
        "metadata": {"ssd": "true", "rack": "7"},
        "sharedResources": [{"resourceClass": "DISK_GB", "total": 1000}],
    }
    front.put(
        HostAggregate.resource(),
        {"metadata": {"name": "fast"}, "spec": spec, "status": {"hosts": 1}},
    )
    row = nova("aggregate", "list").rows[1]
    assert row == ["fast", "az1", "1", "rack=7,ssd=true", "DISK_GB=1000"]


def put_quota(front: KubeFront, namespace: str, **status: Any) -> None:
    spec = {"instances": 20, "cores": 40}
    metadata = {"name": "quota", "namespace": namespace}
    front.put(
        ServerQuota.resource(), {"metadata": metadata, "spec": spec, "status": status}
    )


def test_a_quota_is_shown_of_one_namespace_or_all(front: KubeFront, nova: Nova) -> None:
    put_quota(front, "shop", instances="5/20", cores="9/40", ramMiB="4096")
    put_quota(front, "other")
    assert nova("quota").rows[1:] == [["shop", "5/20", "9/40", "4096"]]
    assert nova("quota", "-n", "other").rows[1:] == [["other", "?/20", "?/40", "?"]]
    assert [row[0] for row in nova("quota", "-A").rows[1:]] == ["other", "shop"]


def test_a_namespace_without_a_quota_shows_the_default(
    front: KubeFront, nova: Nova
) -> None:
    put_lease(front)
    answer = {"instances": "2/10", "cores": "4/20", "ramMib": "1024"}
    front.run = lambda command, line: (json.dumps(answer).encode(), b"", 0)
    ended = nova("quota")
    assert ended.rows[1] == ["shop", "2/10", "4/20", "1024"]
    assert "shop has no ServerQuota: the chart's default holds." in ended.out
    ((_, command, line),) = front.commands
    assert command == ["kilonova-manage", "show-quota"]
    assert json.loads(line) == {"namespace": "shop"}


def test_who_may_not_ask_is_told_that_the_default_holds(nova: Nova) -> None:
    ended = nova("quota")
    assert ended.code == 0
    first, second = ended.out.splitlines()
    assert first == "shop has no ServerQuota: the chart's default holds."
    assert "could not be asked: no operator" in second


def test_a_group_is_shown_with_its_members(front: KubeFront, nova: Nova) -> None:
    metadata = {"name": "web", "namespace": "shop"}
    spec = {"policy": "AntiAffinity", "minMembers": 2}
    front.put(
        ServerGroup.resource(),
        {"metadata": metadata, "spec": spec, "status": {"placed": "1/2"}},
    )
    for name, group in (("web-0", "web"), ("web-1", "web"), ("db-0", "db")):
        obj = stored(server_manifest(name, serverGroupRef={"name": group}), uid=name)
        front.put(Server.resource(), obj | {"status": {"host": "hv1"}})
    ended = nova("group", "show", "web")
    assert ["Policy", "AntiAffinity"] in ended.rows
    assert ["Most", "per", "domain", "1"] in ended.rows
    assert ["Placed", "1/2"] in ended.rows
    assert [row[0] for row in ended.rows[-2:]] == ["web-0", "web-1"]
    assert "db-0" not in ended.out


@pytest.mark.parametrize("verb", ["host", "explain"])
def test_a_missing_object_is_named(nova: Nova, verb: str) -> None:
    command = ("host", "show") if verb == "host" else ("explain", "server")
    code, said = nova.refuse(*command, "web-9")
    assert code == 1
    assert "web-9" in said
    assert "does not exist" in said


def test_a_right_that_is_missing_is_named(front: KubeFront, nova: Nova) -> None:
    front.statuses["/apis/"] = (403, 'User "me" cannot list resource "computehosts"')
    code, said = nova.refuse("host", "list")
    assert code == 1
    assert 'cannot list resource "computehosts". Ask an admin' in said


def test_a_cluster_without_kilonova_is_called_so(front: KubeFront, nova: Nova) -> None:
    text = "the server could not find the requested resource"
    front.statuses["/apis/"] = (404, text)
    assert "CRDs are not installed" in nova.refuse("host", "list")[1]


def test_an_object_of_a_newer_version_says_what_to_do(
    front: KubeFront, nova: Nova
) -> None:
    put_host(front, "hv1", state="Sideways")
    code, said = nova.refuse("host", "list")
    assert code == 1
    assert "status.state" in said
    assert "Upgrade kubectl nova" in said


def test_a_host_that_does_not_exist_is_in_no_namespace(nova: Nova) -> None:
    code, said = nova.refuse("host", "show", "hv9")
    assert (code, said) == (1, "error: ComputeHost hv9 does not exist. Check the name")
