"""What labs change in the machine's one kernel, and how the last one puts it back.

Modules that a namespace cannot load, and the settings that every kubelet makes
at its start. What was before the first lab is noted beside the labs' folders
until the last lab that is known is gone. Modules that the kernel loads by itself
when somebody asks for a device or a firewall rule are not labs' to unload.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MODULES = ("overlay", "br_netfilter")
"""Without br_netfilter a pod gets no answer from a Service on its own node."""

KUBELET_SETTINGS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
"""What kubelet sets, and does not start without (its setupKernelTunables)."""

_NOTE = ".kernel.json"
_LOCK = ".kernel.lock"
_COMMAND_SECONDS = 30.0


def run_command(argv: Sequence[str]) -> None:
    """Run a program whose failure is no error."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(argv, capture_output=True, check=False, timeout=_COMMAND_SECONDS)


@dataclass(frozen=True, slots=True)
class Kernel:
    """The machine's kernel, as all labs share it.

    Attributes:
        folder: the labs' own, where the note lies.
        proc: where the kernel tells of modules and settings.
        devices: where it tells of the machine's network devices.
        run: runs modprobe and rmmod.
    """

    folder: Path
    proc: Path = Path("/proc")
    devices: Path = Path("/sys/class/net")
    run: Callable[[Sequence[str]], None] = run_command

    def enter(self, lab_id: str) -> None:
        """Load what a lab needs; the first lab's notes tell what was before.

        A kernel with all of it built in has no modprobe.
        """
        with self._noted() as note:
            if not note:
                note.update(self._describe())
            note["labs"] = sorted({*note["labs"], lab_id})
            if modprobe := shutil.which("modprobe"):
                self.run([modprobe, "--quiet", "--all", *MODULES])

    def leave(self, lab_id: str) -> None:
        """Put the kernel back if this was the last lab; any other is left alone."""
        with self._noted() as note:
            if not note:
                return
            note["labs"] = [known for known in note["labs"] if known != lab_id]
            if not note["labs"]:
                self._put_settings_back(note["settings"])
                self._unload(note)
                note.clear()

    def read_modules(self) -> frozenset[str]:
        """Return the modules that are loaded and could be unloaded."""
        return frozenset(
            line.split(" ", 1)[0] for line in _read(self.proc / "modules").splitlines()
        )

    def read_settings(self) -> dict[str, str]:
        """Return what kubelet sets, as it is now."""
        return {
            name: value
            for name in KUBELET_SETTINGS
            if (value := _read(self._get_setting(name)).strip())
        }

    def _describe(self) -> dict[str, Any]:
        return {
            "boot": self._read_boot(),
            "labs": [],
            "modules": sorted(self.read_modules()),
            "bridges": sorted(self._read_bridges()),
            "settings": self.read_settings(),
        }

    def _read_boot(self) -> str:
        return _read(self.proc / "sys/kernel/random/boot_id").strip()

    def _read_bridges(self) -> frozenset[str]:
        return frozenset(path.parent.name for path in self.devices.glob("*/bridge"))

    def _put_settings_back(self, before: Mapping[str, str]) -> None:
        """Write what was before, where nobody but a kubelet changed it since."""
        now = self.read_settings()
        for name, value in before.items():
            if now.get(name) == KUBELET_SETTINGS[name] != value:
                with contextlib.suppress(OSError):
                    self._get_setting(name).write_text(value)

    def _unload(self, note: Mapping[str, Any]) -> None:
        """Unload what labs loaded; the kernel refuses where something uses it.

        Only of br_netfilter it does not know that: a bridge that came meanwhile,
        such as a container engine's, may rely on it.
        """
        own = {*MODULES} & (self.read_modules() - {*note["modules"]})
        if self._read_bridges() - {*note["bridges"]}:
            own.discard("br_netfilter")
        if rmmod := shutil.which("rmmod"):
            for module in sorted(own):
                self.run([rmmod, module])

    def _get_setting(self, name: str) -> Path:
        return self.proc / "sys" / name

    @contextmanager
    def _noted(self) -> Iterator[dict[str, Any]]:
        """Give the note to be changed; that of a kernel that ended is empty."""
        path = self.folder / _NOTE
        with (self.folder / _LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            note: dict[str, Any] = json.loads(_read(path) or "{}")
            if note.get("boot") != self._read_boot():
                note = {}
            yield note
            if note:
                partial = path.with_suffix(".new")
                partial.write_text(json.dumps(note))
                partial.replace(path)
            else:
                path.unlink(missing_ok=True)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
