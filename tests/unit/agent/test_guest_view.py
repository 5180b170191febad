"""The look at one guest: what it shows, what it keeps back, what it refuses."""

from pathlib import Path
from uuid import uuid4

import pytest

from kilonova_agent.guest_view import GuestNotFound, GuestView, build_parser

UUID = uuid4()


@pytest.fixture
def view(tmp_path: Path) -> GuestView:
    return GuestView("test:///default", tmp_path)


def write_console(view: GuestView, text: bytes) -> None:
    folder = view.state_dir / "instances" / str(UUID)
    folder.mkdir(parents=True)
    (folder / "console.log").write_bytes(text)


def test_a_console_cannot_drive_the_reader_s_terminal(view: GuestView) -> None:
    write_console(view, b"login:\x1b]0;owned\x07\x1b[2J\xff\nready\n")
    assert view.read_console(UUID) == "login:]0;owned[2J\ufffd\nready\n"


def test_only_the_end_of_a_long_console_is_shown(view: GuestView) -> None:
    write_console(view, b"x" * 100_000 + b"the end")
    shown = view.read_console(UUID)
    assert len(shown) == 65536
    assert shown.endswith("the end")


def test_a_guest_of_another_host_is_said_to_be_elsewhere(view: GuestView) -> None:
    with pytest.raises(GuestNotFound, match="kubectl get servers -A -o wide"):
        view.read_console(UUID)
    with pytest.raises(GuestNotFound, match="no screen"):
        view.take_screenshot(UUID)


def test_a_name_that_is_no_uuid_never_becomes_a_path() -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args(["guest", "console", "../../etc/passwd"])
