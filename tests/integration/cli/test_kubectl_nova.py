"""``kubectl nova`` as people run it, against an operator that runs.

Real: kubectl, the plugin on PATH, the API server, the operator, its socket,
kilonova-manage, the databases. Only the kubelet is played: exec runs its command
here.
"""

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from kilonova_api.flavor import Flavor
from kilonova_api.server import Server
from kilonova_lab.controlplane import ControlPlane
from kilonova_lab.deploy.kubectl import Outcome
from support.kube_front import Finished, KubeFront, kube_front
from support.kubectl import Cli
from support.nova_plugin import install_plugins
from support.operator_program import build_environment
from support.server_stage import ServerStage, server_stage
from support.servers import flavor_manifest, server_manifest

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Terminal:
    """A person with kubectl, and kubectl nova on PATH."""

    cli: Cli
    stage: ServerStage

    async def run(self, *arguments: str, stdin: str | None = None) -> Outcome:
        return await asyncio.to_thread(self.cli.run, "kubectl", *arguments, stdin=stdin)

    async def nova(self, *arguments: str, stdin: str | None = None) -> str:
        """Run ``kubectl nova``; it must succeed."""
        outcome = await self.run("nova", *arguments, stdin=stdin)
        assert outcome.ok, str(outcome)
        return outcome.stdout


def play_kubelet(front: KubeFront, socket: Path) -> None:
    """Run what is executed in the operator's pod here, with the pod's settings."""

    def run(command: list[str], line: bytes) -> Finished:
        assert command[0] == "kilonova-manage"
        program = "import sys; from kilonova_operator.manage import main; "
        done = subprocess.run(
            [sys.executable, "-c", f"{program}sys.exit(main())", *command[1:]],
            input=line,
            env=build_environment(admin_socket=socket),
            capture_output=True,
            timeout=60,
            check=False,
        )
        return done.stdout, done.stderr, done.returncode

    front.run = run


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def terminal(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Terminal]:
    folder: Path = tmp_path_factory.mktemp("databases")
    install_plugins(folder / "plugins")
    with (
        ControlPlane() as control_plane,
        tempfile.TemporaryDirectory() as sockets,
        kube_front() as front,
        pytest.MonkeyPatch.context() as patch,
    ):
        socket = Path(sockets) / "admin" / "socket"
        admin = Cli.of_admin(control_plane)
        front.upstream = admin.send
        play_kubelet(front, socket)
        kubeconfig = front.write_kubeconfig(folder / "kubeconfig")
        patch.setenv("PATH", f"{folder / 'plugins'}:{Path(sys.executable).parent}")
        async with server_stage(control_plane, folder, admin_socket=socket) as stage:
            await stage.start_operator()
            await stage.add_host("hv1")
            await stage.add_host("hv2")
            yield Terminal(admin.with_kubeconfig(kubeconfig), stage)


async def test_a_dry_run_names_the_host_that_a_server_then_gets(
    terminal: Terminal,
) -> None:
    manifest = yaml.safe_dump(server_manifest("web-0"))
    told = await terminal.nova("schedule", "--dry-run", "-f", "-", stdin=manifest)
    key = await terminal.stage.create_server("web-0")
    server = await terminal.stage.wait_state(key, "ACTIVE")
    assert told.splitlines()[1].split() == ["Would", "go", "to", server.status.host]
    explained = await terminal.nova("explain", "server", "web-0", "--admin")
    assert f"Host       {server.status.host}\n" in explained
    assert "Decision 1   Claimed\n" in explained


async def test_a_dry_run_of_what_fits_nowhere_ends_with_code_3(
    terminal: Terminal,
) -> None:
    listed = await terminal.stage.kube.list(Server.resource())
    manifest = yaml.safe_dump(server_manifest("web-9", flavorRef={"name": "none"}))
    outcome = await terminal.run("nova", "schedule", "--dry-run", "-f-", stdin=manifest)
    assert "FlavorNotFound" in outcome.stdout, str(outcome)
    # kubectl passes the code of a plugin on.
    assert outcome.returncode == 3, str(outcome)
    after = await terminal.stage.kube.list(Server.resource())
    assert len(after.items) == len(listed.items)


async def test_admins_see_what_each_host_fails_of_a_server_that_fits_nowhere(
    terminal: Terminal,
) -> None:
    stage = terminal.stage
    huge = flavor_manifest("m1.huge", ramMiB=1 << 20)
    await stage.apply(Flavor.resource(), huge)
    key = await stage.create_server("huge-0", flavorRef={"name": "m1.huge"})
    await stage.wait_server(
        key, lambda s: s.status.scheduling is not None, "it was decided on"
    )
    told = await terminal.nova("explain", "server", "huge-0", "--admin")
    assert "Decided now, it would go to no host:" in told
    failed = [line.split() for line in told.splitlines()[-2:]]
    assert failed == [["hv1", "Capacity:MEMORY_MB"], ["hv2", "Capacity:MEMORY_MB"]]
    await stage.delete_server(key)
    await stage.wait_gone(key)


async def test_hosts_and_claims_are_listed_and_add_up(terminal: Terminal) -> None:
    key = await terminal.stage.create_server("web-1")
    server = await terminal.stage.wait_state(key, "ACTIVE")
    hosts = await terminal.nova("host", "list")
    assert [line.split()[0] for line in hosts.splitlines()] == ["NAME", "hv1", "hv2"]
    claims = await terminal.nova("claim", "list", "--server", "shop/web-1")
    assert claims.splitlines()[1].split()[:4] == [
        "shop/web-1",
        server.status.host,
        "1",
        "Placed",
    ]
    audit = await terminal.nova("claim", "audit")
    assert "Claims and Servers agree." in audit


async def test_kubectl_completes_names_of_the_cluster(terminal: Terminal) -> None:
    outcome = await terminal.run("__complete", "nova", "host", "show", "")
    assert outcome.stdout.splitlines()[:2] == ["hv1", "hv2"], str(outcome)
    outcome = await terminal.run("__complete", "nova", "ag")
    assert outcome.stdout.startswith("aggregate\t"), str(outcome)


async def test_kubectl_knows_the_plugin(terminal: Terminal) -> None:
    outcome = await terminal.run("plugin", "list")
    assert "kubectl-nova" in outcome.stdout
