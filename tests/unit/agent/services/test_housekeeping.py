"""What is taken away, and when nothing is."""

import asyncio
import errno
import subprocess
import threading
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import AsyncMock

import pytest

from kilonova_agent.domain.orders import OrderRecord, begin
from kilonova_agent.services.builder import Builder
from kilonova_agent.services.housekeeping import AgeLimits, Housekeeping
from kilonova_agent.storage.guest_files import CONSOLE_MOST_BYTES, GuestStore
from kilonova_agent.storage.images.cache import (
    ImageCache,
    ImageDownloading,
    image_name,
)
from kilonova_api.instance import Instance
from support.clock import FakeClock
from support.file_systems import FailingFileSystem
from support.instances import make_instance, make_nic_body

UUID = "11111111-2222-4333-8444-555555555555"
DAY = 86400.0


class Networks:
    """Remembers which networks had to stay."""

    def __init__(self) -> None:
        self.kept: list[set[str] | None] = []
        self.before_asking: Callable[[], Awaitable[None]] = AsyncMock()

    async def remove_unused_networks(
        self, list_needed: Callable[[], Iterable[str] | None]
    ) -> list[str]:
        await self.before_asking()
        needed = list_needed()
        self.kept.append(None if needed is None else set(needed))
        return []


@dataclass
class House:
    """A state directory with one image, and one destroyed guest over another."""

    state_dir: Path
    fs: FailingFileSystem = field(default_factory=FailingFileSystem)
    clock: FakeClock = field(default_factory=FakeClock)
    networks: Networks = field(default_factory=Networks)
    instances: list[Instance] | None = field(default_factory=list)
    may_age_out: bool = True
    min_free_percent: int = 0

    def __post_init__(self) -> None:
        self.store = GuestStore(self.fs, self.state_dir)
        download: Any = None
        self.images = ImageCache(
            self.state_dir / "images",
            download,
            fs=self.fs,
            clock=self.clock,
            random=Random(1),
        )
        for name in ("used.raw", "unused.raw"):
            (self.state_dir / "images" / name).touch()
            (self.state_dir / "images" / f"{name}.json").touch()
        files = self.store.of(UUID)
        files.folder.mkdir()
        files.root.touch()
        files.image_note.write_text("used.raw")
        driver: Any = self.networks
        self.keeping = Housekeeping(
            fs=self.fs,
            state_dir=self.state_dir,
            driver=driver,
            store=self.store,
            images=self.images,
            limits=AgeLimits(DAY, self.min_free_percent, DAY),
            list_instances=lambda: self.instances,
            may_age_out=lambda: self.may_age_out,
            clock=self.clock,
            random=Random(1),
        )

    def add_image(self, wanted: Instance) -> Path:
        """Add the image that an order names, used by nobody."""
        path = self.state_dir / "images" / image_name(wanted.spec.image)
        subprocess.run(
            ["qemu-img", "create", "-q", "-f", "qcow2", str(path), "1M"], check=True
        )
        path.with_name(f"{path.name}.json").write_text('{"virtualBytes": 1048576}')
        return path

    async def sweep_for(self, seconds: float) -> None:
        await self.keeping.sweep()
        await self.clock.advance(seconds)
        await self.keeping.sweep()

    def image_names(self) -> set[str]:
        names = {path.name for path in (self.state_dir / "images").iterdir()}
        return {name for name in names if name.endswith(".raw")}


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


async def test_unused_images_go_after_a_day_and_used_ones_never(house: House) -> None:
    await house.sweep_for(DAY - 1)
    assert house.image_names() == {"used.raw", "unused.raw"}

    await house.sweep_for(30 * DAY)

    assert house.image_names() == {"used.raw"}


async def test_the_bin_is_emptied_after_its_grace(house: House) -> None:
    house.store.bin(UUID)
    await house.sweep_for(DAY - 1)
    assert len(house.store.list_binned()) == 1

    await house.sweep_for(2)

    assert house.store.list_binned() == []


async def test_a_full_disk_empties_the_bin_earlier(tmp_path: Path) -> None:
    house = House(tmp_path, min_free_percent=100)
    house.store.bin(UUID)
    await house.keeping.sweep()
    assert house.store.list_binned() == []


async def test_a_disk_so_full_that_no_age_can_be_written_is_emptied(
    tmp_path: Path,
) -> None:
    house = House(tmp_path, min_free_percent=100)
    house.store.bin(UUID)

    with house.fs.failing("create", errno.ENOSPC):
        await house.keeping.sweep()

    assert house.store.list_binned() == []


async def test_a_skewed_clock_stops_every_age_out(tmp_path: Path) -> None:
    house = House(tmp_path, may_age_out=False, min_free_percent=100)
    house.store.bin(UUID)

    await house.sweep_for(365 * DAY)

    assert len(house.store.list_binned()) == 1
    assert house.image_names() == {"used.raw", "unused.raw"}


