"""A real hypervisor host for tests: libvirtd and its guests, in namespaces of its own.

One ``unshare --kill-child`` process holds everything. It dies with the thread
that started it (``setpriv --pdeathsig``), and its end takes libvirtd, dnsmasq
and every guest along. The network namespace has a loopback device only, so no
packet of a guest can leave the machine.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import libvirt

# The first connection makes libvirt probe QEMU, 4-10 s; the result is kept here.
CAPABILITY_CACHE = (
    Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    / "kilonova"
    / "libvirt-capabilities"
)
START_TIMEOUT_SECONDS = 60.0

_INNER = """
set -e
hostname {name}
mount --make-rprivate /
mount -t sysfs sysfs /sys
ip link set lo up
for pair in etc:/etc/libvirt run:/run/libvirt lib:/var/lib/libvirt \\
            cache:/var/cache/libvirt log:/var/log/libvirt; do
  mkdir -p "${{pair#*:}}"
  mount --bind "{folder}/${{pair%%:*}}" "${{pair#*:}}"
done
printf '127.0.0.1 localhost {name}\\n' > {folder}/hosts
mount --bind {folder}/hosts /etc/hosts
exec tini -- sleep infinity
"""

_LIBVIRTD = (
    *("libvirtd", "-d", "-f", "/etc/libvirt/libvirtd.conf"),
    *("-p", "/run/libvirt/libvirtd.pid"),  # the usual place is shared by all hosts
)
_LIBVIRTD_CONF = """
listen_tls = 0
listen_tcp = 0
auth_unix_ro = "none"
auth_unix_rw = "none"
unix_sock_group = "root"
unix_sock_rw_perms = "0700"
host_uuid = "{host_uuid}"
log_outputs = "2:file:/var/log/libvirt/libvirtd.log"
"""

_QEMU_CONF = """
user = "root"
group = "root"
dynamic_ownership = 0
security_driver = "none"
cgroup_controllers = [ ]
namespaces = [ ]
stdio_handler = "file"
"""


class LibvirtHost:
    """A hypervisor host. ``folder`` is a short path: it holds unix sockets."""

    def __init__(self, name: str = "hv1", *, folder: Path | None = None) -> None:
        self.name = name
        self.folder = folder or Path(tempfile.mkdtemp(prefix="kn-hv-", dir="/tmp"))
        self.state_dir = self.folder / "state"
        self._holder: subprocess.Popen[bytes] | None = None
        self._init_pid = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def uri(self) -> str:
        """Where libvirt clients of the test connect to."""
        return f"qemu+unix:///system?socket={self.folder}/run/libvirt-sock"

    @property
    def libvirtd_pid(self) -> int:
        """libvirtd's process id, outside of its namespace."""
        found = _find_child(self._init_pid, "libvirtd")
        assert found, f"libvirtd of {self.name} does not run\n{self.read_log()}"
        return found

    def start(self) -> None:
        """Bring the host up and wait until libvirt answers."""
        self._write_files()
        inner = self.folder / "inner.sh"
        self._holder = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "KILL", "--"),
                *("unshare", "--net", "--mount", "--uts", "--pid", "--fork"),
                *("--kill-child", "--mount-proc", "bash", str(inner)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=(self.folder / "holder.log").open("ab"),
            stderr=subprocess.STDOUT,
        )
        self._init_pid = self._await_init()
        self.start_libvirtd()
        self._keep_capabilities()

    def close(self) -> None:
        """End the host with all its guests and remove its files."""
        if self._holder is not None:
            self._holder.kill()
            self._holder.wait()
            _await(lambda: not Path(f"/proc/{self._init_pid}").exists(), "init's end")
        shutil.rmtree(self.folder, ignore_errors=True)

    def start_libvirtd(self) -> None:
        """Start libvirtd and wait until it answers."""
        (self.folder / "run" / "libvirtd.pid").unlink(missing_ok=True)
        self.run(*_LIBVIRTD)
        _await(self._answers, f"libvirtd of {self.name}", tell=self.read_log)

    def kill_libvirtd(self) -> None:
        """SIGKILL libvirtd alone; guests go on."""
        pid = self.libvirtd_pid
        os.kill(pid, signal.SIGKILL)
        _await(lambda: not Path(f"/proc/{pid}").exists(), "libvirtd's end")

    def run(self, *command: str, timeout_seconds: float = 30.0) -> str:
        """Run a command inside the host and give its output."""
        done = subprocess.run(
            [*self._enter(), *command],
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def in_network(self) -> list[str]:
        """Give the words that run a command in the host's network alone."""
        return ["nsenter", "-t", str(self._init_pid), "--net", "--"]

    def join(self, other: "LibvirtHost", *, own: str, others: str) -> None:
        """Lay a wire to another host, with an address on each end."""
        wire = ["ip", "link", "add", "wire", "type", "veth", "peer", "name"]
        subprocess.run(
            [*self.in_network(), *wire, "wire", "netns", str(other._init_pid)],
            check=True,
        )
        for host, address in ((self, own), (other, others)):
            host.run("ip", "addr", "add", address, "dev", "wire")
            host.run("ip", "link", "set", "wire", "up")

    @contextlib.contextmanager
    def connection(self) -> Iterator[libvirt.virConnect]:
        """Give a connection of the test's own, beside the agent's."""
        connection = libvirt.open(self.uri)
        try:
            yield connection
        finally:
            connection.close()

    def domain_states(self) -> dict[str, int]:
        """Give the state of every domain by its uuid."""
        with self.connection() as connection:
            return {
                domain.UUIDString(): domain.info()[0]
                for domain in connection.listAllDomains()
            }

    def clear(self) -> None:
        """Remove all guests, networks and files that tests left."""
        with self.connection() as connection:
            for domain in connection.listAllDomains():
                persistent = domain.isPersistent()
                if domain.isActive():
                    domain.destroy()
                if persistent:
                    domain.undefine()
            for network in connection.listAllNetworks():
                if network.isActive():
                    network.destroy()
                network.undefine()
        shutil.rmtree(self.state_dir)
        self.state_dir.mkdir()

    def read_log(self) -> str:
        """Give what libvirtd said, for the message of a failed test."""
        log = self.folder / "log" / "libvirtd.log"
        return log.read_text()[-4000:] if log.exists() else ""

    def _enter(self) -> list[str]:
        return [
            *("setpriv", "--pdeathsig", "KILL", "--"),
            *("nsenter", "-t", str(self._init_pid)),
            *("--mount", "--uts", "--net", "--pid", "--"),
        ]

    def _write_files(self) -> None:
        for part in ("etc/qemu/networks", "etc/nwfilter", "run", "lib", "log"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        for part in ("images", "qemu", "boot"):
            (self.folder / "lib" / part).mkdir(exist_ok=True)
        self.state_dir.mkdir(exist_ok=True)
        cache = self.folder / "cache" / "qemu" / "capabilities"
        if CAPABILITY_CACHE.is_dir():
            shutil.copytree(CAPABILITY_CACHE, cache, dirs_exist_ok=True)
        cache.mkdir(parents=True, exist_ok=True)
        values = {
            "host_uuid": str(uuid.uuid5(uuid.NAMESPACE_DNS, self.name)),
            "folder": self.folder,
            "name": self.name,
        }
        etc = self.folder / "etc"
        (etc / "libvirt.conf").touch()
        (etc / "libvirtd.conf").write_text(_LIBVIRTD_CONF.format(**values))
        (etc / "qemu.conf").write_text(_QEMU_CONF)
        (self.folder / "inner.sh").write_text(_INNER.format(**values))

    def _await_init(self) -> int:
        assert self._holder is not None
        holder = self._holder.pid
        _await(
            lambda: _find_child(holder, "tini") != 0,
            f"init of {self.name}",
            tell=self._holder_log,
        )
        return _find_child(holder, "tini")

    def _holder_log(self) -> str:
        return (self.folder / "holder.log").read_text()

    def _answers(self) -> bool:
        try:
            with self.connection() as connection:
                connection.getLibVersion()
        except libvirt.libvirtError:
            return False
        return True

    def _keep_capabilities(self) -> None:
        if CAPABILITY_CACHE.is_dir():
            return
        with self.connection() as connection:
            connection.getDomainCapabilities(None, "x86_64", None, "qemu")
        source = self.folder / "cache" / "qemu" / "capabilities"
        CAPABILITY_CACHE.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(dir=CAPABILITY_CACHE.parent))
        shutil.copytree(source, fresh, dirs_exist_ok=True)
        try:
            fresh.rename(CAPABILITY_CACHE)
        except OSError:  # another test run was faster
            shutil.rmtree(fresh)


def _children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except FileNotFoundError:
        return []
    return [int(word) for word in text.split()]


def _find_child(pid: int, comm: str) -> int:
    """Find a child process by its command; 0 when there is none."""
    for child in _children(pid):
        with contextlib.suppress(FileNotFoundError):
            if Path(f"/proc/{child}/comm").read_text().strip() == comm:
                return child
    return 0


def _await(
    done: Callable[[], bool], what: str, *, tell: Callable[[], str] = lambda: ""
) -> None:
    ends_at = time.monotonic() + START_TIMEOUT_SECONDS
    while not done():
        if time.monotonic() > ends_at:
            raise TimeoutError(f"waited in vain for {what}\n{tell()}")
        time.sleep(0.02)
