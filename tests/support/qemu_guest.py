"""Boot a guest with QEMU itself, no libvirt: for tests of images.

Emulated (TCG), since KVM cannot be had everywhere. Its network, if any, is
QEMU's own: cut off from everything but one port on the machine's loopback.
"""

import json
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

BOOT_TIMEOUT_SECONDS = 90.0
END_TIMEOUT_SECONDS = 20.0
MAC = "52:54:00:12:34:56"
ADDRESS = "10.0.2.15"
"""What QEMU's own DHCP server gives, and the one it forwards ports to."""


class QemuGuest:
    """A running guest; leaving the context ends it."""

    def __init__(
        self, *options: str | Path, memory_mib: int, network: bool = False
    ) -> None:
        self.options = [str(option) for option in options]
        self.memory_mib = memory_mib
        self.port = find_free_port() if network else None
        self._folder = tempfile.TemporaryDirectory(prefix="kn-vm-", dir="/tmp")
        self.folder = Path(self._folder.name)
        self.console_log = self.folder / "console.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.started_at = time.monotonic()
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *self._command()],
            stdin=subprocess.DEVNULL,
            stdout=(self.folder / "qemu.log").open("wb"),
            stderr=subprocess.STDOUT,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()

    def await_line(self, text: str) -> float:
        """Wait until the console shows a line with ``text``; return since when.

        Seconds since QEMU was started.
        """
        assert self._process is not None
        deadline = self.started_at + BOOT_TIMEOUT_SECONDS
        while text not in self.read_console():
            late = time.monotonic() > deadline or self._process.poll() is not None
            assert not late, f"no {text!r} on the console:\n{self._describe()}"
            time.sleep(0.05)
        return time.monotonic() - self.started_at

    def read_console(self) -> str:
        """Return what the guest wrote to its serial console."""
        if not self.console_log.exists():
            return ""
        return self.console_log.read_text(errors="replace")

    def get_info(self) -> dict[str, Any]:
        """Ask the guest's own web server."""
        url = f"http://127.0.0.1:{self.port}/cgi-bin/info"
        with urllib.request.urlopen(url, timeout=20) as answer:
            info: dict[str, Any] = json.load(answer)
        return info

    def ask_agent(self, command: str, **arguments: object) -> object:
        """Ask the QEMU guest agent inside; return its answer's ``return``."""
        with socket.socket(socket.AF_UNIX) as channel:
            channel.settimeout(20)
            channel.connect(str(self.folder / "agent.sock"))
            request = {"execute": command, "arguments": arguments}
            channel.sendall(json.dumps(request).encode() + b"\n")
            answer: dict[str, object] = json.loads(channel.makefile().readline())
        return answer["return"]

    def press_power_button(self) -> float:
        """Ask the guest to power off; return how long it took."""
        assert self._process is not None
        began = time.monotonic()
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(str(self.folder / "qmp.sock"))
            monitor.sendall(b'{"execute":"qmp_capabilities"}\n')
            monitor.sendall(b'{"execute":"system_powerdown"}\n')
            self._process.wait(END_TIMEOUT_SECONDS)
        return time.monotonic() - began

    def cpu_seconds(self) -> float:
        """Return the processor time that QEMU took so far."""
        assert self._process is not None
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1]
        user_ticks, system_ticks = fields.split()[11:13]
        return (int(user_ticks) + int(system_ticks)) / 100

    def _command(self) -> Sequence[str]:
        forward = f"hostfwd=tcp:127.0.0.1:{self.port}-{ADDRESS}:80"
        nic = f"user,model=virtio-net-pci,mac={MAC},restrict=on,{forward}"
        agent = "server=on,wait=off,id=agent"
        port = "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"
        return [
            *("qemu-system-x86_64", "-accel", "tcg,tb-size=32"),
            *("-m", str(self.memory_mib), "-display", "none"),
            *("-serial", f"file:{self.console_log}"),
            *("-qmp", f"unix:{self.folder}/qmp.sock,server=on,wait=off"),
            *("-chardev", f"socket,path={self.folder}/agent.sock,{agent}"),
            *("-device", "virtio-serial", "-device", port),
            *("-nic", nic if self.port else "none"),
            *self.options,
        ]

    def _describe(self) -> str:
        return f"{self.read_console()}\n{(self.folder / 'qemu.log').read_text()}"


def find_free_port() -> int:
    """Return a port of the loopback device that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
