"""``kilonova-agent guest``: a look at one guest of this host.

It is for people with ``kubectl exec`` into the agent's pod, and for tests: it
reads, changes nothing, and needs no API server.
"""

import base64
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import libvirt

from kilonova_agent.settings import AgentSettings
from kilonova_agent.storage.guest_files import GuestFiles

_CONSOLE_BYTES = 65536


class GuestNotFound(Exception):
    """This host has no such guest."""

    def __init__(self, uuid: UUID, what: str) -> None:
        super().__init__(
            f"this host has no {what} of guest {uuid}. `kubectl get servers -A "
            "-o wide` tells each Server's host; the agent of that host has it."
        )


@dataclass(frozen=True, slots=True)
class GuestView:
    """Console and screen of the guests of one host."""

    libvirt_uri: str
    state_dir: Path

    def read_console(self, uuid: UUID) -> str:
        """Return the end of what the guest wrote to its serial console.

        A guest may write anything: what could drive a terminal is left out.

        Raises:
            GuestNotFound: there is no such log.
        """
        log = GuestFiles(self.state_dir / "instances" / str(uuid)).console_log
        try:
            with log.open("rb") as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - _CONSOLE_BYTES))
                text = file.read().decode(errors="replace")
        except FileNotFoundError:
            raise GuestNotFound(uuid, "console log") from None
        return "".join(c for c in text if c.isprintable() or c in "\n\t")

    def take_screenshot(self, uuid: UUID) -> bytes:
        """Return a picture of the guest's screen: PNG from QEMU 7.1 on.

        Raises:
            GuestNotFound: libvirt knows no such running guest.
        """
        connection = libvirt.open(self.libvirt_uri)
        try:
            domain = connection.lookupByUUIDString(str(uuid))
            stream = connection.newStream()
            domain.screenshot(stream, 0)
            picture = bytearray()
            stream.recvAll(_collect, picture)
            stream.finish()
        except libvirt.libvirtError as error:
            raise GuestNotFound(uuid, "screen") from error
        finally:
            connection.close()
        return bytes(picture)


def _collect(_: libvirt.virStream, data: bytes, picture: bytearray) -> int:
    picture += data
    return len(data)


def show(view: GuestView, arguments: Namespace) -> str:
    """Return what the command prints; a picture comes in base64."""
    if arguments.verb == "console":
        return view.read_console(arguments.uuid)
    return base64.b64encode(view.take_screenshot(arguments.uuid)).decode()


def build_parser() -> ArgumentParser:
    """Return the parser of ``kilonova-agent``; without a verb the agent runs."""
    parser = ArgumentParser(prog="kilonova-agent", description="The compute agent.")
    commands = parser.add_subparsers(dest="command")
    guest = commands.add_parser("guest", help="look at one guest of this host")
    guest.add_argument(
        "verb", choices=("console", "screenshot"), help="screenshot: PNG in base64"
    )
    guest.add_argument("uuid", type=UUID, help="status.uuid of the Server")
    return parser


def run_guest_command(argv: Sequence[str], settings: AgentSettings) -> bool:
    """Carry out a ``guest`` command; False when the agent itself is to run.

    Raises:
        SystemExit: the guest is not here, or the words are off.
    """
    arguments = build_parser().parse_args(argv)
    if arguments.command != "guest":
        return False
    libvirt.registerErrorHandler(lambda *_: None, None)
    try:
        print(show(GuestView(settings.libvirt_uri, settings.state_dir), arguments))
    except GuestNotFound as error:
        raise SystemExit(str(error)) from error
    return True
