"""``kubectl nova`` on the lab: exec in the operator's real pod."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from support.kilonova import Kilonova
from support.nova_plugin import install_plugins


@pytest.fixture(autouse=True)
def _plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_plugins(tmp_path / "plugins")
    monkeypatch.setenv("PATH", f"{tmp_path / 'plugins'}:{Path(sys.executable).parent}")


def ask(kilonova: Kilonova, *arguments: str, text: str | None = None) -> Any:
    """Run ``kubectl nova`` and read its answer."""
    told = kilonova.kubectl.run(
        "nova", *arguments, "-o", "json", text=text, timeout_seconds=120
    )
    return json.loads(told)


def test_a_dry_run_creates_nothing_and_names_the_host_a_server_gets(
    kilonova: Kilonova,
) -> None:
    manifest = json.dumps(kilonova.build_server("web"))
    answer = ask(kilonova, "schedule", "--dry-run", "-f", "-", text=manifest)
    assert not kilonova.kubectl.items("servers", kilonova.namespace)
    kilonova.create_server("web")
    assert kilonova.await_ready("web")["host"] in {
        host["host"] for host in answer["hosts"] if host.get("failed") is None
    }
    asked = ("explain", "server", "web", "-n", kilonova.namespace, "--admin")
    (decision, *_) = ask(kilonova, *asked)["decisions"]
    assert decision["host"] == kilonova.status("web")["host"]


def test_claims_of_a_running_cluster_add_up(kilonova: Kilonova) -> None:
    kilonova.create_server("web")
    host = kilonova.await_ready("web")["host"]
    name = f"{kilonova.namespace}/web"
    (claim,) = ask(kilonova, "claim", "list", "--server", name)
    assert (claim["host"], claim["state"]) == (host, "Placed")
    hosts = ask(kilonova, "host", "list")["items"]
    assert host in {item["metadata"]["name"] for item in hosts}
