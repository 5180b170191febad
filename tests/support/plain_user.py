"""A user who is not root and has sudo, without an account on the machine.

Commands run as ``nobody``, who may read what root has built and writes nothing
but what is nobody's. ``sudo`` is a program that asks this process, which notes
what root is wanted for and runs it in the clean environment that sudo gives.
"""

import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_SUDO = """#!{python}
import json, os, socket, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
    server.connect({socket!r})
    words = json.dumps([os.getcwd(), *sys.argv[1:]]).encode()
    socket.send_fds(server, [words], [0, 1, 2])
    sys.exit(int(server.recv(16) or b"1"))
"""
_LARGEST_REQUEST_BYTES = 65536
_CLEAN_ENVIRONMENT = {
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
}


@dataclass
class PlainUser:
    """The user: a home, and what sudo was called for, in that order."""

    home: Path
    uid: int
    gid: int
    sudo_calls: list[list[str]] = field(default_factory=list)

    def run(
        self, argv: Sequence[str], *, cwd: Path, timeout_seconds: float = 120.0
    ) -> str:
        """Run a command as the user; return what it printed, with its errors."""
        may_read = "dac_read_search"
        drop = [
            *(
                "setpriv",
                f"--reuid={self.uid}",
                f"--regid={self.gid}",
                "--clear-groups",
            ),
            *(f"--inh-caps=-all,+{may_read}", f"--ambient-caps=-all,+{may_read}"),
            *(f"--bounding-set=-all,+{may_read}", "--no-new-privs", "--"),
        ]
        done = subprocess.run(
            [*drop, *argv],
            cwd=cwd,
            env={
                "HOME": str(self.home),
                "LANG": "C.UTF-8",
                "PATH": f"{self.home}/bin:/usr/local/bin:/usr/bin:/bin",
                "PYTHONPATH": os.pathsep.join(sys.path),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )
        assert done.returncode == 0, (
            f"{argv} ended with {done.returncode}: {done.stdout}"
        )
        return done.stdout

    def find_foreign_files(self) -> list[Path]:
        """Return what lies in the home and is not the user's."""
        found = [self.home, *self.home.rglob("*")]
        return [path for path in found if path.lstat().st_uid != self.uid]


@contextmanager
def plain_user() -> Iterator[PlainUser]:
    """Give a user; home and sudo are gone afterwards."""
    account = pwd.getpwnam("nobody")
    home = Path(tempfile.mkdtemp(prefix="kn-user-"))
    user = PlainUser(home, account.pw_uid, account.pw_gid)
    path = str(home / "sudo.sock")
    program = home / "bin" / "sudo"
    program.parent.mkdir()
    program.write_text(_SUDO.format(python=sys.executable, socket=path))
    program.chmod(0o755)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
            server.bind(path)
            for owned in (home, program.parent, program, Path(path)):
                os.chown(owned, user.uid, user.gid)
            server.listen()
            threading.Thread(target=_serve, args=(server, user), daemon=True).start()
            try:
                yield user
            finally:
                server.shutdown(socket.SHUT_RDWR)
    finally:
        shutil.rmtree(home)


def _serve(server: socket.socket, user: PlainUser) -> None:
    while True:
        try:
            client, _ = server.accept()
        except OSError:  # the test is over
            return
        with client:
            data, streams, _, _ = socket.recv_fds(client, _LARGEST_REQUEST_BYTES, 3)
            cwd, *words = json.loads(data)
            user.sudo_calls.append(words)
            client.send(str(_run_as_root(words, cwd, streams)).encode())


def _run_as_root(words: list[str], cwd: str, streams: list[int]) -> int:
    stdin, stdout, stderr = streams
    argv = words[1:] if words[0] == "--" else words
    try:
        return subprocess.call(
            argv,
            cwd=cwd,
            env=_CLEAN_ENVIRONMENT,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
        )
    finally:
        for stream in streams:
            os.close(stream)
