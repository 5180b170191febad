"""The host's memory on disk."""

import asyncio
import errno
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kilonova_agent.domain.faults import DiskFull
from kilonova_agent.domain.orders import OrderRecord
from kilonova_agent.storage.file_system import HostFileSystem
from kilonova_agent.storage.order_book import MAX_TOMBSTONES, open_order_book
from support.file_systems import FailingFileSystem

FS = HostFileSystem()
THEN = datetime(2026, 1, 1, tzinfo=UTC)
RECORD = OrderRecord(5, 2, "uid", 3, "b1", built_at=THEN, launched_at=None, off=True)


class SlowFileSystem(HostFileSystem):
    """Stands still at its first step of a kind once armed, until it may go on."""

    def __init__(self, step: str) -> None:
        self.armed = False
        self.begun, self.go_on = threading.Event(), threading.Event()
        self._step = step

    def create(self, path: Path, content: bytes, *, mode: int = 0o600) -> None:
        self._stand_still("create")
        super().create(path, content, mode=mode)

    def rename(self, source: Path, target: Path) -> None:
        self._stand_still("rename")
        super().rename(source, target)

    def _stand_still(self, step: str) -> None:
        if self.armed and step == self._step:
            self.armed = False
            self.begun.set()
            assert self.go_on.wait(10), "nobody let the disk go on"


async def test_what_was_put_is_there_after_a_restart(tmp_path: Path) -> None:
    book = open_order_book(FS, tmp_path)
    await book.put("a", RECORD)
    await book.note_version(17)

    again = open_order_book(FS, tmp_path)

    assert again.host_id == book.host_id
    assert again.find("a") == RECORD
    assert (again.highest_version, again.frozen_writer) == (17, 0)


async def test_puts_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    book = open_order_book(FS, tmp_path)

    await asyncio.gather(*(book.put(str(n), RECORD) for n in range(30)))

    again = open_order_book(FS, tmp_path)
    assert all(again.find(str(n)) == RECORD for n in range(30))


async def test_what_could_not_be_written_is_written_when_it_is_put_again(
    tmp_path: Path,
) -> None:
    fs = FailingFileSystem()
    book = open_order_book(fs, tmp_path)

    with fs.failing("create", errno.ENOSPC), pytest.raises(DiskFull, match="orders"):
        await book.put("a", RECORD)
    await book.put("a", RECORD)

    assert open_order_book(FS, tmp_path).find("a") == RECORD


@pytest.mark.parametrize(
    "damage", ["{", '{"format": 2}', '{"format": 1, "hostId": "x"}', "[]"]
)
def test_unreadable_orders_make_a_new_host_and_are_kept_aside(
    tmp_path: Path, damage: str
) -> None:
    book = open_order_book(FS, tmp_path)
    (tmp_path / "orders.json").write_text(damage)

    again = open_order_book(FS, tmp_path)

    assert again.host_id != book.host_id
    (aside,) = tmp_path.glob("orders.*.unreadable")
    assert aside.read_text() == damage
    assert open_order_book(FS, tmp_path).host_id == again.host_id


def test_lost_orders_make_a_new_host(tmp_path: Path) -> None:
    before = open_order_book(FS, tmp_path).host_id
    (tmp_path / "orders.json").unlink()

    assert open_order_book(FS, tmp_path).host_id != before


def test_an_id_is_given_again_after_a_kill_between_its_two_files(
    tmp_path: Path,
) -> None:
    open_order_book(FS, tmp_path)
    (tmp_path / "host-id").unlink()  # orders.json is written first

    again = open_order_book(FS, tmp_path)

    assert open_order_book(FS, tmp_path).host_id == again.host_id


async def test_freezing_ends_belief_in_all_writers_so_far(tmp_path: Path) -> None:
    book = open_order_book(FS, tmp_path)
    await book.put("a", RECORD)
    await book.note_version(100)

    book.freeze(40)

    again = open_order_book(FS, tmp_path)
    assert (again.frozen_writer, again.highest_version) == (5, 40)


@pytest.mark.parametrize("step", ["create", "rename"])
async def test_a_write_in_flight_does_not_undo_a_freeze(
    tmp_path: Path, step: str
) -> None:
    fs = SlowFileSystem(step)
    book = open_order_book(fs, tmp_path)
    fs.armed = True
    putting = asyncio.create_task(book.put("a", RECORD))
    async with asyncio.timeout(10):
        await asyncio.to_thread(fs.begun.wait)

    # The loop is blocked by the freeze; the disk goes on a moment later.
    threading.Timer(0.05, fs.go_on.set).start()
    book.freeze(40)
    await putting

    again = open_order_book(FS, tmp_path)
    assert (again.frozen_writer, again.highest_version) == (5, 40)
    assert again.find("a") == RECORD


async def test_a_write_that_comes_after_a_freeze_is_left_out(tmp_path: Path) -> None:
    book = open_order_book(FS, tmp_path)
    await book.put("a", RECORD)
    older = book._changes, book._encode()

    book.freeze(40)
    book._write_file(*older)

    again = open_order_book(FS, tmp_path)
    assert (again.frozen_writer, again.highest_version) == (5, 40)


async def test_only_the_newest_tombstones_stay(tmp_path: Path) -> None:
    book = open_order_book(FS, tmp_path)
    await book.put("living", RECORD)
    tombstone = OrderRecord(1, 1, "uid", 1, "b1", destroyed=True)
    for number in range(MAX_TOMBSTONES + 2):
        book._records[f"dead-{number}"] = tombstone

    await book.put("last", tombstone)

    again = open_order_book(FS, tmp_path)
    assert again.find("living") == RECORD
    assert again.find("dead-2") is None
    assert again.find("dead-3") == tombstone
    assert again.find("last") == tombstone
