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
from support.waiting import eventually

ROOT = Path(__file__).parents[2]
GROUPED = {"serverGroupRef": {"name": "apart"}}


def nova(kilonova: Kilonova, *arguments: str, stdin: str | None = None) -> str:
    """Run ``kubectl nova``; a non-zero exit code fails the test."""
    done = run_nova(kilonova, *arguments, stdin=stdin)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_nova(
    kilonova: Kilonova, *arguments: str, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``kubectl nova``, however it ends."""
    return subprocess.run(
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
        timeout=120,
        check=False,
    )


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

    delete = ("delete", "servergroups", "apart", "-n", kilonova.namespace)
    # Its status counts members at most half a minute later.
    eventually(
        lambda: "members" in is_refused(kilonova.kubectl, *delete),
        "a group with members is not deleted",
        timeout_seconds=90,
    )
    kilonova.delete_server("a-0")
    kilonova.await_ready("a-2")


def test_a_dry_run_names_the_host_that_the_server_then_gets(kilonova: Kilonova) -> None:
    where = ("-o", "json", "-n", kilonova.namespace)
    answers = []
    for name in ("web-0", "web-1", "web-2"):
        manifest = json.dumps(kilonova.build_server(name))
        asked = nova(
            kilonova, "schedule", "--dry-run", "-f", "-", *where, stdin=manifest
        )
        assert not kilonova.server(name), "a dry run created it"
        kilonova.create_server(name)
        answers.append((json.loads(asked)["host"], kilonova.await_ready(name)["host"]))
        # What a host reports may change between question and answer, but not always.
        if answers[-1][0] == answers[-1][1]:
            return
    raise AssertionError(f"asked for and given: {answers}")


def test_a_quota_holds_and_its_use_is_seen(kilonova: Kilonova) -> None:
    spec = {"instances": 1, "cores": 4}
    kilonova.kubectl.apply(kilonova.build("ServerQuota", "quota", spec=spec))
    # Until the operator has heard of it, the chart's default holds.
    eventually(
        lambda: is_judged(kilonova, "serverquotas", "quota"),
        "the quota is known",
        timeout_seconds=60,
    )
    kilonova.create_server("web")
    kilonova.await_ready("web")
    kilonova.create_server("too-much")
    refused = kilonova.await_condition("too-much", "Ready", "QuotaExceeded")
    assert "1 of 1 are used" in refused["message"]
    eventually(
        lambda: "1/1" in nova(kilonova, "quota", "-n", kilonova.namespace),
        "its use is seen, at most half a minute later",
        timeout_seconds=90,
    )


def is_judged(kilonova: Kilonova, kind: str, name: str) -> bool:
    """Tell whether the operator said anything of an object."""
    found = kilonova.kubectl.find(kind, name, kilonova.namespace) or {}
    return bool(found.get("status", {}).get("conditions"))


def test_claims_and_living_servers_are_the_same_sum(kilonova: Kilonova) -> None:
    kilonova.create_server("web")
    host = kilonova.await_ready("web")["host"]
    assert "web" in nova(kilonova, "claim", "list", "--host", host)
    said: list[str] = []

    def adds_up() -> bool:
        audit = run_nova(kilonova, "claim", "audit")
        said.append(audit.stdout + audit.stderr)
        return audit.returncode == 0

    try:
        # Of what was just deleted elsewhere a claim may still be held.
        eventually(adds_up, "claims and Servers agree", timeout_seconds=90)
    except AssertionError as late:
        raise AssertionError(f"{late}: {said[-1]}") from None
