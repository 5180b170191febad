"""Does KVM really run code here, or does it only open?

A virtual machine may offer /dev/kvm and then run guests by interpreting each
instruction, which boots nothing. The probe is a boot sector that counts down
from a number that hardware passes in a blink and then speaks on the serial
port. It runs as a domain of its own, without disk or network of anybody.
"""

import contextlib
import logging
import time
import uuid
from pathlib import Path
from typing import Final

import libvirt
from jinja2 import Environment

from kilonova_agent.drivers.base import VirtType
from kilonova_agent.drivers.libvirt.errors import check_answered

log = logging.getLogger(__name__)

ANSWER: Final = b"KILONOVA-RUNS"
# Hardware does 2^27 rounds in about 0.1 s, software emulation in about 1 s,
# an interpreter of single instructions in minutes.
ROUNDS: Final = 1 << 27
TIMEOUT_SECONDS: Final = 15.0
_HARDWARE_FLAGS = {"vmx", "svm"}
_SECTOR_BYTES = 512
_LOAD_ADDRESS = 0x7C00


def has_hardware_flag(cpuinfo: str) -> bool:
    """Tell whether /proc/cpuinfo names a flag of hardware virtualization."""
    lines = (line for line in cpuinfo.splitlines() if line.startswith("flags"))
    return any(_HARDWARE_FLAGS & set(line.split()) for line in lines)


def build_boot_sector(rounds: int = ROUNDS) -> bytes:
    """Build the probe: count down, write the answer to COM1, halt."""
    code = bytearray()
    code += b"\xfa\x31\xc0\x8e\xd8"  # cli; xor ax,ax; mov ds,ax
    code += b"\x66\xb9" + rounds.to_bytes(4, "little")  # mov ecx,rounds
    code += b"\x66\x49\x75\xfc"  # again: dec ecx; jnz again
    text_at = _LOAD_ADDRESS + len(code) + 15  # past the instructions below
    code += b"\xbe" + text_at.to_bytes(2, "little")  # mov si,text
    code += b"\xba\xf8\x03"  # mov dx,0x3f8
    # next: lodsb; test al,al; jz stop; out dx,al; jmp next; stop: hlt
    code += b"\xac\x84\xc0\x74\x03\xee\xeb\xf8\xf4"
    code += ANSWER + b"\r\n\0"
    return bytes(code).ljust(_SECTOR_BYTES - 2, b"\0") + b"\x55\xaa"


def executes(
    connection: libvirt.virConnect,
    environment: Environment,
    *,
    virt_type: VirtType,
    folder: Path,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> bool:
    """Run the probe and tell whether it spoke in time. Blocks.

    Raises:
        libvirt.libvirtError: no answer came; that is no verdict on the host.
    """
    name = f"kilonova-probe-{uuid.uuid4().hex[:8]}"
    disk, console = folder / f"{name}.img", folder / f"{name}.log"
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    try:
        disk.write_bytes(build_boot_sector().ljust(1 << 20, b"\0"))
        xml = environment.get_template("probe.xml.j2").render(
            name=name, virt_type=virt_type, disk=disk, console=console
        )
        domain = connection.createXML(xml, libvirt.VIR_DOMAIN_START_AUTODESTROY)
    except libvirt.libvirtError as error:
        check_answered(connection, error)
        log.warning("the %s probe did not start: %s", virt_type, error)
        return False
    else:
        spoke = _await_answer(console, timeout_seconds)
        with contextlib.suppress(libvirt.libvirtError):
            domain.destroy()
        if not spoke:
            connection.getLibVersion()  # a libvirtd that died took the probe along
        return spoke
    finally:
        disk.unlink(missing_ok=True)
        console.unlink(missing_ok=True)


def _await_answer(console: Path, timeout_seconds: float) -> bool:
    ends_at = time.monotonic() + timeout_seconds
    while time.monotonic() < ends_at:
        with contextlib.suppress(OSError):
            if ANSWER in console.read_bytes():
                return True
        time.sleep(0.05)
    return False