async def test_a_wall_clock_that_jumps_empties_nothing(house: House) -> None:
    house.store.bin(UUID)
    await house.keeping.sweep()
    house.clock.shift_wall_clock(365 * DAY)
    await house.keeping.sweep()

    assert len(house.store.list_binned()) == 1
    assert house.image_names() == {"used.raw", "unused.raw"}


async def test_nothing_is_taken_while_the_orders_are_not_known(house: House) -> None:
    house.store.bin(UUID)
    house.instances = None

    await house.sweep_for(365 * DAY)

    assert len(house.store.list_binned()) == 1
    assert house.networks.kept == []


async def test_what_a_guest_prints_is_cut_whatever_else_is_known(
    house: House,
) -> None:
    log = house.store.of(UUID).console_log
    log.write_bytes(b"x" * CONSOLE_MOST_BYTES + b"the end")
    house.instances = None

    await house.keeping.sweep()

    kept = log.read_bytes()
    assert kept.endswith(b"xthe end")
    assert len(kept) == 1024**2


async def test_a_console_log_of_an_ordinary_length_stays_whole(house: House) -> None:
    log = house.store.of(UUID).console_log
    log.write_bytes(b"x" * CONSOLE_MOST_BYTES)

    await house.keeping.sweep()

    assert log.stat().st_size == CONSOLE_MOST_BYTES


async def test_a_console_log_that_cannot_be_cut_stops_nothing_else(
    house: House,
) -> None:
    log, victim = house.store.of(UUID).console_log, house.state_dir / "victim"
    victim.write_bytes(b"data")
    log.symlink_to(victim)

    house.store.cut_console_logs(most_bytes=1, kept_bytes=1)
    await house.keeping.sweep()

    assert victim.read_bytes() == b"data"
    assert house.networks.kept == [set()]


async def test_networks_that_an_order_names_stay(house: House) -> None:
    nic = make_nic_body()
    house.instances = [Instance.model_validate(make_instance(networks=[nic]))]

    await house.keeping.sweep()

    assert house.networks.kept == [{nic["networkId"]}]


async def test_networks_stay_that_an_order_named_since_the_sweep_began(
    house: House,
) -> None:
    nic = make_nic_body()

    async def order_meanwhile() -> None:
        house.instances = [Instance.model_validate(make_instance(networks=[nic]))]

    house.networks.before_asking = order_meanwhile
    await house.keeping.sweep()

    assert house.networks.kept == [{nic["networkId"]}]


async def test_no_network_is_taken_once_the_orders_are_in_doubt(house: House) -> None:
    async def doubt() -> None:
        house.instances = None

    house.networks.before_asking = doubt
    await house.keeping.sweep()

    assert house.networks.kept == [None]


async def test_an_image_of_unknown_use_stops_removals(house: House) -> None:
    house.store.of(UUID).image_note.unlink()

    await house.sweep_for(30 * DAY)

    assert house.image_names() == {"used.raw", "unused.raw"}


async def test_an_image_that_a_guest_took_since_the_last_look_stays(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = house.store.of(UUID).image_note
    list_removable = house.images.list_removable

    def build_meanwhile() -> list[str]:
        note.write_text("unused.raw")
        return list_removable()

    await house.keeping.sweep()
    await house.clock.advance(30 * DAY)
    monkeypatch.setattr(house.images, "list_removable", build_meanwhile)
    await house.keeping.sweep()

    assert "unused.raw" in house.image_names()


async def test_an_image_is_kept_from_the_moment_a_build_was_given_it(
    house: House,
) -> None:
    wanted = Instance.model_validate(make_instance())
    image = house.add_image(wanted)

    class Orders:
        """Takes its time: long enough for images to grow old."""

        def find(self, _uuid: str) -> None:
            return None

        async def put(self, _uuid: str, _record: OrderRecord) -> None:
            await house.sweep_for(30 * DAY)

    orders: Any = Orders()
    nothing: Any = None
    builder = Builder(nothing, nothing, orders, house.store, house.images, house.clock)

    await builder.build_disks(wanted, begin(wanted.spec))

    assert image.exists()
    assert house.store.of(wanted.metadata.name).root.exists()


async def test_an_image_that_is_being_removed_is_given_to_nobody(house: House) -> None:
    wanted = Instance.model_validate(make_instance())
    image = house.add_image(wanted)
    called: list[str] = []
    house.images.on_done(called.append)
    asked, answered = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def is_used() -> bool:
        loop.call_soon_threadsafe(asked.set)
        return not answered.wait(10)

    removal = asyncio.create_task(house.images.remove(image.name, is_used=is_used))
    await asked.wait()
    with pytest.raises(ImageDownloading):
        house.images.get(wanted.spec.image, waiter=UUID)
    assert called == []
    answered.set()
    await removal

    assert not image.exists()
    assert called == [UUID]
