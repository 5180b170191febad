"""Where Servers go, and why not elsewhere: on real hosts, told by kubectl nova."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.careless import is_refused
from support.kilonova import Kilonova

ROOT = Path(__file__).parents[2]
GROUPED = {"serverGroupRef": {"name": "apart"}}


def nova(kilonova: Kilonova, *arguments: str, stdin: str | None = None) -> str:
    """Run ``kubectl nova``; a non-zero exit code fails the test, but for 3."""
    done = subprocess.run(
        [
            *(sys.executable, "-c", "from kilonova_cli.main import main; main()"),
            *arguments,
        ],
        env=os.environ
        | {
            "PYTHONPATH": f"{ROOT / 'cli'}:{ROOT / 'crds'}",
            "KUBECONFIG": str(kilonova.kubectl.kubeconfig),
            "COLUMNS": "200",
        },
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in (0, 3), done.stdout + done.stderr
    return done.stdout


def test_a_group_is_spread_over_the_hosts_and_the_third_member_is_told_why_not(
    kilonova: Kilonova,
) -> None:
    spec = {"policy": "AntiAffinity"}
    kilonova.kubectl.apply(kilonova.build("ServerGroup", "apart", spec=spec))
    for name in ("a-0", "a-1"):
        kilonova.create_server(name, **GROUPED)
    hosts = {kilonova.await_ready(name)["host"] for name in ("a-0", "a-1")}
    assert hosts == {"hv1", "hv2"}

    kilonova.create_server("a-2", **GROUPED)
    kilonova.await_condition("a-2", "Ready", "NoValidHost")
    stages: list[dict[str, Any]] = kilonova.status("a-2")["scheduling"]["stages"]
    assert stages[-1]["constraint"] == "ServerGroupAntiAffinityFilter"
    assert (stages[-1]["hostsRemoved"], stages[-1]["hostsLeft"]) == (2, 0)
    told = nova(kilonova, "explain", "server", "a-2", "-n", kilonova.namespace)
    assert "ServerGroupAntiAffinityFilter" in told
    assert "all hosts" in told, told

    told = is_refused(
        kilonova.kubectl, "delete", "servergroups", "apart", "-n", kilonova.namespace
    )
    assert "members" in told
    kilonova.delete_server("a-0")
    kilonova.await_ready("a-2")


def test_a_dry_run_names_the_host_that_the_server_then_gets(kilonova: Kilonova) -> None:
    manifest = json.dumps(kilonova.build_server("web"))
    asked = nova(
        kilonova,
        *("schedule", "--dry-run", "-f", "-", "-o", "json", "-n", kilonova.namespace),
        stdin=manifest,
    )
    answer = json.loads(asked)
    assert not kilonova.kubectl.items("servers", kilonova.namespace)
    kilonova.create_server("web")
    assert kilonova.await_ready("web")["host"] == answer["host"]


def test_a_quota_holds_and_its_use_is_seen(kilonova: Kilonova) -> None:
    spec = {"instances": 1, "cores": 4}
    kilonova.kubectl.apply(kilonova.build("ServerQuota", "quota", spec=spec))
    kilonova.create_server("web")
    kilonova.await_ready("web")
    kilonova.create_server("too-much")
    refused = kilonova.await_condition("too-much", "Stalled", "QuotaExceeded")
    assert "1 of 1 are used" in refused["message"]
    assert "1/1" in nova(kilonova, "quota", "-n", kilonova.namespace)


def test_claims_and_living_servers_are_the_same_sum(kilonova: Kilonova) -> None:
    kilonova.create_server("web")
    host = kilonova.await_ready("web")["host"]
    assert "web" in nova(kilonova, "claim", "list", "--host", host)
    nova(kilonova, "claim", "audit")
