"""Taking away what nobody needs any more: networks, old images, the bin.

Nothing is taken while it is doubtful what is needed: as long as the host is not
accepted, its Instances are not known, or its clock is wrong. Only what guests
print is cut whatever else is known: it grows all the same.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from kilonova_agent.drivers.base import ComputeDriver, DriverUnavailable
from kilonova_agent.storage.ages import AgeBook
from kilonova_agent.storage.file_system import FileSystem
from kilonova_agent.storage.guest_files import GuestStore
from kilonova_agent.storage.images.cache import ImageCache
from kilonova_api.instance import Instance
from kilonova_api.kube.clock import Clock

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 60.0
_PERCENT = 100


@dataclass(frozen=True, slots=True)
class AgeLimits:
    """When things are old."""

    reclaim_after_seconds: float
    bin_min_free_percent: int
    image_unused_seconds: float


class Housekeeping:
    """Sweeps now and then."""

    def __init__(
        self,
        *,
        fs: FileSystem,
        state_dir: Path,
        driver: ComputeDriver,
        store: GuestStore,
        images: ImageCache,
        limits: AgeLimits,
        list_instances: Callable[[], list[Instance] | None],
        may_age_out: Callable[[], bool],
        clock: Clock,
        random: Random,
    ) -> None:
        self._state_dir = state_dir
        self._driver = driver
        self._store = store
        self._images = images
        self._limits = limits
        self._list_instances = list_instances
        self._may_age_out = may_age_out
        self._clock = clock
        self._random = random
        self._bin_ages = AgeBook(fs, state_dir / "bin-ages.json", clock)
        self._image_ages = AgeBook(fs, state_dir / "image-ages.json", clock)

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            await self._clock.sleep(INTERVAL_SECONDS * self._random.uniform(0.8, 1.2))
            try:
                await self.sweep()
            except (DriverUnavailable, OSError) as error:
                log.warning("housekeeping: %s", error)

    async def sweep(self) -> None:
        """Take away what is old or unused now."""
        await asyncio.to_thread(self._store.cut_console_logs)
        if self._list_instances() is None:
            return
        for name, age in (await asyncio.to_thread(self._sweep_files)).items():
            log.info("image %s is removed: unused for %.0f s", name, age)
            await self._images.remove(name, is_used=partial(self._is_used, name))
        for name in await self._driver.remove_unused_networks(self._list_networks):
            log.info("network %s is removed: no guest uses it", name)

    def _list_networks(self) -> set[str] | None:
        """List the networks that orders name now; None while that is in doubt."""
        instances = self._list_instances()
        if instances is None:
            return None
        return {nic.network_id for i in instances for nic in i.spec.networks}

    def _sweep_files(self) -> dict[str, float]:
        """Empty the bin; give the old images and their ages."""
        bin_ages = self._bin_ages.sweep(self._store.list_binned())
        used = self._store.list_used_images()
        removable = [] if used is None else self._images.list_removable()
        unused = [name for name in removable if name not in (used or ())]
        image_ages = self._image_ages.sweep(unused)
        if not self._may_age_out():
            return {}
        self._empty_bin(bin_ages)
        limit = self._limits.image_unused_seconds
        return {name: age for name, age in image_ages.items() if age >= limit}

    def _is_used(self, name: str) -> bool:
        used = self._store.list_used_images()
        return used is None or name in used

    def _empty_bin(self, ages: dict[str, float]) -> None:
        for entry, age in sorted(ages.items(), key=lambda item: -item[1]):
            too_old = age >= self._limits.reclaim_after_seconds
            if too_old or self._is_short_of_disk():
                log.info("disks of %s are removed after %.0f s in the bin", entry, age)
                self._store.remove_binned(entry)

    def _is_short_of_disk(self) -> bool:
        stat = os.statvfs(self._state_dir)
        free_percent = _PERCENT * stat.f_bavail / max(stat.f_blocks, 1)
        return free_percent < self._limits.bin_min_free_percent
