"""A control plane without nodes: etcd, kube-apiserver, kube-controller-manager.

It is what integration tests run against: real admission, real RBAC, real watch
cache, ready in about four seconds, on loopback ports of its own. It needs no
privileges and ends with the process that started it, however that one ends.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType
from typing import Self

from kilonova_lab import commands
from kilonova_lab.api import Api
from kilonova_lab.commands import ControlPlaneLayout
from kilonova_lab.pki import CertificateAuthority
from kilonova_lab.programs import KUBE, ProgramCache
from kilonova_lab.supervised import Program, SupervisorClient

_FIRST_PORT, _LAST_PORT = 20000, 32000
"""Below the ephemeral range, so that no outgoing connection takes them."""

_SUPERVISOR_START_SECONDS = 10.0
_KUBECONFIG_USERS = {
    "controller-manager": "system:kube-controller-manager",
    "scheduler": "system:kube-scheduler",
}


@dataclass(frozen=True, slots=True)
class ControlPlanePrograms:
    """The supervised programs of a control plane, in starting order."""

    etcd: Program
    apiserver: Program
    controller_manager: Program
    scheduler: Program


def prepare_files(
    layout: ControlPlaneLayout, *, names: Sequence[str]
) -> CertificateAuthority:
    """Write what a control plane reads: keys, kubeconfigs, audit policy.

    Args:
        layout: where everything goes; the folder exists.
        names: addresses and names the API server's certificate is good for.
    """
    (layout.folder / "log").mkdir()
    authority = CertificateAuthority(layout.pki)
    authority.create()
    authority.sign_server("apiserver", names)
    authority.sign_client("admin", "kubernetes-admin", groups=["system:masters"])
    authority.write_kubeconfig(
        layout.folder / "admin.kubeconfig", layout.server, "admin"
    )
    for file, user in _KUBECONFIG_USERS.items():
        authority.sign_client(file, user)
        path = layout.folder / f"{file}.kubeconfig"
        authority.write_kubeconfig(path, layout.server, file)
    layout.audit_log.touch()  # readable to its owner, also when root appends to it
    (layout.folder / "audit-policy.json").write_text(commands.build_audit_policy())
    return authority


def build_programs(
    layout: ControlPlaneLayout,
    supervisor: SupervisorClient,
    *,
    api: Api,
    with_nodes: bool,
) -> ControlPlanePrograms:
    """Return the control plane's programs, none of them started."""

    def program(name: str, argv: tuple[str, ...], ready_path: str | None) -> Program:
        return Program(
            supervisor,
            name,
            argv,
            layout.get_log(name),
            is_ready=lambda: ready_path is None or api.answers(ready_path),
        )

    return ControlPlanePrograms(
        etcd=program("etcd", commands.build_etcd(layout), None),
        apiserver=program(
            "kube-apiserver",
            commands.build_apiserver(layout, with_nodes=with_nodes),
            "/readyz",
        ),
        controller_manager=program(
            "kube-controller-manager",
            commands.build_controller_manager(layout, with_nodes=with_nodes),
            "/api/v1/namespaces/default/serviceaccounts/default",
        ),
        scheduler=program("kube-scheduler", commands.build_scheduler(layout), None),
    )


