"""One node: namespaces with an init, and containerd, kubelet, kube-proxy in them.

A node that was killed comes up again with its disk, as a machine does after a
power cut; ``reinstall`` gives it a new one under the old name.
"""

from __future__ import annotations

import grp
import pwd
import shutil
import sys
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path

from kilonova_lab import network, nodecommands, nodefiles
from kilonova_lab.addresses import AddressPlan
from kilonova_lab.cgroups import Hierarchy, LabCgroups
from kilonova_lab.config import NodeConfig
from kilonova_lab.imagestore import ImageStore, is_listening
from kilonova_lab.nodeboot import STAGED_LIBVIRT, build_boot_script
from kilonova_lab.pki import CertificateAuthority
from kilonova_lab.preparedstore import build_link_script
from kilonova_lab.supervised import Finished, Program, SupervisorClient

KUBERNETES_PROGRAMS = frozenset({"kubelet", "kube-proxy"})
"""Those that are of no use before the API server answers."""

_BOOT_SECONDS = 15.0
_LIBVIRT_SECONDS = 60.0  # its first start probes QEMU for up to 10 s


@dataclass(frozen=True, slots=True)
class LabContext:
    """What every node of a lab shares."""

    lab_id: str
    folder: Path
    supervisor: SupervisorClient
    plan: AddressPlan
    programs: Mapping[str, Path]
    hierarchies: tuple[Hierarchy, ...]
    server: str
    owner: int


