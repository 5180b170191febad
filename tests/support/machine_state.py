"""What a lab could leave behind on a machine, as sets of lines to compare."""

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from kilonova_lab.kernel import MODULES, Kernel

MachineState = Mapping[str, frozenset[str]]

_COMMANDS: Mapping[str, list[str]] = {
    "links": ["ip", "-brief", "link"],
    "addresses": ["ip", "-brief", "address"],
    "routes": ["ip", "route", "show", "table", "all"],
    "IPv6 routes": ["ip", "-6", "route", "show", "table", "all"],
    "rules": ["ip", "rule"],
    "named namespaces": ["ip", "netns"],
    "firewall": ["nft", "--stateless", "list", "ruleset"],
    "iptables": ["iptables-save"],
    "loop devices": ["losetup", "--list", "--noheadings", "--output=NAME,BACK-FILE"],
}
_KEPT = {
    "/var/lib/kilonova-lab/.slots.lock",
    "/var/lib/kilonova-lab/.kernel.lock",
    "/var/lib/kilonova-lab/stores",  # unpacked images, for the next start
}
_COUNTERS = re.compile(r"\[\d+:\d+\]|^#.*")


def read_machine_state() -> MachineState:
    """Return the state of everything but processes, which `find_lab_processes` does."""
    state = {name: _run(argv) for name, argv in _COMMANDS.items()}
    state["mounts"] = frozenset(
        line.split(" ", 4)[4] for line in _read("/proc/self/mountinfo").splitlines()
    )
    # Pods' groups come and go in a lab that runs beside; one that is left over is
    # seen by its node's group, which cannot go before it.
    state["cgroups"] = frozenset(
        folder
        for folder, _, _ in os.walk("/sys/fs/cgroup")
        if "kilonova" in folder and "/k8s.io" not in folder
    )
    folders = {str(folder) for folder in _list("/var/lib/kilonova-lab")}
    state["lab folders"] = frozenset(folders - _KEPT)
    kernel = Kernel(Path("/var/lib/kilonova-lab"))
    state["modules"] = kernel.read_modules() & {*MODULES}
    state["settings"] = frozenset(map("=".join, kernel.read_settings().items()))
    return state


def find_lab_processes(lab_id: str) -> frozenset[int]:
    """Return every process of a lab: by its cgroup, or by a path in its command."""
    marks = f"/kilonova-{lab_id}/", f"/kilonova-lab/{lab_id}/"
    return frozenset(
        int(process.name)
        for process in _list_processes()
        if any(
            m in _read(process / "cgroup") + _read(process / "cmdline") for m in marks
        )
    )


def find_namespaces(pids: frozenset[int]) -> frozenset[str]:
    """Return the namespaces of these processes that are not the machine's own."""
    own = _find_namespaces(Path("/proc/self"))
    found = {n for pid in pids for n in _find_namespaces(Path(f"/proc/{pid}"))}
    return frozenset(found - own)


def find_living(namespaces: frozenset[str]) -> frozenset[str]:
    """Return those namespaces that a process or a mount still holds."""
    held = {n for process in _list_processes() for n in _find_namespaces(process)}
    mounts = _read("/proc/self/mountinfo")
    return frozenset(n for n in namespaces if n in held or n in mounts)


def await_no_difference(before: MachineState, *, timeout_seconds: float = 20.0) -> None:
    """Wait until the machine is as it was; the kernel removes some things late.

    Labs of other people may come and go meanwhile: what carries another lab's
    id is left out by comparing only what is there now and was not before, and
    what was there and is missing.
    """
    deadline = time.monotonic() + timeout_seconds
    while difference := _build_difference(before, read_machine_state()):
        assert time.monotonic() < deadline, json.dumps(difference, indent=1)
        time.sleep(0.2)


def _build_difference(
    before: MachineState, after: MachineState
) -> dict[str, list[str]]:
    difference = {}
    for name in before:
        new = [f"+ {line}" for line in sorted(after[name] - before[name])]
        gone = [f"- {line}" for line in sorted(before[name] - after[name])]
        if new or gone:
            difference[name] = new + gone
    return difference


def _run(argv: list[str]) -> frozenset[str]:
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=30)
    lines = (_COUNTERS.sub("", line).strip() for line in done.stdout.splitlines())
    return frozenset(line for line in lines if line)


def _find_namespaces(process: Path) -> set[str]:
    try:
        return {str(entry.readlink()) for entry in (process / "ns").iterdir()}
    except OSError:
        return set()


def _list_processes() -> Iterator[Path]:
    return (entry for entry in _list("/proc") if entry.name.isdigit())


def _list(folder: str) -> list[Path]:
    path = Path(folder)
    return list(path.iterdir()) if path.exists() else []


def _read(path: str | Path) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""
