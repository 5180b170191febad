"""kubectl nova explain server."""

import json
from typing import Any

import yaml

from kilonova_api.admin import MAX_HOSTS
from kilonova_api.server import Server
from support.kube_front import KubeFront
from support.nova_cli import RECORD, Nova, put_lease
from support.servers import SERVER_UID, condition, server_manifest, stored


def put_server(front: KubeFront, **status: Any) -> None:
    obj = stored(server_manifest(), uid=SERVER_UID)
    front.put(Server.resource(), obj | {"status": status})


def placed() -> dict[str, Any]:
    return {"state": "ACTIVE", "host": "hv2", "zone": "az1", "scheduling": RECORD}


def test_stages_are_a_table_whose_totals_add_up(front: KubeFront, nova: Nova) -> None:
    put_server(front, **placed())
    ended = nova("explain", "server", "web-0")
    assert ended.code == 0, ended.err
    assert ["Host", "hv2"] in ended.rows
    assert ["all", "hosts", "4"] in ended.rows
    assert ["HostEnabled", "1", "3"] in ended.rows
    assert ["in", "all", "3", "1"] in ended.rows
    assert "Capacity:MEMORY_MB         2      1   512 MiB of memory" in ended.out
    assert "incomplete" not in ended.out


def test_a_record_that_does_not_add_up_is_called_so(
    front: KubeFront, nova: Nova
) -> None:
    put_server(front, scheduling=RECORD | {"hostsConsidered": 9})
    assert "this record is incomplete" in nova("explain", "server", "web-0").out


def test_no_host_is_told_with_the_nearest_miss_and_why(
    front: KubeFront, nova: Nova
) -> None:
    record = RECORD | {"nearestMiss": "one host lacks 512 MiB of memory"}
    ready = condition("Ready", "False", "NoValidHost", "no host fits")
    put_server(front, scheduling=record, conditions=[ready])
    ended = nova("explain", "server", "web-0")
    assert ["Host", "none"] in ended.rows
    assert ["Why", "NoValidHost:", "no", "host", "fits"] in ended.rows
    assert "Nearest miss: one host lacks 512 MiB of memory" in ended.out


def test_hints_that_count_for_nothing_are_told(front: KubeFront, nova: Nova) -> None:
    put_server(front, scheduling=RECORD)
    assert "Hints" not in nova("explain", "server", "web-0").out
    put_server(front, scheduling=RECORD | {"ignoredHints": ["sameHost", "query"]})
    ended = nova("explain", "server", "web-0")
    assert "Hints that count for nothing: sameHost, query." in ended.out


def test_a_server_without_a_decision_says_so(front: KubeFront, nova: Nova) -> None:
    put_server(front)
    assert "no scheduling decision" in nova("explain", "server", "web-0").out


def test_programs_get_the_same_as_json_and_yaml(front: KubeFront, nova: Nova) -> None:
    put_server(front, **placed())
    as_json = json.loads(nova("explain", "server", "web-0", "-o", "json").out)
    as_yaml = yaml.safe_load(nova("explain", "server", "web-0", "-o", "yaml").out)
    assert as_json == as_yaml
    assert as_json["scheduling"]["stages"][1]["hostsRemoved"] == 2
    assert "decisions" not in as_json


def test_what_steers_a_terminal_is_not_passed_on(front: KubeFront, nova: Nova) -> None:
    ready = condition("Ready", "False", "Odd", "\x1b[2Jgone [bold]x[/bold]\nnext")
    put_server(front, conditions=[ready])
    out = nova("explain", "server", "web-0").out
    assert "\x1b" not in out
    assert "gone [bold]x[/bold] next" in out


def test_admins_get_every_host_of_the_last_decisions(
    front: KubeFront, nova: Nova
) -> None:
    put_server(front, **placed())
    put_lease(front)
    hosts = [
        {"host": "hv2", "total": 1.5, "weights": {"RAMWeigher": 1.5, "PCIWeigher": 0}},
        {"host": "hv1", "failed": "Capacity:MEMORY_MB"},
    ]
    decision = {"outcome": "Claimed", "host": "hv2", "record": RECORD, "hosts": hosts}
    answer = json.dumps({"decisions": [decision]}).encode()
    front.run = lambda command, line: (answer, b"", 0)
    ended = nova("explain", "server", "web-0", "--admin")
    assert ended.code == 0, ended.err
    assert ["HOST", "TOTAL", "RAMWeigher", "FAILED"] in ended.rows
    assert ["hv2", "1.5000", "1.5000"] in ended.rows
    assert ["hv1", "Capacity:MEMORY_MB"] in ended.rows
    ((path, command, line),) = front.commands
    assert path.endswith("/namespaces/kilonova-system/pods/operator-7/exec")
    assert command == ["kilonova-manage", "list-decisions"]
    assert json.loads(line) == {"uid": SERVER_UID, "hosts": 20}


def test_best_hosts_come_before_the_counts_and_what_is_left_out_is_told(
    front: KubeFront, nova: Nova
) -> None:
    put_server(front, **placed())
    put_lease(front)
    hosts = [{"host": "hv2", "total": 1.5, "weights": {"RAMWeigher": 1.5}}]
    shown = {"outcome": "Claimed", "host": "hv2", "record": RECORD, "hosts": hosts}
    unkept = {"outcome": "NoValidHost", "record": RECORD, "hostsNotKept": "no room"}
    answer = {"decisions": [shown | {"hostsNotShown": 3}, unkept]}
    front.run = lambda command, line: (json.dumps(answer).encode(), b"", 0)
    ended = nova("explain", "server", "web-0", "--admin", "--hosts", "1")
    assert ended.code == 0, ended.err
    told = ended.out[ended.out.index("Decision 1") :]
    assert told.index("RAMWeigher") < told.index("CONSTRAINT")
    assert "3 more hosts: --hosts shows them." in told
    assert "Its hosts are not kept: no room." in told
    assert json.loads(front.commands[0][2])["hosts"] == 1


def test_programs_get_all_hosts_of_a_decision(front: KubeFront, nova: Nova) -> None:
    put_server(front, **placed())
    put_lease(front)
    front.run = lambda command, line: (b'{"decisions": []}', b"", 0)
    ended = nova("explain", "server", "web-0", "--admin", "-o", "json")
    assert ended.code == 0, ended.err
    assert json.loads(front.commands[0][2])["hosts"] == MAX_HOSTS


def test_admins_see_what_each_host_fails_now_where_there_is_none(
    front: KubeFront, nova: Nova
) -> None:
    put_server(front, scheduling=RECORD)
    put_lease(front)
    hosts = [{"host": "hv1", "failed": "Capacity:MEMORY_MB"}]
    answers = {
        "list-decisions": {"decisions": []},
        "schedule-dry-run": {"server": "shop/web-0", "hosts": hosts},
    }
    front.run = lambda command, line: (json.dumps(answers[command[1]]).encode(), b"", 0)
    ended = nova("explain", "server", "web-0", "--admin", "--hosts", "7")
    assert ended.code == 0, ended.err
    assert "keeps no decision" in ended.out
    assert "Decided now, it would go to no host:" in ended.out
    assert ["hv1", "Capacity:MEMORY_MB"] in ended.rows
    asked = json.loads(front.commands[1][2])
    assert asked == {"server": server_manifest(), "hosts": 7}


def test_only_reads_are_sent(front: KubeFront, nova: Nova) -> None:
    put_server(front, **placed())
    nova("explain", "server", "web-0")
    assert [method.split()[0] for method in front.methods] == ["GET"]
