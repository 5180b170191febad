"""The part of the lab that touches the machine itself, and runs as root.

Everything else happens in namespaces of the lab. Here is all of the rest:

- one process, the lab's root: ``unshare`` over a PID namespace whose end takes
  every process, mount, device, route and chain of the lab with it;
- one network device, the machine's end of a veth pair, which the kernel removes
  with the lab's namespace;
- one unreachable route, so that packets for a lab that is gone leave by no
  other route; marked by a protocol number of its own;
- cgroups and a state folder;
- two modules of the kernel, and settings that kubelet makes (`kernel`).

A lab that was killed leaves the last three lines; the next start and ``down``
remove them. It is a program of its own so that a user runs only this by sudo.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from kilonova_lab.cgroups import LabCgroups, get_hierarchies
from kilonova_lab.errors import AlreadyRunning, LabError
from kilonova_lab.folders import STATE_ROOT
from kilonova_lab.kernel import Kernel
from kilonova_lab.supervised import SupervisorClient
from kilonova_lab.uplink import make_link, release_slot, remove_link, take_slot

_LOCK_SECONDS = 20.0
_SUPERVISOR_SECONDS = 15.0


def get_state_folder(lab_id: str) -> Path:
    """Return a lab's state folder."""
    return STATE_ROOT / lab_id


def is_running(lab_id: str) -> bool:
    """Tell whether the lab's root process lives: it holds the lock."""
    try:
        lock = (STATE_ROOT / f"{lab_id}.lock").open()
    except FileNotFoundError:
        return False
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def start(lab_id: str, *, owner: int, with_lifeline: bool) -> int:
    """Start the lab's root process and its link to the machine; return its slot.

    Raises:
        AlreadyRunning: a lab of this id lives; it was not touched.
    """
    STATE_ROOT.mkdir(mode=0o755, parents=True, exist_ok=True)
    with _take_lab_lock(lab_id) as lock:
        remove_remains(lab_id)
        Kernel(STATE_ROOT).enter(lab_id)
        folder = get_state_folder(lab_id)
        folder.mkdir(mode=0o755)
        slot = take_slot(folder)
        cgroups = LabCgroups(lab_id, get_hierarchies()).create("control")
        supervisor = _start_root_process(
            folder, lock, cgroups, owner=owner, with_lifeline=with_lifeline
        )
        make_link(lab_id, slot, supervisor.get_pid())
        os.chown(folder, owner, -1)
    return slot


def stop(lab_id: str) -> None:
    """End a lab, if it runs, and remove everything it left."""
    STATE_ROOT.mkdir(mode=0o755, parents=True, exist_ok=True)
    LabCgroups(lab_id, get_hierarchies()).kill_all()
    with _take_lab_lock(lab_id, wait_seconds=_LOCK_SECONDS):
        remove_remains(lab_id)
        Kernel(STATE_ROOT).leave(lab_id)
        (STATE_ROOT / f"{lab_id}.lock").unlink(missing_ok=True)


def remove_remains(lab_id: str) -> None:
    """Remove what a dead lab left. The caller holds its lock."""
    cgroups = LabCgroups(lab_id, get_hierarchies())
    cgroups.kill_all()
    cgroups.remove()
    remove_link(lab_id)
    folder = get_state_folder(lab_id)
    release_slot(folder)
    _remove_tree(folder)


@contextmanager
def _take_lab_lock(lab_id: str, *, wait_seconds: float = 0.0) -> Iterator[IO[str]]:
    deadline = time.monotonic() + wait_seconds
    path = STATE_ROOT / f"{lab_id}.lock"
    while True:
        with path.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise AlreadyRunning(lab_id) from None
                time.sleep(0.02)
                continue
            if path.exists() and os.path.samestat(os.fstat(lock.fileno()), path.stat()):
                yield lock
                return


def _start_root_process(
    folder: Path,
    lock: IO[str],
    cgroups: tuple[str, ...],
    *,
    owner: int,
    with_lifeline: bool,
) -> SupervisorClient:
    """Start init and supervisor in namespaces of their own.

    They inherit the lab's lock, which the kernel releases with the last of them.
    """
    client = SupervisorClient(folder / "supervisor.sock")
    argv = ["unshare", "--net", "--mount", "--uts", "--ipc", "--pid", "--fork"]
    argv += ["--kill-child=SIGKILL", "--mount-proc", "tini", "--"]
    argv += [sys.executable, "-m", "kilonova_lab.supervisor"]
    argv += [f"--socket={client.socket_path}", f"--owner={owner}"]
    with (folder / "supervisor.log").open("wb") as log:
        process = subprocess.Popen(
            argv + ["--lifeline"] * with_lifeline,
            stdin=None if with_lifeline else subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=[lock.fileno()],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[1])},
            preexec_fn=lambda: _enter(cgroups),  # noqa: PLW1509 - one thread
        )
    try:
        client.wait_until_answers(timeout_seconds=_SUPERVISOR_SECONDS)
    except BaseException:
        process.kill()
        process.wait()
        raise
    return client


def _enter(cgroups: tuple[str, ...]) -> None:
    for group in cgroups:
        Path(group, "cgroup.procs").write_text("0")


def _remove_tree(folder: Path) -> None:
    """Remove a state folder, never through a mount that somebody put into it."""
    mounts = Path("/proc/self/mountinfo").read_text()
    inside = [
        fields[4]
        for fields in map(str.split, mounts.splitlines())
        if fields[4].startswith(f"{folder}/")
    ]
    for mount_point in reversed(inside):
        subprocess.run(["umount", "-l", mount_point], check=True, timeout=30)
    if folder.exists():
        shutil.rmtree(folder)


def main() -> None:
    """Start or stop the machine's part of a lab; the answer is JSON on stdout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["start", "stop"])
    parser.add_argument("--id", required=True)
    parser.add_argument("--owner", type=int, default=os.getuid())
    parser.add_argument("--lifeline", action="store_true")
    arguments = parser.parse_args()
    try:
        if arguments.action == "stop":
            stop(arguments.id)
            answer: dict[str, object] = {}
        else:
            slot = start(
                arguments.id, owner=arguments.owner, with_lifeline=arguments.lifeline
            )
            answer = {"slot": slot}
    except LabError as error:
        answer = {"error": type(error).__name__, "message": str(error)}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
