"""Control groups of a lab: one subtree a node, found, made and removed.

Both versions: with v1 a group is a folder in every controller's hierarchy, with
v2 one folder. All processes of a lab are in its groups, so what is left of a lab
that was killed is found there and nowhere else.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kilonova_lab.errors import LabError, NotReady

_V2_CONTROLLERS = ("cpuset", "cpu", "io", "memory", "pids")
_REMOVAL_SECONDS = 20.0
_MOVING_SECONDS = 10.0
_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """One mounted cgroup file system."""

    mount_point: Path
    version: int
    options: str

    @property
    def mount_command(self) -> str:
        """How a node mounts the same hierarchy at the same place."""
        if self.version == 2:
            return f"mount -t cgroup2 cgroup2 {self.mount_point}"
        options = self.options
        if options.startswith("name="):
            options = f"none,{options}"
        return f"mount -t cgroup -o {options} cgroup {self.mount_point}"


def find_hierarchies(mountinfo: str) -> tuple[Hierarchy, ...]:
    """Return the hierarchies to use, from the text of /proc/self/mountinfo.

    A machine with v1 controllers may mount an empty v2 beside them (hybrid
    mode); only v1 counts there.
    """
    found: dict[Path, Hierarchy] = {}
    for line in mountinfo.splitlines():
        place, _, source = line.partition(" - ")
        kind, _, super_options = source.split(" ")[:3]
        mount_point = Path(place.split(" ")[4])
        if kind == "cgroup":
            controllers = _drop_flags(super_options)
            found[mount_point] = Hierarchy(mount_point, 1, controllers)
        elif kind == "cgroup2":
            found[mount_point] = Hierarchy(mount_point, 2, "")
    v1 = tuple(h for h in found.values() if h.version == 1)
    return v1 or tuple(found.values())


def get_hierarchies() -> tuple[Hierarchy, ...]:
    """Return this machine's hierarchies.

    Raises:
        LabError: no cgroup file system is mounted.
    """
    hierarchies = find_hierarchies(Path("/proc/self/mountinfo").read_text())
    if not hierarchies:
        raise LabError("no cgroup file system is mounted on this machine")
    return hierarchies


@dataclass(frozen=True, slots=True)
class LabCgroups:
    """The groups of one lab in every hierarchy."""

    lab_id: str
    hierarchies: tuple[Hierarchy, ...]

    @property
    def roots(self) -> tuple[Path, ...]:
        """The lab's own top folder in each hierarchy."""
        return tuple(
            h.mount_point / f"kilonova-{self.lab_id}" for h in self.hierarchies
        )

    def create(self, name: str) -> tuple[str, ...]:
        """Make the group of a node (or of the control plane); return its folders.

        What a former life of the node left in it goes first: a v2 group that
        has children with controllers takes no process.
        """
        self.remove(name)
        folders = []
        for hierarchy, root in zip(self.hierarchies, self.roots, strict=True):
            folder = root / name
            folder.mkdir(parents=True, exist_ok=True)
            if hierarchy.version == 2:
                _delegate(hierarchy.mount_point)
                _delegate(root)
            elif "cpuset" in hierarchy.options.split(","):
                _inherit_cpuset(root)
                _inherit_cpuset(folder)
            folders.append(str(folder))
        return tuple(folders)

    def empty_into_leaf(self, name: str) -> None:
        """Let a v2 group have children: move its processes one level down.

        v2 wants processes in leaves only, and kubelet makes groups beside them.
        """
        for hierarchy, root in zip(self.hierarchies, self.roots, strict=True):
            if hierarchy.version == 2:
                leaf = root / name / "system"
                leaf.mkdir(exist_ok=True)
                _move_processes(root / name, leaf)
                _delegate(root / name)

    def find_processes(self, name: str = "") -> set[int]:
        """Return the processes in the lab's groups, or in one node's."""
        pids: set[int] = set()
        for root in self.roots:
            for group in _walk(root / name):
                with contextlib.suppress(OSError):
                    text = (group / "cgroup.procs").read_text()
                    pids.update(int(pid) for pid in text.split())
        return pids - {0, os.getpid()}

    def kill_all(self) -> None:
        """SIGKILL every process of the lab until none is left.

        Raises:
            NotReady: something survives SIGKILL (hangs in the kernel).
        """
        self.wait_until_empty(kill=True)

    def wait_until_empty(self, name: str = "", *, kill: bool = False) -> None:
        """Wait until the groups, or a node's, have no process any more.

        Raises:
            NotReady: some process does not end.
        """
        deadline = time.monotonic() + _REMOVAL_SECONDS
        while pids := self.find_processes(name):
            for pid in pids if kill else ():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if time.monotonic() > deadline:
                raise NotReady(
                    f"the end of lab {self.lab_id}'s processes",
                    seconds=_REMOVAL_SECONDS,
                    detail=f"still there: {sorted(pids)}",
                )
            time.sleep(_POLL_SECONDS)

    def remove(self, name: str = "") -> None:
        """Remove the groups; one whose process is still ending is waited for."""
        deadline = time.monotonic() + _REMOVAL_SECONDS
        for group in (group for root in self.roots for group in _walk(root / name)):
            while not _remove_group(group):
                if time.monotonic() > deadline:
                    raise NotReady(f"removal of {group}", seconds=_REMOVAL_SECONDS)
                time.sleep(_POLL_SECONDS)


def _walk(root: Path) -> Iterator[Path]:
    """Yield the group's folders, children before parents."""
    for folder, _, _ in os.walk(root, topdown=False):
        yield Path(folder)


def _remove_group(group: Path) -> bool:
    try:
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _move_processes(group: Path, leaf: Path) -> None:
    """Move all, also those that are born meanwhile.

    Raises:
        NotReady: there is no end of them.
    """
    deadline = time.monotonic() + _MOVING_SECONDS
    while pids := (group / "cgroup.procs").read_text().split():
        if time.monotonic() > deadline:
            detail = f"still there: {' '.join(pids)}"
            raise NotReady(f"emptying {group}", seconds=_MOVING_SECONDS, detail=detail)
        for pid in pids:
            # One may have ended since its number was read.
            with contextlib.suppress(ProcessLookupError):
                (leaf / "cgroup.procs").write_text(pid)


def _drop_flags(super_options: str) -> str:
    """Return the controllers (or the name) among a hierarchy's mount options."""
    flags = {"rw", "ro", "xattr", "nsdelegate", "clone_children", "noprefix"}
    kept = [
        option
        for option in super_options.split(",")
        if option not in flags and not option.startswith("release_agent=")
    ]
    return ",".join(kept)


def _inherit_cpuset(folder: Path) -> None:
    """Fill a v1 cpuset: a new one is empty, and takes no process while it is."""
    for file in ("cpuset.cpus", "cpuset.mems"):
        if not (folder / file).read_text().strip():
            (folder / file).write_text((folder.parent / file).read_text())


def _delegate(folder: Path) -> None:
    """Give a v2 group's children the controllers that the group has."""
    offered = (folder / "cgroup.controllers").read_text().split()
    wanted = [f"+{name}" for name in _V2_CONTROLLERS if name in offered]
    if wanted:
        (folder / "cgroup.subtree_control").write_text(" ".join(wanted))


def main() -> None:
    """Make a group, or settle its processes; for callers who are not root."""
    action, lab_id, name = sys.argv[1:]
    cgroups = LabCgroups(lab_id, get_hierarchies())
    if action == "create":
        cgroups.create(name)
    else:
        cgroups.empty_into_leaf(name)


if __name__ == "__main__":
    main()
