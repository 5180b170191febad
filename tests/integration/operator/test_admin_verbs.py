"""Asking the operator that runs, through kilonova-manage as exec runs it."""

import asyncio
import json
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from kilonova_api.server import Server
from kilonova_lab.controlplane import ControlPlane
from support.operator_program import build_environment
from support.server_stage import ServerStage, server_stage
from support.servers import server_manifest

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[ServerStage]:
    folder: Path = tmp_path_factory.mktemp("databases")
    with ControlPlane() as control_plane, tempfile.TemporaryDirectory() as sockets:
        async with server_stage(control_plane, folder) as made:
            made.settings["admin_socket"] = Path(sockets) / "admin" / "socket"
            await made.start_operator()
            await made.add_host("hv1")
            await made.add_host("hv2")
            yield made


async def ask(
    stage: ServerStage, verb: str, request: dict[str, Any]
) -> tuple[int, dict[str, Any]]:
    """Run kilonova-manage as exec does; its input never ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import sys; from kilonova_operator.manage import main; sys.exit(main())",
        verb,
        env=build_environment(admin_socket=stage.settings["admin_socket"]),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(request).encode() + b"\n")
    said = await asyncio.wait_for(process.stdout.read(), 60)
    return await process.wait(), json.loads(said)


async def test_it_creates_nothing_and_names_the_host_that_a_server_then_gets(
    stage: ServerStage,
) -> None:
    for number in range(3):
        name = f"web-{number}"
        since = stage.audit_position
        code, answer = await ask(
            stage, "schedule-dry-run", {"server": server_manifest(name)}
        )
        assert code == 0, answer
        assert stage.audited_writes(since) == []
        if number == 0:
            assert await stage.leftovers() == {}
        assert {host["host"] for host in answer["hosts"]} == {"hv1", "hv2"}
        server = await stage.wait_state(await stage.create_server(name), "ACTIVE")
        assert server.status.host == answer["host"]


async def audit(stage: ServerStage) -> tuple[dict[str, Any], set[str]]:
    """Ask for an audit; return it, and the kinds of its findings."""
    code, answer = await ask(stage, "audit-claims", {})
    assert code == 0, answer
    return answer, {finding["kind"] for finding in answer["findings"]}


def run_sql(stage: ServerStage, *statements: str, **values: str) -> None:
    """Damage the API database."""
    with sqlite3.connect(stage.folder / "api.sqlite", timeout=30) as database:
        for statement in statements:
            used = {name: values[name] for name in values if f":{name}" in statement}
            database.execute(statement, used)
    database.close()


async def test_claims_are_those_of_living_servers(stage: ServerStage) -> None:
    server = await stage.wait_state(await stage.create_server("held"), "ACTIVE")
    named = {"namespace": "shop", "name": "held"}
    code, answer = await ask(stage, "list-claims", named)
    assert code == 0
    (claim,) = answer["claims"]
    assert (claim["server"], claim["state"]) == ("shop/held", "Placed")
    assert claim["host"] == server.status.host
    assert claim["amounts"]["MEMORY_MB"] == 64
    _, of_host = await ask(stage, "list-claims", {"host": claim["host"]})
    assert claim in of_host["claims"]
    other = {"hv1": "hv2", "hv2": "hv1"}[claim["host"]]
    _, elsewhere = await ask(stage, "list-claims", {"host": other})
    assert claim["uid"] not in {one["uid"] for one in elsewhere["claims"]}
    everything, kinds = await audit(stage)
    assert kinds == set()
    assert everything["servers"] == everything["claims"] > 0
    assert everything["hosts"] == 2


async def test_an_audit_tells_of_a_server_that_holds_nothing(
    stage: ServerStage,
) -> None:
    key = await stage.create_server("painted", suspend=True)
    painted = await stage.server(key)
    uid, status = painted.metadata.uid, {"state": "ACTIVE", "host": "hv1"}
    await stage.kube.apply_existing(
        Server.resource(),
        {
            "metadata": {"namespace": key.namespace, "name": key.name},
            "status": status,
        },
        uid=uid,
        field_manager="careless-hand",
        subresource="status",
    )
    answer, kinds = await audit(stage)
    assert kinds == {"ServerWithoutClaim"}
    assert [f["subject"] for f in answer["findings"]] == ["shop/painted"]


async def test_an_audit_tells_of_a_claim_whose_server_never_was(
    stage: ServerStage,
) -> None:
    key = await stage.create_server("original")
    server = await stage.wait_state(key, "ACTIVE")
    ghost = "99999999-9999-4999-8999-999999999999"
    run_sql(
        stage,
        "CREATE TEMP TABLE ghosts AS SELECT * FROM instance_mappings "
        "WHERE server_uid = :original",
        "UPDATE ghosts SET server_uid = :ghost, name = 'ghost', instance_uuid = :ghost",
        "INSERT INTO instance_mappings SELECT * FROM ghosts",
        original=server.metadata.uid,
        ghost=ghost,
    )
    answer, kinds = await audit(stage)
    assert kinds >= {"ClaimWithoutServer", "ServerUnclaimed"}
    assert "shop/ghost" in {finding["subject"] for finding in answer["findings"]}
    run_sql(
        stage, "DELETE FROM instance_mappings WHERE server_uid = :ghost", ghost=ghost
    )


async def test_a_manifest_that_is_no_server_gets_one_line_and_exit_code_1(
    stage: ServerStage,
) -> None:
    manifest = server_manifest(flavour="m1.tiny")
    code, answer = await ask(stage, "schedule-dry-run", {"server": manifest})
    assert code == 1
    assert answer["reason"] == "BadRequest"
    assert answer["message"] == "spec.flavour: unknown field"


async def test_an_operator_that_stops_is_silent(stage: ServerStage) -> None:
    assert stage.operator is not None
    await stage.operator.end()
    code, answer = await ask(stage, "schedule-dry-run", {"server": server_manifest()})
    assert (code, answer["reason"]) == (1, "OperatorSilent")
    await stage.start_operator()