class ControlPlane:
    """One control plane and its handle; use it as a context manager.

    ``etcd``, ``apiserver`` and ``controller_manager`` can be killed, started and
    restarted one by one (``cp.apiserver.kill()``; down until ``start()``).
    """

    def __init__(self, *, cache: ProgramCache | None = None) -> None:
        self._cache = cache or ProgramCache()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it and wait until it serves.

        Raises:
            ProgramDied: a program ended instead; carries the end of its log.
            NotReady: it was not ready in time.
        """
        # Short, because a unix socket's path ends at 107 characters.
        self.folder = Path(mkdtemp(prefix="kn-cp-"))
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def _start(self) -> None:
        port, etcd_port, etcd_peer_port = _pick_free_ports(3)
        self.layout = ControlPlaneLayout(
            folder=self.folder,
            programs=self._cache.ensure(KUBE)["kube"],
            bind_address="127.0.0.1",
            advertise_address="127.0.0.1",
            port=port,
            etcd_port=etcd_port,
            etcd_peer_port=etcd_peer_port,
        )
        self.authority = prepare_files(
            self.layout,
            names=[
                "127.0.0.1",
                "localhost",
                "kubernetes.default",
                "kubernetes.default.svc",
            ],
        )
        self.api = Api.from_kubeconfig(self.kubeconfig)
        supervisor = self._start_supervisor()
        programs = build_programs(
            self.layout, supervisor, api=self.api, with_nodes=False
        )
        self.etcd = programs.etcd
        self.apiserver = programs.apiserver
        self.controller_manager = programs.controller_manager
        for program in (self.etcd, self.apiserver):
            program.start()
        self.apiserver.wait_until_ready()
        self.controller_manager.start()
        self.controller_manager.wait_until_ready()

    def _start_supervisor(self) -> SupervisorClient:
        client = SupervisorClient(self.folder / "supervisor.sock")
        package_root = Path(__file__).resolve().parent.parent
        with (self.folder / "supervisor.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "kilonova_lab.supervisor",
                    "--lifeline",
                    f"--socket={client.socket_path}",
                    f"--remove={self.folder}",
                ],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": str(package_root)},
                # Not in the terminal's group: Ctrl-C in a test run must not end
                # the API server before the tests have cleaned up.
                start_new_session=True,
            )
        client.wait_until_answers(timeout_seconds=_SUPERVISOR_START_SECONDS)
        return client

    def stop(self) -> None:
        """End everything and remove its folder; safe to call twice."""
        if self._process is not None:
            assert self._process.stdin is not None  # noqa: S101 - opened as a pipe
            self._process.stdin.close()
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def kubeconfig(self) -> Path:
        """Kubeconfig of ``system:masters``."""
        return self.folder / "admin.kubeconfig"

    @property
    def audit_log(self) -> Path:
        """One JSON event a line for each write, written before its answer."""
        return self.layout.audit_log

    @property
    def url(self) -> str:
        """The API server's URL."""
        return self.layout.server

    def write_kubeconfig(self, user: str, *, groups: Sequence[str] = ()) -> Path:
        """Return the kubeconfig of a user with a client certificate of their own."""
        file = f"user-{user.replace('/', '_').replace(':', '_')}"
        self.authority.sign_client(file, user, groups=groups)
        path = self.folder / f"{file}.kubeconfig"
        self.authority.write_kubeconfig(path, self.url, file)
        return path

    def save_store(self, target: Path) -> None:
        """Copy etcd's data to ``target``; the API server is away meanwhile."""
        self._stop_store()
        shutil.copytree(self.layout.etcd_data, target)
        self._start_store()

    def restore_store(self, source: Path) -> None:
        """Put etcd back to what ``save_store`` copied, as after a disaster.

        Resource versions go back with it, and everything written since is gone.
        """
        self._stop_store()
        shutil.rmtree(self.layout.etcd_data)
        shutil.copytree(source, self.layout.etcd_data)
        self._start_store()

    def _stop_store(self) -> None:
        self.apiserver.kill()
        self.etcd.stop()

    def _start_store(self) -> None:
        self.etcd.start()
        self.apiserver.start()
        self.apiserver.wait_until_ready()

    def __enter__(self) -> Self:
        """Start it."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        self.stop()

    async def __aenter__(self) -> Self:
        """Start it without blocking the event loop."""
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it without blocking the event loop."""
        await asyncio.to_thread(self.stop)


def _pick_free_ports(count: int) -> list[int]:
    """Return loopback ports that nobody listens on now."""
    ports: list[int] = []
    for port in random.sample(range(_FIRST_PORT, _LAST_PORT), k=1000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        ports.append(port)
        if len(ports) == count:
            return ports
    raise OSError("no free loopback ports between 20000 and 32000")
