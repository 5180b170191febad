"""A dry run through kilonova-manage against the operator that runs."""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

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
        assert {host["host"] for host in answer["hosts"]} == {"hv1", "hv2"}
        server = await stage.wait_state(await stage.create_server(name), "ACTIVE")
        assert server.status.host == answer["host"]


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
