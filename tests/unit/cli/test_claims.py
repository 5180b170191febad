"""kubectl nova claim list and audit."""

import json

from support.kube_front import Finished, KubeFront
from support.nova_cli import Nova, put_lease


def row(number: int, state: str = "Placed") -> dict[str, object]:
    return {
        "server": f"shop/web-{number}",
        "uid": f"u{number}",
        "host": "hv1",
        "generation": 1,
        "state": state,
        "amounts": {"VCPU": 1, "MEMORY_MB": 64},
        "shared": {"nfs": {"DISK_GB": 10}},
    }


def test_claims_are_listed_over_pages(front: KubeFront, nova: Nova) -> None:
    put_lease(front)

    def run(command: list[str], line: bytes) -> Finished:
        assert command == ["kilonova-manage", "list-claims"]
        if json.loads(line)["after"]:
            answer = {"claims": [row(2, "Orphan") | {"server": ""}], "next": ""}
        else:
            answer = {"claims": [row(1)], "next": "u1"}
        return json.dumps(answer).encode(), b"", 0

    front.run = run
    ended = nova("claim", "list", "--host", "hv1")
    assert ended.rows[1:] == [
        [
            "shop/web-1",
            "hv1",
            "1",
            "Placed",
            "MEMORY_MB=64,VCPU=1",
            "nfs",
            "DISK_GB=10",
        ],
        ["uid", "u2", "hv1", "1", "Orphan", "MEMORY_MB=64,VCPU=1", "nfs", "DISK_GB=10"],
    ]
    assert [json.loads(line)["host"] for _, _, line in front.commands] == ["hv1"] * 2


def test_pins_and_pages_are_told_where_somebody_holds_some(
    front: KubeFront, nova: Nova
) -> None:
    put_lease(front)
    pinned = {"cell": 0, "cpus": "4-5", "memoryMib": 64, "pageSizeKib": 2048}
    floating = {"cell": 1, "memoryMib": 64}
    rows = [row(1) | {"cells": [pinned, floating]}, row(2)]
    answer = json.dumps({"claims": rows, "next": ""}).encode()
    front.run = lambda command, line: (answer, b"", 0)
    head, first, second = nova("claim", "list").out.splitlines()
    assert head.endswith("NUMA CELLS")
    assert first.endswith("0: CPUs 4-5, 64 MiB in pages of 2048 KiB; 1: 64 MiB")
    assert second.rstrip().endswith("nfs DISK_GB=10")


def test_claims_of_one_server_are_asked_for_by_its_name(
    front: KubeFront, nova: Nova
) -> None:
    put_lease(front)
    front.run = lambda command, line: (b'{"claims": [], "next": ""}', b"", 0)
    assert nova("claim", "list", "--server", "shop/web-0").code == 0
    asked = json.loads(front.commands[0][2])
    assert (asked["namespace"], asked["name"]) == ("shop", "web-0")


def test_an_audit_that_finds_nothing_ends_well(front: KubeFront, nova: Nova) -> None:
    put_lease(front)
    body = b'{"servers": 3, "claims": 3, "hosts": 2, "findings": []}'
    front.run = lambda command, line: (body, b"", 0)
    ended = nova("claim", "audit")
    assert ended.code == 0
    assert ended.out.splitlines() == [
        "3 Servers have a host, 3 placements hold one of 2 hosts.",
        "Claims and Servers agree.",
    ]


def test_drift_is_told_and_the_exit_code_is_3(front: KubeFront, nova: Nova) -> None:
    put_lease(front)
    finding = {"kind": "UsageDrift", "subject": "shop", "message": "5 is not 6"}
    answer = {"servers": 3, "claims": 4, "hosts": 2, "findings": [finding]}
    front.run = lambda command, line: (json.dumps(answer).encode(), b"", 0)
    for options in ((), ("-o", "json")):
        ended = nova("claim", "audit", *options)
        assert ended.code == 3
        assert "UsageDrift" in ended.out
