"""Run an image's own files in namespaces, where there is no container runtime.

As close to a pod as a test needs: its file system, a first process of its own,
a network of its own with a loopback device only, folders mounted from outside.
Everything ends with the process that started it.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from support.oci import read_config, unpack

END_TIMEOUT_SECONDS = 15.0

_INNER = """
set -e
root=$1
user=$2
shift 2
mkdir -p "$root/proc" "$root/sys" "$root/dev" "$root/run" "$root/tmp"
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
while [ "$1" != -- ]; do
    mkdir -p "$root$2"
    mount --bind "$1" "$root$2"
    shift 2
done
shift
ip link set lo up
exec chroot --userspec="$user" "$root" "$@"
"""


class ImageContainer:
    """An image, unpacked; ``start`` runs its entry point, ``run`` any command."""

    def __init__(self, archive: Path, *, volumes: Sequence[str] = ()) -> None:
        # A short path: unix sockets below it must be reachable.
        self.folder = Path(tempfile.mkdtemp(prefix="kn-img-", dir="/tmp"))
        self.root = self.folder / "root"
        self.root.mkdir()
        unpack(archive, self.root)
        self.config = read_config(archive)
        self.volumes = {
            inside: self.folder / f"volume{number}"
            for number, inside in enumerate(volumes)
        }
        for outside in self.volumes.values():
            outside.mkdir()
        self.log = self.folder / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.folder)

    @property
    def init_pid(self) -> int:
        """The container's first process, seen from outside."""
        assert self._process is not None
        (pid,) = children(self._process.pid)
        return pid

    def start(self) -> None:
        """Start the entry point."""
        self._process = subprocess.Popen(
            self._command(self.config["Entrypoint"]),
            stdin=subprocess.DEVNULL,
            stdout=self.log.open("ab"),
            stderr=subprocess.STDOUT,
            env=self._environment(),
        )
        parent = self._process.pid
        self.await_condition(lambda: children(parent) != [], "the first process")

    def stop(self) -> float:
        """Send SIGTERM to the first process; return how long the end took."""
        assert self._process is not None
        began = time.monotonic()
        os.kill(self.init_pid, signal.SIGTERM)
        self._process.wait(END_TIMEOUT_SECONDS)
        return time.monotonic() - began

    def kill(self, name: str) -> int:
        """SIGKILL the one process of that name; return its pid outside."""
        (pid,) = self.find_processes(name)
        os.kill(pid, signal.SIGKILL)
        return pid

    def find_processes(self, name: str) -> list[int]:
        """Return the container's processes of that name, zombies left out."""
        namespace = Path(f"/proc/{self.init_pid}/ns/pid").readlink()
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                inside = (entry / "ns" / "pid").readlink() == namespace
                called = (entry / "comm").read_text().strip()
            except OSError:  # it ended meanwhile, or is a zombie
                continue
            if inside and called == name[:15]:
                found.append(int(entry.name))
        return sorted(found)

    def run(self, *command: str) -> str:
        """Run a command in a container of its own, as the image's user."""
        done = subprocess.run(
            self._command(command),
            capture_output=True,
            text=True,
            env=self._environment(),
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def await_condition(
        self, holds: Callable[[], bool], what: str, *, timeout_seconds: float = 30.0
    ) -> None:
        """Wait until something holds; a failure shows the container's log."""
        deadline = time.monotonic() + timeout_seconds
        while not holds():
            log = self.log.read_text(errors="replace") if self.log.exists() else ""
            assert time.monotonic() < deadline, f"waited in vain for {what}:\n{log}"
            time.sleep(0.05)

    def _command(self, inside: Sequence[str]) -> list[str]:
        mounts = [
            word
            for path, outside in self.volumes.items()
            for word in (str(outside), path)
        ]
        user = self.config.get("User") or "0:0"
        return [
            *("setpriv", "--pdeathsig", "KILL", "--"),
            *("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--"),
            *("sh", "-c", _INNER, "sh", str(self.root), user, *mounts, "--", *inside),
        ]

    def _environment(self) -> Mapping[str, str]:
        image = dict(word.split("=", 1) for word in self.config["Env"])
        # The outer programs are looked up on the same path.
        return {**image, "PATH": f"{image['PATH']}:/usr/sbin:/sbin"}


def children(pid: int) -> list[int]:
    """Return the children of a process."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in text.split()]
