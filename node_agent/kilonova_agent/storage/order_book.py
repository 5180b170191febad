"""The host's own memory: its id, and the last orders acted on for each guest.

``host-id`` and ``orders.json`` stand and fall together: a host whose orders are
lost or unreadable cannot tell old orders from new ones, so it gives itself a
new id and waits for a person, exactly as a reinstalled one does.
"""

import asyncio
import logging
import threading
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson

from kilonova_agent.domain.orders import OrderRecord
from kilonova_agent.storage.durable import write_durably
from kilonova_agent.storage.file_system import FileSystem
from kilonova_agent.storage.storage_faults import telling_faults

log = logging.getLogger(__name__)

_FORMAT = 1
# Tombstones of destroyed guests: enough for weeks, small enough to rewrite.
MAX_TOMBSTONES = 1000


@dataclass(frozen=True, slots=True)
class _Content:
    records: dict[str, OrderRecord]
    highest_version: int
    frozen_writer: int


class OrderBook:
    """The records in memory; each change is on disk before ``put`` returns."""

    def __init__(
        self, fs: FileSystem, path: Path, host_id: str, content: _Content
    ) -> None:
        self.host_id = host_id
        self._fs = fs
        self._path = path
        self._records = content.records
        self._highest_version = content.highest_version
        self._frozen_writer = content.frozen_writer
        self._changes = 0
        self._written = 0
        self._lock = asyncio.Lock()
        # Held for each write of the file, in whatever thread.
        self._file_lock = threading.Lock()

    @property
    def highest_version(self) -> int:
        """The highest resourceVersion this host has seen."""
        return self._highest_version

    @property
    def frozen_writer(self) -> int:
        """Orders of this writer's term and below do not count any more."""
        return self._frozen_writer

    def find(self, uuid: str) -> OrderRecord | None:
        """Give what is remembered of a guest."""
        return self._records.get(uuid)

    async def put(self, uuid: str, record: OrderRecord) -> None:
        """Remember a guest's orders.

        Raises:
            DiskFull, StorageFailed: they are not on disk; put them again.
        """
        is_written = self._written == self._changes
        if is_written and self._records.get(uuid) == record:
            return
        # Moved to the end, so that the oldest tombstones come first.
        self._records.pop(uuid, None)
        self._records[uuid] = record
        self._drop_old_tombstones()
        with telling_faults("writing down the guest's orders"):
            await self._write()

    async def note_version(self, version: int) -> None:
        """Remember how far the API server's store had come."""
        if version > self._highest_version:
            self._highest_version = version
            await self._write()

    def freeze(self, went_back_to: int) -> None:
        """Stop believing in all orders known so far, at once and for good.

        Blocks: the process ends after this, and a write in flight must not put
        back what was believed before.
        """
        terms = [record.writer for record in self._records.values()]
        self._frozen_writer = max([self._frozen_writer, *terms])
        self._highest_version = went_back_to
        self._changes += 1
        self._write_file(self._changes, self._encode())

    async def _write(self) -> None:
        """Write, or be part of another's write that began after the change."""
        self._changes += 1
        change = self._changes
        async with self._lock:
            if self._written >= change:
                return
            covers, content = self._changes, self._encode()
            await asyncio.to_thread(self._write_file, covers, content)

    def _write_file(self, covers: int, content: bytes) -> None:
        """Write unless newer content is in the file already. Blocks."""
        with self._file_lock:
            if covers > self._written:
                write_durably(self._fs, self._path, content)
                self._written = covers

    def _encode(self) -> bytes:
        return orjson.dumps(
            {
                "format": _FORMAT,
                "hostId": self.host_id,
                "highestVersion": self._highest_version,
                "frozenWriter": self._frozen_writer,
                "guests": {
                    uuid: _encode_record(record)
                    for uuid, record in self._records.items()
                },
            }
        )

    def _drop_old_tombstones(self) -> None:
        tombstones = [uuid for uuid, r in self._records.items() if r.destroyed]
        for uuid in tombstones[:-MAX_TOMBSTONES]:
            del self._records[uuid]


def open_order_book(fs: FileSystem, state_dir: Path) -> OrderBook:
    """Open the host's memory, or begin a new one. Blocks."""
    fs.make_folder(state_dir)
    id_path, path = state_dir / "host-id", state_dir / "orders.json"
    host_id = _read_host_id(id_path)
    if host_id is not None:
        content = _read(path, host_id)
        if content is not None:
            return OrderBook(fs, path, host_id, content)
        log.error(
            "%s is lost or unreadable: this host takes a new id and waits for "
            "spec.acceptIdentity of its ComputeHost",
            path,
        )
        _set_aside(fs, path)
    book = OrderBook(fs, path, str(uuid4()), _Content({}, 0, 0))
    # Orders first: an id without orders would be taken for lost orders.
    write_durably(fs, path, book._encode())  # noqa: SLF001 - its own constructor
    write_durably(fs, id_path, f"{book.host_id}\n".encode(), mode=0o644)
    return book


def _read_host_id(path: Path) -> str | None:
    try:
        return str(UUID(path.read_text().strip()))
    except (FileNotFoundError, ValueError):
        return None


def _read(path: Path, host_id: str) -> _Content | None:
    try:
        data = orjson.loads(path.read_bytes())
        if data["format"] != _FORMAT or data["hostId"] != host_id:
            return None
        guests = data["guests"].items()
        return _Content(
            records={uuid: _decode_record(record) for uuid, record in guests},
            highest_version=int(data["highestVersion"]),
            frozen_writer=int(data["frozenWriter"]),
        )
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _set_aside(fs: FileSystem, path: Path) -> None:
    if path.exists():
        fs.rename(path, path.with_name(f"orders.{uuid4().hex[:8]}.unreadable"))


def _encode_record(record: OrderRecord) -> dict[str, Any]:
    return {
        "writer": record.writer,
        "placementGeneration": record.placement_generation,
        "serverUid": record.server_uid,
        "serverGeneration": record.server_generation,
        "buildId": record.build_id,
        "builtAt": record.built_at,
        "launchedAt": record.launched_at,
        "off": record.off,
        "destroyed": record.destroyed,
    }


def _decode_record(data: dict[str, Any]) -> OrderRecord:
    return OrderRecord(
        writer=int(data["writer"]),
        placement_generation=int(data["placementGeneration"]),
        server_uid=str(data["serverUid"]),
        server_generation=int(data["serverGeneration"]),
        build_id=str(data["buildId"]),
        built_at=_decode_time(data["builtAt"]),
        launched_at=_decode_time(data["launchedAt"]),
        off=bool(data["off"]),
        destroyed=bool(data["destroyed"]),
    )


def _decode_time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
