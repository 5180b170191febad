"""Bringing a guest up: disks, config drive, networks, domain.

Each step may be repeated, so that a build goes on wherever it was killed. The
order of the steps is what keeps it safe: a disk is remembered as built only
when it is complete, and a guest starts only when that memory is on disk.
"""

import asyncio
import logging
import secrets
from dataclasses import dataclass, replace
from datetime import datetime

from kilonova_agent.domain.build_tuning import build_tuning
from kilonova_agent.domain.faults import ImageTooLarge, SecretNotFound
from kilonova_agent.domain.orders import OrderRecord
from kilonova_agent.drivers.base import (
    ComputeDriver,
    GuestDefinition,
    GuestMark,
)
from kilonova_agent.services.user_data import get_user_data
from kilonova_agent.storage.config_drive import (
    RANDOM_SEED_BYTES,
    ConfigDriveContent,
    build_config_drive,
)
from kilonova_agent.storage.guest_files import GuestFiles, GuestStore
from kilonova_agent.storage.images.cache import CachedImage, ImageCache
from kilonova_agent.storage.order_book import OrderBook
from kilonova_agent.storage.storage_faults import telling_faults
from kilonova_api.instance import Instance
from kilonova_api.kube.api import KubeApi
from kilonova_api.kube.clock import Clock
from kilonova_api.kube.errors import KubeError

log = logging.getLogger(__name__)

_GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Builder:
    """Makes guests of orders."""

    kube: KubeApi
    driver: ComputeDriver
    orders: OrderBook
    store: GuestStore
    images: ImageCache
    clock: Clock

    async def build_disks(self, wanted: Instance, record: OrderRecord) -> OrderRecord:
        """Build the guest's disks once.

        Raises:
            ImageDownloading: come again when the image is here.
            ImageFailed: the image cannot be had for now.
            GuestFault: it cannot become this guest's disk.
        """
        uuid, spec = wanted.metadata.name, wanted.spec
        image = self.images.get(spec.image, waiter=uuid)
        # Nothing is awaited before: an image that nobody holds may be removed.
        with self.images.pinned(image.name):
            _check_size(image, spec.flavor.root_gib)
            return await self._build_disks_on(image, wanted, record)

    async def _build_disks_on(
        self, image: CachedImage, wanted: Instance, record: OrderRecord
    ) -> OrderRecord:
        uuid, spec = wanted.metadata.name, wanted.spec
        files = self.store.of(uuid)
        before = self.orders.find(uuid)
        if before is None or before.destroyed or before.build_id != spec.build_id:
            # What may lie there is of another build; a person may want it back.
            await asyncio.to_thread(self.store.bin, uuid)
        await self.orders.put(uuid, record)
        await self.store.build_disks(files, image, spec.flavor)
        built = replace(record, built_at=self._now())
        await self.orders.put(uuid, built)
        return built

    async def bring_up(self, wanted: Instance, *, power_on: bool) -> None:
        """Define the guest, and start it if ``power_on``.

        Raises:
            GuestFault: this host cannot run it.
        """
        uuid, spec = wanted.metadata.name, wanted.spec
        files = self.store.of(uuid)
        if spec.config_drive:
            await self._ensure_config_drive(wanted, files)
        await self.driver.plug(spec.networks)
        disks = await asyncio.to_thread(files.list_disks)
        definition = GuestDefinition(
            uuid=uuid,
            mark=_build_mark(wanted),
            vcpus=spec.flavor.vcpus,
            memory_mib=spec.flavor.ram_mib,
            disks=disks,
            config_drive=files.config_drive if spec.config_drive else None,
            nics=spec.networks,
            console_log=files.console_log,
            tuning=build_tuning(spec),
        )
        await self.driver.spawn(definition, power_on=power_on)

    async def _ensure_config_drive(self, wanted: Instance, files: GuestFiles) -> None:
        """Make the drive anew; keep the old one where its content is out of reach."""
        try:
            user_data = await get_user_data(self.kube, wanted)
        except (KubeError, SecretNotFound) as error:
            if not await asyncio.to_thread(files.config_drive.exists):
                raise
            log.info("%s keeps its config drive: %s", wanted.key, error)
            return
        content = ConfigDriveContent(
            uuid=wanted.metadata.name,
            spec=wanted.spec,
            user_data=user_data,
            random_seed=secrets.token_bytes(RANDOM_SEED_BYTES),
        )
        with telling_faults("making the guest's config drive"):
            await asyncio.to_thread(self._write_config_drive, files, content)

    def _write_config_drive(
        self, files: GuestFiles, content: ConfigDriveContent
    ) -> None:
        self.store.write_config_drive(files, build_config_drive(content))

    def _now(self) -> datetime:
        return self.clock.utcnow().replace(microsecond=0)


def _check_size(image: CachedImage, root_gib: int) -> None:
    if root_gib and image.virtual_bytes > root_gib * _GIB:
        raise ImageTooLarge(
            f"the image holds a disk of {image.virtual_bytes} bytes, and the flavor "
            f"gives a root disk of {root_gib} GiB. Take a larger flavor."
        )


def _build_mark(wanted: Instance) -> GuestMark:
    spec = wanted.spec
    return GuestMark(
        cluster=spec.server.cluster,
        namespace=spec.server.namespace,
        name=spec.server.name,
        uid=spec.server.uid,
        placement_generation=spec.placement_generation,
        server_generation=spec.server_generation,
        build_id=spec.build_id,
    )
