"""The part of the lab that touches the machine itself, and runs as root.

Everything else happens in namespaces of the lab. Here is all of the rest:

- one process, the lab's root: ``unshare`` over a PID namespace whose end takes
  every process, mount, device, route and chain of the lab with it;
- one network device, the machine's end of a veth pair, which the kernel removes
  with the lab's namespace;
- one unreachable route, so that packets for a lab that is gone leave by no
  other route; marked by a protocol number of its own;
- cgroups and a state folder.

A lab that was killed leaves the last two lines; the next start and ``down``
remove them. It is a program of its own so that a user runs only this by sudo.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network
from pathlib import Path
from typing import IO

from kilonova_lab.addresses import SLOTS, build_machine_address, build_node_range
from kilonova_lab.cgroups import LabCgroups, get_hierarchies
from kilonova_lab.errors import AlreadyRunning, CommandFailed, LabError, NotReady
from kilonova_lab.folders import STATE_ROOT
from kilonova_lab.supervised import SupervisorClient

ROUTE_PROTOCOL = "177"
"""Marks the lab's routes on the machine; no routing daemon has this number."""
UNREACHABLE_METRIC = "4278198272"
"""The last choice: any other route to the same range comes first."""

_LINK_SETTINGS = {
    # What the lab sends is for the machine itself, and is passed on nowhere...
    "ipv4/conf/{link}/forwarding": "0",
    # ...and has an address of the lab's nodes, so that answers go back there.
    "ipv4/conf/{link}/rp_filter": "1",
    # The machine would announce itself on the lab's bridge.
    "ipv6/conf/{link}/disable_ipv6": "1",
}
_MODULES = ("overlay", "br_netfilter")
_HUGE_PREFIX = 8
_LOCK_SECONDS = 20.0
_SUPERVISOR_SECONDS = 15.0
_LINK_REMOVAL_SECONDS = 20.0


def get_state_folder(lab_id: str) -> Path:
    """Return a lab's state folder."""
    return STATE_ROOT / lab_id


def get_link_name(lab_id: str) -> str:
    """Return the machine's end of a lab's link."""
    return f"kn-{lab_id}"


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
        _load_modules()
        folder = get_state_folder(lab_id)
        folder.mkdir(mode=0o755)
        slot = _take_slot(lab_id)
        cgroups = LabCgroups(lab_id, get_hierarchies()).create("control")
        supervisor = _start_root_process(
            folder, lock, cgroups, owner=owner, with_lifeline=with_lifeline
        )
        _link_machine(lab_id, slot, supervisor.get_pid())
        os.chown(folder, owner, -1)
    return slot


def stop(lab_id: str) -> None:
    """End a lab, if it runs, and remove everything it left."""
    STATE_ROOT.mkdir(mode=0o755, parents=True, exist_ok=True)
    LabCgroups(lab_id, get_hierarchies()).kill_all()
    with _take_lab_lock(lab_id, wait_seconds=_LOCK_SECONDS):
        remove_remains(lab_id)
        (STATE_ROOT / f"{lab_id}.lock").unlink(missing_ok=True)


def remove_remains(lab_id: str) -> None:
    """Remove what a dead lab left. The caller holds its lock."""
    cgroups = LabCgroups(lab_id, get_hierarchies())
    cgroups.kill_all()
    cgroups.remove()
    _remove_link(get_link_name(lab_id))
    folder = get_state_folder(lab_id)
    with contextlib.suppress(FileNotFoundError):
        slot = int((folder / "slot").read_text() or -1)
        if slot >= 0:
            _ip_quietly("route", "del", *_build_unreachable(slot))
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


def _take_slot(lab_id: str) -> int:
    """Claim the first range that no route of this machine touches.

    The unreachable route is the claim; all labs take theirs under one lock.
    """
    with (STATE_ROOT / ".slots.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        taken = _list_routed_ranges()
        for slot in range(SLOTS):
            if not any(build_node_range(slot).overlaps(other) for other in taken):
                (get_state_folder(lab_id) / "slot").write_text(str(slot))
                _ip("route", "add", *_build_unreachable(slot))
                return slot
    raise LabError(
        f"no free range among {build_node_range(0)} to {build_node_range(SLOTS - 1)}: "
        "`ip route` shows a route in each. Stop a lab, or remove left unreachable "
        f"routes (`ip route flush proto {ROUTE_PROTOCOL}` when no lab runs)."
    )


def _list_routed_ranges() -> list[IPv4Network]:
    routes = json.loads(_ip("-json", "-4", "route", "show", "table", "all"))
    ranges = [
        IPv4Network(route["dst"], strict=False)
        for route in routes
        if route["dst"] != "default"
    ]
    # A route to a huge range (a VPN's 10.0.0.0/8) is none to these addresses.
    return [network for network in ranges if network.prefixlen > _HUGE_PREFIX]


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


def _link_machine(lab_id: str, slot: int, pid: int) -> None:
    link = get_link_name(lab_id)
    _ip(
        "link",
        "add",
        link,
        "type",
        "veth",
        "peer",
        "name",
        "machine",
        "netns",
        str(pid),
    )
    for setting, value in _LINK_SETTINGS.items():
        Path("/proc/sys/net", setting.format(link=link)).write_text(value)
    _ip("address", "add", f"{build_machine_address(slot)}/24", "dev", link)
    _ip("link", "set", link, "up")


def _remove_link(link: str) -> None:
    """Remove the machine's end, which the kernel may be about to do itself."""
    deadline = time.monotonic() + _LINK_REMOVAL_SECONDS
    while Path("/sys/class/net", link).exists():
        _ip_quietly("link", "del", link)
        if time.monotonic() > deadline:
            raise NotReady(f"removal of device {link}", seconds=_LINK_REMOVAL_SECONDS)
        time.sleep(0.02)


def _load_modules() -> None:
    """Load what a namespace cannot; a kernel with all of it built in has no modprobe.

    Without br_netfilter a pod gets no answer from a Service on its own node.
    """
    if modprobe := shutil.which("modprobe"):
        command = [modprobe, "--quiet", "--all", *_MODULES]
        subprocess.run(command, capture_output=True, check=False, timeout=30)


def _build_unreachable(slot: int) -> tuple[str, ...]:
    network = str(build_node_range(slot))
    return (
        "unreachable",
        network,
        "metric",
        UNREACHABLE_METRIC,
        "proto",
        ROUTE_PROTOCOL,
    )


def _ip(*arguments: str) -> str:
    done = subprocess.run(
        ["ip", *arguments], capture_output=True, text=True, check=False, timeout=30
    )
    if done.returncode != 0:
        raise CommandFailed(["ip", *arguments], done.returncode, done.stderr)
    return done.stdout


def _ip_quietly(*arguments: str) -> None:
    with contextlib.suppress(CommandFailed):
        _ip(*arguments)


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