class Node:
    """One node of a running lab."""

    def __init__(self, context: LabContext, config: NodeConfig, index: int) -> None:
        self._context = context
        self._index = index
        self._cgroups = LabCgroups(context.lab_id, context.hierarchies)
        self.config = config
        self.name = config.name
        self.ip: IPv4Address = context.plan.get_node_address(index)
        self.pods = context.plan.get_pod_range(index)
        self.root = context.folder / "nodes" / config.name
        """Its folder on the machine: ``var`` and ``run`` are its /var and /run."""
        self.supervisor = SupervisorClient(self.root / "supervisor.sock")
        self.images = ImageStore(
            context.programs["containerd"] / "ctr",
            self.root / "run" / "containerd" / "containerd.sock",
        )
        self._init = Program(
            context.supervisor,
            f"node-{self.name}",
            nodecommands.build_init(self.supervisor.socket_path, owner=context.owner),
            context.folder / "log" / f"node-{self.name}.log",
            cgroups=self._build_cgroup_paths(),
        )
        self.programs: Mapping[str, Program] = self._build_programs()

    # --- life of the node -------------------------------------------------

    def install(
        self, authority: CertificateAuthority, peers: Mapping[str, IPv4Address]
    ) -> None:
        """Write its /etc: a new machine that knows its cluster. It is not running."""
        context = self._context
        etc = self.root / "etc"
        self._write_credentials(etc / "kubernetes", authority)
        files = {
            **nodefiles.build_etc_files(
                self.name, peers, lab_id=context.lab_id, dns=context.plan.dns_service
            ),
            "kubernetes/kubelet.json": nodefiles.build_kubelet_config(
                self.config, dns=context.plan.dns_service
            ),
            "containerd/config.toml": nodefiles.build_containerd_config(
                owner=context.owner
            ),
            "cni/net.d/10-lab.conflist": nodefiles.build_cni_config(self.pods),
        }
        libvirt = nodefiles.build_libvirt_files(
            address=self.ip,
            host_uuid=nodefiles.build_host_uuid(context.lab_id, self.name),
            group=grp.getgrgid(pwd.getpwuid(context.owner).pw_gid).gr_name,
        )
        staged = str(STAGED_LIBVIRT).removeprefix("/etc/")
        files.update({f"{staged}/{name}": text for name, text in libvirt.items()})
        for name, text in files.items():
            path = etc / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def boot(self) -> None:
        """Make its namespaces, mounts and network; no program runs yet."""
        group = (self._context.lab_id, self.name)
        self._run_module("kilonova_lab.cgroups", "create", *group)
        self.supervisor.socket_path.unlink(missing_ok=True)
        pid = self._init.start()
        self.supervisor.wait_until_answers(timeout_seconds=_BOOT_SECONDS)
        self._run_module("kilonova_lab.cgroups", "settle", *group)
        plug = network.build_link_script(
            self.name, self._index, pid=pid, with_lan=self._has_lan
        )
        self._context.supervisor.check(["sh", "-c", plug])
        self.supervisor.check(["sh", "-c", self._build_boot_script()])

    def give_images(self, store: Path) -> None:
        """Let its containerd begin with a prepared store, unless it has one."""
        target = self.root / "var" / "lib" / "containerd"
        script = build_link_script(store, target)
        self._context.supervisor.check(["sh", "-c", script])

    def start(self) -> None:
        """Boot it and start its programs, libvirt among them where it has one."""
        self.boot()
        self.start_below_kubernetes()
        self.start_programs(KUBERNETES_PROGRAMS)

    def start_below_kubernetes(self) -> None:
        """Start what Kubernetes stands on; return when containerd answers.

        A kubelet that finds no containerd ends, and nothing starts it again.
        """
        self.start_programs(self.programs.keys() - KUBERNETES_PROGRAMS)
        self.programs["containerd"].wait_until_ready()

    def start_programs(self, names: Set[str]) -> None:
        """Start those of its programs that are named."""
        for name, program in self.programs.items():
            if name in names:
                program.start()

    def kill(self, program: str | None = None) -> None:
        """SIGKILL one program, or the whole node with all that runs on it."""
        if program is not None:
            self.programs[program].kill()
            return
        self._init.kill()
        self._cgroups.wait_until_empty(self.name)

    def restart(self, program: str | None = None) -> None:
        """Restart one program, or the whole node as if its power had failed."""
        if program is not None:
            self.programs[program].restart()
            return
        if self.running:
            self.kill()
        self.start()

    def wipe(self, *, keep_data: bool) -> None:
        """Empty the disk of a node that is down; extra mounts are kept or not."""
        folders = ["etc", "etc.work", "var", "run"] + ["kept"] * (not keep_data)
        self._context.supervisor.check(
            ["rm", "-rf", *(str(self.root / folder) for folder in folders)]
        )

    @property
    def running(self) -> bool:
        """Whether its init lives."""
        return self._init.running

    # --- inside -----------------------------------------------------------

    @property
    def pid(self) -> int:
        """A process in the node's namespaces, as this machine counts it."""
        return self.supervisor.get_pid()

    def exec(
        self, argv: Sequence[str], *, stdin: str = "", timeout_seconds: float = 60.0
    ) -> Finished:
        """Run a command in the node as root and return how it ended."""
        wrapped = ["env", f"PATH={nodecommands.PATH}", *argv]
        return self.supervisor.run(
            wrapped, stdin=stdin, timeout_seconds=timeout_seconds
        )

    def build_shell_argv(self) -> list[str]:
        """Return the command that opens a terminal in the node (needs root)."""
        return [
            "nsenter",
            "-t",
            str(self.pid),
            "--all",
            "--wd=/",
            "env",
            f"PATH={nodecommands.PATH}",
        ]

    @property
    def libvirt_socket(self) -> Path:
        """Libvirt's socket, reachable from the machine."""
        return self.root / "run" / "libvirt" / "libvirt-sock"

    @property
    def libvirt_uri(self) -> str:
        """What a libvirt client on the machine connects to."""
        return f"qemu+unix:///system?socket={self.libvirt_socket}"

    def _run_module(self, module: str, *arguments: str) -> None:
        """Run a module of the lab as root, outside of the node."""
        self._context.supervisor.check([sys.executable, "-m", module, *arguments])

    # --- building blocks --------------------------------------------------

    @property
    def _has_lan(self) -> bool:
        return self.config.libvirt is not None

    def _build_cgroup_paths(self) -> tuple[str, ...]:
        return tuple(str(root / self.name) for root in self._cgroups.roots)

    def _build_boot_script(self) -> str:
        mounts = build_boot_script(
            self.name,
            self.root,
            mounts=self.config.mounts,
            programs=self._context.programs,
            hierarchies=self._context.hierarchies,
        )
        plugs = network.build_node_script(
            self._context.plan, self._index, with_lan=self._has_lan
        )
        return f"{mounts}\n{plugs}"

    def _write_credentials(self, folder: Path, authority: CertificateAuthority) -> None:
        folder.mkdir(parents=True)
        shutil.copy(authority.certificate_path, folder / "ca.crt")
        server = f"node-{self.name}"
        authority.sign_server(server, [str(self.ip), self.name])
        for end in ("crt", "key"):
            source = authority.folder / f"{server}.{end}"
            shutil.copy(source, folder / f"kubelet-server.{end}")
        user = f"system:node:{self.name}"
        for file, name, groups in (
            ("kubelet", user, ["system:nodes"]),
            ("kube-proxy", "system:kube-proxy", []),
        ):
            signed = f"{file}-{self.name}"
            authority.sign_client(signed, name, groups=groups)
            path = folder / f"{file}.kubeconfig"
            authority.write_kubeconfig(path, self._context.server, signed)

    def _build_programs(self) -> Mapping[str, Program]:
        sockets = {
            "containerd": self.images.socket_path,
            "libvirtd": self.libvirt_socket,
        }
        commands = nodecommands.build_programs(
            self.config, self.ip, pod_range=self._context.plan.pod_range
        )
        return {
            name: Program(
                self.supervisor,
                name,
                argv,
                self.root / "var" / "log" / f"{name}.log",
                log_inside=Path("/var/log", f"{name}.log"),
                env={"PATH": nodecommands.PATH},
                is_ready=partial(_is_ready, sockets.get(name)),
                ready_timeout_seconds=_LIBVIRT_SECONDS,
            )
            for name, argv in commands.items()
        }


def _is_ready(socket_path: Path | None) -> bool:
    return socket_path is None or is_listening(socket_path)
