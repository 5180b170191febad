"""Ages on a clock that nobody can set."""

from pathlib import Path

from kilonova_agent.storage.ages import AgeBook
from kilonova_agent.storage.file_system import HostFileSystem
from support.clock import FakeClock

FS = HostFileSystem()


async def test_ages_grow_and_survive_a_restart(tmp_path: Path) -> None:
    clock = FakeClock()
    book = AgeBook(FS, tmp_path / "ages.json", clock)
    book.sweep(["a"])
    await clock.advance(100)
    assert book.sweep(["a", "b"]) == {"a": 100.0, "b": 0.0}

    rebooted = FakeClock(boottime=5.0)
    again = AgeBook(FS, tmp_path / "ages.json", rebooted)
    await rebooted.advance(50)

    assert again.sweep(["a", "b"]) == {"a": 150.0, "b": 50.0}


async def test_a_wall_clock_that_jumps_ages_nothing(tmp_path: Path) -> None:
    clock = FakeClock()
    book = AgeBook(FS, tmp_path / "ages.json", clock)
    book.sweep(["a"])

    clock.shift_wall_clock(365 * 86400)

    assert book.sweep(["a"]) == {"a": 0.0}


def test_a_damaged_book_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "ages.json").write_text("[]")
    assert AgeBook(FS, tmp_path / "ages.json", FakeClock()).sweep(["a"]) == {"a": 0.0}


def test_what_is_gone_is_forgotten(tmp_path: Path) -> None:
    book = AgeBook(FS, tmp_path / "ages.json", FakeClock())
    book.sweep(["a"])
    assert book.sweep([]) == {}
