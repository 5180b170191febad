"""Real databases for tests: migrated once, copied for each test."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from shutil import copyfile

from pydantic import SecretStr

from kilonova_operator.domain.epoch import Owner
from kilonova_operator.domain.inventory import DISK_GB, MEMORY_MB, VCPU, Inventory
from kilonova_operator.domain.placement import (
    ClaimRequest,
    NicRequest,
    ServerRef,
)
from kilonova_operator.services.stores import ApiStore, CellStore
from kilonova_operator.storage.sql.engine import EngineSettings, build_engine
from kilonova_operator.storage.sql.schema_sync import Chain, upgrade
from kilonova_operator.storage.sql.stores import (
    StoreSettings,
    open_api_store,
    open_cell_store,
)
from kilonova_operator.storage.sql.urls import parse_url

OWNER = Owner("cluster-1", "kilonova-system/kilonova")


@dataclass
class TickingClock:
    """A clock that moves a second at each look, so that no two moments are equal."""

    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@dataclass
class Databases:
    """Opens stores on databases of one kind."""

    urls: Iterator[tuple[str, str]]
    """Fresh, migrated databases: URLs of an API and of a cell's one."""
    clock: TickingClock = field(default_factory=TickingClock)
    stores: list[ApiStore | CellStore] = field(default_factory=list)

    def api_url(self) -> SecretStr:
        return SecretStr(next(self.urls)[0])

    def cell_url(self) -> SecretStr:
        return SecretStr(next(self.urls)[1])

    def open_api(
        self,
        url: SecretStr | None = None,
        *,
        owner: Owner = OWNER,
        settings: StoreSettings | None = None,
        random: Random | None = None,
    ) -> ApiStore:
        store = open_api_store(
            url or self.api_url(),
            owner,
            utcnow=self.clock,
            settings=settings,
            random=random or Random(1),
        )
        self.stores.append(store)
        return store

    def open_cell(
        self, url: SecretStr | None = None, *, owner: Owner = OWNER
    ) -> CellStore:
        store = open_cell_store(
            "cell1", url or self.cell_url(), owner, utcnow=self.clock
        )
        self.stores.append(store)
        return store

    async def close(self) -> None:
        for store in self.stores:
            await store.close()


def migrate(chain: Chain, url: str) -> None:
    """Bring a database to the newest schema."""
    engine = build_engine(parse_url(chain, SecretStr(url)), EngineSettings(pool_size=2))
    upgrade(chain, chain, engine)
    engine.dispose()


def sqlite_urls(template: Path, folder: Path) -> Iterator[tuple[str, str]]:
    """Give copies of the migrated files in ``template``."""
    for number in itertools.count():
        urls = []
        for chain in ("api", "cell"):
            path = folder / f"{chain}-{number}.sqlite"
            copyfile(template / f"{chain}.sqlite", path)
            urls.append(f"sqlite:///{path}")
        yield urls[0], urls[1]


def make_sqlite_template(folder: Path) -> None:
    """Migrate one file of each chain."""
    for chain in ("api", "cell"):
        migrate(chain, f"sqlite:///{folder / chain}.sqlite")


def made_server(number: int, *, namespace: str = "shop") -> ServerRef:
    return ServerRef(
        uid=f"00000000-0000-4000-8000-{number:012d}",
        namespace=namespace,
        name=f"web-{number}",
        namespace_uid="namespace-1",
    )


def made_inventories(
    *, vcpus: int = 16, memory_mb: int = 32768, disk_gb: int = 500
) -> dict[str, Inventory]:
    return {
        VCPU: Inventory(vcpus, allocation_ratio=4.0, max_unit=vcpus),
        MEMORY_MB: Inventory(memory_mb, reserved=512, max_unit=memory_mb),
        DISK_GB: Inventory(disk_gb, max_unit=disk_gb),
    }


SMALL = {VCPU: 1, MEMORY_MB: 2048, DISK_GB: 20}


def made_claim(
    number: int,
    host: str = "hv1",
    *,
    nics: tuple[NicRequest, ...] = (),
    amounts: dict[str, int] | None = None,
    attempt: int = 1,
) -> ClaimRequest:
    return ClaimRequest(
        server=made_server(number),
        host=host,
        amounts=amounts or SMALL,
        nics=nics,
        object_generation=1,
        attempt=attempt,
    )
